"""What a period of a charge in advance has counted and paid for, event by event. Source: rules/usage 3.1, 7, 7.1."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from functools import reduce
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import subscriptions
from chalicelib.domain.aggregation import advance, advance_prices
from chalicelib.domain.aggregation.advance import Change, Paid
from chalicelib.domain.aggregation.advance_prices import Tariff
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.aggregation.rules import Aggregation, MetricRule
from chalicelib.domain.billing_line import IN_ADVANCE_CHARGE
from chalicelib.domain.charges import properties
from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.intervals import BillingTime, Interval
from chalicelib.domain.timeline import SubscriptionTimeline, Terms

MARCH = datetime(2024, 3, 1, tzinfo=UTC)
COUNT = MetricRule(Aggregation.COUNT)
SUM = MetricRule(Aggregation.SUM, "n")
HELD = MetricRule(Aggregation.SUM, "n", recurring=True)
UNIQUE = MetricRule(Aggregation.UNIQUE_COUNT, "n")
ONE = Tariff(ChargeModel.STANDARD, properties.parse(ChargeModel.STANDARD, {"amount": "1"}))


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


def grown_and_held(rule: MetricRule, of: list[Reading]) -> tuple[D, D]:
    """Units that are new in March, and those held when it began: at 1.00 each, what they owe."""
    walk = advance_prices.walk(ONE, advance.changes(rule, of), opens_at=MARCH, counts_from=MARCH)
    return walk.amount, ONE.owed(walk.opened)


def test_a_period_of_what_recurs_begins_with_its_level_paid():
    assert grown_and_held(HELD, readings(5, 3, -1, hours=-3) + readings(-2, 4, hours=1)) == (2, 7)


def test_a_level_below_0_has_nothing_paid():
    assert grown_and_held(HELD, readings(-3, hours=-1) + readings(4)) == (1, 0)


def test_values_that_repeat_are_no_events_of_the_price():
    paid = paid_after(advance.changes(UNIQUE, readings("a", "a", ("b", "remove"))))
    assert (paid.usage.units, paid.usage.events_count) == (1, 1)


def paid_after(changes: list[Change]) -> Paid:
    """Where a period stands after these, one after the other."""
    return reduce(lambda paid, change: paid.after(change, None), changes, Paid())


@pytest.mark.parametrize("of", [COUNT, SUM], ids=["count", "sum"])
@given(st.lists(st.integers(0, 5), max_size=8))
def test_what_events_come_to_stands_for_them_where_they_only_add(of, values):
    changes = advance.changes(of, readings(*values))
    known = paid_after(changes)
    summed = advance.grown(of, advance.summary(of, changes))
    assert summed == known
    for change in advance.changes(of, readings(3)):
        assert summed.after(change, None).usage == known.after(change, None).usage


def test_what_events_come_to_says_nothing_of_levels_before_where_one_takes_away():
    changes = advance.changes(SUM, readings(5, -2))
    with pytest.raises(AssertionError):
        advance.grown(SUM, advance.summary(SUM, changes))


@given(st.lists(st.integers(-5, 5), max_size=12), st.integers(-12, 0))
def test_what_is_held_and_what_is_new_come_to_the_highest_level(values, hours):
    levels = [D(0), *accumulate(map(D, values))]
    before = max(0, min(len(values), -hours))  # How many events are of February.
    grown, held = grown_and_held(HELD, readings(*values, hours=hours))
    assert held == max(D(0), levels[before])
    assert held + grown == max(D(0), *levels[before:], D(0))


# The periods.

UTC_ZONE, TOKYO = ZoneInfo("UTC"), ZoneInfo("Asia/Tokyo")


def life(started_at: datetime, **fields: Any) -> SubscriptionTimeline:
    return SubscriptionTimeline(BillingTime.CALENDAR, started_at, started_at, started_at, **fields)


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
