"""Ending subscriptions: an active one is terminated, a pending one canceled.

The billing task makes the final documents.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.records import Plan
from chalicelib.features.subscriptions import plan_changes, schemas, service, store
from chalicelib.features.subscriptions.change import Change, change_of
from chalicelib.features.subscriptions.records import PendingInvoice, Status, Subscription
from chalicelib.platform import schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.retry import retrying


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
        old = service.find(organization.id, external_id, statuses)
        if not old.live:  # Selected by its status: a subscription that is over cannot end again.
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
        announced = change.announcement(kept, kept_plan, "subscription.updated")
        return new, change.commit(replaced=[(old, new, plan), (before, kept, kept_plan)], tasks=announced)
    dropped = plan_changes.dropped(change, waiting, known[waiting.plan_id] if waiting else None)
    if dropped:
        new = new.model_copy(update={"next_id": None, "next_plan_code": None})
    announced = change.announcement(
        new, plan, "subscription.terminated" if new.status == Status.TERMINATED else "subscription.updated"
    )
    release = store.release_action(organization_id, old)
    return new, change.commit(replaced=[(old, new, plan), *dropped], extra=[release], tasks=announced)


def ended(old: Subscription, plan: Plan, request: schemas.Termination, *, at: datetime) -> Subscription:
    """Subscription after its end, with its pending invoices."""
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
