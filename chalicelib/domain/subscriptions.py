"""What a subscription owes on which day: the definition of billing time.

A subscription is seen through its plan's `Terms` and its own `Life`. On a billing day it gives a `Row`: the range of its
subscription fee with the days owed, and the range of usage to bill. Days are the customer's calendar days, ranges are
half-open UTC instants.

Source: billing-periods.md sections 3 to 7.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.intervals import BillingTime, Interval
from chalicelib.domain.periods import Period, Span

PERIODIC = "subscription_periodic"
STARTING = "subscription_starting"
TERMINATING = "subscription_terminating"

# A changed time zone moves boundaries by less than this; usage then goes on where the last invoice ended.
_ZONE_MOVE = timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class Terms:
    """What billing needs of a plan. `charges_monthly`: usage of a long period is billed by the month."""

    interval: Interval
    amount_cents: int
    pay_in_advance: bool
    charges_monthly: bool = False
    trial_days: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Life:
    """What billing needs of a subscription. `anchor_at` decides its periods, `started_at` from when it owes.

    `trial_started_at`: the first start ever under its external id. `billed_until`: usage before it is invoiced.
    `upgraded`: it ended because a dearer plan took its place on that day.
    """

    billing_time: BillingTime
    anchor_at: datetime
    started_at: datetime
    trial_started_at: datetime
    ended_at: datetime | None = None
    upgraded: bool = False
    billed_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class FeeRange:
    """The range of a subscription fee: `days` of `of_days` are owed; `whole` is the period it lies in."""

    span: Span
    days: int
    of_days: int
    whole: Period


@dataclass(frozen=True, slots=True)
class Row:
    """One subscription on one invoice. `period`: the range shown for the subscription even without a fee;
    `charges`: the range shown for usage; `bills_usage` tells whether usage of it is billed. `exact_end`: the ranges end
    at the instant at which the subscription ended, and are shown so."""

    reason: str
    period: Span
    fee: FeeRange | None
    charges: Span
    bills_usage: bool
    exact_end: bool = False


def trial_end(terms: Terms, life: Life) -> datetime | None:
    """The instant from which the base amount is owed; None without a trial."""
    if not terms.trial_days:
        return None
    return life.trial_started_at + timedelta(seconds=int(terms.trial_days * 86400))


def in_trial(terms: Terms, life: Life, on: date, zone: ZoneInfo) -> bool:
    """Whether the trial still runs when the local day `on` is over: then no base amount is billed on it."""
    end = trial_end(terms, life)
    return end is not None and periods.local_date(end, zone) > on


def period_on(terms: Terms, life: Life, on: date, zone: ZoneInfo) -> Period:
    """The subscription's period that contains a local day."""
    anchor = periods.local_date(life.anchor_at, zone)
    return periods.period_containing(anchor, terms.interval, life.billing_time, on)


def charges_period_on(terms: Terms, life: Life, on: date, zone: ZoneInfo) -> Period:
    """The period by which usage is billed: the subscription's own, or its month."""
    anchor = periods.local_date(life.anchor_at, zone)
    return periods.charges_period_containing(
        anchor, terms.interval, life.billing_time, on, monthly=terms.charges_monthly
    )


def is_billing_day(terms: Terms, life: Life, on: date, zone: ZoneInfo) -> bool:
    """Whether a local day opens a period of fee or usage."""
    return charges_period_on(terms, life, on, zone).start == on or period_on(terms, life, on, zone).start == on


def next_billing_at(terms: Terms, life: Life, *, after: date, zone: ZoneInfo) -> datetime:
    """The local midnight, in UTC, of the first billing day after a local day."""
    anchor = periods.local_date(life.anchor_at, zone)
    on = periods.next_billing_day(anchor, terms.interval, life.billing_time, after, monthly=terms.charges_monthly)
    return periods.start_of_day(on, zone)


def periodic(terms: Terms, life: Life, on: date, zone: ZoneInfo) -> Row:
    """The row of a billing day: usage of the period that ended, the fee of that one (in arrears) or of the new one."""
    opening = period_on(terms, life, on, zone)
    closed = period_on(terms, life, opening.start - timedelta(days=1), zone)
    opens_long_period = opening.start == on
    billed = opening if terms.pay_in_advance else closed
    shown = billed if opens_long_period or terms.pay_in_advance else opening
    fee: FeeRange | None = None
    if opens_long_period and not in_trial(terms, life, on, zone):
        fee = _fee(terms, life, billed, first=billed.start, last=billed.end - timedelta(days=1), zone=zone)
    used = charges_period_on(terms, life, on, zone)
    usage = charges_period_on(terms, life, used.start - timedelta(days=1), zone) if used.start == on else used
    end = periods.start_of_day(on, zone)
    return Row(PERIODIC, _clamped(life, shown, zone), fee, _usage(life, usage, end, zone), bills_usage=True)


