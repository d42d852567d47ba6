"""The effects of a changed or deleted plan on its subscriptions: one customer after the other.

A plan may have more subscriptions than one run has time for, so this is a resumable walk (`platform/agenda/walk.py`). It is
idempotent: each step looks at what the subscription is now.
"""

from collections.abc import Callable
from datetime import datetime

from chalicelib.domain.error_codes import Resource
from chalicelib.features.invoicing import drafts, finalize
from chalicelib.features.plans import changes, subscribers
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.overrides import overrides
from chalicelib.features.plans.records import Plan
from chalicelib.features.subscriptions import endings, plan_changes, schemas
from chalicelib.features.subscriptions.change import Change, change_of
from chalicelib.features.subscriptions.records import Status, Subscription
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.agenda.walk import place_of, walk
from chalicelib.platform.ids import CustomerId, PlanId, SubscriptionId
from chalicelib.platform.retry import retrying


@runner.handles(changes.FOLLOW)
def follow(task: Task, now: datetime) -> None:
    """After a change of a plan: changes of plan that waited are looked at again, more units of fixed charges in advance
    are billed, drafts are computed again. Source: rules/catalog 2; rules/billing-periods 11."""
    plan = plans.by_ids(task.organization.id, [task.detail["plan_id"]]).get(task.detail["plan_id"])
    if plan is None or plan.deleted_at is not None or _is_superseded(task, plan):
        agenda.done(task).alone()
        return

    def one(customer_id: CustomerId, subscription_id: SubscriptionId) -> list[Task]:
        pushed = retrying(
            lambda: _follow(change_of(task.organization.id, customer_id, now=now), subscription_id, plan),
            Resource.SUBSCRIPTION,
        )
        drafts.refresh_all(task.organization.id, customer_id, plan_id=plan.id, now=now)
        return pushed

    if _each_subscriber(task, plan.id, one, now):
        agenda.done(task).alone()


def _is_superseded(task: Task, plan: Plan) -> bool:
    """Whether the plan has changed again, and the task of its latest version still waits: each looks at the plan as it is, so
    that one does the work of all before it. Only units that change at once are billed instant by instant."""
    at_an_instant = any(f.pay_in_advance and any(c.immediately for c in f.changes) for f in plan.fixed_charges)
    latest = changes.following(task.organization, plan, now=plan.updated_at)
    standing = [agenda.find(each.key) for each in latest if each.subject != task.subject]
    return any(
        each is not None and not each.parked and (each.due_at == task.due_at or not at_an_instant) for each in standing
    )


def _follow(change: Change, subscription_id: SubscriptionId, plan: Plan) -> list[Task]:
    subscription = change.of_id(subscription_id)
    if subscription is None or not subscription.live or subscription.plan_id != plan.id:
        return []
    pushed = _waiting_again(change, subscription, plan)
    if pushed is not None:
        return pushed
    if subscription.status != Status.ACTIVE or not _bills_units(plan, subscription, change.now):
        return []
    seen = subscription.model_copy(update={"units_changed_at": change.now, "units_seen_at": change.now})
    return change.commit(replaced=[(subscription, seen, plan)])


def _waiting_again(change: Change, subscription: Subscription, plan: Plan) -> list[Task] | None:
    """A waiting change to this plan that would be an upgrade by now is carried out; one from it that is no downgrade any
    more is dropped. None where neither is so."""
    current = change.of_id(subscription.previous_id) if subscription.status == Status.PENDING else subscription
    waiting = subscription if subscription.status == Status.PENDING else change.of_id(subscription.next_id)
    if current is None or waiting is None or waiting.status != Status.PENDING or current.status != Status.ACTIVE:
        return None
    known = plans.by_ids(change.organization.id, [current.plan_id, waiting.plan_id])
    current_plan, waiting_plan = known[current.plan_id], known[waiting.plan_id]
    if not plan_changes.is_dearer(waiting_plan, current_plan):
        return None
    dropped = plan_changes.dropped(change, waiting, waiting_plan)
    if subscription is waiting:
        new = plan_changes.successor(current, waiting_plan, None, now=change.now)
        new = new.model_copy(update={"name": waiting.name, "ending_at": waiting.ending_at})
        return plan_changes.upgrade(change, current, current_plan, new, waiting_plan, dropped, ())[1]
    kept = current.model_copy(update={"next_id": None, "next_plan_code": None, "updated_at": change.now})
    updated = change.announcement(kept, current_plan, "subscription.updated")
    return change.commit(replaced=[(current, kept, current_plan), *dropped], tasks=updated)


def _bills_units(plan: Plan, subscription: Subscription, now: datetime) -> bool:
    """Whether units of a fixed charge in advance changed at once while the subscription ran, and nobody has seen it."""
    assert subscription.started_at is not None
    # Those of the very instant that was seen are looked at again: what has been billed is not billed twice.
    seen_at = subscription.units_seen_at or subscription.started_at
    return any(
        fixed.pay_in_advance
        and change.immediately
        and subscription.started_at < change.at
        and seen_at <= change.at <= now
        for fixed in plan.fixed_charges
        for change in fixed.changes
    )


@runner.handles(changes.DELETE)
def delete(task: Task, now: datetime) -> None:
    """After the deletion of a plan: its subscriptions end with their documents, drafts on it become final, and so for its
    children. Source: rules/catalog 2.2."""
    organization_id = task.organization.id
    plan = plans.CATALOG.get(organization_id, task.subject)
    assert plan is not None, "deletion keeps the record"

    def one_of(plan_id: PlanId) -> Callable[[CustomerId, SubscriptionId], list[Task]]:
        def one(customer_id: CustomerId, subscription_id: SubscriptionId) -> list[Task]:
            ended = retrying(
                lambda: _end(change_of(organization_id, customer_id, now=now), subscription_id), Resource.SUBSCRIPTION
            )
            return [*ended, *finalize.finalize_all(task.organization, customer_id, plan_id=plan_id, now=now)]

        return one

    for child_id in overrides.remove_children(organization_id, plan.id, now=now):
        for customer_id, subscription_id in list(subscribers.subscribers(organization_id, child_id)):
            pushed = one_of(child_id)(customer_id, subscription_id)
            agenda.push([each for each in pushed if not each.in_clock])
    if not _each_subscriber(task, plan.id, one_of(plan.id), now):
        return
    agenda.done(task).alone()


def _end(change: Change, subscription_id: SubscriptionId) -> list[Task]:
    subscription = change.of_id(subscription_id)
    if subscription is None or not subscription.live:
        return []
    return endings.end(change, subscription, schemas.Termination())[1]


def _each_subscriber(
    task: Task, plan_id: PlanId, one: Callable[[CustomerId, SubscriptionId], list[Task]], now: datetime
) -> bool:
    """Carry out `one` for each subscription of a plan; False when the time was up before, and the task goes on later."""
    organization_id = task.organization.id

    def step(subscriber: tuple[CustomerId, SubscriptionId]) -> None:
        agenda.push([each for each in one(*subscriber) if not each.in_clock])

    found = subscribers.subscribers(organization_id, plan_id, after=place_of(task))
    return walk(task, ((subscribers.subscriber_key(*each), each) for each in found), step, now=now)
