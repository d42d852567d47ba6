"""Fees and ranges as the worked examples give them. Source: rules/billing-periods 3, 4, 5, 7, 13."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain import subscriptions
from chalicelib.domain.billing_line import FeeRange
from chalicelib.domain.intervals import BillingTime, Interval
from chalicelib.domain.money import round_half_up
from chalicelib.domain.periods import Span
from chalicelib.domain.proration import prorated
from chalicelib.domain.timeline import SubscriptionTimeline, Terms

D = date.fromisoformat
UTC_ZONE = ZoneInfo("UTC")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def plan(words: str, amount: int) -> tuple[Terms, BillingTime]:
    """A plan from words: interval, billing time, "advance" or "arrears", and perhaps "months" for usage by the month."""
    interval, billing_time, paid, *rest = words.split()
    terms = Terms(
        interval=Interval(interval),
        amount_cents=amount,
        pay_in_advance=paid == "advance",
        charges_monthly=rest == ["months"],
    )
    return terms, BillingTime(billing_time)


def life(
    billing_time: BillingTime, start: str, *, anchor: str | None = None, end: str | None = None, upgraded: bool = False
) -> SubscriptionTimeline:
    return SubscriptionTimeline(
        billing_time=billing_time,
        anchor_at=at(anchor or start),
        started_at=at(start),
        trial_started_at=at(start),
        ended_at=at(end) if end else None,
        upgraded=upgraded,
    )


def cents(amount: int, fee: FeeRange | None) -> tuple[int, int, int]:
    """Days owed, days of the whole, and the fee."""
    assert fee is not None
    return fee.days, fee.of_days, round_half_up(prorated(amount, days=fee.days, period_days=fee.of_days))


@pytest.mark.parametrize(
    ("words", "amount", "start", "expected"),
    [
        pytest.param("monthly calendar advance", 5000, "2022-08-10", (22, 31, 3548), id="$50 from 10 August"),
        pytest.param("monthly calendar advance", 1000, "2023-04-15", (16, 30, 533), id="10 from 15 April"),
        pytest.param("weekly calendar advance", 7000, "2023-03-16", (4, 7, 4000), id="$70 a week from Thursday"),
        pytest.param("yearly calendar advance", 120000, "2023-04-15", (261, 365, 85808), id="$1200 a year"),
        pytest.param("yearly calendar advance", 120000, "2024-04-15", (261, 366, 85574), id="in a leap year"),
        pytest.param("quarterly calendar advance", 91000, "2024-05-20", (42, 91, 42000), id="$910 a quarter"),
        pytest.param("monthly anniversary advance", 5000, "2022-08-10", (31, 31, 5000), id="from the anchor on"),
        pytest.param("monthly calendar advance", 5000, "2023-04-10", (21, 30, 3500), id="$50 from 10 April"),
        pytest.param("monthly calendar advance", 4000, "2023-05-11", (21, 31, 2710), id="upgrade on 11 May"),
        pytest.param("monthly calendar advance", 6000, "2023-05-21", (11, 31, 2129), id="second upgrade on 21 May"),
        pytest.param("yearly calendar advance", 120000, "2023-05-11", (235, 365, 77260), id="monthly to yearly"),
    ],
)
def test_the_fee_of_a_start_in_advance(words, amount, start, expected):
    terms, billing_time = plan(words, amount)
    row = subscriptions.starting(terms, life(billing_time, start), UTC_ZONE)
    assert cents(amount, row.fee) == expected
    assert not row.bills_usage


def test_a_change_of_interval_keeps_the_anchor():
    """Monthly to yearly on 19 November, anchor 19 July: 243 of 366 days. Source: rules/billing-periods 7.2."""
    terms, billing_time = plan("yearly anniversary advance", 36600)
    row = subscriptions.starting(terms, life(billing_time, "2023-11-19", anchor="2023-07-19"), UTC_ZONE)
    assert cents(36600, row.fee) == (243, 366, 24300)


@pytest.mark.parametrize(
    ("words", "amount", "start", "on", "expected"),
    [
        pytest.param("monthly calendar arrears", 5000, "2022-08-10", "2022-09-01", (22, 31, 3548), id="13.1"),
        pytest.param("monthly calendar arrears", 1000, "2023-04-15", "2023-05-01", (16, 30, 533), id="from 15 April"),
        pytest.param("monthly anniversary arrears", 5000, "2022-08-10", "2022-09-10", (31, 31, 5000), id="anniversary"),
        pytest.param("monthly calendar advance", 5000, "2023-01-05", "2023-04-01", (30, 30, 5000), id="5 January"),
        pytest.param("monthly calendar arrears", 5000, "2023-01-05", "2023-04-01", (31, 31, 5000), id="in arrears"),
        pytest.param("monthly calendar arrears", 5000, "2023-03-10", "2023-04-01", (22, 31, 3548), id="10 March"),
        pytest.param("monthly calendar advance", 5000, "2023-04-10", "2023-05-01", (31, 31, 5000), id="10 April"),
        pytest.param("monthly calendar arrears", 5000, "2023-04-10", "2023-05-01", (21, 30, 3500), id="and in arrears"),
        pytest.param("monthly calendar arrears", 4000, "2023-05-11", "2023-06-01", (21, 31, 2710), id="after upgrade"),
        pytest.param("monthly calendar advance", 1500, "2023-05-11", "2023-06-01", (30, 30, 1500), id="downgrade"),
    ],
)
def test_the_fee_of_a_billing_day(words, amount, start, on, expected):
    terms, billing_time = plan(words, amount)
    assert cents(amount, subscriptions.periodic(terms, life(billing_time, start), D(on), UTC_ZONE).fee) == expected


@pytest.mark.parametrize(
    ("words", "amount", "zone", "start", "end", "upgraded", "expected"),
    [
        pytest.param(
            "monthly calendar arrears", 2000, "UTC", "2023-01-01", "2023-05-11T09:00", True, (10, 31, 645), id="upgrade"
        ),
        pytest.param(
            "monthly calendar arrears", 2000, "UTC", "2023-01-01", "2023-05-11T09:00", False, (11, 31, 710), id="end"
        ),
        pytest.param(
            "monthly calendar arrears", 2000, "UTC", "2023-05-11", "2023-05-11T09:00", False, (1, 31, 65), id="one day"
        ),
        pytest.param(
            "monthly calendar arrears", 2000, "UTC", "2023-01-01", "2023-05-01T09:00", True, (0, 31, 0), id="no day"
        ),
        pytest.param(
            "monthly anniversary arrears",
            1000,
            "Europe/Paris",
            "2023-09-05",
            "2023-09-05T22:00",
            False,
            (2, 30, 67),
            id="ended by its date at midnight of the second day",
        ),
        pytest.param(
            "monthly calendar arrears",
            1000,
            "Europe/Paris",
            "2023-01-01",
            "2023-10-01T00:15",
            False,
            (1, 31, 32),
            id="after the run of the same day",
        ),
    ],
)
def test_the_fee_of_an_end_in_arrears(words, amount, zone, start, end, upgraded, expected):
    terms, billing_time = plan(words, amount)
    row = subscriptions.ending(terms, life(billing_time, start, end=end, upgraded=upgraded), ZoneInfo(zone))
    assert cents(amount, row.fee) == expected


def test_the_fee_of_an_end_of_a_plan_taken_over_within_a_quarter():
    """Anchor 15 January, started by an upgrade on 20 May, ended on 20 June: 32 of 91 days. Source: rules/billing-periods 4."""
    terms, billing_time = plan("quarterly anniversary arrears", 91000)
    taken_over = life(billing_time, "2024-05-20", anchor="2024-01-15", end="2024-06-20T09:00")
    assert cents(91000, subscriptions.ending(terms, taken_over, UTC_ZONE).fee) == (32, 91, 32000)


def test_an_end_in_advance_owes_usage_alone():
    terms, billing_time = plan("monthly calendar advance", 2000)
    row = subscriptions.ending(terms, life(billing_time, "2023-01-01", end="2023-05-11T09:00"), UTC_ZONE)
    assert row.fee is None
    assert row.charges == Span(at("2023-05-01"), at("2023-05-11T09:00:01"))


@pytest.mark.parametrize(
    ("words", "start", "on", "fee", "usage"),
    [
        pytest.param(
            "monthly calendar arrears", "2022-08-10", "2022-09-01", "08-10 08-31", "08-10 08-31", id="1: clamped"
        ),
        pytest.param(
            "monthly anniversary arrears", "2023-01-31", "2023-02-28", "01-31 02-27", "01-31 02-27", id="2: arrears"
        ),
        pytest.param(
            "monthly anniversary advance", "2023-01-31", "2023-02-28", "02-28 03-30", "01-31 02-27", id="2: advance"
        ),
        pytest.param(
            "monthly anniversary arrears", "2021-02-02", "2022-03-02", "02-02 03-01", "02-02 03-01", id="3: from 2021"
        ),
        pytest.param(
            "yearly calendar arrears months", "2022-01-01", "2023-03-01", None, "02-01 02-28", id="5: a month"
        ),
        pytest.param(
            "yearly calendar arrears months", "2022-01-01", "2024-01-01", "01-01 12-31", "12-01 12-31", id="6: the 12th"
        ),
        pytest.param(
            "yearly calendar advance months", "2022-01-01", "2024-01-01", "01-01 12-31", "12-01 12-31", id="7: advance"
        ),
        pytest.param(
            "weekly anniversary arrears",
            "2023-03-15",
            "2023-03-29",
            "03-22 03-28",
            "03-22 03-28",
            id="10: from Wednesday",
        ),
    ],
)
def test_the_ranges_of_a_billing_day(words, start, on, fee, usage):
    terms, billing_time = plan(words, 1000)
    row = subscriptions.periodic(terms, life(billing_time, start), D(on), UTC_ZONE)
    assert (shown(row.fee.span) if row.fee else None) == fee
    assert shown(row.charges) == usage


def test_the_year_of_a_fee_is_the_closed_or_the_new_one():
    """Rows 6 and 7 of rules/billing-periods 13."""
    for paid, year in (("arrears", 2023), ("advance", 2024)):
        terms, billing_time = plan(f"yearly calendar {paid} months", 1000)
        row = subscriptions.periodic(terms, life(billing_time, "2022-01-01"), D("2024-01-01"), UTC_ZONE)
        assert row.fee is not None
        assert row.fee.whole.start == date(year, 1, 1)
        assert row.charges == Span(at("2023-12-01"), at("2024-01-01"))


def shown(span: Span) -> str:
    """The first and the last day of a range."""
    return f"{span.start:%m-%d} {span.end - timedelta(seconds=1):%m-%d}"


@pytest.mark.parametrize(
    ("end", "upgraded", "trial_ends", "expected"),
    [
        pytest.param("2023-05-11T10:00:00", False, None, 20, id="the day of the end is used"),
        pytest.param("2023-05-11T10:00:00", True, None, 21, id="the day of an upgrade is not"),
        pytest.param("2023-05-01T00:00:00", False, None, 30, id="ended on the first day"),
        pytest.param("2023-05-01T00:00:00", True, None, 31, id="upgraded on the first day"),
        pytest.param("2023-05-30T23:59:59", False, None, 1, id="one day is left"),
        pytest.param("2023-05-31T00:00:00", True, None, 1, id="upgraded on the last day"),
        pytest.param("2023-05-31T00:00:00", False, None, 0, id="ended on the last day"),
        pytest.param("2023-06-02T00:00:00", False, None, 0, id="ended after the period"),
        pytest.param("2023-05-11T23:00:00", False, "2023-05-11T21:00:00", 21, id="a trial ended on the same day"),
        pytest.param("2023-05-11T23:00:00", False, "2023-05-20T21:00:00", 12, id="a trial outlasts the end"),
        pytest.param("2023-05-11T23:00:00", False, "2023-06-02T00:00:00", 0, id="a trial outlasts the period"),
        pytest.param("2023-05-11T23:00:00", False, "2023-05-10T21:00:00", 20, id="a trial ended before"),
    ],
)
def test_days_of_may_that_were_paid_in_advance_and_are_left(end, upgraded, trial_ends, expected):
    terms, billing_time = plan("monthly calendar advance", 2000)
    ended = replace(
        life(billing_time, "2023-01-01", end=end, upgraded=upgraded),
        trial_ends_at=at(trial_ends) if trial_ends else None,
    )
    assert subscriptions.unused_days(terms, ended, date(2023, 6, 1), UTC_ZONE) == expected


def test_unused_days_are_the_customers_days():
    # 11 May, 20:00 in New York.
    terms, billing_time = plan("monthly calendar advance", 2000)
    ended = life(billing_time, "2023-01-01", end="2023-05-12T00:00:00")
    assert subscriptions.unused_days(terms, ended, date(2023, 6, 1), ZoneInfo("America/New_York")) == 20
