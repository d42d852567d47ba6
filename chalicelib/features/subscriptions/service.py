"""Starting, changing and ending subscriptions.

Each use case reads everything of the customer, decides, and writes once: the subscription, the customer's billing state
and the move of its billing task in one transaction. What is owed is invoiced by the billing task.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain import periods
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import ChangedMeanwhile, Invalid, NotFound
from chalicelib.features.customers import service as customers
from chalicelib.features.customers import store as customer_store
from chalicelib.features.customers.records import BillingState, Customer
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.features.plans import service as plans
from chalicelib.features.plans import store as plan_store
from chalicelib.features.plans.changes import following
from chalicelib.features.plans.overrides import overrides
from chalicelib.features.plans.store import PLANS, Plan
from chalicelib.features.subscriptions import plan_changes, schedule, schemas, store, takeover, trials
from chalicelib.features.subscriptions.change import Change, change_of, started
from chalicelib.features.subscriptions.records import PendingInvoice, Status, Subscription
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.platform import clock, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId, OrganizationId, SubscriptionId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.table import Action


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
    extra = plan_store.taken_action(organization.id, plan)
    guard = store.guard(organization.id, request.external_id)
    customer = CUSTOMERS.find(organization.id, request.external_customer_id)
    if guard is not None and customer is not None and guard["customer_id"] == customer.id:
        change, adopted = _known_customer(own, customer.id, plan, now=now)
        change.check_dates(None, request.ending_at)
        return _change_plan(change, guard["subscription_id"], plan, request, [*extra, *adopted])
    if request.plan_overrides:
        plan, written = _child(own.id, plan, request.plan_overrides, now=now)
        extra = [*extra, *written]
    change, adopted = _customer_for(own, customer, request.external_customer_id, plan, now=now)
    change.check_dates(request.subscription_at, request.ending_at)
    if guard is not None:
        raise Invalid.field("external_id", ErrorCode.VALUE_ALREADY_EXIST)
    tasks: list[Task] = []
    if customer is None:
        fresh, adopted, tasks = customers.creation(own, change.customer, number, now=now)
        change = replace(change, customer=fresh)
    subscription = _new(change, request, plan)
    if subscription.status == Status.ACTIVE:
        tasks += [change.told(subscription, plan, "subscription.started")]
    pushed = change.commit(
        created=[(subscription, plan)],
        extra=[*extra, *adopted, store.guard_action(organization.id, subscription)],
        tasks=tasks,
    )
    return subscription, pushed


def _change_plan(
    change: Change,
    subscription_id: SubscriptionId,
    plan: Plan,
    request: schemas.SubscriptionInput,
    extra: Sequence[Action],
) -> tuple[Subscription, list[Task]]:
    """Another plan for a subscription: at once where it costs as much or more, else with its next period; for one that
    has not begun, simply another one. The same plan again changes nothing."""
    organization_id = change.organization.id
    current = change.of_id(subscription_id)
    assert current is not None, "a guard names a subscription of its customer"
    if not current.live:
        raise ChangedMeanwhile(Resource.SUBSCRIPTION)  # It ended, or got a successor, after the guard was read.
    waiting = change.of_id(current.next_id)
    known = plans.by_ids(organization_id, [current.plan_id, *([waiting.plan_id] if waiting else [])])
    current_plan = known[current.plan_id]
    if plan.id in (current_plan.id, current_plan.parent_id):
        return current, []
    if waiting is not None and waiting.status == Status.PENDING:
        waiting_plan = known[waiting.plan_id]
        if plan.id in (waiting_plan.id, waiting_plan.parent_id):
            return current, []
    if request.plan_overrides:
        plan, written = _child(organization_id, plan, request.plan_overrides, now=change.now)
        extra = [*extra, *written]
    if current.status == Status.PENDING:
        fields = {
            "plan_id": plan.id,
            "plan_code": plan.code,
            "currency": plan.amount_currency,
            "updated_at": change.now,
            **request.given("name"),
        }
        fields["on_termination_credit_note"] = "credit" if plan.pay_in_advance else None
        other = current.model_copy(update=fields)
        told = change.told(other, plan, "subscription.updated")
        return other, change.commit(replaced=[(current, other, plan)], extra=extra, tasks=[told])
    carry_out = plan_changes.upgrade if plan_changes.is_dearer(plan, current_plan) else plan_changes.downgrade
    new = plan_changes.successor(current, plan, request, now=change.now)
    dropped = plan_changes.dropped(change, waiting, known[waiting.plan_id] if waiting else None)
    return carry_out(change, current, current_plan, new, plan, dropped, extra)


def _new(change: Change, request: schemas.SubscriptionInput, plan: Plan) -> Subscription:
    # To the second: an event in the second of the start counts. Source: usage.md section 1.4.
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
    # What an earlier one with this external id was invoiced for is not billed again. Source: billing-periods.md section 5.
    ended_at = max((s.terminated_at for s in before if _was_billed_to_its_end(s) and s.terminated_at), default=None)
    started_at = subscription_at
    if ended_at is not None and ended_at >= subscription_at:
        started_at = ended_at.replace(microsecond=0)
        subscription = subscription.model_copy(update={"billed_until": started_at + timedelta(seconds=1)})
    return started(subscription, plan, started_at=started_at, now=change.now, zone=change.zone)


def _was_billed_to_its_end(subscription: Subscription) -> bool:
    return subscription.status == Status.TERMINATED and subscription.on_termination_invoice != "skip"


def _child(
    organization_id: OrganizationId, parent: Plan, values: Mapping[str, Any], *, now: datetime
) -> tuple[Plan, list[Action]]:
    """A plan of the subscription's own, and what writes it together with it."""
    child = overrides.child(organization_id, parent, values, now=now)
    return child, _writing(organization_id, child, parent)