def starting(terms: Terms, life: Life, zone: ZoneInfo) -> Row:
    """The row of a start in advance: the fee of the rest of the running period, no usage yet."""
    on = periods.local_date(life.started_at, zone)
    whole = period_on(terms, life, on, zone)
    fee = _fee(terms, life, whole, first=whole.start, last=whole.end - timedelta(days=1), zone=zone)
    empty = Span(life.started_at, life.started_at)
    return Row(STARTING, _clamped(life, whole, zone), fee, empty, bills_usage=False)


def trial_ended(terms: Terms, life: Life, zone: ZoneInfo) -> Row:
    """The row at the end of a trial in advance: the fee from that day on, and nothing else."""
    end = trial_end(terms, life)
    assert end is not None, "only a plan with a trial has its end"
    whole = period_on(terms, life, periods.local_date(end, zone), zone)
    fee = _fee(terms, life, whole, first=whole.start, last=whole.end - timedelta(days=1), zone=zone)
    return Row(PERIODIC, _clamped(life, whole, zone), fee, Span(end, end), bills_usage=False)


def ending(terms: Terms, life: Life, zone: ZoneInfo) -> Row:
    """The last row: usage up to the exact end, and in arrears the fee up to and including the day of the end.

    An upgrade's day belongs to the new plan, and is not counted here; so does usage of its very second, while an end
    without a successor includes it.
    """
    assert life.ended_at is not None, "only a subscription that ended has a last row"
    end = life.ended_at if life.upgraded else life.ended_at.replace(microsecond=0) + timedelta(seconds=1)
    on = periods.local_date(life.ended_at, zone)
    whole = period_on(terms, life, on, zone)
    fee: FeeRange | None = None
    if not terms.pay_in_advance and not in_trial(terms, life, on, zone):
        last = on - timedelta(days=1) if life.upgraded else on
        fee = _fee(terms, life, whole, first=whole.start, last=last, zone=zone, shown_until=end)
    period = Span(min(_clamped(life, whole, zone).start, end), end)
    charges = _usage(life, charges_period_on(terms, life, on, zone), end, zone)
    return Row(TERMINATING, period, fee, charges, bills_usage=True, exact_end=life.upgraded)


def ending_with_period(terms: Terms, life: Life, on: date, zone: ZoneInfo) -> Row:
    """The last row of a subscription that ends by its date on a billing day not carried out yet: the closed period as
    a whole in arrears, in advance only its usage; nothing of the new period.

    Source: billing-periods.md section 5 (`ending_at`).
    """
    row = periodic(terms, life, on, zone)
    fee = None if terms.pay_in_advance else row.fee
    return Row(TERMINATING, row.period, fee, row.charges, bills_usage=True, exact_end=False)


def open_usage(terms: Terms, life: Life, now: datetime, zone: ZoneInfo) -> Span:
    """The range of usage not billed yet that contains `now`, up to the end of its period."""
    usage = charges_period_on(terms, life, periods.local_date(now, zone), zone)
    return _usage(life, usage, periods.start_of_day(usage.end, zone), zone)


def _fee(
    terms: Terms,
    life: Life,
    whole: Period,
    *,
    first: date,
    last: date,
    zone: ZoneInfo,
    shown_until: datetime | None = None,
) -> FeeRange:
    """Days owed within `whole` from `first` to `last`, both included, but not before the start or the trial's end."""
    owed_from = max(first, periods.local_date(life.started_at, zone))
    end_of_trial = trial_end(terms, life)
    if end_of_trial is not None:
        owed_from = max(owed_from, periods.local_date(end_of_trial, zone))
    days = max(0, (last - owed_from).days + 1)
    shown = _clamped(life, whole, zone)
    return FeeRange(Span(shown.start, max(shown.start, shown_until or shown.end)), days, whole.days, whole)


def _clamped(life: Life, period: Period, zone: ZoneInfo) -> Span:
    """A period as instants, never before the local midnight of the start's day."""
    start_day = periods.start_of_day(periods.local_date(life.started_at, zone), zone)
    start = max(periods.start_of_day(period.start, zone), start_day)
    return Span(start, max(start, periods.start_of_day(period.end, zone)))


def _usage(life: Life, period: Period, end: datetime, zone: ZoneInfo) -> Span:
    """A range of usage: never before the exact start, and going on where the last invoice ended.

    Source: billing-periods.md section 2 (changed time zones).
    """
    start = max(periods.start_of_day(period.start, zone), life.started_at)
    if life.billed_until is not None and abs(life.billed_until - start) < _ZONE_MOVE:
        start = life.billed_until
    return Span(min(start, end), end)
