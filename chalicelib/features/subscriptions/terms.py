"""Subscriptions and plans as the rules of billing see them."""

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from chalicelib.domain import periods, subscriptions
from chalicelib.domain.intervals import BillingTime, Interval
from chalicelib.domain.subscriptions import Life, Terms
from chalicelib.features.plans.store import Plan
from chalicelib.features.subscriptions.records import Occasion, Status, Subscription


def terms_of(plan: Plan) -> Terms:
    """A plan's terms."""
    return Terms(
        interval=Interval(plan.interval),
        amount_cents=plan.amount_cents,
        pay_in_advance=plan.pay_in_advance,
        charges_monthly=bool(plan.bill_charges_monthly),
        trial_days=Decimal(plan.trial_period),
    )


def life_of(subscription: Subscription) -> Life:
    """A started subscription's life."""
    assert subscription.started_at is not None
    return Life(
        billing_time=BillingTime(subscription.billing_time),
        anchor_at=subscription.subscription_at,
        started_at=subscription.started_at,
        trial_started_at=subscription.first_started_at or subscription.started_at,
        ended_at=subscription.terminated_at,
        upgraded=subscription.upgraded,
        billed_until=subscription.billed_until,
    )


def next_due_at(subscription: Subscription, plan: Plan, *, zone: ZoneInfo) -> datetime | None:
    """The next instant at which something happens to a subscription; None for one that is over and billed."""
    if subscription.status == Status.CANCELED:
        return None
    if subscription.status == Status.PENDING:
        # A successor that waits for the period's end starts with its predecessor's run, not by itself.
        return None if subscription.previous_id else subscription.subscription_at
    if subscription.status == Status.TERMINATED:
        return subscription.terminated_at if subscription.occasions else None
    if subscription.occasions:
        return subscription.started_at
    terms, life = terms_of(plan), life_of(subscription)
    after = last_day(subscription, zone)
    instants = [subscriptions.next_billing_at(terms, life, after=after, zone=zone)]
    if subscription.ending_at is not None:
        instants.append(periods.start_of_day(periods.local_date(subscription.ending_at, zone), zone))
    end = subscriptions.trial_end(terms, life)
    if end is not None and subscription.trial_ended_at is None:
        instants.append(end)
    return min(instants)


def last_day(subscription: Subscription, zone: ZoneInfo) -> date:
    """The last local day whose billing is done: that of the start, or of the last run."""
    assert subscription.started_at is not None
    started_on = periods.local_date(subscription.started_at, zone)
    # What lies before the creation of a subscription that started in the past was never billed and never will be.
    created_on = periods.local_date(max(subscription.created_at, subscription.started_at), zone)
    return max(day for day in (started_on, created_on, subscription.billed_on) if day is not None)


def wants_starting_invoice(plan: Plan, subscription: Subscription, *, now: datetime, zone: ZoneInfo) -> bool:
    """Whether a start owes its first fee at once: in advance, today (not backdated), and out of trial.

    Source: billing-periods.md sections 5 and 6.
    """
    if not plan.pay_in_advance or subscription.started_at is None:
        return False
    today = periods.local_date(now, zone)
    if periods.local_date(subscription.started_at, zone) != today:
        return False
    end = subscriptions.trial_end(terms_of(plan), life_of(subscription))
    return end is None or periods.local_date(end, zone) <= today


def occasions_at_start(
    plan: Plan, subscription: Subscription, *, now: datetime, zone: ZoneInfo
) -> tuple[Occasion, ...]:
    """What is to be invoiced right when a subscription starts."""
    return (Occasion.STARTING,) if wants_starting_invoice(plan, subscription, now=now, zone=zone) else ()
