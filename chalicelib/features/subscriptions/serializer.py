"""Subscriptions as the API shows them."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.domain import periods, subscriptions, timeline
from chalicelib.features.plans.records import Plan
from chalicelib.features.subscriptions import schedule
from chalicelib.features.subscriptions.records import Status, Subscription
from chalicelib.platform.timestamps import iso, iso_millis, iso_or_none


def show(subscription: Subscription, plan: Plan, *, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """One subscription. `now` decides which billing period is the current one."""
    current = _current_period(subscription, plan, zone, now)
    return {
        "lago_id": subscription.id,
        "external_id": subscription.external_id,
        "lago_customer_id": subscription.customer_id,
        "external_customer_id": subscription.external_customer_id,
        "billing_entity_code": "default",
        "name": subscription.name,
        "plan_code": subscription.plan_code,
        "plan_amount_cents": plan.amount_cents,
        "plan_amount_currency": plan.amount_currency,
        "status": subscription.status.value,
        "billing_time": subscription.billing_time,
        "subscription_at": iso(subscription.subscription_at),
        "started_at": None if subscription.started_at is None else iso_millis(subscription.started_at),
        "ending_at": iso_or_none(subscription.ending_at),
        "trial_ended_at": iso_or_none(subscription.trial_ended_at),
        "terminated_at": iso_or_none(subscription.terminated_at),
        "canceled_at": iso_or_none(subscription.canceled_at),
        "created_at": iso(subscription.created_at),
        "previous_plan_code": subscription.previous_plan_code,
        "next_plan_code": subscription.next_plan_code,
        "downgrade_plan_date": _change_date(subscription, plan, zone, now),
        "current_billing_period_started_at": None if current is None else iso(current[0]),
        "current_billing_period_ending_at": None if current is None else iso(current[1]),
        "on_termination_credit_note": subscription.on_termination_credit_note,
        "on_termination_invoice": subscription.on_termination_invoice,
        "consolidate_invoice": subscription.consolidate_invoice,
        "activated_at": iso_or_none(subscription.started_at),
        "cancellation_reason": None,
        "activation_rules": [],
        "applied_invoice_custom_sections": [],
        "payment_method": {"payment_method_id": None, "payment_method_type": None},
        "purchase_order_number": None,
    }


def _current_period(
    subscription: Subscription, plan: Plan, zone: ZoneInfo, now: datetime
) -> tuple[datetime, datetime] | None:
    if subscription.status != Status.ACTIVE or subscription.started_at is None or subscription.started_at > now:
        return None
    span = subscriptions.open_usage(schedule.terms_of(plan), schedule.life_of(subscription), now, zone)
    return span.start, span.end - timedelta(seconds=1)


def _change_date(subscription: Subscription, plan: Plan, zone: ZoneInfo, now: datetime) -> str | None:
    if subscription.next_plan_code is None or subscription.status != Status.ACTIVE:
        return None
    life = schedule.life_of(subscription)
    period = timeline.period_on(schedule.terms_of(plan), life, periods.local_date(now, zone), zone)
    return period.end.isoformat()
