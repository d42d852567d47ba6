"""The invoice that would be issued next, by the same computation; nothing is stored.

Billing is played forward on values: each instant that is due is decided as the billing run decides it, until one bills
something. Source: rules/invoices 14.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.domain.invoicing.coupons import Coupon
from chalicelib.domain.invoicing.steps import BEFORE_TAX, MODES
from chalicelib.features.coupons import service as coupons
from chalicelib.features.coupons.records import Coupon as StoredCoupon
from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.credits import service as credits
from chalicelib.features.customers import serializer as customer_serializer
from chalicelib.features.events import service as events
from chalicelib.features.invoices import amounts, serializer
from chalicelib.features.invoices.parts import CouponPart
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.invoicing import compose, issue_transaction, run
from chalicelib.features.invoicing.preview_account import Account, account_of, changed, chosen, with_new
from chalicelib.features.invoicing.schemas import CouponInput, PreviewInput
from chalicelib.features.organizations import service as organizations
from chalicelib.features.subscriptions import lifecycle
from chalicelib.features.subscriptions import serializer as subscription_serializer
from chalicelib.platform import schema
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import AppliedCouponId, CouponId

# A trial of years in a weekly plan bills nothing for so many instants at the most.
_INSTANTS_MAX = 600


class Consequences(NamedTuple):
    """Documents that follow from a change. `invoice`: in the API's form; `at`: the instant that bills it."""

    invoice: dict[str, Any] | None
    at: datetime | None
    notes: Sequence[CreditNote]


@dataclass(frozen=True, slots=True)
class _Found:
    """The invoice that was found, and the account behind it. `at`: the instant that bills it; `plain_fees`: as they were
    before coupons; `places`: what the issue has for credits; `notes`: credit notes that are made until then."""

    account: Account
    invoice: Invoice
    fees: Sequence[Fee]
    at: datetime
    plain_fees: Sequence[Fee]
    places: int
    notes: Sequence[CreditNote] = ()


class _NothingBilled(NotFound):
    """No instant bills anything; `notes`: credit notes that are made all the same."""

    def __init__(self, notes: Sequence[CreditNote]) -> None:
        super().__init__(Resource.INVOICE)
        self.notes = notes


