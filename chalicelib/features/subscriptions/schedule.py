"""Subscriptions and plans as the rules of billing see them, and what is to happen to a subscription at which instant."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from chalicelib.domain import periods, timeline
from chalicelib.domain.timeline import SubscriptionTimeline, Terms
from chalicelib.features.plans.records import FixedCharge, Plan
from chalicelib.features.subscriptions.records import PendingInvoice, Status, Subscription


def terms_of(plan: Plan) -> Terms:
    """A plan's terms."""
    return Terms(
        interval=plan.interval,
        amount_cents=plan.amount_cents,
        pay_in_advance=plan.pay_in_advance,
        charges_monthly=bool(plan.bill_charges_monthly),
        fixed_monthly=bool(plan.bill_fixed_charges_monthly),
        fixed_in_advance=any(fixed.pay_in_advance and _costs(fixed) for fixed in plan.fixed_charges),
        trial_days=Decimal(plan.trial_period),
    )


def _costs(fixed: FixedCharge) -> bool:
    """Whether a fixed charge may cost something: of no units only a first range's flat amount is owed."""
    return bool(Decimal(fixed.units)) or fixed.charge_model == "graduated"


def life_of(subscription: Subscription) -> SubscriptionTimeline:
    """A started subscription's life."""
    assert subscription.started_at is not None
    return SubscriptionTimeline(
        billing_time=subscription.billing_time,
        anchor_at=subscription.subscription_at,
        started_at=subscription.started_at,
        trial_started_at=subscription.first_started_at or subscription.started_at,
        ended_at=subscription.terminated_at,
        upgraded=subscription.upgraded,
        successor=subscription.previous_id is not None,
        billed_until=subscription.billed_until,
        paid_until=subscription.last_fee.period_end if subscription.last_fee else None,
        trial_ends_at=subscription.trial_ends_at,
    )


class LifecycleStep(StrEnum):
    """Steps in a subscription's life, in the order in which steps of one instant are taken."""

    START = "start"
    STARTING = "starting invoice"
    ALERT = "announcement of the end"
    END = "end by its date"
    PERIOD = "billing day"
    UNITS = "more units of fixed charges"
    TRIAL = "end of the trial"
    LAST = "last invoice"


def lifecycle_steps(subscription: Subscription, plan: Plan, *, zone: ZoneInfo) -> list[tuple[datetime, LifecycleStep]]:
    """Next lifecycle steps, each with its instant; empty for a subscription that is over and billed."""
    if subscription.status == Status.CANCELED:
        return []
    if subscription.status == Status.PENDING:
        # A successor that waits for the period's end starts with its predecessor's run, not by itself.
        return [] if subscription.previous_id else [(subscription.subscription_at, LifecycleStep.START)]
    assert subscription.started_at is not None
    if PendingInvoice.STARTING in subscription.occasions:
        # At once, where it starts later on the day on which it was made.
        return [(min(subscription.started_at, subscription.updated_at), LifecycleStep.STARTING)]
    billing_at = timeline.next_billing_at(
        terms_of(plan), life_of(subscription), after=last_day(subscription, zone), zone=zone
    )
    if subscription.status == Status.TERMINATED:
        return _of_ended(subscription, plan, billing_at, zone)
    found = [(billing_at, LifecycleStep.PERIOD)]
    found += [(periods.start_of_day(day, zone), LifecycleStep.ALERT) for day in subscription.alerts_on]
    if subscription.ending_at is not None:
        found.append((periods.start_of_day(periods.local_date(subscription.ending_at, zone), zone), LifecycleStep.END))
    if subscription.units_changed_at is not None:
        found.append((subscription.units_changed_at, LifecycleStep.UNITS))
    end = timeline.trial_end(terms_of(plan), life_of(subscription))
    if end is not None and subscription.trial_ended_at is None:
        found.append((end, LifecycleStep.TRIAL))
    return found


