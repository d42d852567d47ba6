"""Subscription timelines: a plan's terms, the subscription's own dates, its periods and billing days.

Days are the customer's calendar days. Source: rules/billing-periods 1, 2, 6.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.intervals import BillingTime, Interval
from chalicelib.domain.periods import Period

# A changed time zone moves a boundary by less than this: by 26 hours, and by up to four days where the anchor's day moves
# over the end of a month (the 28th becomes the 1st). Boundaries of different periods stay further apart.
ZONE_MOVE = timedelta(days=5)


@dataclass(frozen=True, slots=True)
class Terms:
    """Billing's view of a plan. `charges_monthly`, `fixed_monthly`: usage, or fixed charges, of a long period are
    billed by the month. `fixed_in_advance`: the plan has fixed charges that are paid at the period's beginning."""

    interval: Interval
    amount_cents: int
    pay_in_advance: bool
    charges_monthly: bool = False
    fixed_monthly: bool = False
    fixed_in_advance: bool = False
    trial_days: Decimal = Decimal(0)

    @property
    def runs_monthly(self) -> bool:
        """Whether each month of a long period has a billing day."""
        return self.charges_monthly or self.fixed_monthly


@dataclass(frozen=True, slots=True)
class SubscriptionTimeline:
    """Billing's view of a subscription. `anchor_at` decides its periods; it owes from `started_at` on.

    `trial_started_at`: the first start ever under its external id. `trial_ends_at`: the end of its trial, once that was
    moved; else None. `billed_until`: usage before it is invoiced. `paid_until`: the day after the last day of the last
    fee in advance. `upgraded`: it ended because a dearer plan replaced it on that day. `successor`: it replaced another
    one.
    """

    billing_time: BillingTime
    anchor_at: datetime
    started_at: datetime
    trial_started_at: datetime
    ended_at: datetime | None = None
    upgraded: bool = False
    successor: bool = False
    billed_until: datetime | None = None
    paid_until: date | None = None
    trial_ends_at: datetime | None = None


def trial_end(terms: Terms, life: SubscriptionTimeline) -> datetime | None:
    """The instant from which the base amount is owed; None without a trial."""
    if life.trial_ends_at is not None:
        return life.trial_ends_at
    if not terms.trial_days:
        return None
    return life.trial_started_at + timedelta(seconds=int(terms.trial_days * 86400))


def in_trial(terms: Terms, life: SubscriptionTimeline, on: date, zone: ZoneInfo) -> bool:
    """Whether the trial still runs when the local day `on` is over: then no base amount is billed on it."""
    end = trial_end(terms, life)
    return end is not None and periods.local_date(end, zone) > on


def period_on(terms: Terms, life: SubscriptionTimeline, on: date, zone: ZoneInfo) -> Period:
    """The subscription's period that contains a local day."""
    anchor = periods.local_date(life.anchor_at, zone)
    return periods.period_containing(anchor, terms.interval, life.billing_time, on)


def charges_period_on(terms: Terms, life: SubscriptionTimeline, on: date, zone: ZoneInfo) -> Period:
    """The period by which usage is billed: the subscription's own, or its month."""
    anchor = periods.local_date(life.anchor_at, zone)
    return periods.charges_period_containing(
        anchor, terms.interval, life.billing_time, on, monthly=terms.charges_monthly
    )


def fixed_period_on(terms: Terms, life: SubscriptionTimeline, on: date, zone: ZoneInfo) -> Period:
    """The period by which fixed charges are billed: the subscription's own, or its month."""
    anchor = periods.local_date(life.anchor_at, zone)
    return periods.charges_period_containing(anchor, terms.interval, life.billing_time, on, monthly=terms.fixed_monthly)


def is_billing_day(terms: Terms, life: SubscriptionTimeline, on: date, zone: ZoneInfo) -> bool:
    """Whether a local day opens a period of fee, usage or fixed charges."""
    anchor = periods.local_date(life.anchor_at, zone)
    return periods.is_billing_day(anchor, terms.interval, life.billing_time, on, monthly=terms.runs_monthly)


def opens_period(terms: Terms, life: SubscriptionTimeline, on: date, zone: ZoneInfo) -> bool:
    """Whether a local day opens a period of the plan's own interval, on which a waiting change of plan comes true."""
    return period_on(terms, life, on, zone).start == on


def next_billing_day(terms: Terms, life: SubscriptionTimeline, *, after: date, zone: ZoneInfo) -> date:
    """The first billing day after a local day, but none that was billed already where it lay in another zone.

    It may be a day that the zone leaves out: it is billed with the next.
    """
    anchor = periods.local_date(life.anchor_at, zone)
    on = periods.next_billing_day(anchor, terms.interval, life.billing_time, after, monthly=terms.runs_monthly)
    if is_billed(life, on, zone) or _is_paid(terms, life, on, zone):
        on = periods.next_billing_day(anchor, terms.interval, life.billing_time, on, monthly=terms.runs_monthly)
    return on


def next_billing_at(terms: Terms, life: SubscriptionTimeline, *, after: date, zone: ZoneInfo) -> datetime:
    """The local midnight, in UTC, of the first billing day after a local day."""
    return periods.start_of_day(next_billing_day(terms, life, after=after, zone=zone), zone)


def is_billed(life: SubscriptionTimeline, boundary: date, zone: ZoneInfo) -> bool:
    """Whether the last invoice ended with this boundary, as it lay before the zone changed."""
    # A start where an earlier subscription ended has that second billed: it is no boundary.
    if life.billed_until is None or life.billed_until <= life.started_at + timedelta(seconds=1):
        return False
    return life.billed_until > periods.start_of_day(boundary, zone) - ZONE_MOVE


def _is_paid(terms: Terms, life: SubscriptionTimeline, on: date, zone: ZoneInfo) -> bool:
    """Whether the period that begins on a day was paid in advance, as it lay before the zone changed."""
    if life.paid_until is None or not terms.pay_in_advance or not opens_period(terms, life, on, zone):
        return False
    return life.paid_until > period_on(terms, life, on, zone).end - ZONE_MOVE


def open_period(
    kind: Callable[[Terms, SubscriptionTimeline, date, ZoneInfo], Period],
    terms: Terms,
    life: SubscriptionTimeline,
    on: date,
    zone: ZoneInfo,
) -> Period:
    """The period on a local day, or the next one where it is billed already: zone or clocks went back over its end."""
    found = kind(terms, life, on, zone)
    return kind(terms, life, found.end, zone) if is_billed(life, found.end, zone) else found
