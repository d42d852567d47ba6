"""Starting, changing and ending subscriptions.

Each use case reads everything of the customer, decides, and writes once: the subscription, the customer's billing state
and the move of its billing task in one transaction. What is owed is invoiced by the billing task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.customers import service as customers
from chalicelib.features.customers import store as customer_store
from chalicelib.features.customers.records import BillingState, Customer
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.features.plans import service as plans
from chalicelib.features.plans import store as plan_store
from chalicelib.features.plans.store import Plan
from chalicelib.features.subscriptions import announcements, schemas, store, terms
from chalicelib.features.subscriptions.records import Occasion, Status, Subscription
from chalicelib.platform import agenda, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import new_id
from chalicelib.platform.table import Action, transact


@dataclass(frozen=True, slots=True)
class Change:
    """What one use case writes: subscriptions before and after, and what goes with them."""

    organization: Organization
    customer: Customer
    state: BillingState
    now: datetime

    @property
    def zone(self) -> ZoneInfo:
        """The customer's applicable time zone."""
        return self.customer.zone(self.organization.timezone)

    def commit(
        self,
        *,
        created: Sequence[tuple[Subscription, Plan]] = (),
        replaced: Sequence[tuple[Subscription, Subscription, Plan]] = (),
        extra: Sequence[Action] = (),
        tasks: Sequence[Task] = (),
        due_now: bool = False,
    ) -> list[Task]:
        """Write it all together; returns the tasks to push. Refused if anything read has changed since."""
        ref = self.organization.ref
        due = [terms.next_due_at(s, plan, zone=self.zone) for s, plan in created]
        due += [terms.next_due_at(new, plan, zone=self.zone) for _, new, plan in replaced]
        instants = [at for at in (*due, self.state.due_at, self.now if due_now else None) if at is not None]
        # Something may be due before now only for what was written late: the clock never goes back for it.
        state = self.state.model_copy(update={"due_at": min(instants, default=None), "attached": True})
        actions: list[Action] = [customer_store.billing_action(ref.id, self.state, state)]
        # A first invoice bills no usage: it is made at once, where others wait for events still queued.
        changed = [*(s for s, _ in created), *(new for _, new, _ in replaced)]
        at_once = self.state.due_at is None and all(s.occasions == (Occasion.STARTING,) for s in changed)
        actions += customers.due_actions(ref, self.state, state, now=self.now, at_once=at_once)
        for subscription, _ in created:
            actions += store.create_actions(ref.id, subscription)
        for old, new, _ in replaced:
            actions += store.replace_actions(ref.id, old, new)
        actions += [agenda.put(task, now=self.now) for task in tasks]
        transact([*actions, *extra])
        billing = (
            []
            if state.due_at is None
            else [agenda.task(customers.BILL, ref, self.customer.id, state.due_at, at_once=at_once)]
        )
        return [*tasks, *billing]


def create(
    organization: OrganizationRef, values: Mapping[str, Any], *, now: datetime
) -> tuple[Subscription, list[Task]]:
    """Start a subscription, or change the plan of the one that has this external id.

    Raises: Invalid; NotFound for an unknown plan; Conflict.
    """
    request = schema.parse(schemas.SubscriptionInput, values)
    return customers.retrying(lambda: _create(organization, request, now=now), "subscription")


def _create(
    organization: OrganizationRef, request: schemas.SubscriptionInput, *, now: datetime
) -> tuple[Subscription, list[Task]]:
    own = organizations.get(organization.id)
    plan = plans.find(organization.id, request.plan_code)
    change, extra, tasks = _customer_for(own, request.external_customer_id, plan, now=now)
    _check_dates(request.subscription_at, request.ending_at, now=now, zone=change.zone)
    guard = store.guard(organization.id, request.external_id)
    if guard is not None:
        if guard["customer_id"] != change.customer.id:
            raise Invalid.field("external_id", "value_already_exist")
        current = store.get(organization.id, guard["customer_id"], guard["subscription_id"])
        assert current is not None
        if current.plan_id == plan.id:
            return current, []
        raise Invalid.field("plan_code", "value_is_invalid")
    subscription = _new(change, request, plan)
    extra += plan_store.taken_action(organization.id, plan)
    if subscription.status == Status.ACTIVE:
        tasks += [announcements.task(own, change.customer, subscription, plan, "subscription.started", now=now)]
    pushed = change.commit(
        created=[(subscription, plan)],
        extra=[*extra, store.guard_action(organization.id, subscription)],
        tasks=tasks,
    )
    return subscription, pushed