def _of_ended(
    subscription: Subscription, plan: Plan, billing_at: datetime, zone: ZoneInfo
) -> list[tuple[datetime, LifecycleStep]]:
    if PendingInvoice.TERMINATING not in subscription.occasions or subscription.terminated_at is None:
        return []
    found = [(subscription.terminated_at, LifecycleStep.LAST)]
    # An end on a billing day not carried out takes its place; an upgrade leaves the day to the old plan's run.
    same_day = periods.local_date(billing_at, zone) == periods.local_date(subscription.terminated_at, zone)
    if billing_at <= subscription.terminated_at and (subscription.upgraded or not same_day):
        found.append((billing_at, LifecycleStep.PERIOD))
    # A trial that was over before the end owes its fee, of which the end may give a part back.
    trial_end = timeline.trial_end(terms_of(plan), life_of(subscription))
    if trial_end is not None and subscription.trial_ended_at is None and trial_end <= subscription.terminated_at:
        found.append((trial_end, LifecycleStep.TRIAL))
    return found


def next_due_at(subscription: Subscription, plan: Plan, *, zone: ZoneInfo) -> datetime | None:
    """The next instant at which something happens to a subscription; None for one that is over and billed."""
    return min((at for at, _ in lifecycle_steps(subscription, plan, zone=zone)), default=None)


# Steps that make an invoice, of a customer who owes something.
_INVOICED = frozenset(
    {LifecycleStep.STARTING, LifecycleStep.END, LifecycleStep.PERIOD, LifecycleStep.UNITS, LifecycleStep.LAST}
)


def next_invoice_at(subscription: Subscription, plan: Plan, *, zone: ZoneInfo) -> datetime | None:
    """The next instant at which a started subscription is billed; None for one that waits, or is over and billed."""
    steps = lifecycle_steps(subscription, plan, zone=zone)
    # A trial's end owes the fee that is paid in advance.
    invoiced = _INVOICED | {LifecycleStep.TRIAL} if plan.pay_in_advance else _INVOICED
    return min((at for at, step in steps if step in invoiced), default=None)


# Days by which the end of a subscription is announced ahead. Source: rules/billing-periods 5.
_ALERT_DAYS = (45, 15)


def alerts_on(ending_at: datetime | None, *, now: datetime, zone: ZoneInfo) -> tuple[date, ...]:
    """The local days, from today on, on which the end is announced."""
    if ending_at is None:
        return ()
    ends_on, today = periods.local_date(ending_at, zone), periods.local_date(now, zone)
    return tuple(day for n in _ALERT_DAYS if (day := ends_on - timedelta(days=n)) >= today)


def last_day(subscription: Subscription, zone: ZoneInfo) -> date:
    """The last local day whose billing is done: that of the start, or of the last run."""
    assert subscription.started_at is not None
    started_on = periods.local_date(subscription.started_at, zone)
    # Time before the creation of a subscription that started in the past was never billed and never will be.
    created_on = periods.local_date(max(subscription.created_at, subscription.started_at), zone)
    return max(day for day in (started_on, created_on, subscription.billed_on) if day is not None)


def wants_starting_invoice(plan: Plan, subscription: Subscription, *, now: datetime, zone: ZoneInfo) -> bool:
    """Whether a start owes something at once: today (not backdated), the fee in advance out of trial, or fixed charges in
    advance, in a trial too.

    Source: rules/billing-periods 5, 6, 11.
    """
    if subscription.started_at is None:
        return False
    today = periods.local_date(now, zone)
    if periods.local_date(subscription.started_at, zone) != today:
        return False
    terms, life = terms_of(plan), life_of(subscription)
    owes_fee = terms.pay_in_advance and not timeline.in_trial(terms, life, today, zone)
    return owes_fee or terms.fixed_in_advance


def occasions_at_start(
    plan: Plan, subscription: Subscription, *, now: datetime, zone: ZoneInfo
) -> tuple[PendingInvoice, ...]:
    """Pending invoices of a subscription that starts."""
    return (PendingInvoice.STARTING,) if wants_starting_invoice(plan, subscription, now=now, zone=zone) else ()


def trial_over_at(plan: Plan, subscription: Subscription, *, now: datetime) -> datetime | None:
    """End of a trial that is over already when the subscription starts; else None. Nothing follows from such a
    trial."""
    end = timeline.trial_end(terms_of(plan), life_of(subscription))
    return end if end is not None and end <= now else None