def _writing(organization_id: OrganizationId, child: Plan, parent: Plan) -> list[Action]:
    # A parent without subscriptions so far is marked as taken, which refuses as well if it has changed.
    unchanged = [plan_store.current_action(organization_id, parent)] if parent.taken else []
    return [*overrides.create_actions(organization_id, child), *unchanged]


def _known_customer(
    own: Organization, customer_id: CustomerId, plan: Plan, *, now: datetime
) -> tuple[Change, list[Action]]:
    """A customer as it stands, with the plan's currency taken over.

    Raises: NotFound, when it was deleted meanwhile; Invalid, for another currency.
    """
    change = change_of(own.id, customer_id, now=now)
    if change.customer.deleted_at is not None:
        raise NotFound(Resource.CUSTOMER)
    with_currency = customers.check_currency(change.customer, plan.amount_currency)
    if with_currency == change.customer:
        return change, []
    return replace(change, customer=with_currency), [CUSTOMERS.replace_action(own.id, change.customer, with_currency)]


def _customer_for(
    own: Organization, known: Customer | None, external_id: str, plan: Plan, *, now: datetime
) -> tuple[Change, list[Action]]:
    """The customer; a blank one, not yet written and without a number, where there is none."""
    if known is not None:
        return _known_customer(own, known.id, plan, now=now)
    fresh = customers.check_currency(customers.new_customer(external_id, now=now), plan.amount_currency)
    state = BillingState(customer_id=fresh.id, version=customer_store.NOT_WRITTEN)
    return Change(own, fresh, state, (), now), []


def find(organization_id: OrganizationId, external_id: str, statuses: Sequence[str] = ()) -> Subscription:
    """The active subscription of an external id, or the newest one in the given statuses.

    Raises: NotFound.
    """
    if not statuses or list(statuses) == [Status.ACTIVE]:
        guard = store.guard(organization_id, external_id)
        if guard is not None:
            found = store.get(organization_id, guard["customer_id"], guard["subscription_id"])
            if found is not None and found.status == Status.ACTIVE:
                return found
        raise NotFound(Resource.SUBSCRIPTION)
    for subscription in store.history(organization_id, external_id):
        current = store.get(organization_id, subscription.customer_id, subscription.id)
        if current is not None and current.status in statuses:
            return current
    raise NotFound(Resource.SUBSCRIPTION)


