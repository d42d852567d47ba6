"""What always holds between events and units. Source: rules/usage 3, 4."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D
from fractions import Fraction
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.aggregation.aggregate import aggregate
from chalicelib.domain.aggregation.dimensions import ALL_VALUES, Filter, split
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.money import total
from chalicelib.domain.periods import Span
from tests.support.examples import examples
from tests.support.readings import FIELD, at, rule, window

LAW = settings(max_examples=examples(50))
ZONES = st.sampled_from([ZoneInfo(name) for name in ("UTC", "America/New_York", "Asia/Tokyo", "Pacific/Auckland")])
NUMBERS = st.decimals(-1000, 1000, places=3)
RULES = [rule(name) for name in ("count", "sum", "max", "unique_count", "latest", "weighted_sum")] + [
    rule(name, recurring=True) for name in ("sum", "unique_count", "weighted_sum")
]
PRORATED = [rule(name, recurring=True) for name in ("sum", "unique_count")]
MODES = st.sampled_from([(each, False) for each in RULES] + [(each, True) for each in PRORATED])


@st.composite
def histories(draw, values=NUMBERS, operations=("add", "add", "remove", None)):
    """Events from August to October, in order of reception; many of them at one instant or on one day."""
    hours = draw(st.lists(st.integers(0, 92 * 24), max_size=14))
    return [
        Reading(
            at("2024-08-01") + timedelta(hours=hour),
            f"{n:04}",
            {
                FIELD: draw(values),
                "operation_type": draw(st.sampled_from(operations)),
                "cloud": draw(st.sampled_from(["aws", "gcp", "x", None])),
                "user": draw(st.sampled_from(["u1", "u2", None])),
            },
            draw(st.none() | st.decimals(0, 10, places=4)),
        )
        for n, hour in enumerate(hours)
    ]


FEW = st.sampled_from(["1", "2", "-3.5", "4"])
HISTORIES = histories(values=FEW | NUMBERS)


def september(zone):
    return window("2024-09-01", "2024-09-30", zone=zone)


@LAW
@given(HISTORIES, MODES, ZONES, st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(history, mode, zone, random):
    of, prorated = mode
    mixed = list(history)
    random.shuffle(mixed)
    assert aggregate(of, mixed, september(zone), prorated=prorated) == aggregate(
        of, history, september(zone), prorated=prorated
    )


@LAW
@given(HISTORIES, MODES, ZONES)
def test_events_after_the_window_change_nothing(history, mode, zone):
    of, prorated = mode
    until = [each for each in history if each.at < september(zone).span.end]
    assert aggregate(of, until, september(zone), prorated=prorated) == aggregate(
        of, history, september(zone), prorated=prorated
    )


@LAW
@given(HISTORIES, st.sampled_from(["count", "sum", "max", "unique_count", "latest", "weighted_sum"]), ZONES)
def test_a_metered_metric_starts_at_0_in_each_window(history, name, zone):
    inside = [each for each in history if each.at >= september(zone).span.start]
    assert aggregate(rule(name), inside, september(zone), prorated=False) == aggregate(
        rule(name), history, september(zone), prorated=False
    )


@LAW
@given(HISTORIES, st.sampled_from(["count", "sum", "max"]))
def test_the_values_of_events_make_the_units(history, name):
    found = aggregate(rule(name), history, september(ZoneInfo("UTC")), prorated=False)
    assert total(found.values) == found.units
    assert len(found.values) == found.events_count


@LAW
@given(HISTORIES, st.sampled_from(["count", "sum"]), st.integers(0, 30 * 24))
def test_two_parts_of_a_window_add_up_to_it(history, name, hours):
    whole = september(ZoneInfo("UTC"))
    cut = whole.span.start + timedelta(hours=hours)
    parts = [replace(whole, span=span) for span in (Span(whole.span.start, cut), Span(cut, whole.span.end))]
    found = [aggregate(rule(name), history, part, prorated=False) for part in parts]
    together = aggregate(rule(name), history, whole, prorated=False)
    assert sum(each.units for each in found) == together.units
    assert sum(each.events_count for each in found) == together.events_count
    assert found[0].values + found[1].values == together.values


@LAW
@given(HISTORIES, st.sampled_from(PRORATED), ZONES, st.integers(0, 61 * 24 * 60))
def test_the_level_at_the_end_is_the_level_before_the_next(history, of, zone, minutes):
    """At any cut, within days too, as an upgrade makes one."""
    cut = at("2024-08-10") + timedelta(minutes=minutes)
    day = cut.astimezone(zone).date()
    earlier, later = window("2024-08-01", str(day), zone=zone), window(str(day), "2024-10-31", zone=zone)
    earlier = replace(earlier, span=Span(min(earlier.span.start, cut), cut))
    later = replace(later, span=Span(cut, later.span.end))
    before = aggregate(of, history, earlier, prorated=True)
    after = aggregate(of, history, later, prorated=True)
    assert before.units == after.changes.held_before
    assert aggregate(of, history, later, prorated=False).units == after.units


@LAW
@given(HISTORIES, ZONES)
def test_a_weighted_level_is_carried_over(history, zone):
    of = rule("weighted_sum", recurring=True)
    october = window("2024-10-01", "2024-10-31", zone=zone)
    level = aggregate(of, history, september(zone), prorated=False).total_aggregated_units
    nothing_new = [each for each in history if each.at < october.span.start]
    assert aggregate(of, nothing_new, october, prorated=False).total_aggregated_units == level


@LAW
@given(HISTORIES, st.sampled_from(PRORATED), ZONES)
def test_the_steps_lead_to_the_full_units(history, of, zone):
    found = aggregate(of, history, september(zone), prorated=True)
    assert total(step.units for step in found.changes.steps) == found.units
    assert all(0 <= step.ratio <= 1 for step in found.changes.steps)
    by_steps = sum((step.units * step.ratio for step in found.changes.steps), D(0))
    # Shares of a unique count are brought up one by one.
    assert abs(by_steps - found.prorated_units) <= D("0.00001") * (len(history) + 1)


@LAW
@given(histories(values=FEW, operations=("add",)), st.sampled_from(PRORATED), ZONES)
def test_what_is_only_added_counts_at_most_in_full(history, of, zone):
    added = [replace(each, properties={**each.properties, FIELD: abs(D(each.properties[FIELD]))}) for each in history]
    found = aggregate(of, added, september(zone), prorated=True)
    assert 0 <= found.prorated_units <= found.units


@LAW
@given(histories(values=FEW), ZONES)
def test_a_value_counts_at_most_each_day_once(history, zone):
    found = aggregate(rule("unique_count", recurring=True), history, september(zone), prorated=True)
    assert 0 <= found.prorated_units <= len({each.properties[FIELD] for each in history})


@LAW
@given(histories(values=FEW), ZONES)
def test_unique_days_are_those_on_which_a_value_was_active_at_some_time(history, zone):
    """By going through the days one by one, instead of by stretches."""
    of, days = september(zone), 0
    ordered = sorted(history, key=lambda each: (each.at, each.order))
    for value in {each.properties[FIELD] for each in history}:
        active, used = False, set()
        for n in range(-33, 30):
            day = of.first_day + timedelta(days=n)
            if active:
                used.add(day)
            for each in ordered:
                if each.properties[FIELD] == value and of.day_of(each.at) == day and each.at < of.span.end:
                    active = each.properties["operation_type"] != "remove"
                    if active:
                        used.add(day)
        days += sum(1 for day in used if of.first_day <= day <= of.last_day)
    exact = Fraction(days, 30)
    prorated = Fraction(aggregate(rule("unique_count", recurring=True), history, of, prorated=True).prorated_units)
    assert exact <= prorated < exact + Fraction(1, 100_000)


# Dimensions.

LISTED = {"cloud": ["aws", "gcp"], "user": ["u1", "u2"]}
FILTERS = st.lists(
    st.builds(
        Filter,
        st.dictionaries(
            st.sampled_from(sorted(LISTED)),
            st.sampled_from([["aws"], ["gcp", "aws"], ["u1"], ["u2", "u1"], [ALL_VALUES]]),
            min_size=1,
        ),
        st.sampled_from([[], ["user"], ["cloud", "user"]]),
    ),
    max_size=4,
)


@LAW
@given(HISTORIES, FILTERS, st.sampled_from([[], ["user"]]), st.randoms(use_true_random=False))
def test_splitting_loses_and_doubles_nothing(history, filters, keys, random):
    mixed = list(history)
    random.shuffle(mixed)
    buckets = split(mixed, filters, keys, LISTED)
    assert Counter(each.order for members in buckets.values() for each in members) == Counter(
        each.order for each in history
    )
    assert {bucket.filter_index for bucket in buckets} == {None, *range(len(filters))}
    assert list(buckets.items()) == list(split(history, filters, keys, LISTED).items())


@LAW
@given(HISTORIES, FILTERS, ZONES)
def test_parts_by_dimension_add_up(history, filters, zone):
    buckets = split(history, filters, ["user"], LISTED).values()
    for name in ("count", "sum"):
        parts = [aggregate(rule(name), each, september(zone), prorated=False) for each in buckets]
        whole = aggregate(rule(name), history, september(zone), prorated=False)
        assert sum(each.units for each in parts) == whole.units
        assert sum(each.precise_total_cents for each in parts) == whole.precise_total_cents