def preview(organization: OrganizationRef, values: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    """The next invoice of the subscriptions that the request names, or the first one of a subscription to the plan that it
    names, as the API shows it.

    Raises: Invalid; NotFound for an unknown customer, plan or subscription, or where nothing will be billed.
    """
    return _shown(_found(organization, values, now=now))


def consequences(organization: OrganizationRef, values: Mapping[str, Any], *, now: datetime) -> Consequences:
    """The same invoice, None where nothing will be billed, with the credit notes that are made until then.

    Raises: Invalid; NotFound for an unknown customer, plan or subscription.
    """
    try:
        found = _found(organization, values, now=now)
    except _NothingBilled as nothing:
        return Consequences(None, None, nothing.notes)
    return Consequences(_shown(found), found.at, found.notes)


def _found(organization: OrganizationRef, values: Mapping[str, Any], *, now: datetime) -> _Found:
    request = schema.parse(PreviewInput, values)
    own = organizations.get(organization.id)
    account = account_of(own, request.customer, now=now)
    if request.subscriptions.external_ids:
        account = changed(chosen(account, request), request.subscriptions, now=now)
    else:
        account = with_new(account, request, now=now)
    events.wait_for_events(organization)
    return _with_coupons(_next_invoice(account), request.coupons)


def _next_invoice(account: Account) -> _Found:
    """Billing played forward to the next invoice.

    Raises: _NothingBilled.
    """
    noted: list[CreditNote] = []
    for _ in range(_INSTANTS_MAX):
        context, known = account.context, account.known
        at = run.next_due_at(account.subscriptions, known, context)
        if at is None:
            break
        decisions = lifecycle.decide_all(account.subscriptions, known, closing=False, now=at, zone=context.zone)
        group = run.next_group(decisions)
        issue, notes = run.prepared(context, group, now=at)
        noted += [each.note for each in notes]
        account = account.replacing(*(outcome.after for each in group for outcome in each.outcomes))
        if issue.invoice is not None:
            # Credits are taken when an invoice becomes final: a draft shows none of them, but its preview does.
            final = issue
            if issue.invoice.status == "draft":
                final = issue_transaction.finalized(issue.context, issue.invoice, issue.fees, now=at)
            assert final.invoice is not None, "a draft makes an invoice"
            account = replace(account, context=issue.context)
            return _Found(account, final.invoice, final.fees, at, issue.fees, final.places, noted)
    raise _NothingBilled(noted)


def _with_coupons(found: _Found, tried: Sequence[CouponInput]) -> _Found:
    """The invoice with coupons that nobody has, after those of the customer."""
    invoice, context = found.invoice, found.account.context
    stored = coupons.CATALOG.find_many(
        context.organization.id, [each.code for each in tried if each.coupon_type is None]
    )
    extra = [coupon for each in tried if (coupon := _coupon(each, stored, invoice.currency, at=found.at)) is not None]
    if not extra:
        return found
    offer = credits.offered(context.credits, invoice, found.plain_fees, places=found.places)
    offered, mode = offer.credits(), MODES[invoice.version_number]
    sums = compose.sums_of(found.plain_fees, replace(offered, coupons=(*offered.coupons, *extra)), mode)
    known = {coupon.id for coupon in offered.coupons}
    own = replace(sums, discounts=tuple(each for each in sums.discounts if each.coupon_id in known))
    given = credits.parts(offer.taken(invoice, own, now=found.at))
    names = {each.code: each.name or each.code for each in tried}
    parts = [
        CouponPart(
            id=each.coupon_id,
            amount_cents=each.amount_cents,
            applied_coupon_id=AppliedCouponId(each.coupon_id),
            coupon_id=CouponId(each.coupon_id),
            code=each.coupon_id,
            name=names[each.coupon_id],
            before_taxes=mode == BEFORE_TAX,
        )
        for each in sums.discounts
        if each.coupon_id not in known
    ]
    update = {
        **amounts.of(sums, invoice.id),
        **replace(given, coupons=(*given.coupons, *parts)).fields,
    }
    fees = compose.discounted(found.plain_fees, sums, mode)
    return replace(found, invoice=invoice.model_copy(update=update), fees=fees)


def _coupon(given: CouponInput, stored: Mapping[str, StoredCoupon], currency: str, *, at: datetime) -> Coupon | None:
    """A coupon that is tried; None where it is in another currency.

    Raises: Invalid, where its amount or rate is missing; NotFound, for the code of no active coupon.
    """
    if given.coupon_type is None:
        known = stored.get(given.code)
        if known is None or not known.usable(at):
            raise NotFound(Resource.COUPON)
        given = CouponInput(
            code=known.code,
            name=known.name,
            coupon_type=known.coupon_type,
            amount_cents=known.amount_cents,
            amount_currency=known.amount_currency,
            percentage_rate=None if known.percentage_rate is None else Decimal(known.percentage_rate),
        )
    if given.coupon_type == "percentage":
        if given.percentage_rate is None:
            raise Invalid.field("percentage_rate", ErrorCode.VALUE_IS_MANDATORY)
        return Coupon(given.code, rate=Decimal(given.percentage_rate))
    if given.amount_cents is None:
        raise Invalid.field("amount_cents", ErrorCode.VALUE_IS_MANDATORY)
    if given.amount_currency not in (None, currency):
        return None
    return Coupon(given.code, amount_cents=given.amount_cents)


def _shown(found: _Found) -> dict[str, Any]:
    """The invoice as a draft: it has no number yet, and nothing of it is due."""
    account = found.account
    context = account.context
    named = {period.subscription_id for period in found.invoice.periods}
    shown = [
        subscription_serializer.show(each, account.known[each.plan_id], zone=context.zone, now=found.at)
        for each in account.subscriptions
        if each.id in named
    ]
    number = compose.draft_number(context)
    invoice = found.invoice.model_copy(
        update={"status": "draft", "payment_status": "pending", "number": number, "sequential_id": None}
    )
    customer = customer_serializer.show_all(context.organization, [context.customer])[0]
    return serializer.extended(invoice, customer, shown, found.fees)
