"""Units that count by their days, and what they cost. Source: rules/usage 3.2, 3.3, 6.9."""

from decimal import Decimal as D
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.aggregation.aggregate import aggregate
from chalicelib.domain.aggregation.aggregated import Aggregated
from chalicelib.domain.charges import properties
from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.charges.prorated import ProratedUsage, price
from chalicelib.domain.money import round_half_up, to_cents
from tests.domain.test_charge_models import tier
from tests.support.readings import add, at, reading, remove, rule, window

SEPTEMBER = window("2024-09-01", "2024-09-30")
OCTOBER = window("2024-10-01", "2024-10-31")


def held(readings, of) -> Aggregated:
    return aggregate(rule("unique_count", recurring=True), readings, of, prorated=True)


def level(readings, of) -> Aggregated:
    return aggregate(rule("sum", recurring=True), readings, of, prorated=True)


def cents(found: Aggregated, model=ChargeModel.STANDARD, **given) -> int:
    usage = ProratedUsage(found.units, found.prorated_units, found.changes.steps)
    parsed = properties.parse(model, given or {"amount": "30"})
    return round_half_up(to_cents(price(model, usage, parsed).amount, "EUR"))


# Unique counts.

FIVE = [add(f"2024-06-{day}", f"u{day}") for day in range(11, 16)]
FOUR = [
    add("2024-09-01", "a"),
    add("2024-09-02", "b"),
    remove("2024-10-10", "b"),
    add("2024-10-20", "c"),
    add("2024-10-05", "d"),
    remove("2024-10-08", "d"),
]


@pytest.mark.parametrize(
    ("readings", "of", "prorated", "full", "expected"),
    [
        pytest.param([add("2024-09-15", "a")], SEPTEMBER, "0.53334", 1, 1600, id="added 15 September: 16 / 30"),
        pytest.param(
            [add("2024-09-15", "a"), remove("2024-10-22", "a")],
            OCTOBER,
            "0.70968",
            0,
            2129,
            id="removed 22 October: 22 / 31",
        ),
        pytest.param(FIVE, window("2024-06-01", "2024-06-30"), "3", 5, 9000, id="(20 + 19 + 18 + 17 + 16) / 30"),
        pytest.param(
            FIVE, window("2024-07-01", "2024-07-15", of_days=31), "2.41936", 5, 7258, id="ended on 15 July: 5 x 15 / 31"
        ),
        pytest.param(
            FIVE[:1], window("2024-07-01", "2024-07-15", of_days=31), "0.48388", 1, 1452, id="one of them: 15 / 31"
        ),
        pytest.param(FOUR, OCTOBER, "1.83871", 2, 5516, id="(31 + 10 + 12 + 4) / 31"),
        pytest.param([add("2024-08-15", "a")], SEPTEMBER, "1", 1, 3000, id="active before and after"),
        pytest.param(
            [add("2024-08-15", "a"), remove("2024-11-01", "a")], OCTOBER, "1", 1, 3000, id="removed after the period"
        ),
        pytest.param([add("2024-08-15", "a"), remove("2024-09-01", "a")], SEPTEMBER, "0.03334", 0, 100, id="1 / 30"),
        pytest.param([add("2024-08-15", "a"), remove("2024-08-31", "a")], SEPTEMBER, "0", 0, 0, id="gone before"),
        pytest.param(
            [add("2024-09-10", "a"), remove("2024-09-10T18:00", "a")], SEPTEMBER, "0.03334", 0, 100, id="one day of use"
        ),
        pytest.param(
            [add("2024-09-01", "a"), remove("2024-09-10", "a"), add("2024-09-10T12:00", "a")],
            SEPTEMBER,
            "1",
            1,
            3000,
            id="removed and added again on one day: never removed",
        ),
        pytest.param(
            [
                add("2024-09-27", "a"),
                remove("2024-09-27T01:00", "a"),
                add("2024-09-27T02:00", "a"),
                remove("2024-09-28", "a"),
                add("2024-09-30", "a"),
            ],
            SEPTEMBER,
            "0.1",
            1,
            300,
            id="27 to 28, and 30: 3 / 30",
        ),
        pytest.param(
            [add("2024-09-01", "a"), remove("2024-09-10", "a"), add("2024-09-11", "a")],
            SEPTEMBER,
            "1",
            1,
            3000,
            id="removed one day and added the next: (10 + 20) / 30",
        ),
        pytest.param(
            [add("2024-10-03", "a")],
            window("2024-10-01", "2024-10-18", of_days=31, upgraded_at="2024-10-18T09:00"),
            "0.51613",
            1,
            1548,
            id="an upgrade's day counts for the old plan: 16 / 31",
        ),
        pytest.param(
            [add("2024-10-03", "a")],
            window("2024-10-18", "2024-10-31", of_days=31),
            "0.45162",
            1,
            1355,
            id="and for the new one: 14 / 31",
        ),
    ],
)
def test_values_count_for_the_days_on_which_they_were_active(readings, of, prorated, full, expected):
    found = held(readings, of)
    assert (found.prorated_units, found.units, found.events_count) == (D(prorated), full, full)
    assert cents(found) == expected