def _new(change: Change, request: schemas.SubscriptionInput, plan: Plan) -> Subscription:
    # To the second: an event in the second of the start counts. Source: usage.md section 1.4.
    subscription_at = (request.subscription_at or change.now).replace(microsecond=0)
    today = periods.local_date(change.now, change.zone)
    future = periods.local_date(subscription_at, change.zone) > today
    subscription = Subscription(
        id=new_id(),
        created_at=change.now,
        updated_at=change.now,
        external_id=request.external_id,
        customer_id=change.customer.id,
        external_customer_id=change.customer.external_id,
        plan_id=plan.id,
        plan_code=plan.code,
        status=Status.PENDING if future else Status.ACTIVE,
        billing_time=request.billing_time,
        subscription_at=subscription_at,
        started_at=None if future else subscription_at,
        first_started_at=None if future else subscription_at,
        ending_at=request.ending_at,
        name=request.name,
        consolidate_invoice=request.consolidate_invoice is not False,
        on_termination_credit_note="credit" if plan.pay_in_advance else None,
    )
    if future:
        return subscription
    occasions = terms.occasions_at_start(plan, subscription, now=change.now, zone=change.zone)
    return subscription.model_copy(update={"occasions": occasions})


def _customer_for(
    own: Organization, external_id: str, plan: Plan, *, now: datetime
) -> tuple[Change, list[Action], list[Task]]:
    """The customer, made on the fly where there is none, with the plan's currency taken over."""
    known = CUSTOMERS.find(own.id, external_id)
    if known is None:
        fresh = customers.check_currency(customers.new_customer(own, external_id, now=now), plan.amount_currency)
        actions, tasks = customers.creation(own, fresh, now=now)
        state = BillingState(customer_id=fresh.id, version=customer_store.NOT_WRITTEN)
        return Change(own, fresh, state, now), actions, tasks
    customer, state, _ = customer_store.everything_of(own.id, known.id)
    if customer is None or customer.deleted_at is not None:
        raise NotFound("customer")
    with_currency = customers.check_currency(customer, plan.amount_currency)
    extra = [] if with_currency == customer else [CUSTOMERS.replace_action(own.id, customer, with_currency)]
    return Change(own, with_currency, state, now), extra, []


def _check_dates(
    subscription_at: datetime | None, ending_at: datetime | None, *, now: datetime, zone: ZoneInfo
) -> None:
    """`ending_at` is later than today and later than the start, by local dates.

    Raises: Invalid, `invalid_date`.
    """
    if ending_at is None:
        return
    ends_on = periods.local_date(ending_at, zone)
    starts_on = periods.local_date(subscription_at or now, zone)
    if ends_on <= periods.local_date(now, zone) or ends_on <= starts_on:
        raise Invalid.field("ending_at", "invalid_date")


def find(organization_id: str, external_id: str, statuses: Sequence[str] = ()) -> Subscription:
    """The active subscription of an external id, or the newest one in the given statuses.

    Raises: NotFound.
    """
    if not statuses or list(statuses) == [Status.ACTIVE]:
        guard = store.guard(organization_id, external_id)
        if guard is not None:
            found = store.get(organization_id, guard["customer_id"], guard["subscription_id"])
            if found is not None and found.status == Status.ACTIVE:
                return found
        raise NotFound("subscription")
    for subscription in store.history(organization_id, external_id):
        current = store.get(organization_id, subscription.customer_id, subscription.id)
        if current is not None and current.status in statuses:
            return current
    raise NotFound("subscription")


