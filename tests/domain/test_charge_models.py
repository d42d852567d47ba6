"""Prices of the charge models, and which properties they take. Source: rules/usage 5, 6, 8."""

from collections.abc import Iterable
from decimal import Decimal as D
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.charges import properties
from chalicelib.domain.charges.models import ChargeModel, price
from chalicelib.domain.charges.usage import ChargeUsage, Priced

STANDARD, GRADUATED, VOLUME = ChargeModel.STANDARD, ChargeModel.GRADUATED, ChargeModel.VOLUME
NAME = {GRADUATED: "graduated_ranges", VOLUME: "volume_ranges"}


def tier(from_value: Any, to_value: Any, per_unit_amount: Any = "1", flat_amount: Any = "0") -> dict[str, Any]:
    """One tier as a request has it."""
    return {
        "from_value": from_value,
        "to_value": to_value,
        "per_unit_amount": per_unit_amount,
        "flat_amount": flat_amount,
    }


def priced(model: ChargeModel, tiers: Iterable[dict[str, Any]], units: D | str) -> Priced:
    """The price of some units."""
    parsed = properties.parse(model, {NAME[model]: list(tiers)})
    return price(model, ChargeUsage(D(units), 1), parsed)


FIRST = [tier(0, 100, "1.00", "0"), tier(101, 200, "0.50", "10"), tier(201, None, "0.10", "5")]
SECOND = [tier(0, 10, "10", "2"), tier(11, 20, "5", "3"), tier(21, None, "5", "3")]
BY_VOLUME = [
    tier(0, 10_000, "0.0010", "10"),
    tier(10_001, 50_000, "0.0008", "10"),
    tier(50_001, 100_000, "0.0006", "10"),
    tier(100_001, None, "0.0004", "10"),
]


# Standard.


@pytest.mark.parametrize(
    ("units", "amount", "expected"),
    [
        pytest.param("1000", "0.05", "50.00", id="units x amount"),
        pytest.param("3", "0.333333333333333", "0.999999999999999", id="never rounded"),
        pytest.param("0", "9", "0", id="no usage owes nothing"),
    ],
)
def test_standard_prices_every_unit_alike(units, amount, expected):
    parsed = properties.parse(STANDARD, {"amount": amount})
    assert price(STANDARD, ChargeUsage(D(units), 1), parsed).amount == D(expected)


# Graduated.


@pytest.mark.parametrize(
    ("tiers", "units", "expected"),
    [
        pytest.param(FIRST, "0", "0", id="a first tier without a flat amount owes nothing at 0"),
        pytest.param(FIRST, "100", "100.00", id="the bound belongs to the lower tier: 100 x 1"),
        pytest.param(FIRST, "100.5", "110.25", id="a fraction above it to the next: 100 + 0.5 x 0.5 + 10"),
        pytest.param(FIRST, "101", "110.50", id="100 + 0.5 + 10"),
        pytest.param(FIRST, "250", "170.00", id="100 + (50 + 10) + (5 + 5)"),
        pytest.param(SECOND, "0", "2", id="no usage owes the first flat amount"),
        pytest.param(SECOND, "1", "12", id="10 + 2"),
        pytest.param(SECOND, "10", "102", id="100 + 2"),
        pytest.param(SECOND, "11", "110", id="102 + 5 + 3"),
        pytest.param(SECOND, "12", "115", id="102 + 10 + 3"),
        pytest.param(SECOND, "25", "183", id="102 + (50 + 3) + (25 + 3)"),
    ],
)
def test_graduated_prices_each_unit_in_its_tier(tiers, units, expected):
    assert priced(GRADUATED, tiers, units).amount == D(expected)


@pytest.mark.parametrize("units", ["0", "5", "10", "10.5", "11", "20", "20.000000000000001", "33"])
def test_tiers_that_share_their_bounds_are_priced_like_tiers_a_unit_apart(units):
    shared = [tier(0, 10, "10", "2"), tier(10, 20, "5", "3"), tier(20, None, "5", "3")]
    assert priced(GRADUATED, shared, units).amount == priced(GRADUATED, SECOND, units).amount


def test_graduated_shows_each_tier_reached():
    assert priced(GRADUATED, SECOND, "12").details == {
        "graduated_ranges": [
            {
                "from_value": 0,
                "to_value": 10,
                "units": "10.0",
                "per_unit_amount": "10.0",
                "per_unit_total_amount": "100.0",
                "flat_unit_amount": "2.0",
                "total_with_flat_amount": "102.0",
            },
            {
                "from_value": 11,
                "to_value": 20,
                "units": "2.0",
                "per_unit_amount": "5.0",
                "per_unit_total_amount": "10.0",
                "flat_unit_amount": "3.0",
                "total_with_flat_amount": "13.0",
            },
        ]
    }


