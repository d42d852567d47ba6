"""Issuing invoices: fees are written under a build that nobody reads yet, then one transaction flips the invoice.

The flip takes everything that must agree: the subscriptions (whose versions hold which periods are billed), the customer's
billing state with its number, the next task, totals and the announcement. A crash before it leaves nothing visible;
after it, nothing is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from chalicelib.domain import money, periods
from chalicelib.domain.invoicing import dates, numbers
from chalicelib.domain.invoicing.taxes import TaxRate
from chalicelib.domain.invoicing.totals import VERSION_NUMBERS, TaxedFee, Totals, totals
from chalicelib.domain.subscriptions import Row
from chalicelib.features.billable_metrics.store import Metric
from chalicelib.features.billing import pricing
from chalicelib.features.billing.pricing import TaxBook
from chalicelib.features.customers.records import BillingState, Customer
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.features.invoices.records import AppliedTaxPart, Fee, Invoice, PeriodPart
from chalicelib.features.organizations import store as organization_store
from chalicelib.features.organizations.records import Organization
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.store import Plan
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.features.taxes import service as taxes
from chalicelib.features.taxes.store import Tax
from chalicelib.platform import counters
from chalicelib.platform.ids import derived_id, new_id
from chalicelib.platform.table import Action

# Invoices numbered per customer, counted for the day on which an organization goes over to one sequence.
NUMBERED = "invoices-numbered-per-customer"


@dataclass(frozen=True, slots=True)
class Account:
    """Whom an invoice is for, as everything of it was read."""

    organization: Organization
    customer: Customer
    state: BillingState

    @property
    def zone(self) -> ZoneInfo:
        """The customer's applicable time zone."""
        return self.customer.zone(self.organization.timezone)

    @property
    def grace_days(self) -> int:
        """The customer's grace period, else the organization's."""
        own = self.customer.billing_configuration.invoice_grace_period
        return self.organization.billing_configuration.invoice_grace_period if own is None else own

    @property
    def net_payment_term(self) -> int:
        """The customer's payment term, else the organization's, in days."""
        own = self.customer.net_payment_term
        return self.organization.net_payment_term if own is None else own

    @property
    def skips_zero_invoices(self) -> bool:
        """Whether invoices of nothing are not issued. Source: invoices.md section 1."""
        own = self.customer.finalize_zero_amount_invoice
        return own == "skip" or (own == "inherit" and not self.organization.finalize_zero_amount_invoice)


@dataclass(frozen=True, slots=True)
class Line:
    """One subscription on an invoice to be issued."""

    subscription: Subscription
    plan: Plan
    period: PeriodPart


def period_part(subscription: Subscription, plan: Plan, row: Row) -> PeriodPart:
    """A row of billing as an invoice keeps it."""
    fee = row.fee
    return PeriodPart(
        subscription_id=subscription.id,
        external_subscription_id=subscription.external_id,
        plan_id=plan.id,
        reason=row.reason,
        start=row.period.start,
        end=row.period.end,
        charges_start=row.charges.start,
        charges_end=row.charges.end,
        bills_usage=row.bills_usage,
        exact_end=row.exact_end,
        fee_start=fee.span.start if fee else None,
        fee_end=fee.span.end if fee else None,
        fee_days=fee.days if fee else None,
        fee_of_days=fee.of_days if fee else None,
        fee_period_start=fee.whole.start if fee else None,
        fee_period_end=fee.whole.end if fee else None,
    )


def fees_of(account: Account, lines: Sequence[Line], *, invoice_id: str, now: datetime) -> list[Fee]:
    """All fees of an invoice in their order: per subscription its base amount, then its charges in the plan's order."""
    metrics = plans.metrics_of(account.organization.id, [line.plan for line in lines])
    book = tax_book(account, [line.plan for line in lines])
    fees: list[Fee] = []
    for line in lines:
        base = pricing.subscription_fee(
            line.subscription, line.plan, line.period, book.of(line.plan.tax_ids), invoice_id=invoice_id, now=now
        )
        fees += [base] if base else []
        if line.period.bills_usage:
            fees += _charge_fees(account, line, metrics, book, invoice_id=invoice_id, now=now)
    return fees


def _charge_fees(
    account: Account, line: Line, metrics: Mapping[str, Metric], book: TaxBook, *, invoice_id: str, now: datetime
) -> list[Fee]:
    charges = plans.live_charges(line.plan, metrics)
    span = periods.Span(line.period.charges_start, line.period.charges_end)
    used = pricing.used_by(account.organization.ref, line.subscription.external_id, charges, span)
    fees = []
    for each in used:
        owed = book.of(each.charge.tax_ids, line.plan.tax_ids)
        fee = pricing.charge_fee(each, line.subscription, line.plan, line.period, owed, invoice_id=invoice_id, now=now)
        fees += [fee] if fee else []
    return fees


def tax_book(account: Account, of_plans: Sequence[Plan]) -> TaxBook:
    """The taxes that may count, read in one request beside the organization's list."""
    defaults = taxes.of_organization(account.organization.id)
    wanted = {*account.customer.tax_ids}
    for plan in of_plans:
        wanted |= {*plan.tax_ids, *(i for charge in plan.charges for i in charge.tax_ids)}
    known = {tax.id: rate_of(tax) for tax in taxes.live(account.organization.id, wanted)}
    vat = Decimal(account.organization.billing_configuration.vat_rate)
    organization = tuple(rate_of(tax) for tax in defaults) or _anonymous(vat)
    own_vat = account.customer.billing_configuration.vat_rate
    customer = tuple(known[i] for i in account.customer.tax_ids if i in known)
    return TaxBook(known, customer or _anonymous(Decimal(own_vat or 0)), organization)


