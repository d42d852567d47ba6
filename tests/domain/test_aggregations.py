"""Units of each aggregation. Source: rules/usage 1.4, 3, 3.1, 3.4."""

from datetime import timedelta
from decimal import Decimal as D
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.aggregation.aggregate import aggregate
from chalicelib.domain.aggregation.readings import Reading, text_of
from chalicelib.domain.aggregation.rules import Aggregation, MetricRule
from tests.support.readings import add, at, reading, remove, rule, window

SEPTEMBER = window("2024-09-01", "2024-09-30")


def found(aggregation, *readings, recurring=False, of=SEPTEMBER):
    return aggregate(rule(aggregation, recurring=recurring), readings, of, prorated=False)


def units(aggregation, *readings, recurring=False, of=SEPTEMBER):
    return found(aggregation, *readings, recurring=recurring, of=of).units


PAGES = (
    Reading(at("2024-09-01"), "1", {"user": "u1", "pages": 10}),
    Reading(at("2024-09-02"), "2", {"user": "u1", "pages": 20}),
)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (MetricRule(Aggregation.COUNT), 2),
        (MetricRule(Aggregation.SUM, "pages"), 30),
        (MetricRule(Aggregation.MAX, "pages"), 20),
        (MetricRule(Aggregation.LATEST, "pages"), 20),
        (MetricRule(Aggregation.UNIQUE_COUNT, "user"), 1),
    ],
)
def test_the_same_events_by_each_aggregation(metric, expected):
    assert aggregate(metric, PAGES, SEPTEMBER, prorated=False).units == expected


@pytest.mark.parametrize("aggregation", ["count", "sum", "max", "unique_count", "latest", "weighted_sum"])
def test_without_events_there_are_no_units(aggregation):
    result = found(aggregation)
    assert (result.units, result.events_count, result.values) == (0, 0, ())
    assert (result.total_aggregated_units, result.precise_total_cents) == (0, 0)
    assert (result.prorated_units, result.changes) == (None, None)


@pytest.mark.parametrize("aggregation", ["sum", "max", "latest", "weighted_sum"])
def test_numeric_aggregations_do_not_see_what_is_no_number(aggregation):
    odd = [reading("2024-09-02", value, order=str(n)) for n, value in enumerate([None, "abc", "1e3", True, [1], " 1"])]
    result = found(aggregation, reading("2024-09-01", "7.5"), *odd)
    assert (result.total_aggregated_units, result.events_count) == (D("7.5"), 1)


def test_a_window_ends_where_the_next_one_begins():
    edges = [
        reading("2024-08-31T23:59:59.999"),
        reading("2024-09-01T00:00:00"),
        reading("2024-09-30T23:59:59.999"),
        reading("2024-10-01T00:00:00"),
    ]
    assert units("count", *edges) == 2
    assert units("count", *edges, of=window("2024-10-01", "2024-10-31")) == 1


def test_the_window_is_the_customers():
    in_tokyo = window("2024-09-01", "2024-09-30", zone=ZoneInfo("Asia/Tokyo"))
    edges = [reading("2024-08-31T14:59"), reading("2024-08-31T15:00"), reading("2024-09-30T15:00")]
    assert units("count", *edges, of=in_tokyo) == 1


# Sums, maximum, latest.


