"""One-off invoices: fees of add-ons, final at once, with taxes and without credits. Source: rules/invoices 6."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib import limits
from chalicelib.domain import money
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.domain.invoicing.taxes import TaxRate, fee_taxes
from chalicelib.domain.money import decimal_string
from chalicelib.features.add_ons import service as add_ons
from chalicelib.features.add_ons.records import AddOn
from chalicelib.features.customers import serializer as customer_serializer
from chalicelib.features.customers import service as customers
from chalicelib.features.customers import store as customer_store
from chalicelib.features.customers.records import Customer
from chalicelib.features.invoices import serializer, store
from chalicelib.features.invoices.parts import AppliedTaxPart
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.invoicing import compose, issue_transaction
from chalicelib.features.invoicing.issue_transaction import Issue
from chalicelib.features.invoicing.schemas import FeeInput, OneOffInput
from chalicelib.features.organizations import service as organizations
from chalicelib.features.rating import billing_context, tax_resolver
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.taxes import service as taxes
from chalicelib.platform import schema
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId, FeeId, InvoiceId, OrganizationId, TaxId, derived_id, new_id
from chalicelib.platform.retry import retrying


def findings(fee: Mapping[str, Any]) -> Mapping[str, Any]:
    """Findings of one fee of a request, by field. An answer names those of all its fees together."""
    try:
        schema.parse(FeeInput, fee)
    except Invalid as error:
        return error.details
    return {}


def create(
    organization: OrganizationRef, values: Mapping[str, Any], *, now: datetime, invoice_id: InvoiceId | None = None
) -> Invoice:
    """A final invoice of add-ons; nothing is kept of a refused one. `invoice_id`: the id to use, where the same request may
    come twice: the second finds the invoice of the first.

    Raises: Invalid; NotFound for an unknown customer, add-on or tax, or without fees; ChangedMeanwhile.
    """
    request, customer_id = _understood(organization.id, values)
    own_id = invoice_id or InvoiceId(new_id())

    def attempt() -> Invoice:
        made = store.get(organization.id, own_id) if invoice_id else None
        return made or _issue(_context(organization.id, customer_id), request, own_id, now=now)

    return retrying(attempt, Resource.INVOICE)


def preview(organization: OrganizationRef, values: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    """The invoice that `create` would make, as the API shows it; nothing is stored, and it has no number.

    Raises: what `create` raises.
    """
    request, customer_id = _understood(organization.id, values)
    context = _context(organization.id, customer_id)
    issue, _ = _composed(context, request, InvoiceId(new_id()), now=now)
    assert issue.invoice is not None, "fees make an invoice"
    shown = customer_serializer.show_all(context.organization, [context.customer])[0]
    return serializer.extended(issue.invoice.model_copy(update={"number": ""}), shown, [], issue.fees)


def _understood(organization_id: OrganizationId, values: Mapping[str, Any]) -> tuple[OneOffInput, CustomerId]:
    request = schema.parse(OneOffInput, values)
    customer = customers.find(organization_id, request.external_customer_id)
    if not request.fees:
        raise NotFound(Resource.FEES)
    if len(request.fees) > limits.ONE_OFF_FEES_MAX:
        raise Invalid.field("fees", ErrorCode.INVALID_COUNT)
    return request, customer.id


def _context(organization_id: OrganizationId, customer_id: CustomerId) -> BillingContext:
    own = organizations.get(organization_id)
    context = billing_context.read(own, customer_store.everything_of(own.id, customer_id))
    if context.customer.deleted_at is not None:
        raise NotFound(Resource.CUSTOMER)
    return context


def _issue(context: BillingContext, request: OneOffInput, invoice_id: InvoiceId, *, now: datetime) -> Invoice:
    own = context.organization
    issue, billed = _composed(context, request, invoice_id, now=now)
    adopted = [] if billed == context.customer else [customers.replace_action(own.id, context.customer, billed)]
    state = issue.state.model_copy(update={"attached": True})
    issue_transaction.carry_out(replace(issue, state=state, actions=adopted), now=now)
    stored = store.get(own.id, invoice_id)
    assert stored is not None, "it was just written"
    return stored


def _composed(
    context: BillingContext, request: OneOffInput, invoice_id: InvoiceId, *, now: datetime
) -> tuple[Issue, Customer]:
    """The issue, and the customer with the currency that it is billed in from now on."""
    known = _add_ons_of(context.organization.id, request.fees)
    first = known[request.fees[0].add_on_code]
    currency = request.currency or context.customer.currency or first.amount_currency
    billed = customers.check_currency(context.customer, currency)
    if any(
        each.unit_amount_cents is None and known[each.add_on_code].amount_currency != currency for each in request.fees
    ):
        # The add-on's own price is in another currency.
        raise Invalid.field("currency", ErrorCode.CURRENCIES_DOES_NOT_MATCH)
    fees = _fees(context, request, known, currency, invoice_id, now=now)
    invoice = compose.without_grace(context, "one_off", fees, currency, invoice_id, now=now)
    return issue_transaction.finalized(replace(context, credits=()), invoice, fees, now=now), billed


def _add_ons_of(organization_id: OrganizationId, fees: Sequence[FeeInput]) -> dict[str, AddOn]:
    known = add_ons.CATALOG.find_many(organization_id, list(dict.fromkeys(each.add_on_code for each in fees)))
    if any(each.add_on_code not in known for each in fees):
        raise NotFound(Resource.ADD_ON)
    return known


def _fees(
    context: BillingContext,
    request: OneOffInput,
    known: Mapping[str, AddOn],
    currency: str,
    invoice_id: InvoiceId,
    *,
    now: datetime,
) -> list[Fee]:
    codes = list(dict.fromkeys(code for each in request.fees for code in each.tax_codes))
    named: dict[str, TaxId] = (
        dict(zip(codes, taxes.ids_of(context.organization.id, codes), strict=True)) if codes else {}
    )
    ids = {*named.values(), *(tax_id for add_on in known.values() for tax_id in add_on.tax_ids)}
    resolver = tax_resolver.read(context, [], ids)
    fees = []
    for number, given in enumerate(request.fees):
        add_on = known[given.add_on_code]
        owed = resolver.of([named[code] for code in dict.fromkeys(given.tax_codes)], add_on.tax_ids)
        fees.append(_fee(context, given, add_on, owed, currency, invoice_id, number, now=now))
    return fees


def _fee(
    context: BillingContext,
    given: FeeInput,
    add_on: AddOn,
    owed: Sequence[TaxRate],
    currency: str,
    invoice_id: InvoiceId,
    number: int,
    *,
    now: datetime,
) -> Fee:
    units = Decimal(1) if given.units is None else given.units
    unit_cents = add_on.amount_cents if given.unit_amount_cents is None else given.unit_amount_cents
    precise = money.CONTEXT.multiply(Decimal(unit_cents), units)
    amount_cents = money.round_half_up(precise)
    if amount_cents > limits.INTEGER_MAX:
        raise Invalid.field("units", ErrorCode.VALUE_IS_OUT_OF_RANGE)
    fee_id = FeeId(derived_id(invoice_id, "add_on", str(number)))
    found = fee_taxes(Decimal(amount_cents), owed)
    return Fee(
        id=fee_id,
        invoice_id=invoice_id,
        customer_id=context.customer.id,
        external_customer_id=context.customer.external_id,
        subscription_id=None,
        external_subscription_id=None,
        charge_id=None,
        type="add_on",
        item_id=add_on.id,
        item_type="AddOn",
        item_code=add_on.code,
        item_name=add_on.name,
        item_description=add_on.description if given.description is None else given.description,
        display_name=given.invoice_display_name or given.name or add_on.invoice_display_name or add_on.name,
        amount_cents=amount_cents,
        precise_amount_cents=format(precise, "f"),
        currency=currency,
        units=decimal_string(units),
        total_units=decimal_string(units),
        unit_amount=decimal_string(money.from_cents(Decimal(unit_cents), currency)),
        events_count=None,
        details={},
        taxes_amount_cents=found.amount_cents,
        taxes_precise_cents=format(money.to_decimal(found.precise_cents), "f"),
        taxes_rate=format(found.rate, "f"),
        applied_taxes=tuple(AppliedTaxPart.of(each, derived_id(fee_id, each.tax.code)) for each in found.applied),
        pay_in_advance=False,
        invoiceable=True,
        start=given.from_datetime or now,
        end=given.to_datetime or now,
        exact_end=True,
        created_at=now,
    )