def update(
    organization: OrganizationRef,
    external_id: str,
    values: Mapping[str, Any],
    *,
    statuses: Sequence[str],
    now: datetime,
) -> tuple[Subscription, list[Task]]:
    """Change the fields present; a pending one may also move its start.

    Raises: Invalid; NotFound; ChangedMeanwhile.
    """
    request = schema.parse(schemas.SubscriptionUpdate, values)

    def attempt() -> tuple[Subscription, list[Task]]:
        old = _updatable(organization.id, external_id, statuses)
        change = change_of(organization.id, old.customer_id, now=now)
        plan = plans.by_ids(organization.id, [old.plan_id])[old.plan_id]
        extra: list[Action] = []
        moves_trial = trials.moves(old, plan, request.plan_overrides, now=now)
        if request.plan_overrides:
            plan, extra = _overridden(organization.id, plan, request.plan_overrides, moves_trial=moves_trial, now=now)
        new = _updated(change, old, plan, request)
        if moves_trial:
            new = trials.moved(new, plan, now=now)
        began = new.status == Status.ACTIVE and old.status == Status.PENDING
        told = change.told(new, plan, "subscription.started" if began else "subscription.updated")
        tasks = [told, *(following(organization, plan, now=now) if request.plan_overrides else ())]
        pushed = change.commit(replaced=[(old, new, plan)], extra=extra, tasks=tasks)
        return new.model_copy(update={"version": old.version + 1}), pushed

    return retrying(attempt, Resource.SUBSCRIPTION)


def _overridden(
    organization_id: OrganizationId, plan: Plan, values: Mapping[str, Any], *, moves_trial: bool, now: datetime
) -> tuple[Plan, list[Action]]:
    """The plan of a running subscription with other values: its own child, made where it has none."""
    if plan.parent_id is not None:
        changed = overrides.changed(organization_id, plan, values, now=now, moves_trial=moves_trial)
        written = changed.model_copy(update={"version": plan.version + 1})
        return written, [PLANS.replace_action(organization_id, plan, changed)]
    blank = overrides.child(organization_id, plan, {}, now=now)
    child = overrides.changed(organization_id, blank, values, now=now, moves_trial=moves_trial)
    return child, _writing(organization_id, child, plan)


def _updatable(organization_id: OrganizationId, external_id: str, statuses: Sequence[str]) -> Subscription:
    """The one with this external id whatever its state; among several the active one, or that of `statuses`."""
    if statuses:
        return find(organization_id, external_id, statuses)
    guard = store.guard(organization_id, external_id)
    if guard is None:
        raise NotFound(Resource.SUBSCRIPTION)
    found = store.get(organization_id, guard["customer_id"], guard["subscription_id"])
    if found is None:
        raise NotFound(Resource.SUBSCRIPTION)
    return found


def _updated(change: Change, old: Subscription, plan: Plan, request: schemas.SubscriptionUpdate) -> Subscription:
    fields = request.given("name", "ending_at", "consolidate_invoice", "on_termination_invoice")
    if fields.get("consolidate_invoice", True) is None:
        fields["consolidate_invoice"] = True
    if fields.get("on_termination_invoice", "generate") is None:
        fields["on_termination_invoice"] = "generate"
    if plan.pay_in_advance and request.on_termination_credit_note is not None:
        fields["on_termination_credit_note"] = request.on_termination_credit_note
    new = old.model_copy(update={**fields, "updated_at": change.now})
    moved = old.status == Status.PENDING and old.previous_id is None and request.subscription_at is not None
    if moved:
        assert request.subscription_at is not None
        new = _moved_start(change, new, plan, request.subscription_at)
    if "ending_at" in request.model_fields_set:
        change.check_dates(new.subscription_at, request.ending_at)
        if new.status == Status.ACTIVE:
            alerts = schedule.alerts_on(new.ending_at, now=change.now, zone=change.zone)
            new = new.model_copy(update={"alerts_on": alerts})
    if plan.id != old.plan_id:
        new = new.model_copy(update={"plan_id": plan.id, "plan_code": plan.code})
    return new


def _moved_start(change: Change, pending: Subscription, plan: Plan, subscription_at: datetime) -> Subscription:
    at = subscription_at.replace(microsecond=0)
    moved = pending.model_copy(update={"subscription_at": at})
    on, today = (periods.local_date(instant, change.zone) for instant in (at, change.now))
    if on > today:
        return moved
    # What lies before today was never billed and never will be, as if it had been created today.
    moved = moved.model_copy(update={"billed_on": today if on < today else None})
    return started(moved, plan, started_at=at, now=change.now, zone=change.zone)


