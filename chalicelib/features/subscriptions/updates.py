"""Changing the fields of a subscription, its start while it is pending, and the values of its own plan."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain import periods
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound, existing
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.changes import following
from chalicelib.features.plans.records import Plan
from chalicelib.features.subscriptions import own_plan, schedule, schemas, service, store, trials
from chalicelib.features.subscriptions.change import Change, change_of, started
from chalicelib.features.subscriptions.records import Status, Subscription
from chalicelib.platform import schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write


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
        extra: list[Write] = []
        moves_trial = trials.moves(old, plan, request.plan_overrides, now=now)
        if request.plan_overrides:
            plan, extra = own_plan.override(
                organization.id, plan, request.plan_overrides, moves_trial=moves_trial, now=now
            )
        new = _updated(change, old, plan, request)
        if moves_trial:
            new = trials.moved(new, plan, now=now)
        began = new.status == Status.ACTIVE and old.status == Status.PENDING
        announced = change.announcement(new, plan, "subscription.started" if began else "subscription.updated")
        tasks = [*announced, *(following(organization, plan, now=now) if request.plan_overrides else ())]
        pushed = change.commit(replaced=[(old, new, plan)], extra=extra, tasks=tasks)
        return new.model_copy(update={"version": old.version + 1}), pushed

    return retrying(attempt, Resource.SUBSCRIPTION)


def set_historical_usage(
    organization_id: OrganizationId, external_id: str, values: Mapping[str, Any], *, now: datetime
) -> Subscription:
    """Keep what an active subscription used before it was kept here; it bills nothing.

    Raises: Invalid; NotFound; ChangedMeanwhile.
    """
    request = schema.parse(schemas.LifetimeUsageUpdate, values)

    def attempt() -> Subscription:
        old = service.find(organization_id, external_id)
        cents = request.external_historical_usage_amount_cents
        new: Subscription = old.changed(now=now, external_historical_usage_cents=cents)
        Unit(store.write_subscriptions(organization_id, replaced=[(old, new)])).commit()
        return new

    return retrying(attempt, Resource.SUBSCRIPTION)


def _updatable(organization_id: OrganizationId, external_id: str, statuses: Sequence[str]) -> Subscription:
    """The one with this external id whatever its state; among several the active one, or that of `statuses`."""
    if statuses:
        return service.find(organization_id, external_id, statuses)
    live = store.find_live(organization_id, external_id)
    if live is None:
        raise NotFound(Resource.SUBSCRIPTION)
    return existing(store.get(organization_id, live.customer_id, live.subscription_id), Resource.SUBSCRIPTION)


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
    # Time before today was never billed and never will be, as if it had been created today.
    moved = moved.model_copy(update={"billed_on": today if on < today else None})
    return started(moved, plan, started_at=at, now=change.now, zone=change.zone)