def rate_of(tax: Tax) -> TaxRate:
    """A tax as it counts on documents."""
    return TaxRate(tax.id, tax.code, tax.name, tax.rate, tax.description)


def _anonymous(rate: Decimal) -> tuple[TaxRate, ...]:
    """The first API's `vat_rate`: a tax without an object. Source: invoices.md section 4.1."""
    return (TaxRate(None, "vat", "VAT", rate),) if rate else ()


def drafted(account: Account, lines: Sequence[Line], fees: Sequence[Fee], *, invoice_id: str, now: datetime) -> Invoice:
    """The invoice before anything is decided about its number and state: amounts, dates and boundaries."""
    sums = sums_of(fees)
    configuration = account.customer.billing_configuration
    day = dates.document_dates(
        periods.local_date(now, account.zone),
        grace_days=account.grace_days,
        net_payment_term_days=account.net_payment_term,
        anchor=configuration.subscription_invoice_issuing_date_anchor or dates.NEXT_PERIOD_START,
        adjustment=configuration.subscription_invoice_issuing_date_adjustment or dates.ALIGN,
    )
    return Invoice(
        id=invoice_id,
        created_at=now,
        updated_at=now,
        customer_id=account.customer.id,
        external_customer_id=account.customer.external_id,
        invoice_type="subscription",
        status="draft",
        payment_status="pending",
        number=numbers.draft(account.organization.document_number_prefix),
        sequential_id=None,
        currency=lines[0].plan.amount_currency,
        timezone=account.zone.key,
        issuing_date=day.issuing_date,
        payment_due_date=day.payment_due_date,
        net_payment_term=account.net_payment_term,
        finalize_on=day.finalized_on,
        version_number=VERSION_NUMBERS[account.organization.billing_configuration.coupon_application],
        periods=tuple(line.period for line in lines),
        build=new_id(),
        customer_search=CUSTOMERS.search(account.customer),
        **amounts(sums, invoice_id),
    )


def sums_of(fees: Sequence[Fee]) -> Totals:
    """The totals of these fees."""
    return totals([TaxedFee(fee.amount_cents, tuple(_rate(tax) for tax in fee.applied_taxes)) for fee in fees])


def amounts(sums: Totals, invoice_id: str) -> dict[str, object]:
    """Totals as an invoice keeps them."""
    return {
        "fees_amount_cents": sums.fees_amount_cents,
        "coupons_amount_cents": sums.coupons_amount_cents,
        "taxes_amount_cents": sums.taxes.amount_cents,
        "taxes_rate": format(sums.taxes.rate.normalize(), "f"),
        "sub_total_excluding_taxes_amount_cents": sums.sub_total_excluding_taxes_amount_cents,
        "sub_total_including_taxes_amount_cents": sums.sub_total_including_taxes_amount_cents,
        "credit_notes_amount_cents": sums.credit_notes_amount_cents,
        "prepaid_credit_amount_cents": sums.prepaid_credit_amount_cents,
        "total_amount_cents": sums.total_amount_cents,
        "applied_taxes": tuple(
            AppliedTaxPart(
                id=derived_id(invoice_id, "tax", each.tax.id or each.tax.code),
                tax_id=each.tax.id,
                code=each.tax.code,
                name=each.tax.name,
                rate=format(each.tax.rate, "f"),
                description=each.tax.description,
                amount_cents=each.amount_cents,
                base_cents=money.round_half_up(each.base_cents),
            )
            for each in sums.taxes.applied
        ),
    }


def finalized(account: Account, draft: Invoice, *, now: datetime) -> tuple[Invoice, BillingState, list[Action]]:
    """The invoice made final: number, sequence and payment status; with the billing state that drew the number.

    Both sequences count every numbered invoice, whichever mode numbered it. Source: invoices.md section 9.
    """
    organization, state = account.organization, account.state
    if draft.fees_amount_cents == 0 and account.skips_zero_invoices:
        return draft.model_copy(update={"status": "closed", "finalized_at": now, "updated_at": now}), state, []
    sequence = state.invoices + 1
    number = numbers.per_customer(organization.document_number_prefix, account.customer.sequential_id, sequence)
    actions: list[Action] = []
    if organization.document_numbering == "per_organization":
        # One sequence: it goes on from all that were numbered before, in either mode.
        per_customer = counters.total(organization.id, NUMBERED)
        seen = organization_store.numbers(organization.id)["invoices"]
        finalized_on = periods.local_date(now, ZoneInfo(organization.timezone))
        number = numbers.per_organization(organization.document_number_prefix, finalized_on, per_customer + seen + 1)
        actions = [organization_store.number_action(organization.id, "invoices", seen=seen)]
    else:
        # Spread counters, as every invoice moves them: one row would make all of an organization's invoices conflict.
        actions = counters.moved(organization.id, NUMBERED, draft.id, {"all": 1})
    final = draft.model_copy(
        update={
            "status": "finalized",
            "number": number,
            "sequential_id": sequence,
            "payment_status": "succeeded" if draft.total_amount_cents == 0 else "pending",
            "finalized_at": now,
            "updated_at": now,
        }
    )
    return final, state.model_copy(update={"invoices": sequence}), actions


def _rate(part: AppliedTaxPart) -> TaxRate:
    return TaxRate(part.tax_id, part.code, part.name, Decimal(part.rate), part.description)
