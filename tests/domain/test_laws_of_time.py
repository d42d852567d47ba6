"""Laws of days and periods, for every zone, interval and anchor. Source: rules/billing-periods 1, 2."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.domain import periods
from chalicelib.domain.intervals import BillingTime, Interval
from chalicelib.domain.periods import Period
from tests.support.billing_time import DAY, ZONES, billing_times, changes, days, instants, intervals, zones
from tests.support.examples import examples, share

CALENDAR, ANNIVERSARY = BillingTime.CALENDAR, BillingTime.ANNIVERSARY
D = date.fromisoformat
law = settings(max_examples=examples(300))


# Days as instants


@pytest.mark.parametrize(
    ("zone", "on", "begins"),
    [
        # Clocks go forward at midnight: the day begins at 01:00.
        ("Africa/Cairo", "2023-04-28", "2023-04-27T22:00:00"),
        ("America/Sao_Paulo", "2017-10-15", "2017-10-15T03:00:00"),
        ("America/Santiago", "2023-09-03", "2023-09-03T04:00:00"),
        ("America/Havana", "2023-03-12", "2023-03-12T05:00:00"),
        ("Asia/Beirut", "2022-03-27", "2022-03-26T22:00:00"),
        ("Asia/Gaza", "2009-03-27", "2009-03-26T22:00:00"),
        ("Atlantic/Azores", "2023-03-26", "2023-03-26T01:00:00"),
        ("Africa/Monrovia", "1972-01-07", "1972-01-07T00:44:30"),
        # Clocks go back from midnight to the evening: the day is not reached before.
        ("Asia/Beirut", "2022-10-30", "2022-10-29T22:00:00"),
        ("Asia/Pyongyang", "2015-08-15", "2015-08-14T15:30:00"),
        # Clocks go back to midnight: it comes twice.
        ("Atlantic/Azores", "2023-10-29", "2023-10-29T00:00:00"),
        ("America/Havana", "2023-11-05", "2023-11-05T04:00:00"),
        # Clocks go back a minute after midnight, into the day before.
        ("America/Goose_Bay", "2010-11-07", "2010-11-07T03:00:00"),
        ("America/St_Johns", "2009-11-01", "2009-11-01T02:30:00"),
        # Clocks go forward a minute after midnight.
        ("Asia/Gaza", "2011-04-01", "2011-03-31T22:00:00"),
        # Clocks go forward over midnight, from 23:30.
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00"),
        # The day is left out, and begins with the next one.
        ("Pacific/Kwajalein", "1993-08-21", "1993-08-21T12:00:00"),
        ("Pacific/Kwajalein", "1993-08-22", "1993-08-21T12:00:00"),
        ("Pacific/Kiritimati", "1994-12-31", "1994-12-31T10:00:00"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00"),
        # Offsets that are no whole hours.
        ("Asia/Kathmandu", "2024-01-01", "2023-12-31T18:15:00"),
        ("Australia/Lord_Howe", "2023-10-01", "2023-09-30T13:30:00"),
        ("Pacific/Chatham", "2023-09-24", "2023-09-23T11:15:00"),
    ],
)
def test_a_day_begins_at_its_first_instant(zone, on, begins):
    assert periods.start_of_day(D(on), ZoneInfo(zone)) == datetime.fromisoformat(begins).replace(tzinfo=UTC)


@pytest.mark.parametrize("part", range(4))
def test_days_begin_right_at_every_change_of_clocks_that_touches_a_midnight(part):
    for name in share(ZONES[part::4]):
        zone = ZoneInfo(name)
        for at in changes(name):
            before = _clock(at - timedelta(seconds=1), zone) + timedelta(seconds=1)
            after = _clock(at, zone)
            # The last midnight that clocks reach, leap over or go back behind.
            midnight = datetime.combine(max(before, after), time(0), UTC)
            if midnight < min(before, after):
                continue
            # Until the change the day begins by the old offset; else by the new one, but not before the change.
            by_old = midnight - (before - at)
            expected = by_old if by_old < at else max(at, midnight - (after - at))
            assert periods.start_of_day(midnight.date(), zone) == expected, (name, midnight)


def _clock(at: datetime, zone: ZoneInfo) -> datetime:
    """What the clocks of a zone show, written as if in UTC."""
    return at.astimezone(zone).replace(tzinfo=UTC)


@law
@given(st.data(), zones)
def test_a_day_begins_once_and_never_before(data, zone):
    on = data.draw(days(zone))
    begins = periods.start_of_day(on, zone)
    assert periods.local_date(begins, zone) >= on
    assert periods.local_date(begins - timedelta(microseconds=1), zone) < on
    earlier = (begins - minutes * timedelta(minutes=1) for minutes in range(1, 26 * 60))
    assert all(periods.local_date(at, zone) < on for at in earlier)


@law
@given(st.data(), zones, st.integers(0, 3))
def test_later_days_begin_later(data, zone, apart):
    on = data.draw(days(zone))
    begins = periods.start_of_day(on, zone)
    assert begins <= periods.start_of_day(on + apart * DAY, zone)
    # Only a day that is left out takes no time.
    left_out = periods.local_date(begins, zone) != on
    assert (begins == periods.start_of_day(on + DAY, zone)) == left_out


@pytest.mark.parametrize(
    ("zone", "left_out"),
    [("Pacific/Apia", "2011-12-30"), ("Pacific/Kwajalein", "1993-08-21"), ("Pacific/Kiritimati", "1994-12-31")],
)
def test_a_day_left_out_is_empty_and_counts_in_its_period(zone, left_out):
    on, place = D(left_out), ZoneInfo(zone)
    day = periods.span(Period(on, on + DAY), place)
    assert day.start == day.end
    assert all(periods.local_date(day.start + hours * timedelta(hours=1), place) != on for hours in range(-50, 50))
    month = periods.period_containing(on, Interval.MONTHLY, CALENDAR, on)
    assert month.days == 31
    assert periods.span(month, place).end - periods.span(month, place).start == 30 * DAY


# Periods as days


@law
@given(days(), intervals, billing_times, st.integers(-150, 150))
def test_periods_tile_days(anchor, interval, billing_time, n):
    this = periods.nth_period(anchor, interval, billing_time, n)
    following = periods.nth_period(anchor, interval, billing_time, n + 1)
    assert this.start < this.end == following.start
    least, most = {
        Interval.WEEKLY: (7, 7),
        Interval.MONTHLY: (28, 31),
        Interval.QUARTERLY: (89, 92),
        Interval.SEMIANNUAL: (181, 184),
        Interval.YEARLY: (365, 366),
    }[interval]
    assert least <= this.days <= most


@law
@given(days(), intervals, billing_times, st.integers(0, 80))
def test_the_nth_period_equals_n_steps(anchor, interval, billing_time, n):
    later = earlier = periods.nth_period(anchor, interval, billing_time, 0)
    assert later.start <= anchor < later.end
    for _ in range(n):
        later = periods.period_containing(anchor, interval, billing_time, later.end)
        earlier = periods.period_containing(anchor, interval, billing_time, earlier.start - DAY)
    assert later == periods.nth_period(anchor, interval, billing_time, n)
    assert earlier == periods.nth_period(anchor, interval, billing_time, -n)


@law
@given(days(), intervals, billing_times, days())
def test_every_day_belongs_to_exactly_one_period(anchor, interval, billing_time, on):
    found = periods.period_containing(anchor, interval, billing_time, on)
    assert found.start <= on < found.end
    assert periods.period_containing(anchor, interval, billing_time, found.start) == found
    assert periods.period_containing(anchor, interval, billing_time, found.last) == found
    days_per_period = {"weekly": 7, "monthly": 31, "quarterly": 92, "semiannual": 184, "yearly": 366}[interval]
    near = (on - anchor).days // days_per_period
    reach = abs(near) // 20 + 3
    numbered = (periods.nth_period(anchor, interval, billing_time, n) for n in range(near - reach, near + reach + 1))
    assert [period for period in numbered if period.start <= on < period.end] == [found]


@law
@given(days(), intervals, billing_times, days())
@example(D("2023-08-31"), Interval.MONTHLY, ANNIVERSARY, D("2024-02-29"))
@example(D("2024-02-29"), Interval.YEARLY, ANNIVERSARY, D("2025-02-28"))
@example(D("2024-02-29"), Interval.YEARLY, ANNIVERSARY, D("2028-02-28"))
def test_periods_begin_by_the_rules_of_the_calendar(anchor, interval, billing_time, on):
    assert periods.is_billing_day(anchor, interval, billing_time, on) == _is_due(anchor, interval, billing_time, on)


def _is_due(anchor: date, interval: Interval, billing_time: BillingTime, on: date) -> bool:
    """The billing day test in the words of rules/billing-periods 1.2."""
    follows_calendar = billing_time is CALENDAR
    if interval is Interval.WEEKLY:
        return on.weekday() == (0 if follows_calendar else anchor.weekday())
    first_month, day = (1, 1) if follows_calendar else (anchor.month, anchor.day)
    if (on.month - first_month) % {"monthly": 1, "quarterly": 3, "semiannual": 6, "yearly": 12}[interval]:
        return False
    ends_month = (on + DAY).day == 1
    return on.day == day or (on.day < day and ends_month)


# Billing days and instants


@law
@given(days(), intervals, billing_times, days(), st.booleans())
def test_the_next_billing_day_is_the_least_later_one(anchor, interval, billing_time, after, monthly):
    monthly = monthly and interval is not Interval.WEEKLY
    found = periods.next_billing_day(anchor, interval, billing_time, after, monthly=monthly)
    later = (after + n * DAY for n in range(1, 368))
    due = (on for on in later if periods.is_billing_day(anchor, interval, billing_time, on, monthly=monthly))
    assert found == next(due)


@law
@given(st.data(), days(), st.sampled_from([i for i in Interval if i.months]), billing_times, days())
def test_a_billing_day_opens_a_period_or_a_month_of_the_anchor(data, anchor, interval, billing_time, on):
    opened = data.draw(st.sampled_from((interval, Interval.MONTHLY, None)))
    if opened:
        on = periods.period_containing(anchor, opened, billing_time, on).start
    opens, opens_month = (_is_due(anchor, each, billing_time, on) for each in (interval, Interval.MONTHLY))
    # Long periods open on a day that opens a month.
    assert opens_month or not opens
    assert periods.is_billing_day(anchor, interval, billing_time, on) == opens
    assert periods.is_billing_day(anchor, interval, billing_time, on, monthly=True) == opens_month
    whole = periods.period_containing(anchor, interval, billing_time, on)
    month = periods.charges_period_containing(anchor, interval, billing_time, on, monthly=True)
    assert periods.charges_period_containing(anchor, interval, billing_time, on, monthly=False) == whole
    assert whole.start <= month.start <= on < month.end <= whole.end
    assert 28 <= month.days <= 31


@law
@given(st.data(), zones, intervals, billing_times)
def test_every_instant_lies_in_exactly_one_period(data, zone, interval, billing_time):
    anchor, at = data.draw(days(zone)), data.draw(instants(zone))
    shown = periods.period_containing(anchor, interval, billing_time, periods.local_date(at, zone))
    before = periods.period_containing(anchor, interval, billing_time, shown.start - DAY)
    after = periods.period_containing(anchor, interval, billing_time, shown.end)
    spans = [periods.span(period, zone) for period in (before, shown, after)]
    assert [span.end for span in spans[:-1]] == [span.start for span in spans[1:]]
    assert all(span.start < span.end for span in spans)
    holding = [span for span in spans if span.start <= at < span.end]
    # Where clocks go back over midnight, the day that began stays begun though they show the one before.
    went_back = periods.start_of_day(periods.local_date(at, zone) + DAY, zone) <= at
    assert holding == [spans[2] if went_back and spans[2].start <= at else spans[1]]
