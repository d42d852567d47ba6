"""Amounts of time that a subscription owes on a day: the definition of billing time.

A subscription is seen through its plan's `Terms` and its own `SubscriptionTimeline`. On a billing day it gives a
`BillingLine`: the range of its subscription fee with the days owed, and the range of usage to bill. Days are the
customer's calendar days; ranges are half-open UTC instants.

Source: rules/billing-periods 3 to 7.
"""

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.billed_ranges import clamped, days_of, fee_of, usage_of
from chalicelib.domain.billing_line import (
    IN_ADVANCE_CHARGE,
    PERIODIC,
    STARTING,
    TERMINATING,
    BillingLine,
    Days,
    FeeRange,
)
from chalicelib.domain.periods import Period, Span
from chalicelib.domain.timeline import (
    SubscriptionTimeline,
    Terms,
    charges_period_on,
    fixed_period_on,
    in_trial,
    open_period,
    opens_period,
    period_on,
    trial_end,
)

_DAY = timedelta(days=1)


def periodic(terms: Terms, life: SubscriptionTimeline, on: date, zone: ZoneInfo) -> BillingLine:
    """The row of a billing day: usage of the period that ended, the fee of that one (in arrears) or of the new one."""
    opening = period_on(terms, life, on, zone)
    closed = period_on(terms, life, opening.start - _DAY, zone)
    opens_long_period = opening.start == on
    billed = opening if terms.pay_in_advance else closed
    shown = billed if opens_long_period or terms.pay_in_advance else opening
    fee: FeeRange | None = None
    if opens_long_period and not in_trial(terms, life, on, zone):
        fee = fee_of(terms, life, billed, first=billed.start, last=billed.last, zone=zone)
    charges = _closed_usage(terms, life, on, zone)
    fixed_opening = fixed_period_on(terms, life, on, zone)
    arrears = advance = None
    if fixed_opening.start == on:
        fixed_closed = fixed_period_on(terms, life, on - _DAY, zone)
        same = charges if fixed_closed == charges_period_on(terms, life, on - _DAY, zone) else None
        arrears = days_of(life, fixed_closed, last=fixed_closed.last, zone=zone, shown=same)
        advance = days_of(life, fixed_opening, last=fixed_opening.last, zone=zone)
    return BillingLine(
        PERIODIC,
        clamped(life, shown, zone),
        fee,
        charges,
        bills_usage=charges is not None,
        usage_days=_closed_days(terms, life, on, zone, charges),
        fixed=arrears.span if arrears else None,
        fixed_arrears=arrears,
        fixed_advance=advance,
        commitment=_settled(terms, life, closed, fee, zone) if opens_long_period else None,
        renewed=None if charges is None else renewed(terms, life, on, zone),
    )


def starting(terms: Terms, life: SubscriptionTimeline, zone: ZoneInfo) -> BillingLine:
    """Billing line of a start: the plan's fee (out of trial) and the fixed charges that are paid in advance for the
    rest of the running period; no usage yet.

    A start that owes no fee makes an invoice of fixed charges alone, unless it replaces another plan.
    """
    on = periods.local_date(life.started_at, zone)
    whole = period_on(terms, life, on, zone)
    fee: FeeRange | None = None
    if terms.pay_in_advance and not in_trial(terms, life, on, zone):
        fee = fee_of(terms, life, whole, first=whole.start, last=whole.last, zone=zone)
    fixed = fixed_period_on(terms, life, on, zone)
    empty = Span(life.started_at, life.started_at)
    return BillingLine(
        STARTING if fee or life.successor else IN_ADVANCE_CHARGE,
        clamped(life, whole, zone),
        fee,
        empty,
        bills_usage=False,
        fixed=empty,
        fixed_advance=days_of(life, fixed, last=fixed.last, zone=zone),
    )


