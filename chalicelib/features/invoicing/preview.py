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
from chalicelib.domain.intervals import BillingTime
from chalicelib.domain.invoicing.coupons import Coupon
from chalicelib.domain.invoicing.steps import BEFORE_TAX, MODES
from chalicelib.features.coupons import service as coupons
from chalicelib.features.coupons.records import Coupon as StoredCoupon
from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.credits import service as credits
from chalicelib.features.customers import serializer as customer_serializer
from chalicelib.features.customers import service as customers
from chalicelib.features.customers import store as customer_store
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.customers.records import NOT_WRITTEN, BillingState, Customer
from chalicelib.features.events import service as events
from chalicelib.features.invoices import serializer
from chalicelib.features.invoices.parts import CouponPart, CreditPart
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.invoicing import compose, issue_transaction, run
from chalicelib.features.invoicing.schemas import CouponInput, CustomerInput, PreviewInput, SubscriptionsInput
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.records import Plan
from chalicelib.features.rating import billing_context
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.subscriptions import endings, lifecycle, plan_changes, schemas
from chalicelib.features.subscriptions import serializer as subscription_serializer
from chalicelib.features.subscriptions import service as subscriptions
from chalicelib.features.subscriptions import store as subscription_store
from chalicelib.features.subscriptions.change import Change
from chalicelib.features.subscriptions.records import Status, Subscription
from chalicelib.features.taxes import service as taxes
from chalicelib.platform import schema
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import AppliedCouponId, CouponId, new_id

# A trial of years in a weekly plan bills nothing for so many instants at the most.
_INSTANTS_MAX = 600


class Consequences(NamedTuple):
    """Documents that follow from a change. `invoice`: in the API's form; `at`: the instant that bills it."""

    invoice: dict[str, Any] | None
    at: datetime | None
    notes: Sequence[CreditNote]


@dataclass(frozen=True, slots=True)
class _Account:
    """A customer's billing on values. `known`: the plans of the subscriptions."""

    context: BillingContext
    subscriptions: tuple[Subscription, ...]
    known: Mapping[str, Plan]

    def change(self, now: datetime) -> Change:
        """The customer as a use case reads it."""
        context = self.context
        return Change(context.organization, context.customer, context.state, self.subscriptions, now)

    def replacing(self, *subscriptions: Subscription, plan: Plan | None = None) -> "_Account":
        """The account with these subscriptions, new or in the place of earlier ones."""
        by_id = {s.id: s for s in (*self.subscriptions, *subscriptions)}
        known = self.known if plan is None else {**self.known, plan.id: plan}
        return replace(self, subscriptions=tuple(by_id.values()), known=known)

    def without(self, subscription_id: str | None) -> "_Account":
        """The account without a subscription."""
        return replace(self, subscriptions=tuple(s for s in self.subscriptions if s.id != subscription_id))


@dataclass(frozen=True, slots=True)
class _Found:
    """The invoice that was found, and the account behind it. `at`: the instant that bills it; `plain_fees`: as they were
    before coupons; `places`: what the issue has for credits; `notes`: credit notes that are made until then."""

    account: _Account
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
    account = _account(own, request.customer, now=now)
    if request.subscriptions.external_ids:
        account = _changed(_chosen(account, request), request.subscriptions, now=now)
    else:
        account = _with_new(account, request, now=now)
    events.wait_for_events(organization)
    return _with_coupons(_next_invoice(account), request.coupons)


def _account(own: Organization, request: CustomerInput, *, now: datetime) -> _Account:
    taxed = {"tax_ids": tuple(taxes.ids_of(own.id, request.tax_codes))} if request.tax_codes else {}
    if request.external_id:
        stored = customers.find(own.id, request.external_id)
        items = customer_store.everything_of(own.id, stored.id)
        assert items.customer is not None, "it was just found"
        items = replace(items, customer=items.customer.model_copy(update=taxed))
        known = tuple(sorted(subscription_store.among(items), key=lambda s: (s.created_at, s.id)))
        found = plans.by_ids(own.id, [s.plan_id for s in known])
        return _Account(billing_context.read(own, items), known, found)
    given = request.model_dump(exclude={"external_id", "tax_codes"}, exclude_none=True) | taxed
    customer: Customer = customers.new_customer("", now=now).model_copy(update=given)
    state = BillingState(customer_id=customer.id, version=NOT_WRITTEN)
    return _Account(billing_context.read(own, CustomerItems(customer, state, ())), (), {})


def _chosen(account: _Account, request: PreviewInput) -> _Account:
    """Only the subscriptions that are named, with what follows them or still has to be billed.

    Raises: NotFound, where a name has no active one.
    """
    wanted = set(request.subscriptions.external_ids)
    chosen = tuple(s for s in account.subscriptions if s.external_id in wanted and (s.live or s.occasions))
    if wanted != {s.external_id for s in chosen if s.status == Status.ACTIVE}:
        raise NotFound(Resource.SUBSCRIPTION)
    return replace(account, subscriptions=chosen)


def _changed(account: _Account, request: SubscriptionsInput, *, now: datetime) -> _Account:
    """The account after the end, or the change of plan, that is tried."""
    if request.plan_code is None and request.terminated_at is None:
        return account
    if len(set(request.external_ids)) > 1:
        raise Invalid.field("external_ids", ErrorCode.INVALID_COUNT)
    current = next(s for s in account.subscriptions if s.status == Status.ACTIVE)
    left = account.without(current.next_id)
    current = current.model_copy(update={"next_id": None, "next_plan_code": None})
    plan = account.known[current.plan_id]
    if request.plan_code is None:
        assert request.terminated_at is not None, "one of both is given"
        if current.started_at is not None and request.terminated_at < current.started_at:
            raise Invalid.field("terminated_at", ErrorCode.INVALID_DATE)
        options = request.model_dump(include=set(schemas.Termination.model_fields), exclude_none=True)
        ended = endings.ended(current, plan, schemas.Termination(**options), at=request.terminated_at)
        return left.replacing(ended)
    other = _plan(account, request.plan_code)
    change = account.change(now)
    new = plan_changes.successor(current, other, None, now=now)
    if plan_changes.is_dearer(other, plan):
        over, begun = plan_changes.upgraded(change, current, plan, new, other)
        return left.replacing(over, begun, plan=other)
    return left.replacing(plan_changes.downgrading(change, current, new), new, plan=other)


def _with_new(account: _Account, request: PreviewInput, *, now: datetime) -> _Account:
    """The account with a new subscription alone.

    Raises: NotFound, for an unknown plan; Invalid, for another currency.
    """
    plan = _plan(account, request.plan_code or "")
    context = account.context
    customer = customers.check_currency(context.customer, plan.amount_currency)
    alone = replace(account, context=replace(context, customer=customer), subscriptions=())
    begun = schemas.SubscriptionInput(
        external_customer_id=customer.external_id or customer.id,
        plan_code=plan.code,
        external_id=new_id(),
        billing_time=request.billing_time or BillingTime.CALENDAR,
        subscription_at=request.subscription_at,
    )
    return alone.replacing(subscriptions.blank(alone.change(now), begun, plan), plan=plan)


def _plan(account: _Account, code: str) -> Plan:
    return plans.find(account.context.organization.id, code)


def _next_invoice(account: _Account) -> _Found:
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
    taken = offer.taken(invoice, own, now=found.at)
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
        **compose.amounts(sums, invoice.id),
        "credits": tuple(each.part for each in taken if isinstance(each.part, CreditPart)),
        "coupons": (*(each.part for each in taken if isinstance(each.part, CouponPart)), *parts),
        "wallet_payments": credits.payments(taken),
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