@pytest.mark.parametrize(
    ("aggregation", "values", "expected", "parts"),
    [
        pytest.param("count", ["x", "3"], "2", [1, 1], id="a count looks at no value"),
        pytest.param("sum", ["10", "-4", "8"], "14", [10, -4, 8], id="10 - 4 + 8"),
        pytest.param("sum", ["3", "-4"], "-1", [3, -4], id="a total below 0 stays exact here"),
        pytest.param("sum", ["4", "-4"], "0", [4, -4], id="a total of 0 has its events"),
        pytest.param("sum", ["0.1", "0.2"], "0.3", ["0.1", "0.2"], id="exact decimals"),
        pytest.param("max", ["3", "12", "7", "12"], "12", [0, 12, 0, 0], id="the first greatest makes it"),
        pytest.param("max", ["-3", "-5"], "-3", [-3, 0], id="a greatest value below 0"),
        pytest.param("latest", ["3", "12", "7"], "7", [3, 12, 7], id="the last"),
        pytest.param("latest", ["3", "-2"], "0", [3, -2], id="a negative last one is 0"),
        pytest.param("latest", ["3", "none"], "3", [3], id="the last one that is a number"),
    ],
)
def test_units_and_what_each_event_makes_of_them(aggregation, values, expected, parts):
    result = found(aggregation, *(reading(f"2024-09-{n:02}", value) for n, value in enumerate(values, 1)))
    assert result.units == result.total_aggregated_units == D(expected)
    assert result.values == tuple(map(D, parts))
    assert result.events_count == len(parts)


def test_the_latest_of_one_instant_is_the_last_received():
    early, late = reading("2024-09-02", "1", order="1"), reading("2024-09-02", "2", order="2")
    assert units("latest", late, early) == 2
    assert units("latest", reading("2024-09-03", "9", order="0"), early, late) == 9


def test_a_recurring_sum_is_the_level_since_the_first_event():
    history = reading("2023-01-05", "5"), reading("2024-09-11", "3"), reading("2024-10-01", "100")
    assert units("sum", *history, recurring=True) == 8
    assert units("sum", *history) == 3


def test_the_level_of_a_recurring_sum_is_not_floored():
    assert units("sum", reading("2024-08-11", "-3"), reading("2024-09-11", "4"), recurring=True) == 1


def test_prices_that_events_bring_along_are_added_up():
    priced = reading("2024-09-01", "2", cents="100.5"), reading("2024-09-02", "1", cents="0.25")
    others = (
        reading("2024-09-03", "1"),
        reading("2024-09-04", "no number", cents="7"),
        reading("2024-08-01", "1", cents="9"),
    )
    assert found("sum", *priced, *others).precise_total_cents == D("100.75")


# Unique counts.


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        pytest.param(["add", "add"], 1, id="added twice"),
        pytest.param(["add", "remove"], 0, id="removed"),
        pytest.param(["remove"], 0, id="removed, never added"),
        pytest.param(["add", "remove", "add"], 1, id="added again"),
        pytest.param(["remove", "add"], 1, id="the first removal has no effect"),
        pytest.param(["add", "remove", "remove"], 0, id="removed twice"),
        pytest.param([None], 1, id="no operation is an addition"),
        pytest.param(["add", "REMOVE", 7], 1, id="what is no operation has no effect"),
    ],
)
def test_one_value_by_its_operations(operations, expected):
    readings = [reading(f"2024-09-{n:02}", "u1", operation_type=operation) for n, operation in enumerate(operations, 1)]
    result = found("unique_count", *readings)
    assert (result.units, result.events_count, result.values) == (expected, expected, (D(1),) * expected)


def test_values_count_each_by_itself():
    readings = add("2024-09-01", "a"), add("2024-09-02", "b"), remove("2024-09-03", "a"), add("2024-09-04", "c")
    assert units("unique_count", *readings) == 2


def test_values_of_a_unique_count_are_compared_as_text():
    readings = [
        reading("2024-09-01", value, order=str(n)) for n, value in enumerate(["1", 1, D("1.0"), True, "true", "True"])
    ]
    assert units("unique_count", *readings) == 4  # 1, 1.0, true, True


def test_events_without_the_property_are_no_value():
    assert units("unique_count", reading("2024-09-01"), reading("2024-09-02", [1]), reading("2024-09-03", "")) == 1


