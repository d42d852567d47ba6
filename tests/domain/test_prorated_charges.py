"""Prices of what was held for parts of a period. Source: rules/usage 3.2, 3.3, 6.9."""

from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.charges import properties, prorated
from chalicelib.domain.charges.models import ChargeModel, price
from chalicelib.domain.charges.prorated import ProratedUsage, Step, prorated_units, ratio
from chalicelib.domain.charges.usage import ChargeUsage, Priced
from chalicelib.domain.money import round_half_up, to_cents
from tests.domain.test_charge_models import tier, tier_lists

STANDARD, GRADUATED, VOLUME = ChargeModel.STANDARD, ChargeModel.GRADUATED, ChargeModel.VOLUME


def cents(priced: Priced) -> int:
    """As a fee has it."""
    return round_half_up(to_cents(priced.amount, "EUR"))


# Standard.


@pytest.mark.parametrize(
    ("amount", "full", "units", "expected"),
    [
        pytest.param("30", "1", "0.53334", 1600, id="added 15 September: 16 / 30"),
        pytest.param("30", "0", "0.70968", 2129, id="removed 22 October: 22 / 31"),
        pytest.param("30", "5", "3", 9000, id="five added 11-15 June: (20 + 19 + 18 + 17 + 16) / 30"),
        pytest.param("30", "5", "2.41936", 7258, id="five until 15 July: 5 x 15 / 31"),
        pytest.param("30", "1", "0.48388", 1452, id="and each by itself: ceil(15 / 31)"),
        pytest.param("30", "2", "1.83871", 5516, id="(31 + 10 + 12 + 4) / 31"),
        pytest.param("30", "-1", "2", 0, id="a level below 0 owes nothing"),
        pytest.param("30", "1", "-2", 0, id="units below 0 owe nothing"),
    ],
)
def test_standard_prices_prorated_units(amount, full, units, expected):
    parsed = properties.parse(STANDARD, {"amount": amount})
    assert cents(prorated.price(STANDARD, ProratedUsage(D(full), D(units)), parsed)) == expected


def test_one_unit_costs_its_share_among_the_full_ones():
    parsed = properties.parse(STANDARD, {"amount": "30"})
    assert prorated.price(STANDARD, ProratedUsage(D(5), D("2.5")), parsed).unit_amount == 15
    assert prorated.price(STANDARD, ProratedUsage(D(0), D("2.5")), parsed).unit_amount == 0


@pytest.mark.parametrize(
    ("units", "days", "of_days", "expected"),
    [
        pytest.param("1", 16, 30, "0.53334", id="16 / 30, upwards"),
        pytest.param("1", 22, 31, "0.70968", id="22 / 31, upwards"),
        pytest.param("5", 12, 29, "2.06897", id="5 x 12 / 29"),
        pytest.param("5", 11, 29, "1.89656", id="5 x 11 / 29"),
        pytest.param("3", 20, 30, "2", id="a whole number stays one"),
        pytest.param("4", 29, 30, "3.86667", id="4 x 29 / 30"),
    ],
)
def test_units_of_some_days_are_brought_up_to_five_decimals(units, days, of_days, expected):
    assert prorated_units(D(units), days=days, of_days=of_days) == D(expected)


# Volume.

BY_VOLUME = {"volume_ranges": [tier(0, 10, "10", "0"), tier(11, None, "8", "5")]}


@pytest.mark.parametrize(
    ("full", "units", "expected"),
    [
        pytest.param("12", "6", "53", id="full units decide the tier: 6 x 8 + 5"),
        pytest.param("10", "12", "120", id="also where more was held before: 12 x 10"),
        pytest.param("0", "1.5", "15", id="nothing left of what was held"),
        pytest.param("0", "0", "0", id="nothing held"),
        pytest.param("11", "-1", "5", id="units below 0 cost nothing, the flat amount is owed"),
        pytest.param("-1", "12", "0", id="a level below 0 owes nothing at all"),
    ],
)
def test_volume_prices_prorated_units_in_the_tier_of_the_full_ones(full, units, expected):
    result = prorated.price(VOLUME, ProratedUsage(D(full), D(units)), properties.parse(VOLUME, BY_VOLUME))
    assert result.amount == D(expected)


def test_volume_shows_its_tier_and_the_amount_of_a_full_unit():
    result = prorated.price(VOLUME, ProratedUsage(D(12), D(6)), properties.parse(VOLUME, BY_VOLUME))
    assert result.unit_amount == D("4.416666666666667")  # 53 / 12
    assert result.details == {"per_unit_amount": "8.0", "per_unit_total_amount": "48.0", "flat_unit_amount": "5.0"}


# Graduated.


def graduated(tiers: list[dict[str, Any]], *steps: tuple[Any, D | str]) -> Priced:
    """The price of some steps, each (change of the level, share of the period)."""
    walked = tuple(Step(D(change), D(share)) for change, share in steps)
    level = sum((step.units for step in walked), D(0))
    parsed = properties.parse(GRADUATED, {"graduated_ranges": tiers})
    return prorated.price(GRADUATED, ProratedUsage(level, D(0), walked), parsed)


def of_30(days: int) -> D:
    return ratio(days=days, of_days=30)


def seat(days: int) -> D:
    """The share of one value, as a unique count has it."""
    return prorated_units(D(1), days=days, of_days=30)


SEPTEMBER = [tier(0, 5, "10", "100"), tier(6, 15, "5", "50"), tier(16, None, "2", "0")]
SEATS = [tier(0, 1, "10", "100"), tier(2, None, "5", "50")]
BEFORE = [tier(0, 5, "10", "0"), tier(6, None, "5", "20")]
ON_10, ON_16, ON_20, ON_25 = (2, of_30(21)), (5, of_30(15)), (-6, of_30(11)), (10, of_30(6))