def units_changed(terms: Terms, life: SubscriptionTimeline, now: datetime, zone: ZoneInfo) -> BillingLine:
    """The row of more units of fixed charges in advance within a period: from the day of `now` to the period's end."""
    on = periods.local_date(now, zone)
    fixed = fixed_period_on(terms, life, on, zone)
    days = days_of(life, Period(on, fixed.end), last=fixed.last, zone=zone, whole=fixed)
    shown = clamped(life, period_on(terms, life, on, zone), zone)
    empty = Span(now, now)
    return BillingLine(IN_ADVANCE_CHARGE, shown, None, empty, bills_usage=False, fixed=empty, fixed_advance=days)


def trial_ended(terms: Terms, life: SubscriptionTimeline, zone: ZoneInfo) -> BillingLine:
    """The row at the end of a trial in advance: the fee from that day on, and nothing else."""
    end = trial_end(terms, life)
    assert end is not None, "only a plan with a trial has its end"
    whole = period_on(terms, life, periods.local_date(end, zone), zone)
    fee = fee_of(terms, life, whole, first=whole.start, last=whole.last, zone=zone)
    empty = Span(end, end)
    return BillingLine(STARTING, clamped(life, whole, zone), fee, empty, bills_usage=False, fixed=empty)


def ending(terms: Terms, life: SubscriptionTimeline, zone: ZoneInfo) -> BillingLine:
    """The last row: usage up to the exact end, and in arrears the fee up to and including the day of the end.

    An upgrade's day belongs to the new plan, and is not counted in the fee; so does usage of its very second, while an
    end without a successor includes it. Fixed charges in arrears and a commitment count the day in both cases.
    """
    end = _shown_end(life)
    on = periods.local_date(end[1], zone)
    whole = open_period(period_on, terms, life, on, zone)
    fee: FeeRange | None = None
    if not terms.pay_in_advance and not in_trial(terms, life, on, zone):
        last = on - _DAY if life.upgraded else on
        fee = fee_of(terms, life, whole, first=whole.start, last=last, zone=zone, shown_until=end[0])
    period = Span(min(clamped(life, whole, zone).start, end[0]), end[0])
    used = open_period(charges_period_on, terms, life, on, zone)
    charges = usage_of(life, used, end[0], zone)
    fixed = fixed_period_on(terms, life, on, zone)
    same = charges if fixed == charges_period_on(terms, life, on, zone) else None
    arrears = days_of(life, fixed, last=on, zone=zone, shown=same, shown_until=end[0])
    settled = None
    if not in_trial(terms, life, on, zone):
        settled = days_of(life, whole, last=on, zone=zone, shown_until=end[0], from_midnight=True)
    return BillingLine(
        TERMINATING,
        period,
        fee,
        charges,
        bills_usage=True,
        exact_end=life.upgraded,
        usage_days=days_of(life, used, last=on, zone=zone, shown=charges),
        fixed=arrears.span,
        fixed_arrears=arrears,
        commitment=settled,
    )


def ending_with_period(terms: Terms, life: SubscriptionTimeline, on: date, zone: ZoneInfo) -> BillingLine:
    """Last billing line of a subscription that ends, or gives way to a cheaper plan, on a billing day that was not
    carried out yet. It bills the closed period as a whole in arrears, in advance only its usage, and nothing of the new
    period.

    Where the day opens a month only, the long period goes on to it, and its fee counts that day. Source:
    rules/billing-periods 5 (`ending_at`), 7.2 and 7.3.
    """
    row = periodic(terms, life, on, zone)
    if opens_period(terms, life, on, zone):
        fee = None if terms.pay_in_advance else row.fee
        closed = clamped(life, period_on(terms, life, on - _DAY, zone), zone)
        used = row.charges or Span(closed.end, closed.end)
        return replace(row, reason=TERMINATING, period=closed, fee=fee, fixed_advance=None, charges=used, renewed=None)
    last = ending(terms, life, zone)
    arrears = row.fixed_arrears or last.fixed_arrears
    charges = Span(row.charges.start, last.period.end) if row.charges else last.charges
    shown = arrears.span if arrears else None
    days = row.usage_days or last.usage_days
    return replace(last, charges=charges, usage_days=days, fixed_arrears=arrears, fixed=shown)