@pytest.mark.parametrize(
    ("history", "recurring", "metered"),
    [
        pytest.param([add("2024-08-20", "a")], 1, 0, id="added before"),
        pytest.param([add("2024-08-20", "a"), remove("2024-09-10", "a")], 0, 0, id="and removed in the period"),
        pytest.param([add("2024-08-20", "a"), remove("2024-10-10", "a")], 1, 0, id="and removed after it"),
        pytest.param([add("2024-08-20", "a"), add("2024-09-10", "a")], 1, 1, id="and added once more"),
        pytest.param([remove("2024-08-20", "a"), add("2024-09-10", "a")], 1, 1, id="added in the period"),
    ],
)
def test_a_recurring_unique_count_walks_the_whole_history(history, recurring, metered):
    assert units("unique_count", *history, recurring=True) == recurring
    assert units("unique_count", *history) == metered


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Europe", "Europe"),
        ("", ""),
        (7, "7"),
        (-3, "-3"),
        (D("1.50"), "1.50"),
        (D("1E+2"), "100"),
        (D("1E+999"), "1E+999"),
        (D("1e-7"), "0.0000001"),
        (True, "true"),
        (False, "false"),
        (None, None),
        ([], None),
        ({}, None),
    ],
)
def test_values_as_text(value, text):
    assert text_of(value) == text


# Weighted sums.

ON_11_AND_21 = reading("2024-09-11", "10"), reading("2024-09-21", "-4")


@pytest.mark.parametrize(
    ("readings", "recurring", "expected", "level"),
    [
        pytest.param(ON_11_AND_21, False, "5.33333333333333333334", 6, id="(0 x 10 + 10 x 10 + 6 x 10) / 30"),
        pytest.param(
            [reading("2024-08-02", "4"), *ON_11_AND_21],
            True,
            "9.33333333333333333334",
            10,
            id="(4 x 10 + 14 x 10 + 10 x 10) / 30",
        ),
        pytest.param([reading("2024-08-02", "4"), *ON_11_AND_21], False, "5.33333333333333333334", 6, id="from 0"),
        pytest.param([reading("2024-08-02", "4")], True, "4", 4, id="held all period"),
        pytest.param([reading("2024-09-01", "4")], False, "4", 4, id="from the first instant on"),
        pytest.param([reading("2024-09-30T23:59:59", "2592000")], False, "1", 2592000, id="for the last second"),
        pytest.param([reading("2024-09-16", "-3")], False, "-1.5", -3, id="a level below 0"),
        pytest.param([reading("2024-09-16", "3"), reading("2024-09-16", "1", order="2")], False, "2", 4, id="at once"),
    ],
)
def test_a_weighted_sum_is_the_average_level(readings, recurring, expected, level):
    result = found("weighted_sum", *readings, recurring=recurring)
    assert (result.units, result.total_aggregated_units) == (D(expected), level)
    assert result.events_count == sum(each.at >= SEPTEMBER.span.start for each in readings)


def test_a_weighted_sum_counts_milliseconds():
    # 30 days are 2,592,000,000 ms.
    half = SEPTEMBER.span.end - timedelta(milliseconds=1296)
    assert units("weighted_sum", Reading(half, "1", {"item": 2})) == D("0.000001")


def test_a_weighted_sum_of_a_shorter_range_is_over_the_whole_period():
    started = window("2024-03-05", "2024-03-31", of_days=31)
    result = units("weighted_sum", reading("2024-03-05", "2500"), of=started)
    assert round(result, 2) == D("2177.42")  # 2500 x 27 / 31


# Rules.


@pytest.mark.parametrize("aggregation", ["count", "max", "latest"])
def test_some_aggregations_do_not_recur(aggregation):
    with pytest.raises(AssertionError):
        rule(aggregation, recurring=True)


def test_only_a_count_has_no_property():
    with pytest.raises(AssertionError):
        MetricRule(Aggregation.SUM)
    with pytest.raises(AssertionError):
        _ = MetricRule(Aggregation.COUNT).property_name


@pytest.mark.parametrize(
    ("aggregation", "recurring"), [("sum", False), ("unique_count", False), ("weighted_sum", True)]
)
def test_only_recurring_levels_are_prorated(aggregation, recurring):
    with pytest.raises(AssertionError):
        aggregate(rule(aggregation, recurring=recurring), [], SEPTEMBER, prorated=True)
