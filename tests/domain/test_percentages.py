"""Prices by rate, of all usage and by tier. Source: rules/usage 6.4, 6.6, 6.8, 8."""

from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.charges import properties
from chalicelib.domain.charges.models import ChargeModel, price
from chalicelib.domain.charges.usage import ChargeUsage, Priced
from tests.domain.test_charge_properties import tier

PERCENTAGE, GRADUATED_PERCENTAGE = ChargeModel.PERCENTAGE, ChargeModel.GRADUATED_PERCENTAGE
EVENTS, TOTAL = "free_units_per_events", "free_units_per_total_aggregation"


def used(*values: Any) -> ChargeUsage:
    """Usage by its events."""
    exact = tuple(D(str(value)) for value in values)
    return ChargeUsage(max(D(0), sum(exact, D(0))), len(exact), values=exact)


def percentage(usage: ChargeUsage, rate: str, **given: Any) -> Priced:
    """The price of some usage."""
    return price(PERCENTAGE, usage, properties.parse(PERCENTAGE, {"rate": rate, **given}))


def without_bounds(free_events: int | None, free_total: str | None) -> dict[str, Any]:
    """What is free."""
    return {EVENTS: free_events, TOTAL: free_total}


@pytest.mark.parametrize(
    ("values", "free", "for_units", "fixed", "expected"),
    [
        pytest.param((200, 100), (None, None), "3.6", "0.2", "3.80", id="300 x 1.2 % + 2 x 0.10"),
        pytest.param((200, 100, 100, 50), (3, "500"), "0.6", "0.1", "0.70", id="(450 - 400) x 1.2 % + 1 x 0.10"),
        pytest.param((200, 100, 100, 50), (3, None), "0.6", "0.1", "0.70", id="the first three events free"),
        pytest.param(
            (200, 100, 100, 50, 100), (None, "500"), "0.6", "0.1", "0.70", id="(550 - 500) x 1.2 % + (5 - 4) x 0.10"
        ),
        pytest.param((300, 300, 10), (3, "500"), "1.32", "0.2", "1.52", id="(610 - 500) x 1.2 % + (3 - 1) x 0.10"),
        pytest.param((), (None, None), "0.0", "0.0", "0", id="no usage"),
        pytest.param((0, 0), (None, None), "0.0", "0.0", "0", id="events without units owe no fixed amount"),
        pytest.param((50,), (3, None), "0.0", "0.0", "0", id="fewer events than are free"),
        pytest.param(
            (50, 50), (None, "100"), "0.0", "0.1", "0.10", id="the event that reaches the free amount is paid"
        ),
        pytest.param(
            (600, 10), (3, "500"), "1.32", "0.0", "1.32", id="no total below the amount: the events stay free"
        ),
        pytest.param((600, 10), (None, "500"), "1.32", "0.2", "1.52", id="and without free events all are paid"),
        pytest.param((600, 10), (1, "0"), "0.12", "0.1", "0.22", id="a free amount of 0 is none"),
        pytest.param((20, -30, 40), (1, None), "0.12", "0.2", "0.32", id="(30 - 20) x 1.2 % + 2 x 0.10"),
        pytest.param((90, 20, -50), (None, "100"), "0.0", "0.2", "0.20", id="60 of 100 free; one total below"),
    ],
)
def test_a_rate_and_fixed_amounts_of_what_is_not_free(values, free, for_units, fixed, expected):
    result = percentage(used(*values), "1.2", fixed_amount="0.10", **without_bounds(*free))
    assert result.amount == D(expected)
    assert result.details["per_unit_total_amount"] == for_units
    assert result.details["fixed_fee_total_amount"] == fixed
    assert result.details["min_max_adjustment_total_amount"] == "0.0"


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        pytest.param({}, "16.142", id="1.75 + 2.392 + 12"),
        pytest.param({"fixed_amount": "2"}, "18.691", id="2.299 + 4.392 + 12"),
        pytest.param({EVENTS: 2}, "12", id="0 + 0 + 12"),
        pytest.param({TOTAL: "30"}, "13.794", id="0 + 60 x 2.99 % + 12"),
        pytest.param({EVENTS: 3, TOTAL: "10000"}, "2.691", id="0 + 0 + 90 x 2.99 %"),
        pytest.param({TOTAL: "90"}, "13.75", id="0 + the lowest for a rest of 0 + 12"),
        pytest.param({EVENTS: 1, TOTAL: "20000"}, "0", id="an amount that remains frees events beyond the free ones"),
        pytest.param({EVENTS: 3, TOTAL: "30"}, "13.794", id="an amount that is used up ends the free events"),
    ],
)
def test_each_transaction_costs_at_least_and_at_most(extra, expected):
    bounds = {"per_transaction_min_amount": "1.75", "per_transaction_max_amount": "12"}
    result = percentage(used(10, 80, 10000), "2.99", **bounds, **extra)
    assert result.amount == D(expected)
    assert sum_of_parts(result) == result.amount