def test_a_tier_without_units_shows_no_price_of_one():
    (only,) = priced(GRADUATED, SECOND, "0").details["graduated_ranges"]
    assert only == {
        "from_value": 0,
        "to_value": 10,
        "units": "0.0",
        "per_unit_amount": "0.0",
        "per_unit_total_amount": "0.0",
        "flat_unit_amount": "2.0",
        "total_with_flat_amount": "2.0",
    }


def test_the_bounds_are_shown_as_the_properties_have_them():
    shown = priced(GRADUATED, [tier(0, 10), tier(10, None)], "12.5").details["graduated_ranges"]
    assert [(t["from_value"], t["to_value"], t["units"]) for t in shown] == [(0, 10, "10.0"), (10, None, "2.5")]


# Volume.


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        pytest.param("65000", "49.00", id="65000 x 0.0006 + 10"),
        pytest.param("10000", "20.00", id="the bound belongs to the lower tier: 10000 x 0.0010 + 10"),
        pytest.param("10000.5", "18.0004", id="a fraction above it to the next: 10000.5 x 0.0008 + 10"),
        pytest.param("10001", "18.0008", id="10001 x 0.0008 + 10"),
        pytest.param("100001", "50.0004", id="100001 x 0.0004 + 10"),
        pytest.param("0", "10.00", id="no usage owes the first flat amount"),
    ],
)
def test_volume_prices_all_units_in_one_tier(units, expected):
    assert priced(VOLUME, BY_VOLUME, units).amount == D(expected)


@pytest.mark.parametrize(
    ("units", "per_unit", "for_units"), [("65000", "0.0006", "39.0"), ("0", "0.001", "0.0")], ids=["used", "unused"]
)
def test_volume_shows_its_tier(units, per_unit, for_units):
    assert priced(VOLUME, BY_VOLUME, units).details == {
        "per_unit_amount": per_unit,
        "per_unit_total_amount": for_units,
        "flat_unit_amount": "10.0",
    }


# The amount of one unit.


@pytest.mark.parametrize(
    ("model", "tiers", "units", "expected"),
    [
        pytest.param(GRADUATED, FIRST, "250", "0.68", id="170 / 250"),
        pytest.param(GRADUATED, SECOND, "11", "10", id="110 / 11"),
        pytest.param(GRADUATED, SECOND, "12", "9.583333333333333", id="115 / 12, to 15 decimals"),
        pytest.param(GRADUATED, SECOND, "0", "0", id="none without units, though the flat amount is owed"),
        pytest.param(VOLUME, BY_VOLUME, "10000", "0.002", id="20 / 10000"),
        pytest.param(VOLUME, BY_VOLUME, "0", "0", id="none of a volume without units"),
    ],
)
def test_one_unit_costs_its_share_of_the_amount(model, tiers, units, expected):
    assert priced(model, tiers, units).unit_amount == D(expected)


# Properties.


