"""Changing a subscription's plan: a dearer one at once, a cheaper one with the next period.

Source: rules/billing-periods 7.
"""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain import proration
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import ChangedMeanwhile
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.records import Plan
from chalicelib.features.subscriptions import own_plan, schemas, store
from chalicelib.features.subscriptions.change import Change, started
from chalicelib.features.subscriptions.records import PendingInvoice, Status, Subscription
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import SubscriptionId, new_id
from chalicelib.platform.unit import Write

Replaced = tuple[Subscription, Subscription, Plan]


def change_plan(
    change: Change,
    subscription_id: SubscriptionId,
    plan: Plan,
    request: schemas.SubscriptionInput,
    extra: Sequence[Write],
) -> tuple[Subscription, list[Task]]:
    """Change a subscription's plan: at once where the new plan costs as much or more, or where the subscription has not
    begun; else with its next period. The same plan again changes nothing."""
    organization_id = change.organization.id
    current = change.of_id(subscription_id)
    assert current is not None, "a uniqueness item names a subscription of its customer"
    if not current.live:
        raise ChangedMeanwhile(Resource.SUBSCRIPTION)  # It ended or got a successor since the item was read.
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
        plan, written = own_plan.create(organization_id, plan, request.plan_overrides, now=change.now)
        extra = [*extra, *written]
    if current.status == Status.PENDING:
        fields = {
            "plan_id": plan.id,
            "counted_plan_id": plan.counted_id,
            "plan_code": plan.code,
            "currency": plan.amount_currency,
            "updated_at": change.now,
            **request.given("name"),
        }
        fields["on_termination_credit_note"] = "credit" if plan.pay_in_advance else None
        other = current.model_copy(update=fields)
        announced = change.announcement(other, plan, "subscription.updated")
        return other, change.commit(replaced=[(current, other, plan)], extra=extra, tasks=announced)
    carry_out = upgrade if is_dearer(plan, current_plan) else downgrade
    new = successor(current, plan, request, now=change.now)
    canceled = dropped(change, waiting, known[waiting.plan_id] if waiting else None)
    return carry_out(change, current, current_plan, new, plan, canceled, extra)


def is_dearer(plan: Plan, current: Plan) -> bool:
    """Whether a change to `plan` is an upgrade: it costs as much per year as the current one, or more."""
    return proration.is_upgrade(
        current=(current.amount_cents, current.interval), new=(plan.amount_cents, plan.interval)
    )


def annual_cents(plan: Plan) -> int:
    """The plan's fee for a year, by which changes are upgrades or downgrades. Source: rules/billing-periods 7.1"""
    return proration.annual_cents(plan.amount_cents, plan.interval)


def successor(
    current: Subscription, plan: Plan, request: schemas.SubscriptionInput | None, *, now: datetime
) -> Subscription:
    """The pending subscription of another plan that follows `current`: same external id, anchor and first start."""
    given = request.model_fields_set if request else frozenset()
    return Subscription(
        id=new_id(),
        created_at=now,
        updated_at=now,
        external_id=current.external_id,
        customer_id=current.customer_id,
        external_customer_id=current.external_customer_id,
        plan_id=plan.id,
        counted_plan_id=plan.counted_id,
        plan_code=plan.code,
        currency=plan.amount_currency,
        status=Status.PENDING,
        billing_time=current.billing_time,
        subscription_at=current.subscription_at,
        first_started_at=current.first_started_at,
        ending_at=request.ending_at if request and "ending_at" in given else current.ending_at,
        name=request.name if request and "name" in given else current.name,
        previous_id=current.id,
        previous_plan_code=current.plan_code,
        takeover=current.takeover,
        consolidate_invoice=current.consolidate_invoice,
        on_termination_credit_note="credit" if plan.pay_in_advance else None,
    )


def upgrade(
    change: Change,
    current: Subscription,
    current_plan: Plan,
    new: Subscription,
    plan: Plan,
    waiting: Sequence[Replaced],
    extra: Sequence[Write],
) -> tuple[Subscription, list[Task]]:
    """`current` ends and `new` begins, both now; a change that waited is dropped. Billing makes the credit note for what
    was paid in advance, and one invoice for both."""
    old, new = upgraded(change, current, current_plan, new, plan)
    tasks = [
        *change.announcement(old, current_plan, "subscription.terminated"),
        *change.announcement(new, plan, "subscription.started"),
    ]
    pushed = change.commit(
        created=[(new, plan)],
        replaced=[(current, old, current_plan), *waiting],
        extra=[*extra, store.hand_over_action(change.organization.id, current, new)],
        tasks=tasks,
    )
    return new, pushed


def downgrade(
    change: Change,
    current: Subscription,
    current_plan: Plan,
    new: Subscription,
    plan: Plan,
    waiting: Sequence[Replaced],
    extra: Sequence[Write],
) -> tuple[Subscription, list[Task]]:
    """`new` waits for the end of the running period; a change that waited before is dropped."""
    announced = downgrading(change, current, new)
    pushed = change.commit(
        created=[(new, plan)],
        replaced=[(current, announced, current_plan), *waiting],
        extra=extra,
        tasks=change.announcement(announced, current_plan, "subscription.updated"),
    )
    return announced, pushed


def upgraded(
    change: Change, current: Subscription, current_plan: Plan, new: Subscription, plan: Plan
) -> tuple[Subscription, Subscription]:
    """`current` ended and `new` begun, both now; not yet written."""
    assert current.started_at is not None
    # To the second, as all starts; usage of this very second is the new plan's.
    at = max(change.now.replace(microsecond=0), current.started_at)
    begun = started(new, plan, started_at=at, now=change.now, zone=change.zone)
    over = current.model_copy(
        update={
            "status": Status.TERMINATED,
            "terminated_at": at,
            "updated_at": change.now,
            "upgraded": True,
            "next_id": begun.id,
            "next_plan_code": begun.plan_code,
            "occasions": (*current.occasions, PendingInvoice.TERMINATING),
            "on_termination_credit_note": "credit" if current_plan.pay_in_advance else None,
        }
    )
    return over, begun


def downgrading(change: Change, current: Subscription, new: Subscription) -> Subscription:
    """`current` with the plan that waits for its period's end; not yet written."""
    return current.model_copy(update={"next_id": new.id, "next_plan_code": new.plan_code, "updated_at": change.now})


def dropped(change: Change, waiting: Subscription | None, plan: Plan | None) -> list[Replaced]:
    """A change of plan that waited and will not come true."""
    if waiting is None or plan is None or waiting.status != Status.PENDING:
        return []
    canceled = waiting.model_copy(
        update={
            "status": Status.CANCELED,
            "canceled_at": change.now,
            "updated_at": change.now,
            "on_termination_credit_note": None,
        }
    )
    return [(waiting, canceled, plan)]