def test_one_bound_alone_and_none_without_units():
    assert percentage(used(10, 80), "2.99", per_transaction_min_amount="1.75").amount == D("4.142")  # 1.75 + 2.392
    assert percentage(used(10, 10000), "2.99", per_transaction_max_amount="12").amount == D("12.299")  # 0.299 + 12
    assert percentage(used(10, -10), "2.99", per_transaction_min_amount="1.75").amount == 0
    assert percentage(used(1000, -999), "10", per_transaction_max_amount="1").amount == 0  # 1 - 99.9


def test_percentage_shows_what_is_free_and_what_is_paid():
    result = percentage(used(50, 100, 250, 400), "1.3", fixed_amount="2", **without_bounds(3, "250"))
    assert result.details == {
        "units": "800.0",
        "free_units": "250.0",
        "paid_units": "550.0",
        "free_events": 2,
        "paid_events": 2,
        "rate": "1.3",
        "per_unit_total_amount": "7.15",
        "fixed_fee_unit_amount": "2.0",
        "fixed_fee_total_amount": "4.0",
        "min_max_adjustment_total_amount": "0.0",
    }
    assert result.amount == D("11.15")
    assert result.unit_amount == D("0.0139375")  # 11.15 / 800


def test_percentage_shows_what_the_bounds_of_transactions_add():
    result = percentage(used(10, 80, 10000), "2.99", per_transaction_max_amount="12", fixed_amount="2")
    assert result.details["per_unit_total_amount"] == "301.691"  # 10090 x 2.99 %
    assert result.details["fixed_fee_total_amount"] == "6.0"
    assert result.details["min_max_adjustment_total_amount"] == "-289.0"  # 2.299 + 4.392 + 12 = 18.691


def test_without_a_paid_event_no_fixed_amount_is_shown():
    free = percentage(used(5), "1", fixed_amount="2", **without_bounds(3, None)).details
    assert (free["free_events"], free["paid_events"], free["fixed_fee_unit_amount"]) == (1, 0, "0.0")
    none = percentage(used(), "1", fixed_amount="2").details
    assert (none["units"], none["paid_events"], none["fixed_fee_unit_amount"], none["rate"]) == ("0.0", 0, "0.0", "1.0")


def test_units_and_the_number_of_events_suffice_where_nothing_is_free():
    assert percentage(ChargeUsage(D(300), 2), "1.2", fixed_amount="0.10").amount == D("3.80")


# By tier.

TIERS = [tier(0, 1000, "1", "2"), tier(1001, None, "0.5", "3")]


def by_tiers(tiers: list[dict[str, Any]], units: D | str) -> Priced:
    """The price of some units."""
    parsed = properties.parse(GRADUATED_PERCENTAGE, {"graduated_percentage_ranges": tiers})
    return price(GRADUATED_PERCENTAGE, ChargeUsage(D(units), 1), parsed)


@pytest.mark.parametrize(
    ("units", "expected", "unit_amount"),
    [
        pytest.param("0", "2", "0", id="no usage owes the first flat amount"),
        pytest.param("500", "7", "0.014", id="500 x 1 % + 2"),
        pytest.param("1000", "12", "0.012", id="the bound belongs to the lower tier: 1000 x 1 % + 2"),
        pytest.param("3000", "25.00", "0.008333333333333", id="12 + 2000 x 0.5 % + 3"),
    ],
)
def test_graduated_percentage_prices_each_unit_at_the_rate_of_its_tier(units, expected, unit_amount):
    result = by_tiers(TIERS, units)
    assert (result.amount, result.unit_amount) == (D(expected), D(unit_amount))


def test_graduated_percentage_shows_each_tier_reached():
    assert by_tiers(TIERS, "3000").details == {
        "graduated_percentage_ranges": [
            {
                "from_value": 0,
                "to_value": 1000,
                "units": "1000.0",
                "rate": "1.0",
                "per_unit_total_amount": "10.0",
                "flat_unit_amount": "2.0",
                "total_with_flat_amount": "12.0",
            },
            {
                "from_value": 1001,
                "to_value": None,
                "units": "2000.0",
                "rate": "0.5",
                "per_unit_total_amount": "10.0",
                "flat_unit_amount": "3.0",
                "total_with_flat_amount": "13.0",
            },
        ]
    }
    assert len(by_tiers(TIERS, "1000").details["graduated_percentage_ranges"]) == 1


# Laws.