@pytest.mark.parametrize(
    ("tiers", "steps", "expected"),
    [
        pytest.param(BEFORE, [(4, 1), (4, "0.5")], 7250, id="(4 + 1 x 0.5) x 10 + (3 x 0.5) x 5 + 20"),
        pytest.param(SEPTEMBER, [], 10000, id="no units at all: the first flat amount"),
        pytest.param(SEPTEMBER, [ON_10], 11400, id="1.4 x 10 + 100"),
        pytest.param(SEPTEMBER, [ON_10, ON_16], 18400, id="+ 3 x 0.5 x 10 + 2 x 0.5 x 5 + 50"),
        pytest.param(SEPTEMBER, [ON_10, ON_16, ON_20], 16567, id="- 2 x 11/30 x 5 - 4 x 11/30 x 10"),
        pytest.param(SEPTEMBER, [ON_10, ON_16, ON_20, ON_25], 17967, id="+ 4 x 0.2 x 10 + 6 x 0.2 x 5"),
        pytest.param(SEATS, [(1, seat(3)), (-1, 0)], 10100, id="a from the 10th to the 12th: 1 + 100, 0 units left"),
        pytest.param(SEATS, [(1, seat(3)), (-1, 0), (1, seat(17))], 10667, id="a again on the 14th, in its place"),
        pytest.param(
            SEATS,
            [(1, seat(3)), (-1, 0), (1, seat(17)), (1, seat(16))],
            15933,
            id="b on the 15th, in the next: + 0.53334 x 5 + 50",
        ),
        pytest.param(SEPTEMBER, [(20, 1)], 26000, id="held all period: 50 + 50 + 10 + 150"),
        pytest.param(
            SEPTEMBER, [(7, 1), (-2, of_30(15)), (2, of_30(15))], 21000, id="down and up again costs the same"
        ),
        pytest.param(SEPTEMBER, [(5, 1), (-6, "0.5")], 0, id="a level below 0 at the end owes nothing at all"),
        pytest.param(
            SEPTEMBER, [(-3, "0.8"), (5, "0.1")], 10000, id="amounts below 0 count 0: -24 + 5; one flat amount"
        ),
        pytest.param(SEPTEMBER, [(-2, 1), (4, "0.75")], 11000, id="below 0 as in the first tier: -20 + 30 + 100"),
    ],
)
def test_graduated_walks_through_the_changes_of_the_level(tiers, steps, expected):
    assert cents(graduated(tiers, *steps)) == expected


def test_graduated_shows_no_tiers_and_the_amount_of_a_full_unit():
    result = graduated(BEFORE, (4, 1), (4, "0.5"))
    assert (result.unit_amount, result.details) == (D("9.0625"), {})  # 72.50 / 8
    assert graduated(SEATS, (1, seat(3)), (-1, 0)).unit_amount == 0


def test_shares_without_end_lose_no_cent():
    # 3 x 10/30 x 0.005 is half a cent.
    assert cents(graduated([tier(0, None, "0.005", "0")], (3, of_30(10)))) == 1


def test_other_models_are_not_prorated():
    with pytest.raises(AssertionError):
        prorated.price(ChargeModel.PACKAGE, ProratedUsage(D(1), D(1)), None)


# Laws.

LEVELS = st.lists(st.decimals(0, 5000, places=3), min_size=1, max_size=6)
SHARES = st.decimals(0, 1, places=5)


def changes(levels: list[D]) -> list[D]:
    """From level to level."""
    return [after - before for before, after in zip([D(0), *levels[:-1]], levels, strict=True)]


@given(tier_lists(), LEVELS, SHARES)
def test_steps_of_one_share_cost_that_share_of_the_last_level_and_the_flats_of_the_highest(tiers, levels, share):
    result = graduated(tiers, *((change, share) for change in changes(levels)))
    parsed = properties.parse(GRADUATED, {"graduated_ranges": tiers})
    last = price(GRADUATED, ChargeUsage(levels[-1], 1), parsed).details["graduated_ranges"]
    highest = price(GRADUATED, ChargeUsage(max(levels), 1), parsed).details["graduated_ranges"]
    for_units = sum((D(t["per_unit_total_amount"]) for t in last), D(0))
    assert result.amount == for_units * share + sum(D(t["flat_unit_amount"]) for t in highest)


@given(tier_lists(), st.decimals(0, 5000, places=3))
def test_units_held_all_period_cost_as_if_nothing_was_prorated(tiers, units):
    parsed = properties.parse(GRADUATED, {"graduated_ranges": tiers})
    assert graduated(tiers, (units, 1)).amount == price(GRADUATED, ChargeUsage(units, 1), parsed).amount
    by_volume = properties.parse(VOLUME, {"volume_ranges": tiers})
    whole = price(VOLUME, ChargeUsage(units, 1), by_volume)
    assert prorated.price(VOLUME, ProratedUsage(units, units), by_volume) == whole


@given(tier_lists(), LEVELS, st.lists(SHARES, min_size=6, max_size=6))
def test_a_step_in_parts_costs_what_it_costs_at_once(tiers, levels, shares):
    steps = list(zip(changes(levels), sorted(shares, reverse=True), strict=False))
    halves = [(change / 2, share) for change, share in steps for _ in range(2)]
    assert graduated(tiers, *halves).amount == graduated(tiers, *steps).amount
