"""Starting subscriptions, and finding them.

Each use case reads everything of the customer, decides, and writes once: the subscription, the customer's billing state
and the move of its billing task in one transaction. What is owed is invoiced by the billing task.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain import periods
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import NOT_WRITTEN, BillingState, Customer
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.records import Plan
from chalicelib.features.subscriptions import own_plan, plan_changes, schemas, store, takeover
from chalicelib.features.subscriptions.change import Change, change_of, started
from chalicelib.features.subscriptions.records import Status, Subscription
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.platform import clock, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId, OrganizationId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Write


def create(
    organization: OrganizationRef, values: Mapping[str, Any], *, now: datetime
) -> tuple[Subscription, list[Task]]:
    """Start a subscription, or change the plan of the one that has this external id.

    Raises: Invalid; NotFound for an unknown plan; ChangedMeanwhile.
    """
    request = schema.parse(schemas.SubscriptionInput, values)
    number = customers.numbering(organization.id)
    return retrying(lambda: _create(organization, request, number, now=now), Resource.SUBSCRIPTION)


def _create(
    organization: OrganizationRef, request: schemas.SubscriptionInput, number: Callable[[], int], *, now: datetime
) -> tuple[Subscription, list[Task]]:
    own = organizations.get(organization.id)
    plan = plans.find(organization.id, request.plan_code)
    extra = plans.taken_actions(organization.id, plan)
    live = store.find_live(organization.id, request.external_id)
    customer = customers.find_live(organization.id, request.external_customer_id)
    if live is not None and customer is not None and live.customer_id == customer.id:
        change, adopted = _known_customer(own, customer.id, plan, now=now)
        change.check_dates(None, request.ending_at)
        return plan_changes.change_plan(change, live.subscription_id, plan, request, [*extra, *adopted])
    if request.plan_overrides:
        plan, written = own_plan.create(own.id, plan, request.plan_overrides, now=now)
        extra = [*extra, *written]
    change, adopted = _customer_for(own, customer, request.external_customer_id, plan, now=now)
    change.check_dates(request.subscription_at, request.ending_at)
    if live is not None:
        raise Invalid.field("external_id", ErrorCode.VALUE_ALREADY_EXIST)
    tasks: list[Task] = []
    if customer is None:
        fresh, adopted, tasks = customers.creation(own, change.customer, number, now=now)
        change = replace(change, customer=fresh)
    subscription = blank(change, request, plan)
    if subscription.status == Status.ACTIVE:
        tasks += change.announcement(subscription, plan, "subscription.started")
    pushed = change.commit(
        created=[(subscription, plan)],
        extra=[*extra, *adopted, store.take_action(organization.id, subscription)],
        tasks=tasks,
    )
    return subscription, pushed


def blank(change: Change, request: schemas.SubscriptionInput, plan: Plan) -> Subscription:
    """A new subscription, not yet written: started, or pending where it begins on a later day."""
    # To the second: an event in the second of the start counts. Source: rules/usage 1.4.
    subscription_at = (request.subscription_at or change.now).replace(microsecond=0)
    today = periods.local_date(change.now, change.zone)
    future = periods.local_date(subscription_at, change.zone) > today
    before = [s for s in change.known if s.external_id == request.external_id]
    subscription = Subscription(
        id=new_id(),
        created_at=change.now,
        updated_at=change.now,
        external_id=request.external_id,
        customer_id=change.customer.id,
        external_customer_id=change.customer.external_id,
        plan_id=plan.id,
        counted_plan_id=plan.counted_id,
        plan_code=plan.code,
        currency=plan.amount_currency,
        status=Status.PENDING,
        billing_time=request.billing_time,
        subscription_at=subscription_at,
        first_started_at=min((s.first_started_at for s in before if s.first_started_at), default=None),
        ending_at=request.ending_at,
        name=request.name,
        consolidate_invoice=request.consolidate_invoice is not False,
        on_termination_credit_note="credit" if plan.pay_in_advance else None,
        takeover=takeover.find(
            change.organization.id, change.customer.id, request.external_id, before, real_now=clock.utc_now()
        ),
    )
    if future:
        return subscription
    # Usage on invoices of an earlier one with this external id is not billed again. Source: rules/billing-periods 5.
    ended_at = max((s.terminated_at for s in before if _was_billed_to_its_end(s) and s.terminated_at), default=None)
    started_at = subscription_at
    if ended_at is not None and ended_at >= subscription_at:
        started_at = ended_at.replace(microsecond=0)
        subscription = subscription.model_copy(update={"billed_until": started_at + timedelta(seconds=1)})
    return started(subscription, plan, started_at=started_at, now=change.now, zone=change.zone)


def _was_billed_to_its_end(subscription: Subscription) -> bool:
    return subscription.status == Status.TERMINATED and subscription.on_termination_invoice != "skip"


def _known_customer(
    own: Organization, customer_id: CustomerId, plan: Plan, *, now: datetime
) -> tuple[Change, list[Write]]:
    """A customer as it stands, with the plan's currency taken over.

    Raises: NotFound, when it was deleted meanwhile; Invalid, for another currency.
    """
    change = change_of(own.id, customer_id, now=now)
    if change.customer.deleted_at is not None:
        raise NotFound(Resource.CUSTOMER)
    with_currency = customers.check_currency(change.customer, plan.amount_currency)
    if with_currency == change.customer:
        return change, []
    return replace(change, customer=with_currency), [customers.replace_action(own.id, change.customer, with_currency)]


def _customer_for(
    own: Organization, known: Customer | None, external_id: str, plan: Plan, *, now: datetime
) -> tuple[Change, list[Write]]:
    """The customer; a blank one, not yet written and without a number, where there is none."""
    if known is not None:
        return _known_customer(own, known.id, plan, now=now)
    fresh = customers.check_currency(customers.new_customer(external_id, now=now), plan.amount_currency)
    state = BillingState(customer_id=fresh.id, version=NOT_WRITTEN)
    return Change(own, fresh, state, (), now), []


def find(organization_id: OrganizationId, external_id: str, statuses: Sequence[str] = ()) -> Subscription:
    """The active subscription of an external id, or the newest one in the given statuses.

    Raises: NotFound.
    """
    if not statuses or list(statuses) == [Status.ACTIVE]:
        live = store.find_live(organization_id, external_id)
        if live is not None:
            found = store.get(organization_id, live.customer_id, live.subscription_id)
            if found is not None and found.status == Status.ACTIVE:
                return found
        raise NotFound(Resource.SUBSCRIPTION)
    for subscription in store.history(organization_id, external_id):
        current = store.get(organization_id, subscription.customer_id, subscription.id)
        if current is not None and current.status in statuses:
            return current
    raise NotFound(Resource.SUBSCRIPTION)


def only_active_of(organization_id: OrganizationId, external_customer_id: str) -> str | None:
    """The external id of a customer's active subscription, where it has exactly one."""
    customer = customers.find_live(organization_id, external_customer_id)
    if customer is None:
        return None
    known = store.among(customers.items_of(organization_id, customer.id))
    active = [s.external_id for s in known if s.status == Status.ACTIVE]
    return active[0] if len(active) == 1 else None


def stream_of(organization_id: OrganizationId, external_id: str) -> Stream:
    """The events that count for whoever has an external id now; all of them, where nobody has."""
    live = store.find_live(organization_id, external_id)
    found = store.get(organization_id, live.customer_id, live.subscription_id) if live else None
    return found.stream if found else Stream(external_id)


def started_at_of(organization_id: OrganizationId, external_id: str) -> datetime | None:
    """Start of the live subscription of an external id; None without one."""
    live = store.find_live(organization_id, external_id)
    found = store.get(organization_id, live.customer_id, live.subscription_id) if live else None
    return found.started_at if found else None