AMOUNTS = st.decimals(0, 10**4, places=4)
TEXTS = AMOUNTS.map(lambda amount: format(amount, "f"))
VALUES = st.lists(st.decimals(0, 10**4, places=2), max_size=8)
FREE = st.fixed_dictionaries({EVENTS: st.none() | st.integers(1, 6), TOTAL: st.none() | TEXTS})


def sum_of_parts(result: Priced) -> D:
    """What the details say that it costs."""
    names = ("per_unit_total_amount", "fixed_fee_total_amount", "min_max_adjustment_total_amount")
    return sum((D(result.details[name]) for name in names), D(0))


@st.composite
def bounds(draw: st.DrawFn) -> dict[str, Any]:
    """None, one or both of the bounds of a transaction."""
    low, high = sorted((draw(AMOUNTS), draw(AMOUNTS)))
    given = {"per_transaction_min_amount": format(low, "f"), "per_transaction_max_amount": format(high, "f")}
    return {name: amount if draw(st.booleans()) else None for name, amount in given.items()}


@given(VALUES, TEXTS, TEXTS, FREE, bounds())
def test_the_parts_shown_add_up(values, rate, fixed, free, bounded):
    result = percentage(used(*values), rate, fixed_amount=fixed, **free, **bounded)
    shown = result.details
    assert sum_of_parts(result) == result.amount >= 0
    assert D(shown["free_units"]) + D(shown["paid_units"]) == D(shown["units"]) == sum(values, D(0))
    assert shown["free_events"] + shown["paid_events"] == (len(values) if sum(values) else 0)
    assert D(shown["fixed_fee_total_amount"]) == shown["paid_events"] * D(shown["fixed_fee_unit_amount"])
    assert D(shown["per_unit_total_amount"]) == D(shown["paid_units"]) * D(rate) / 100


@given(VALUES.filter(sum), TEXTS, TEXTS, bounds())
def test_transactions_stay_within_their_bounds(values, rate, fixed, bounded):
    amount = percentage(used(*values), rate, fixed_amount=fixed, **bounded).amount
    low, high = bounded["per_transaction_min_amount"], bounded["per_transaction_max_amount"]
    assert low is None or amount >= len(values) * D(low)
    assert high is None or amount <= len(values) * D(high)


@given(VALUES, TEXTS, TEXTS, FREE)
def test_bounds_that_no_transaction_meets_change_nothing_but_for_the_kind_of_what_is_free(values, rate, fixed, free):
    # With both kinds free, transactions priced one by one stay free while an amount remains; without bounds they do not.
    if free[EVENTS] is not None and free[TOTAL] is not None:
        free = free | {TOTAL: None}
    given = {"fixed_amount": fixed, **free}
    wide = percentage(used(*values), rate, **given, per_transaction_min_amount="0")
    assert wide.amount == percentage(used(*values), rate, **given).amount


@given(VALUES, TEXTS, TEXTS, FREE)
def test_what_is_free_never_makes_it_dearer(values, rate, fixed, free):
    usage = used(*values)
    assert (
        percentage(usage, rate, fixed_amount=fixed, **free).amount <= percentage(usage, rate, fixed_amount=fixed).amount
    )


@st.composite
def tier_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Sound tiers, a unit apart or sharing their bounds."""
    highs = sorted(draw(st.sets(st.integers(1, 5000).map(lambda n: n * 2), max_size=5)))
    gap = draw(st.integers(0, 1))
    lows = [0, *(high + gap for high in highs)]
    return [tier(low, high, draw(TEXTS), draw(TEXTS)) for low, high in zip(lows, [*highs, None], strict=True)]


@given(tier_lists(), st.decimals(0, 20000, places=6))
def test_the_tiers_shown_add_up_to_the_units_and_the_amount(tiers, units):
    result = by_tiers(tiers, units)
    shown = result.details["graduated_percentage_ranges"]
    assert sum(D(t["units"]) for t in shown) == units
    assert sum(D(t["total_with_flat_amount"]) for t in shown) == result.amount
    for given_tier, t in zip(tiers, shown, strict=False):
        assert D(t["per_unit_total_amount"]) == D(t["units"]) * D(t["rate"]) / 100
        assert (D(t["rate"]), D(t["flat_unit_amount"])) == (D(given_tier["rate"]), D(given_tier["flat_amount"]))


@given(tier_lists(), st.decimals(0, 20000, places=6))
def test_a_rate_is_a_price_per_hundred(tiers, units):
    prices = [
        {name: t[name] for name in ("from_value", "to_value", "flat_amount")}
        | {"per_unit_amount": format(D(t["rate"]).scaleb(-2), "f")}
        for t in tiers
    ]
    parsed = properties.parse(ChargeModel.GRADUATED, {"graduated_ranges": prices})
    assert by_tiers(tiers, units).amount == price(ChargeModel.GRADUATED, ChargeUsage(units, 1), parsed).amount
