"""What a period of a charge in advance has counted and paid for, event by event. Source: usage.md sections 3.1, 7 and 7.1."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import subscriptions
from chalicelib.domain.aggregation import advance
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.aggregation.rules import Aggregation, MetricRule
from chalicelib.domain.intervals import BillingTime, Interval
from chalicelib.domain.lives import Life, Terms
from chalicelib.domain.subscriptions import IN_ADVANCE_CHARGE

MARCH = datetime(2024, 3, 1, tzinfo=UTC)
COUNT = MetricRule(Aggregation.COUNT)
SUM = MetricRule(Aggregation.SUM, "n")
HELD = MetricRule(Aggregation.SUM, "n", recurring=True)
UNIQUE = MetricRule(Aggregation.UNIQUE_COUNT, "n")


def readings(*values: Any, hours: int = 0) -> list[Reading]:
    """One an hour, from so many hours after the beginning of March on; (value, operation) of a unique count."""
    found = []
    for n, given_ in enumerate(values):
        value, operation = given_ if isinstance(given_, tuple) else (given_, None)
        properties = {"n": value} | ({"operation_type": operation} if operation else {})
        found.append(Reading(MARCH + timedelta(hours=hours + n), f"{n:03d}", properties))
    return found


@pytest.mark.parametrize(
    ("rule", "values", "expected"),
    [
        pytest.param(COUNT, ["a", None, 3], [1, 1, 1], id="a count takes each event"),
        pytest.param(SUM, [10, "-4", "x", 8], [10, -4, 8], id="a sum takes those with a number"),
        pytest.param(
            UNIQUE,
            ["a", "a", ("a", "remove"), ("b", "remove"), None, ("b", "sell"), "b"],
            [1, 0, -1, 0, 1],
            id="a unique count takes those with a value and an operation",
        ),
    ],
)
def test_what_each_event_does(rule, values, expected):
    changes = advance.changes(rule, reversed(readings(*values)))
    assert [change.units for change in changes] == [D(units) for units in expected]
    assert [change.repeats for change in changes] == [rule is UNIQUE and not units for units in expected]


def test_a_period_of_what_recurs_begins_with_its_level_paid():
    changes = advance.changes(HELD, readings(5, 3, -1, hours=-3) + readings(-2, 4, hours=1))
    paid = advance.paid(changes, opens_at=MARCH)
    assert (paid.level.total, paid.level.paid) == (9, 9)
    assert [grown for _, grown in advance.growths(changes, opens_at=MARCH)] == [2]
    assert advance.held_units(changes, opens_at=MARCH) == 7


def test_a_level_below_0_has_nothing_paid():
    changes = advance.changes(HELD, readings(-3, hours=-1) + readings(4))
    assert [grown for _, grown in advance.growths(changes, opens_at=MARCH)] == [1]
    assert advance.held_units(changes, opens_at=MARCH) == 0


def test_values_that_repeat_are_no_events_of_the_price():
    paid = advance.paid(advance.changes(UNIQUE, readings("a", "a", ("b", "remove"))), opens_at=MARCH)
    assert (paid.usage.units, paid.usage.events_count, paid.usage.values) == (1, 1, (1,))


@pytest.mark.parametrize("of", [COUNT, SUM], ids=["count", "sum"])
@given(st.lists(st.integers(0, 5), max_size=8))
def test_what_events_come_to_stands_for_them_where_they_only_add(of, values):
    changes = advance.changes(of, readings(*values))
    known = replace(advance.paid(changes, opens_at=MARCH), values=None)
    summed = advance.grown(of, advance.summary(of, changes))
    assert summed == known
    for change in advance.changes(of, readings(3)):
        assert summed.after(change).usage == known.after(change).usage


def test_what_events_come_to_says_nothing_of_levels_before_where_one_takes_away():
    changes = advance.changes(SUM, readings(5, -2))
    with pytest.raises(AssertionError):
        advance.grown(SUM, advance.summary(SUM, changes))


@given(st.lists(st.integers(-5, 5), max_size=12), st.integers(-12, 0))
def test_one_more_event_and_all_at_once_agree(values, hours):
    changes = advance.changes(HELD, readings(*values, hours=hours))
    whole = advance.paid(changes, opens_at=MARCH)
    inside = [change for change in changes if change.reading.at >= MARCH]
    stepwise = advance.paid(changes[: len(changes) - len(inside)], opens_at=MARCH)
    for change in inside:
        stepwise = stepwise.after(change)
    assert stepwise == whole
    grown = sum((units for _, units in advance.growths(changes, opens_at=MARCH)), D(0))
    assert advance.held_units(changes, opens_at=MARCH) + grown == whole.level.paid


# The periods.

UTC_ZONE, TOKYO = ZoneInfo("UTC"), ZoneInfo("Asia/Tokyo")


def life(started_at: datetime, **fields: Any) -> Life:
    return Life(BillingTime.CALENDAR, started_at, started_at, started_at, **fields)


@pytest.mark.parametrize(
    ("interval", "monthly", "at", "zone", "expected"),
    [
        pytest.param(
            Interval.MONTHLY, False, "2024-03-31T23:59:59", UTC_ZONE, ("2024-03-01", "2024-04-01"), id="month"
        ),
        pytest.param(Interval.YEARLY, False, "2024-03-31T00:00:00", UTC_ZONE, ("2024-01-15", "2025-01-01"), id="year"),
        pytest.param(
            Interval.YEARLY, True, "2024-03-31T00:00:00", UTC_ZONE, ("2024-03-01", "2024-04-01"), id="by month"
        ),
        pytest.param(
            Interval.MONTHLY, False, "2024-01-16T00:00:00", UTC_ZONE, ("2024-01-15", "2024-02-01"), id="first"
        ),
        pytest.param(Interval.MONTHLY, False, "2024-03-31T15:00:00", TOKYO, ("2024-03-31", "2024-04-30"), id="local"),
    ],
)
def test_an_event_is_charged_in_the_usage_period_that_contains_it(interval, monthly, at, zone, expected):
    terms = Terms(interval, 0, pay_in_advance=False, charges_monthly=monthly)
    started = life(datetime(2024, 1, 15, tzinfo=UTC))
    row = subscriptions.charged_at_once(terms, started, datetime.fromisoformat(f"{at}+00:00"), zone)
    assert (row.reason, row.bills_usage, row.fee, row.renewed) == (IN_ADVANCE_CHARGE, False, None, None)
    assert row.charges is not None
    assert (f"{row.charges.start:%Y-%m-%d}", f"{row.charges.end:%Y-%m-%d}") == expected


def test_a_billing_day_of_usage_renews_the_period_that_begins_and_an_end_renews_nothing():
    terms, running = Terms(Interval.MONTHLY, 0, pay_in_advance=False), life(datetime(2024, 1, 15, tzinfo=UTC))
    days = subscriptions.periodic(terms, running, date(2024, 3, 1), UTC_ZONE).renewed
    assert days is not None
    assert (days.first, days.last, days.span.start) == (date(2024, 3, 1), date(2024, 3, 31), MARCH)
    assert subscriptions.starting(terms, running, UTC_ZONE).renewed is None
    ended = life(datetime(2024, 1, 15, tzinfo=UTC), ended_at=MARCH)
    assert subscriptions.ending(terms, ended, UTC_ZONE).renewed is None
    assert subscriptions.ending_with_period(terms, ended, date(2024, 3, 1), UTC_ZONE).renewed is None
