"""Periods of subscriptions: local calendar days on the inside, UTC instants at the edge.

A period is half-open, [start, end). The n-th one is computed from the anchor directly, so that a short month never drags
later periods. Only here do local dates and time zones meet.

Source: rules/billing-periods 1, 2.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from chalicelib.domain.intervals import BillingTime, Interval

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Local days from `start` on, up to but not including `end`."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """Its length in calendar days: a 23-hour day counts as one."""
        return (self.end - self.start).days

    @property
    def last(self) -> date:
        """The last day of the period: the one before `end`."""
        return self.end - _DAY


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Instants from `start` on, up to but not including `end`; aware UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        assert self.start.tzinfo is not None, "a naive time is a wrong bill"
        assert self.end.tzinfo is not None, "a naive time is a wrong bill"
        assert self.start <= self.end, "a range does not run backwards"


def nth_period(anchor: date, interval: Interval, billing_time: BillingTime, n: int) -> Period:
    """The n-th period; number 0 contains the anchor, earlier ones have negative numbers."""
    return Period(_nth_start(anchor, interval, billing_time, n), _nth_start(anchor, interval, billing_time, n + 1))


def period_containing(anchor: date, interval: Interval, billing_time: BillingTime, on: date) -> Period:
    """The period that a day lies in, before the anchor as well."""
    return nth_period(anchor, interval, billing_time, _number_of(anchor, interval, billing_time, on))


def charges_period_containing(
    anchor: date, interval: Interval, billing_time: BillingTime, on: date, *, monthly: bool
) -> Period:
    """The period by which usage is billed: the plan's own, or, where `monthly`, the month of the same anchor."""
    return period_containing(anchor, Interval.MONTHLY if monthly else interval, billing_time, on)


def is_billing_day(
    anchor: date, interval: Interval, billing_time: BillingTime, on: date, *, monthly: bool = False
) -> bool:
    """Whether a day opens a period, or, where `monthly`, a month of the anchor."""
    return charges_period_containing(anchor, interval, billing_time, on, monthly=monthly).start == on


def next_billing_day(
    anchor: date, interval: Interval, billing_time: BillingTime, after: date, *, monthly: bool = False
) -> date:
    """The first billing day after a day. Months of an anchor open on every day that opens a longer period of it."""
    return charges_period_containing(anchor, interval, billing_time, after, monthly=monthly).end


def local_date(at: datetime, zone: ZoneInfo) -> date:
    """The calendar day in a zone at an instant."""
    return at.astimezone(zone).date()


def start_of_day(on: date, zone: ZoneInfo) -> datetime:
    """First instant, in UTC, at which a zone's calendar shows `on` or a later day.

    Where midnight occurs twice, the first one counts. Where it does not occur, the first instant after the gap counts.
    Where the whole day is left out, the first instant of the following day counts.
    """
    low = datetime.combine(on, time(0), UTC) - timedelta(hours=36)
    naive = datetime.combine(on, time(0))
    for fold in (0, 1):
        at = naive.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        before = at - timedelta(microseconds=1)
        if local_date(at, zone) >= on > local_date(before, zone) and _is_first(at, on, zone):
            return at
    # Midnight lies in a gap, or the day began before a change set the calendar back: find the edge by halving.
    high = low + timedelta(hours=84)
    first = _first_day_reached(low, high, on, zone)
    return first


def span(period: Period, zone: ZoneInfo) -> Span:
    """A period as instants."""
    return Span(start_of_day(period.start, zone), start_of_day(period.end, zone))


def _is_first(at: datetime, on: date, zone: ZoneInfo) -> bool:
    """Whether the day was not reached earlier and left again by a change that set clocks back over midnight."""
    return all(local_date(at - timedelta(minutes=minutes), zone) < on for minutes in (1, 15, 30, 45, 60, 90, 120, 180))


def _first_day_reached(low: datetime, high: datetime, on: date, zone: ZoneInfo) -> datetime:
    # In steps first: clocks set back over midnight show a day, leave it and show it again.
    step = timedelta(minutes=15)
    at = low
    while local_date(at + step, zone) < on:
        at += step
        assert at < high, "a day begins somewhere"
    earliest, latest = at, at + step
    while latest - earliest > timedelta(microseconds=1):
        middle = earliest + (latest - earliest) / 2
        if local_date(middle, zone) < on:
            earliest = middle
        else:
            latest = middle
    return latest


def _nth_start(anchor: date, interval: Interval, billing_time: BillingTime, n: int) -> date:
    if interval is Interval.WEEKLY:
        monday = anchor - timedelta(days=anchor.weekday())
        return (monday if billing_time is BillingTime.CALENDAR else anchor) + timedelta(weeks=n)
    step = interval.months
    if billing_time is BillingTime.CALENDAR:
        year, month = _month_at(anchor.year * 12 + (anchor.month - 1) // step * step + n * step)
        return date(year, month, 1)
    year, month = _month_at(anchor.year * 12 + anchor.month - 1 + n * step)
    return date(year, month, min(anchor.day, monthrange(year, month)[1]))


def _number_of(anchor: date, interval: Interval, billing_time: BillingTime, on: date) -> int:
    if interval is Interval.WEEKLY:
        return (on - _nth_start(anchor, interval, billing_time, 0)).days // 7
    first = _nth_start(anchor, interval, billing_time, 0)
    months = (on.year - first.year) * 12 + on.month - first.month
    n = months // interval.months
    # Within its month a day may still lie before the period's clamped first day.
    return n if _nth_start(anchor, interval, billing_time, n) <= on else n - 1


def _month_at(months: int) -> tuple[int, int]:
    return months // 12, months % 12 + 1