@pytest.mark.parametrize("model", NAME)
@pytest.mark.parametrize(
    ("tiers", "wrong"),
    [
        pytest.param(None, {"ranges": ["missing"]}, id="null"),
        pytest.param([], {"ranges": ["missing"]}, id="none"),
        pytest.param("0-10", {"ranges": ["invalid"]}, id="no list"),
        pytest.param({"from_value": 0}, {"ranges": ["invalid"]}, id="an object"),
        pytest.param([5], {"ranges": ["invalid"]}, id="a number as tier"),
        pytest.param([tier(1, None)], {"ranges": ["invalid"]}, id="not from 0"),
        pytest.param([tier(None, None)], {"ranges": ["invalid"]}, id="from null"),
        pytest.param([tier(0, 10)], {"ranges": ["invalid"]}, id="the last not open"),
        pytest.param([tier(0, None), tier(11, None)], {"ranges": ["invalid"]}, id="another one open"),
        pytest.param([tier(0, 10), tier(12, None)], {"ranges": ["invalid"]}, id="a gap"),
        pytest.param([tier(0, 10), tier(9, None)], {"ranges": ["invalid"]}, id="an overlap"),
        pytest.param([tier(0, 0), tier(1, None)], {"ranges": ["invalid"]}, id="no unit wide"),
        pytest.param([tier(0, 5), tier(6, 6), tier(7, None)], {"ranges": ["invalid"]}, id="ends where it begins"),
        pytest.param([tier(0, 5), tier(6, 4), tier(5, None)], {"ranges": ["invalid"]}, id="falls"),
        pytest.param([tier(0, -1), tier(0, None)], {"ranges": ["invalid"]}, id="negative"),
        pytest.param([tier("0", None)], {"ranges": ["invalid"]}, id="a text as bound"),
        pytest.param([tier(False, None)], {"ranges": ["invalid"]}, id="a switch as bound"),
        pytest.param([tier(0, D("10.5")), tier(D("11.5"), None)], {"ranges": ["invalid"]}, id="fractions as bounds"),
        pytest.param(
            [tier(0, 10**15), tier(10**15 + 1, None)], {"ranges": ["invalid"]}, id="a bound out of this world"
        ),
        pytest.param([tier(0, None, 1)], {"per_unit_amount": ["invalid_amount"]}, id="a number as price"),
        pytest.param([tier(0, None, "-1")], {"per_unit_amount": ["invalid_amount"]}, id="a negative price"),
        pytest.param([tier(0, None, "NaN")], {"per_unit_amount": ["invalid_amount"]}, id="no number as price"),
        pytest.param([tier(0, None, "٣")], {"per_unit_amount": ["invalid_amount"]}, id="digits of another script"),
        pytest.param(
            [{"from_value": 0, "to_value": None, "flat_amount": "0"}], {"per_unit_amount": ["invalid_amount"]}
        ),
        pytest.param([tier(0, None, "1", None)], {"flat_amount": ["invalid_amount"]}, id="no flat amount"),
        pytest.param(
            [tier(0, None, "1", "Infinity")], {"flat_amount": ["invalid_amount"]}, id="an infinite flat amount"
        ),
        pytest.param(
            [tier(0, 10, "x", "0"), tier(12, None, "x", 0.5)],
            {"ranges": ["invalid"], "per_unit_amount": ["invalid_amount"], "flat_amount": ["invalid_amount"]},
            id="everything at once, each code once",
        ),
    ],
)
def test_wrong_tiers_are_refused(model, tiers, wrong):
    name = NAME[model]
    expected = {
        name if field == "ranges" else field: [f"{code}_{name}" if field == "ranges" else code for code in codes]
        for field, codes in wrong.items()
    }
    with pytest.raises(properties.PropertyErrors) as refused:
        properties.parse(model, {name: tiers})
    assert refused.value.details == expected


@pytest.mark.parametrize("model", NAME)
def test_the_ranges_of_another_model_are_no_ranges(model):
    (other,) = set(NAME) - {model}
    with pytest.raises(properties.PropertyErrors) as refused:
        properties.parse(model, {NAME[other]: [tier(0, None)]})
    assert refused.value.details == {NAME[model]: [f"missing_{NAME[model]}"]}


def test_only_graduated_tiers_may_share_their_bounds():
    shared = [tier(0, 10), tier(10, None)]
    assert priced(GRADUATED, shared, "10").amount == 10
    with pytest.raises(properties.PropertyErrors) as refused:
        priced(VOLUME, shared, "10")
    assert refused.value.details == {"volume_ranges": ["invalid_volume_ranges"]}


@pytest.mark.parametrize("model", [STANDARD, GRADUATED, VOLUME])
@pytest.mark.parametrize("units", ["0", "1", "1234.5"])
def test_the_default_properties_are_sound_and_cost_nothing(model, units):
    result = price(model, ChargeUsage(D(units), 1), properties.parse(model, properties.defaults(model)))
    assert (result.amount, result.unit_amount) == (0, 0)


def test_the_default_tiers_are_one_open_tier():
    open_tier = tier(0, None, "0", "0")
    assert properties.defaults(GRADUATED) == {"graduated_ranges": [open_tier]}
    assert properties.defaults(VOLUME) == {"volume_ranges": [open_tier]}


# Which switches go with which model.


def combination(**given: Any) -> dict[str, list[str]]:
    """What is wrong with a charge in arrears for a sum, but for what is given."""
    usual: dict[str, Any] = {
        "model": STANDARD,
        "aggregation_type": "sum_agg",
        "recurring": False,
        "pay_in_advance": False,
        "prorated": False,
        "invoiceable": True,
        "regroup_paid_fees": None,
        "min_amount_cents": 0,
    }
    return properties.check_combination(**usual | given)