def terminate(
    organization: OrganizationRef,
    external_id: str,
    options: Mapping[str, Any],
    *,
    statuses: Sequence[str],
    now: datetime,
) -> tuple[Subscription, list[Task]]:
    """End an active subscription now (its billing task makes the final documents), or cancel a pending one.

    Raises: Invalid; NotFound; ChangedMeanwhile.
    """
    request = schema.parse(schemas.Termination, options)

    def attempt() -> tuple[Subscription, list[Task]]:
        old = find(organization.id, external_id, statuses)
        if not old.live:  # Asked for by its status: what is over cannot end again.
            raise NotFound(Resource.SUBSCRIPTION)
        change = change_of(organization.id, old.customer_id, now=now)
        return end(change, old, request)

    return retrying(attempt, Resource.SUBSCRIPTION)


def end(change: Change, old: Subscription, request: schemas.Termination) -> tuple[Subscription, list[Task]]:
    """Carry out the end of an active subscription, with the change of plan that waited for its period's end; or cancel
    one that has not begun."""
    organization_id = change.organization.id
    before, waiting = change.of_id(old.previous_id), change.of_id(old.next_id)
    known = plans.by_ids(organization_id, [s.plan_id for s in (old, before, waiting) if s is not None])
    plan = known[old.plan_id]
    new = ended(old, plan, request, at=change.now)
    if old.status == Status.PENDING and before is not None:
        # The plan before goes on as if no change had been asked for.
        kept = before.model_copy(update={"next_id": None, "next_plan_code": None, "updated_at": change.now})
        kept_plan = known[before.plan_id]
        told = change.told(kept, kept_plan, "subscription.updated")
        return new, change.commit(replaced=[(old, new, plan), (before, kept, kept_plan)], tasks=[told])
    dropped = plan_changes.dropped(change, waiting, known[waiting.plan_id] if waiting else None)
    if dropped:
        new = new.model_copy(update={"next_id": None, "next_plan_code": None})
    told = change.told(
        new, plan, "subscription.terminated" if new.status == Status.TERMINATED else "subscription.updated"
    )
    release = store.release_action(organization_id, old)
    return new, change.commit(replaced=[(old, new, plan), *dropped], extra=[release], tasks=[told])


def ended(old: Subscription, plan: Plan, request: schemas.Termination, *, at: datetime) -> Subscription:
    """A subscription after its end, with what is still to be billed for it."""
    if old.status == Status.PENDING:
        canceled = {"status": Status.CANCELED, "canceled_at": at, "updated_at": at, "on_termination_credit_note": None}
        return old.model_copy(update=canceled)
    credit = request.on_termination_credit_note or old.on_termination_credit_note or "credit"
    return old.model_copy(
        update={
            "status": Status.TERMINATED,
            "terminated_at": at,
            "updated_at": at,
            "on_termination_credit_note": credit if plan.pay_in_advance else None,
            "on_termination_invoice": request.on_termination_invoice or old.on_termination_invoice,
            "occasions": (*old.occasions, PendingInvoice.TERMINATING),
        }
    )


def only_active_of(organization_id: OrganizationId, external_customer_id: str) -> str | None:
    """The external id of a customer's active subscription, where it has exactly one."""
    customer = CUSTOMERS.find(organization_id, external_customer_id)
    if customer is None:
        return None
    items = customer_store.everything_of(organization_id, customer.id).subscriptions
    active = [s.external_id for s in map(store.read, items) if s.status == Status.ACTIVE]
    return active[0] if len(active) == 1 else None


def stream_of(organization_id: OrganizationId, external_id: str) -> Stream:
    """The events that count for whoever has an external id now; all of them, where nobody has."""
    guard = store.guard(organization_id, external_id)
    found = store.get(organization_id, guard["customer_id"], guard["subscription_id"]) if guard else None
    return found.stream if found else Stream(external_id)


def started_at_of(organization_id: OrganizationId, external_id: str) -> datetime | None:
    """When the live subscription of an external id started."""
    guard = store.guard(organization_id, external_id)
    found = store.get(organization_id, guard["customer_id"], guard["subscription_id"]) if guard else None
    return found.started_at if found else None
