"""A customer's billing on values: as it stands, and after the change that a preview tries; nothing is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.domain.intervals import BillingTime
from chalicelib.features.customers import service as customers
from chalicelib.features.customers import store as customer_store
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.customers.records import NOT_WRITTEN, BillingState, Customer
from chalicelib.features.invoicing.schemas import CustomerInput, PreviewInput, SubscriptionsInput
from chalicelib.features.organizations.records import Organization
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.records import Plan
from chalicelib.features.rating import billing_context
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.subscriptions import endings, plan_changes, schemas
from chalicelib.features.subscriptions import service as subscriptions
from chalicelib.features.subscriptions import store as subscription_store
from chalicelib.features.subscriptions.change import Change
from chalicelib.features.subscriptions.records import Status, Subscription
from chalicelib.features.taxes import service as taxes
from chalicelib.platform.ids import new_id


@dataclass(frozen=True, slots=True)
class Account:
    """A customer's billing on values. `known`: the plans of the subscriptions."""

    context: BillingContext
    subscriptions: tuple[Subscription, ...]
    known: Mapping[str, Plan]

    def change(self, now: datetime) -> Change:
        """The customer as a use case reads it."""
        context = self.context
        return Change(context.organization, context.customer, context.state, self.subscriptions, now)

    def replacing(self, *subscriptions: Subscription, plan: Plan | None = None) -> "Account":
        """The account with these subscriptions, new or in the place of earlier ones."""
        by_id = {s.id: s for s in (*self.subscriptions, *subscriptions)}
        known = self.known if plan is None else {**self.known, plan.id: plan}
        return replace(self, subscriptions=tuple(by_id.values()), known=known)

    def without(self, subscription_id: str | None) -> "Account":
        """The account without a subscription."""
        return replace(self, subscriptions=tuple(s for s in self.subscriptions if s.id != subscription_id))


def account_of(own: Organization, request: CustomerInput, *, now: datetime) -> Account:
    """The account of the stored customer that a request names, or of one that is not stored.

    Raises: NotFound, for an unknown customer or tax.
    """
    taxed = {"tax_ids": tuple(taxes.ids_of(own.id, request.tax_codes))} if request.tax_codes else {}
    if request.external_id:
        stored = customers.find(own.id, request.external_id)
        items = customer_store.everything_of(own.id, stored.id)
        assert items.customer is not None, "it was just found"
        items = replace(items, customer=items.customer.model_copy(update=taxed))
        known = tuple(sorted(subscription_store.among(items), key=lambda s: (s.created_at, s.id)))
        found = plans.by_ids(own.id, [s.plan_id for s in known])
        return Account(billing_context.read(own, items), known, found)
    given = request.model_dump(exclude={"external_id", "tax_codes"}, exclude_none=True) | taxed
    customer: Customer = customers.new_customer("", now=now).model_copy(update=given)
    state = BillingState(customer_id=customer.id, version=NOT_WRITTEN)
    return Account(billing_context.read(own, CustomerItems(customer, state, ())), (), {})


def chosen(account: Account, request: PreviewInput) -> Account:
    """Only the subscriptions that are named, with what follows them or still has to be billed.

    Raises: NotFound, where a name has no active one.
    """
    wanted = set(request.subscriptions.external_ids)
    found = tuple(s for s in account.subscriptions if s.external_id in wanted and (s.live or s.occasions))
    if wanted != {s.external_id for s in found if s.status == Status.ACTIVE}:
        raise NotFound(Resource.SUBSCRIPTION)
    return replace(account, subscriptions=found)


def changed(account: Account, request: SubscriptionsInput, *, now: datetime) -> Account:
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


def with_new(account: Account, request: PreviewInput, *, now: datetime) -> Account:
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


def _plan(account: Account, code: str) -> Plan:
    return plans.find(account.context.organization.id, code)