@pytest.mark.parametrize(
    ("model", "allowed"), [(STANDARD, True), (GRADUATED, True), (VOLUME, False)], ids=lambda value: str(value)
)
def test_volume_is_not_charged_in_advance(model, allowed):
    expected = {} if allowed else {"pay_in_advance": ["invalid_aggregation_type_or_charge_model"]}
    assert combination(model=model, pay_in_advance=True) == expected


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        pytest.param({"model": STANDARD}, True, id="standard"),
        pytest.param({"model": GRADUATED}, True, id="graduated"),
        pytest.param({"model": VOLUME}, True, id="volume"),
        pytest.param({"model": STANDARD, "pay_in_advance": True}, True, id="standard in advance"),
        pytest.param({"model": GRADUATED, "pay_in_advance": True}, False, id="graduated in advance"),
        pytest.param({"model": GRADUATED, "recurring": False}, False, id="graduated of a metered metric"),
        pytest.param({"model": VOLUME, "recurring": False}, False, id="volume of a metered metric"),
        pytest.param({"aggregation_type": "weighted_sum_agg"}, False, id="a weighted sum"),
    ],
)
def test_proration_needs_a_recurring_metric_and_a_model_that_knows_it(given, allowed):
    expected = {} if allowed else {"prorated": ["invalid_billable_metric_or_charge_model"]}
    assert combination(**{"recurring": True, "prorated": True, **given}) == expected


# Laws.

AMOUNTS = st.decimals(0, 10**6, places=4).map(lambda amount: format(amount, "f"))
UNITS = st.decimals(0, 10**6, places=6)


@st.composite
def tier_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Sound tiers, a unit apart."""
    bounds = sorted(draw(st.sets(st.integers(1, 5000).map(lambda n: n * 2), max_size=5)))
    lows, highs = [0, *(bound + 1 for bound in bounds)], [*bounds, None]
    return [tier(low, high, draw(AMOUNTS), draw(AMOUNTS)) for low, high in zip(lows, highs, strict=True)]


@given(tier_lists(), UNITS, UNITS)
def test_more_units_never_cost_less_by_graduated(tiers, one, other):
    fewer, more = sorted((one, other))
    assert priced(GRADUATED, tiers, fewer).amount <= priced(GRADUATED, tiers, more).amount


@given(tier_lists(), UNITS, UNITS)
def test_more_units_of_the_same_tier_never_cost_less_by_volume(tiers, one, other):
    fewer, more = sorted((one, other))
    if all(t["to_value"] is None or (fewer <= t["to_value"]) == (more <= t["to_value"]) for t in tiers):
        assert priced(VOLUME, tiers, fewer).amount <= priced(VOLUME, tiers, more).amount


@given(tier_lists(), st.decimals("0.000001", 1, places=6))
def test_at_a_bound_graduated_leaps_by_the_next_flat_amount_and_nothing_else(tiers, step):
    for lower, upper in pairwise(tiers):
        at = D(lower["to_value"])
        leap = priced(GRADUATED, tiers, at + step).amount - priced(GRADUATED, tiers, at).amount
        assert leap == D(upper["flat_amount"]) + step * D(upper["per_unit_amount"])


@given(tier_lists(), UNITS)
def test_the_tiers_shown_add_up_to_the_units_and_the_amount(tiers, units):
    result = priced(GRADUATED, tiers, units)
    shown = result.details["graduated_ranges"]
    assert sum(D(t["units"]) for t in shown) == units
    assert sum(D(t["total_with_flat_amount"]) for t in shown) == result.amount
    for given_tier, t in zip(tiers, shown, strict=False):
        assert D(t["per_unit_total_amount"]) == D(t["units"]) * D(t["per_unit_amount"])
        assert D(t["flat_unit_amount"]) == D(given_tier["flat_amount"])


@given(tier_lists(), UNITS)
def test_one_open_tier_is_priced_alike_by_both_models(tiers, units):
    only = [tiers[0] | {"to_value": None}]
    graduated, volume = priced(GRADUATED, only, units), priced(VOLUME, only, units)
    assert (graduated.amount, graduated.unit_amount) == (volume.amount, volume.unit_amount)


@given(st.sampled_from(list(NAME)), tier_lists(), UNITS)
def test_amounts_are_exact_decimals_and_texts_in_details(model, tiers, units):
    result = priced(model, tiers, units)
    assert type(result.amount) is type(result.unit_amount) is D
    texts = [v for row in result.details.get("graduated_ranges", [result.details]) for v in row.values()]
    assert all(value is None or type(value) in (str, int) for value in texts)


@pytest.mark.parametrize("model", NAME)
def test_the_largest_quantity_at_the_finest_price_loses_nothing(model):
    finest = [tier(0, 1, "0.000000000000001", "0"), tier(2, None, "999999999999999.999999999999999", "0")]
    units = D("999999999999999.999999999999999")
    cheap = {VOLUME: 0, GRADUATED: 10**15}[model]  # In units of 10^-15: one unit, in the first tier.
    expected = (10**30 - 1 - cheap) * (10**30 - 1) + cheap  # In units of 10^-30.
    numerator, denominator = priced(model, finest, units).amount.as_integer_ratio()
    assert numerator * 10**30 == expected * denominator