def update(
    organization: OrganizationRef,
    external_id: str,
    values: Mapping[str, Any],
    *,
    statuses: Sequence[str],
    now: datetime,
) -> tuple[Subscription, list[Task]]:
    """Change the fields present; a pending one may also move its start.

    Raises: Invalid; NotFound; Conflict.
    """
    request = schema.parse(schemas.SubscriptionUpdate, values)

    def attempt() -> tuple[Subscription, list[Task]]:
        old = _updatable(organization.id, external_id, statuses)
        change = _change_of(organization.id, old, now=now)
        plan = plans.by_ids(organization.id, [old.plan_id])[old.plan_id]
        new = _updated(change, old, plan, request)
        tasks: list[Task] = []
        if new.status == Status.ACTIVE and old.status == Status.PENDING:
            tasks.append(
                announcements.task(change.organization, change.customer, new, plan, "subscription.started", now=now)
            )
        else:
            tasks.append(
                announcements.task(change.organization, change.customer, new, plan, "subscription.updated", now=now)
            )
        pushed = change.commit(replaced=[(old, new, plan)], tasks=tasks)
        return new.model_copy(update={"version": old.version + 1}), pushed

    return customers.retrying(attempt, "subscription")


def _updatable(organization_id: str, external_id: str, statuses: Sequence[str]) -> Subscription:
    """The one with this external id whatever its state; among several the active one, or that of `statuses`."""
    if statuses:
        return find(organization_id, external_id, statuses)
    guard = store.guard(organization_id, external_id)
    if guard is None:
        raise NotFound("subscription")
    found = store.get(organization_id, guard["customer_id"], guard["subscription_id"])
    if found is None:
        raise NotFound("subscription")
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
        _check_dates(new.subscription_at, request.ending_at, now=change.now, zone=change.zone)
    return new


def _moved_start(change: Change, pending: Subscription, plan: Plan, subscription_at: datetime) -> Subscription:
    moved = pending.model_copy(update={"subscription_at": subscription_at})
    if periods.local_date(subscription_at, change.zone) > periods.local_date(change.now, change.zone):
        return moved
    return activated(moved, plan, started_at=subscription_at, now=change.now, zone=change.zone)


def activated(
    pending: Subscription, plan: Plan, *, started_at: datetime, now: datetime, zone: ZoneInfo
) -> Subscription:
    """A pending subscription that starts, with what it owes at once."""
    first = pending.first_started_at or started_at
    started = pending.model_copy(
        update={"status": Status.ACTIVE, "started_at": started_at, "first_started_at": first, "updated_at": now}
    )
    return started.model_copy(update={"occasions": terms.occasions_at_start(plan, started, now=now, zone=zone)})


def terminate(
    organization: OrganizationRef,
    external_id: str,
    options: Mapping[str, Any],
    *,
    statuses: Sequence[str],
    now: datetime,
) -> tuple[Subscription, list[Task]]:
    """End an active subscription now (its billing task makes the final documents), or cancel a pending one.

    Raises: Invalid; NotFound; Conflict.
    """
    request = schema.parse(schemas.Termination, options)

    def attempt() -> tuple[Subscription, list[Task]]:
        old = find(organization.id, external_id, statuses)
        change = _change_of(organization.id, old, now=now)
        plan = plans.by_ids(organization.id, [old.plan_id])[old.plan_id]
        new = ended(old, plan, request, at=now)
        name = "subscription.terminated" if new.status == Status.TERMINATED else "subscription.updated"
        task = announcements.task(change.organization, change.customer, new, plan, name, now=now)
        release = (
            [] if old.previous_id and old.status == Status.PENDING else [store.release_action(organization.id, old)]
        )
        pushed = change.commit(replaced=[(old, new, plan)], extra=release, tasks=[task])
        return new, pushed

    return customers.retrying(attempt, "subscription")


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
            "occasions": (*old.occasions, Occasion.TERMINATING),
        }
    )


def _change_of(organization_id: str, subscription: Subscription, *, now: datetime) -> Change:
    own = organizations.get(organization_id)
    customer, state, _ = customer_store.everything_of(organization_id, subscription.customer_id)
    assert customer is not None
    return Change(own, customer, state, now)


def only_active_of(organization_id: str, external_customer_id: str) -> str | None:
    """The external id of a customer's active subscription, where it has exactly one."""
    customer = CUSTOMERS.find(organization_id, external_customer_id)
    if customer is None:
        return None
    _, _, items = customer_store.everything_of(organization_id, customer.id)
    active = [s.external_id for s in map(store.read, items) if s.status == Status.ACTIVE]
    return active[0] if len(active) == 1 else None


def started_at_of(organization_id: str, external_id: str) -> datetime | None:
    """When the live subscription of an external id started."""
    guard = store.guard(organization_id, external_id)
    found = store.get(organization_id, guard["customer_id"], guard["subscription_id"]) if guard else None
    return found.started_at if found else None
