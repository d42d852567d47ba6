"""Ranges that a subscription's billing lines hold: days of a period, a fee's days, instants of usage.

Source: rules/billing-periods 3 to 7.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.billing_line import Days, FeeRange
from chalicelib.domain.periods import Period, Span
from chalicelib.domain.timeline import ZONE_MOVE, SubscriptionTimeline, Terms, trial_end


def days_of(
    life: SubscriptionTimeline,
    period: Period,
    *,
    last: date,
    zone: ZoneInfo,
    whole: Period | None = None,
    shown: Span | None = None,
    shown_until: datetime | None = None,
    from_midnight: bool = False,
) -> Days:
    """Days of a period up to `last`, never before the start; shown from the exact start, or from its day's midnight."""
    first = max(period.start, periods.local_date(life.started_at, zone))
    span = clamped(life, period, zone)
    if not from_midnight:
        span = Span(max(span.start, life.started_at), max(span.end, life.started_at))
    if shown_until is not None:
        span = Span(min(span.start, shown_until), shown_until)
    return Days(shown or span, first, last, whole or period)


def fee_of(
    terms: Terms,
    life: SubscriptionTimeline,
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
    shown = clamped(life, whole, zone)
    return FeeRange(Span(shown.start, max(shown.start, shown_until or shown.end)), days, whole.days, whole)


def clamped(life: SubscriptionTimeline, period: Period, zone: ZoneInfo) -> Span:
    """A period as instants, never before the local midnight of the start's day."""
    start_day = periods.start_of_day(periods.local_date(life.started_at, zone), zone)
    start = max(periods.start_of_day(period.start, zone), start_day)
    return Span(start, max(start, periods.start_of_day(period.end, zone)))


def usage_of(life: SubscriptionTimeline, period: Period, end: datetime, zone: ZoneInfo) -> Span:
    """A range of usage: never before the exact start, and going on where the last invoice ended.

    Source: rules/billing-periods 2 (changed time zones).
    """
    start = max(periods.start_of_day(period.start, zone), life.started_at)
    if life.billed_until is not None and life.billed_until > start - ZONE_MOVE:
        start = max(life.billed_until, life.started_at)
    return Span(min(start, end), end)
