"""Periods, billing days and boundaries as the tables give them. Source: rules/billing-periods 1, 2, 13.

What holds for all of them is in test_laws_of_time.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain import periods
from chalicelib.domain.intervals import BillingTime, Interval
from chalicelib.domain.periods import Period

CALENDAR, ANNIVERSARY = BillingTime.CALENDAR, BillingTime.ANNIVERSARY
D = date.fromisoformat
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("anchor", "interval", "starts", "lengths"),
    [
        pytest.param(
            "2023-01-31",
            "monthly",
            "2023-01-31 2023-02-28 2023-03-31 2023-04-30 2023-05-31",
            [28, 31, 30, 31, 30],
            id="31st",
        ),
        pytest.param(
            "2024-01-30", "monthly", "2024-01-30 2024-02-29 2024-03-30 2024-04-30", [30, 30, 31], id="30th, leap year"
        ),
        pytest.param("2023-01-29", "monthly", "2023-01-29 2023-02-28 2023-03-29 2023-04-29", [30, 29, 31], id="29th"),
        pytest.param(
            "2022-11-30",
            "quarterly",
            "2022-11-30 2023-02-28 2023-05-30 2023-08-30 2023-11-30",
            [90, 91, 92, 92],
            id="quarters",
        ),
        pytest.param(
            "2023-08-31", "semiannual", "2023-08-31 2024-02-29 2024-08-31 2025-02-28", [182, 184, 181], id="half-years"
        ),
        pytest.param(
            "2024-02-29",
            "yearly",
            "2024-02-29 2025-02-28 2026-02-28 2027-02-28 2028-02-29 2029-02-28",
            [365, 365, 365, 366, 365],
            id="29 February",
        ),
        pytest.param(
            "2023-03-15", "weekly", "2023-03-15 2023-03-22 2023-03-29", [7, 7, 7], id="weeks from a Wednesday"
        ),
    ],
)
def test_anniversary_periods_are_clamped_from_the_anchor_each_time(anchor, interval, starts, lengths):
    expected = [D(text) for text in starts.split()]
    found = [periods.nth_period(D(anchor), Interval(interval), ANNIVERSARY, n) for n in range(len(expected))]
    assert [period.start for period in found] == expected
    assert [period.days for period in found[: len(lengths)]] == lengths


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


YEAR_FROM_AUGUST = "08-31 09-30 10-31 11-30 12-31 01-31 02-29 03-31 04-30 05-31 06-30 07-31"
FIRST_OF_EACH_MONTH = "08-01 09-01 10-01 11-01 12-01 01-01 02-01 03-01 04-01 05-01 06-01 07-01"


@pytest.mark.parametrize(
    ("interval", "billing_time", "monthly", "due"),
    [
        ("monthly", CALENDAR, False, FIRST_OF_EACH_MONTH),
        ("monthly", ANNIVERSARY, False, YEAR_FROM_AUGUST),
        ("quarterly", CALENDAR, False, "10-01 01-01 04-01 07-01"),
        ("quarterly", ANNIVERSARY, False, "08-31 11-30 02-29 05-31"),
        ("semiannual", CALENDAR, False, "01-01 07-01"),
        ("semiannual", ANNIVERSARY, False, "08-31 02-29"),
        ("yearly", CALENDAR, False, "01-01"),
        ("yearly", ANNIVERSARY, False, "08-31"),
        ("semiannual", CALENDAR, True, FIRST_OF_EACH_MONTH),
        ("semiannual", ANNIVERSARY, True, YEAR_FROM_AUGUST),
        ("yearly", CALENDAR, True, FIRST_OF_EACH_MONTH),
        ("yearly", ANNIVERSARY, True, YEAR_FROM_AUGUST),
    ],
)
def test_billing_days_of_a_year(interval, billing_time, monthly, due):
    """From August 2023 to July 2024, with an anchor on 31 August."""
    year = [D("2023-08-01") + n * DAY for n in range(366)]
    found = [
        on
        for on in year
        if periods.is_billing_day(D("2020-08-31"), Interval(interval), billing_time, on, monthly=monthly)
    ]
    assert " ".join(f"{on:%m-%d}" for on in found) == due


@pytest.mark.parametrize(
    ("anchor", "interval", "billing_time", "due"),
    [
        pytest.param("2023-03-15", "weekly", CALENDAR, "2024-02-26 2024-03-04", id="Mondays"),
        pytest.param("2023-03-15", "weekly", ANNIVERSARY, "2024-02-28 2024-03-06", id="Wednesdays"),
        pytest.param("2020-02-29", "yearly", ANNIVERSARY, "2024-02-29", id="29 February in a leap year"),
        pytest.param("2021-01-30", "monthly", ANNIVERSARY, "2024-02-29", id="the last day of a shorter month"),
        pytest.param("2021-01-28", "monthly", ANNIVERSARY, "2024-02-28", id="a day that every month has"),
    ],
)
def test_billing_days_about_the_end_of_february(anchor, interval, billing_time, due):
    days = [D("2024-02-23") + n * DAY for n in range(14)]
    found = [on for on in days if periods.is_billing_day(D(anchor), Interval(interval), billing_time, on)]
    assert found == [D(text) for text in due.split()]


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
    found = periods.period_containing(on, Interval.MONTHLY, CALENDAR, on)
    span = periods.span(found, ZoneInfo(zone))
    assert span.start == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert span.end - timedelta(seconds=1) == datetime.fromisoformat(end).replace(tzinfo=UTC)
    # A day of 23 hours is a day.
    assert found.days == {"2023-03": 31, "2023-04": 30}[month]


def test_the_day_of_an_instant_is_local():
    """At midnight of 1 March in UTC New York is in February. Source: rules/billing-periods 13, row 4."""
    at, zone = datetime(2022, 3, 1, tzinfo=UTC), ZoneInfo("America/New_York")
    assert periods.local_date(at, zone) == D("2022-02-28")
    this = periods.period_containing(D("2022-01-01"), Interval.MONTHLY, CALENDAR, periods.local_date(at, zone))
    before = periods.period_containing(D("2022-01-01"), Interval.MONTHLY, CALENDAR, this.start - DAY)
    span = periods.span(before, zone)
    assert span.start == datetime(2022, 1, 1, 5, tzinfo=UTC)
    assert span.end == datetime(2022, 2, 1, 5, tzinfo=UTC)
