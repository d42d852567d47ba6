"""Periods tile time. Source: billing-periods.md sections 1, 2 and 13."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import periods
from chalicelib.domain.intervals import BillingTime, Interval
from chalicelib.domain.periods import Period

CALENDAR, ANNIVERSARY = BillingTime.CALENDAR, BillingTime.ANNIVERSARY
D = date.fromisoformat

dates = st.dates(date(1971, 1, 1), date(2090, 12, 31))
zones = st.sampled_from(sorted(available_timezones()))
intervals = st.sampled_from(list(Interval))
billing_times = st.sampled_from(list(BillingTime))


@pytest.mark.parametrize(
    ("anchor", "interval", "starts"),
    [
        pytest.param("2023-01-31", "monthly", "2023-01-31 2023-02-28 2023-03-31 2023-04-30 2023-05-31", id="31st"),
        pytest.param("2024-01-30", "monthly", "2024-01-30 2024-02-29 2024-03-30 2024-04-30", id="30th in a leap year"),
        pytest.param("2023-01-29", "monthly", "2023-01-29 2023-02-28 2023-03-29 2023-04-29", id="29th"),
        pytest.param(
            "2022-11-30", "quarterly", "2022-11-30 2023-02-28 2023-05-30 2023-08-30 2023-11-30", id="quarters"
        ),
        pytest.param("2023-08-31", "semiannual", "2023-08-31 2024-02-29 2024-08-31 2025-02-28", id="half-years"),
        pytest.param(
            "2024-02-29", "yearly", "2024-02-29 2025-02-28 2026-02-28 2027-02-28 2028-02-29", id="29 February"
        ),
        pytest.param("2023-03-15", "weekly", "2023-03-15 2023-03-22 2023-03-29", id="weeks from a Wednesday"),
    ],
)
def test_anniversary_periods_are_clamped_from_the_anchor_each_time(anchor, interval, starts):
    expected = [D(text) for text in starts.split()]
    found = [periods.nth_period(D(anchor), Interval(interval), ANNIVERSARY, n).start for n in range(len(expected))]
    assert found == expected


@pytest.mark.parametrize(
    ("interval", "on", "start", "end"),
    [
        pytest.param("weekly", "2023-03-16", "2023-03-13", "2023-03-20", id="Monday to Sunday"),
        pytest.param("monthly", "2024-02-10", "2024-02-01", "2024-03-01", id="month"),
        pytest.param("quarterly", "2024-05-20", "2024-04-01", "2024-07-01", id="quarter"),
        pytest.param("semiannual", "2024-07-01", "2024-07-01", "2025-01-01", id="half-year"),
        pytest.param("yearly", "2024-12-31", "2024-01-01", "2025-01-01", id="year"),
    ],
)
def test_calendar_periods_follow_the_calendar_whatever_the_anchor(interval, on, start, end):
    found = periods.period_containing(D("2021-08-31"), Interval(interval), CALENDAR, D(on))
    assert found == Period(D(start), D(end))


@pytest.mark.parametrize(
    ("zone", "month", "start", "end"),
    [
        ("UTC", "2023-03", "2023-03-01T00:00:00", "2023-03-31T23:59:59"),
        ("America/New_York", "2023-03", "2023-03-01T05:00:00", "2023-04-01T03:59:59"),
        ("America/New_York", "2023-04", "2023-04-01T04:00:00", "2023-05-01T03:59:59"),
        ("Europe/Paris", "2023-03", "2023-02-28T23:00:00", "2023-03-31T21:59:59"),
        ("Asia/Tokyo", "2023-03", "2023-02-28T15:00:00", "2023-03-31T14:59:59"),
    ],
)
def test_a_months_boundaries_in_utc(zone, month, start, end):
    on = D(f"{month}-15")
    found = periods.span(periods.period_containing(on, Interval.MONTHLY, CALENDAR, on), ZoneInfo(zone))
    assert found.start == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert found.end - timedelta(seconds=1) == datetime.fromisoformat(end).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "on", "begins"),
    [
        pytest.param("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00", id="midnight does not exist"),
        pytest.param("America/Havana", "2023-11-05", "2023-11-05T04:00:00", id="midnight exists twice: the first"),
        pytest.param("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00", id="the day is left out"),
        pytest.param("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00", id="the day after the one left out"),
        pytest.param("Asia/Kathmandu", "2024-01-01", "2023-12-31T18:15:00", id="three quarters of an hour"),
    ],
)
def test_days_begin_at_their_first_instant(zone, on, begins):
    assert periods.start_of_day(D(on), ZoneInfo(zone)) == datetime.fromisoformat(begins).replace(tzinfo=UTC)


@given(dates, intervals, billing_times, st.integers(-200, 200), zones)
def test_periods_tile_time_in_every_zone(anchor, interval, billing_time, n, zone):
    this = periods.nth_period(anchor, interval, billing_time, n)
    following = periods.nth_period(anchor, interval, billing_time, n + 1)
    assert this.end == following.start
    assert this.start < this.end
    place = ZoneInfo(zone)
    assert periods.span(this, place).end == periods.span(following, place).start


@given(dates, intervals, billing_times, dates)
def test_the_period_of_a_day_contains_it(anchor, interval, billing_time, on):
    found = periods.period_containing(anchor, interval, billing_time, on)
    assert found.start <= on < found.end
    assert periods.period_containing(anchor, interval, billing_time, found.start) == found
    assert periods.period_containing(anchor, interval, billing_time, found.last) == found


@given(dates, intervals, billing_times, st.integers(0, 30))
def test_the_nth_period_equals_n_steps(anchor, interval, billing_time, n):
    on = periods.nth_period(anchor, interval, billing_time, 0).start
    for _ in range(n):
        on = periods.next_billing_day(anchor, interval, billing_time, on)
    assert on == periods.nth_period(anchor, interval, billing_time, n).start


@given(dates, zones)
def test_a_day_begins_where_the_one_before_ends(on, zone):
    place = ZoneInfo(zone)
    begins = periods.start_of_day(on, place)
    assert periods.local_date(begins, place) >= on
    assert periods.local_date(begins - timedelta(microseconds=1), place) < on
    assert begins <= periods.start_of_day(on + timedelta(days=1), place)


@given(dates, intervals, dates)
def test_every_long_period_of_an_anchor_opens_on_one_of_its_months(anchor, interval, on):
    if interval is Interval.WEEKLY:
        return
    opening = periods.period_containing(anchor, interval, ANNIVERSARY, on).start
    assert periods.is_billing_day(anchor, Interval.MONTHLY, ANNIVERSARY, opening)