def test_days_are_the_customers():
    new_york = window("2024-09-01", "2024-09-30", zone=ZoneInfo("America/New_York"))
    # 03:30 UTC on the 16th is still the 15th there; both operations are on one day there, but not in UTC.
    again = [add("2024-09-16T03:30", "a"), remove("2024-09-20T20:00", "a"), add("2024-09-21T03:00", "a")]
    assert held(again, new_york).prorated_units == D("0.53334")  # 16 / 30
    assert held(again, SEPTEMBER).prorated_units == D("0.5")  # 5 + 10 of 30


def test_a_day_of_23_hours_is_a_day():
    march = window("2024-03-01", "2024-03-31", zone=ZoneInfo("America/New_York"))
    assert held([add("2024-01-01", "a")], march).prorated_units == 1


def test_a_value_removed_before_the_span_and_added_in_it_on_one_day_counts_from_then():
    """A subscription that starts at noon: what was gone by then is no level held."""
    of = window("2024-09-10", "2024-09-30", of_days=30)
    noon = at("2024-09-10T12:00")
    of = type(of)(type(of.span)(noon, of.span.end), of.zone, 30, of.first_day, of.last_day)
    readings = [add("2024-09-01", "a"), remove("2024-09-10T11:00", "a"), add("2024-09-10T13:00", "a")]
    found = held(readings, of)
    assert (found.changes.held_before, found.prorated_units) == (0, D("0.7"))  # 21 / 30
    assert held(readings[:1], of).changes.held_before == 1
    assert held(readings[:2], of).prorated_units == 0


# Sums.

LEVEL = [reading("2024-07-01", "5"), reading("2024-09-11", "3"), reading("2024-09-21", "-2")]
SEVENTY_FIVE = [reading("2024-03-01", "75"), reading("2024-10-17", "20")]
FEBRUARY = window("2024-02-01", "2024-02-12", of_days=29)


@pytest.mark.parametrize(
    ("readings", "of", "prorated", "full"),
    [
        pytest.param(LEVEL, SEPTEMBER, "6.33334", 6, id="5 + 3 x 20/30 - 2 x 10/30"),
        pytest.param(LEVEL, OCTOBER, "6", 6, id="the level of the next period"),
        pytest.param(
            SEVENTY_FIVE,
            window("2024-10-01", "2024-10-18", of_days=31, upgraded_at="2024-10-18T09:00"),
            "42.41936",
            95,
            id="upgraded on the 18th: 75 x 17/31 + 20 x 2/31",
        ),
        pytest.param(
            SEVENTY_FIVE, window("2024-10-18", "2024-10-31", of_days=31), "42.90323", 95, id="the new plan: 95 x 14/31"
        ),
        pytest.param([reading("2024-01-05", "5")], FEBRUARY, "2.06897", 5, id="ended on the 12th: 5 x 12/29"),
        pytest.param(
            [reading("2024-01-05", "5")],
            window("2024-02-01", "2024-02-12", of_days=29, upgraded_at="2024-02-12T10:00"),
            "1.89656",
            5,
            id="upgraded on the 12th: 5 x 11/29",
        ),
        pytest.param(
            [reading("2024-01-05", "5")],
            window("2024-02-01", "2024-02-01", of_days=29, upgraded_at="2024-02-01T10:00"),
            "0",
            5,
            id="upgraded on the first day",
        ),
        pytest.param([reading("2024-09-16", "-2")], SEPTEMBER, "-1", -2, id="a level below 0"),
        pytest.param([], SEPTEMBER, "0", 0, id="nothing held"),
    ],
)
def test_a_level_counts_by_the_days_of_its_parts(readings, of, prorated, full):
    found = level(readings, of)
    assert (found.prorated_units, found.units) == (D(prorated), full)