def renewed(terms: Terms, life: SubscriptionTimeline, on: date, zone: ZoneInfo) -> Days:
    """The days of the usage period that contains a billing day. Source: rules/usage 7.1."""
    opening = charges_period_on(terms, life, on, zone)
    return days_of(life, opening, last=opening.last, zone=zone)


def charged_at_once(terms: Terms, life: SubscriptionTimeline, at: datetime, zone: ZoneInfo) -> BillingLine:
    """The row of an event that is paid in advance: the periods that contain it, and none of their usage."""
    on = periods.local_date(at, zone)
    days = renewed(terms, life, on, zone)
    shown = clamped(life, period_on(terms, life, on, zone), zone)
    return BillingLine(IN_ADVANCE_CHARGE, shown, None, days.span, bills_usage=False, usage_days=days)


def open_usage(terms: Terms, life: SubscriptionTimeline, now: datetime, zone: ZoneInfo) -> Span:
    """The range of usage not billed yet that contains `now`, up to the end of its period."""
    usage = open_period(charges_period_on, terms, life, periods.local_date(now, zone), zone)
    return usage_of(life, usage, periods.start_of_day(usage.end, zone), zone)


def open_days(terms: Terms, life: SubscriptionTimeline, now: datetime, zone: ZoneInfo) -> Days:
    """The days of the range of usage that contains `now`, to the end of its period."""
    usage = open_period(charges_period_on, terms, life, periods.local_date(now, zone), zone)
    return days_of(life, usage, last=usage.last, zone=zone, shown=open_usage(terms, life, now, zone))


def unused_days(terms: Terms, life: SubscriptionTimeline, period_end: date, zone: ZoneInfo) -> int:
    """Days left of a period paid in advance, after the day of the end (an upgrade's own day is left too).

    A trial that ends on that day or later was never paid for up to its last day: the days left begin with it.
    Source: rules/billing-periods 7.4.
    """
    on = periods.local_date(_shown_end(life)[1], zone)
    first = on if life.upgraded else on + _DAY
    end = trial_end(terms, life)
    if end is not None and periods.local_date(end, zone) >= on:
        first = periods.local_date(end, zone)
    return max(0, (period_end - first).days)


def _shown_end(life: SubscriptionTimeline) -> tuple[datetime, datetime]:
    """End of the last range, and the instant whose day counts."""
    assert life.ended_at is not None, "only a subscription that ended has a last row"
    if life.upgraded:
        return life.ended_at, life.ended_at
    return life.ended_at.replace(microsecond=0) + timedelta(seconds=1), life.ended_at


def _closed_usage(terms: Terms, life: SubscriptionTimeline, on: date, zone: ZoneInfo) -> Span | None:
    """Usage of the period that ends with a billing day; None on a day that closes fixed charges only."""
    if charges_period_on(terms, life, on, zone).start != on:
        return None
    closed = charges_period_on(terms, life, on - _DAY, zone)
    return usage_of(life, closed, periods.start_of_day(on, zone), zone)


def _closed_days(
    terms: Terms, life: SubscriptionTimeline, on: date, zone: ZoneInfo, charges: Span | None
) -> Days | None:
    if charges is None:
        return None
    closed = charges_period_on(terms, life, on - _DAY, zone)
    return days_of(life, closed, last=closed.last, zone=zone, shown=charges)


def _settled(
    terms: Terms, life: SubscriptionTimeline, closed: Period, fee: FeeRange | None, zone: ZoneInfo
) -> Days | None:
    """The closed period for a minimum commitment: none while nothing of it was owed. Source: rules/billing-periods
    12."""
    if not terms.pay_in_advance and (fee is None or fee.days == 0):
        return None
    days = days_of(life, closed, last=closed.last, zone=zone, from_midnight=True)
    return days if days.number else None