def test_values_are_counted_by_the_customers_days():
    tokyo = window("2024-09-01", "2024-09-30", zone=ZoneInfo("Asia/Tokyo"))
    assert level([reading("2024-09-15T15:00", "30")], tokyo).prorated_units == 15  # The 16th there.
    assert level([reading("2024-09-15T14:59", "30")], tokyo).prorated_units == 16


# As prices see it.

SUMMED = [
    reading("2024-09-10", "2"),
    reading("2024-09-16", "5"),
    reading("2024-09-20", "-6"),
    reading("2024-09-25", "10"),
]
BY_SUM = {"graduated_ranges": [tier(0, 5, "10", "100"), tier(6, 15, "5", "50"), tier(16, None, "2", "0")]}
SEATS = {"graduated_ranges": [tier(0, 1, "10", "100"), tier(2, None, "5", "50")]}
HALF = {"graduated_ranges": [tier(0, 5, "10", "0"), tier(6, None, "5", "20")]}
SEATED = [add("2024-09-10", "a"), remove("2024-09-12", "a"), add("2024-09-14", "a"), add("2024-09-15", "b")]


@pytest.mark.parametrize(
    ("found", "given", "expected"),
    [
        pytest.param(level([reading("2024-08-01", "4"), reading("2024-09-16", "4")], SEPTEMBER), HALF, 7250, id="sum"),
        pytest.param(
            held(
                [add(f"2024-08-0{n}", f"h{n}") for n in range(1, 5)] + [add("2024-09-16", f"n{n}") for n in range(4)],
                SEPTEMBER,
            ),
            HALF,
            7250,
            id="the same of a unique count",
        ),
        *(
            pytest.param(level(SUMMED[:n], SEPTEMBER), BY_SUM, each, id=f"sum after {n}")
            for n, each in enumerate([10000, 11400, 18400, 16567, 17967])
        ),
        *(
            pytest.param(held(SEATED[:n], SEPTEMBER), SEATS, each, id=f"seats after {n}")
            for n, each in [(2, 10100), (3, 10667), (4, 15933)]
        ),
    ],
)
def test_the_steps_are_those_of_graduated_prices(found, given, expected):
    assert cents(found, ChargeModel.GRADUATED, **given) == expected


def test_volume_takes_full_units_for_the_tier():
    given = {"volume_ranges": [tier(0, 10, "10", "0"), tier(11, None, "8", "5")]}
    twelve = level([reading("2024-09-16", "12")], SEPTEMBER)
    assert cents(twelve, ChargeModel.VOLUME, **given) == 5300  # 6 x 8 + 5


def test_values_held_before_come_first_each_with_its_own_share():
    readings = [add("2024-08-01", "a"), add("2024-08-02", "b"), remove("2024-09-15", "a"), add("2024-09-16", "c")]
    readings += [add("2024-07-01", "gone"), remove("2024-07-02", "gone")]
    changes = held(readings, SEPTEMBER).changes
    assert changes.held_before == 2
    assert [(step.units, step.ratio) for step in changes.steps] == [(1, D("0.5")), (1, 1), (-1, 0), (1, D("0.5"))]


def test_a_held_sum_is_one_step():
    changes = level(LEVEL, SEPTEMBER).changes
    assert changes.held_before == 5
    assert [step.units for step in changes.steps] == [5, 3, -2]
    assert changes.steps[0].ratio == 1
