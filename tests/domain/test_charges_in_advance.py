"""What one event owes at once. Source: rules/usage 7, 7.2, 8."""

from collections.abc import Iterable
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.charges import properties
from chalicelib.domain.charges.in_advance import EventFee, Level, event_fee, prorated_event_fee
from chalicelib.domain.charges.models import ChargeModel, price
from chalicelib.domain.charges.usage import ChargeUsage
from chalicelib.domain.money import CONTEXT, round_half_up, to_cents
from tests.domain import test_charge_models, test_percentages
from tests.domain.test_charge_properties import tier as rate_tier

STANDARD, GRADUATED, PACKAGE = ChargeModel.STANDARD, ChargeModel.GRADUATED, ChargeModel.PACKAGE
PERCENTAGE, GRADUATED_PERCENTAGE, DYNAMIC = (
    ChargeModel.PERCENTAGE,
    ChargeModel.GRADUATED_PERCENTAGE,
    ChargeModel.DYNAMIC,
)


def paid(model: ChargeModel, given: dict[str, Any], changes: Iterable[Any]) -> list[EventFee]:
    """The fees of events that come one after the other."""
    parsed = properties.parse(model, given)
    level, before, fees = Level(), ChargeUsage(D(0), 0, values=(), precise_total_cents=D(0)), []
    for change in map(D, changes):
        level = level.after(change)
        assert before.values is not None
        assert before.precise_total_cents is not None
        after = ChargeUsage(
            level.paid, before.events_count + 1, (*before.values, change), before.precise_total_cents + 150
        )
        fees.append(event_fee(model, parsed, change=change, before=before, after=after))
        before = after
    return fees


def shown(fees: Iterable[EventFee]) -> list[tuple[D, D]]:
    """(units, amount) of each."""
    return [(fee.units, fee.priced.amount) for fee in fees]


def figures(*pairs: tuple[Any, Any]) -> list[tuple[D, D]]:
    """(units, amount) as expected."""
    return [(D(units), D(amount)) for units, amount in pairs]


# Which units are new.


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param((1, 1, 1), (1, 1, 1), id="a count grows with each event"),
        pytest.param((10, -4, 8), (10, 0, 4), id="a sum: +10, -4, +8 (total 14, highest 10)"),
        pytest.param((1, -1, 1, 1), (1, 0, 0, 1), id="add a, remove a, add a, add b"),
        pytest.param((1, 0, 1), (1, 0, 1), id="a value that is active already"),
        pytest.param((-4, 3, 2), (0, 0, 1), id="nothing paid yet is 0"),
    ],
)
def test_only_units_above_the_highest_level_are_new(changes, expected):
    level = Level()
    for change, growth in zip(changes, expected, strict=True):
        assert level.growth(D(change)) == growth
        level = level.after(D(change))


def test_a_recurring_period_begins_with_what_its_renewal_paid():
    held = Level(D(5), D(5))
    assert held.after(D(-2)).growth(D(3)) == 1


# What one event owes.

FLATS = {"graduated_ranges": test_charge_models.FIRST}
WITH_FIRST_FLAT = {"graduated_ranges": test_charge_models.SECOND}
BY_PACKAGE = {"amount": "5", "package_size": 100, "free_units": 100}


@pytest.mark.parametrize(
    ("model", "given", "changes", "expected"),
    [
        pytest.param(STANDARD, {"amount": "2"}, (10, -4, 8), [(10, 20), (0, 0), (4, 8)], id="growth at its price"),
        pytest.param(STANDARD, {"amount": "2"}, (10, -4, 3), [(10, 20), (0, 0), (3, 0)], id="a place paid already"),
        pytest.param(STANDARD, {"amount": "2"}, (1, 0), [(1, 2), (0, 0)], id="an event that adds nothing"),
        pytest.param(STANDARD, {"amount": "0"}, (10, -4, 8), [(10, 0), (0, 0), (8, 0)], id="at no price its own units"),
        pytest.param(GRADUATED, FLATS, (100, 1), [(100, 100), (1, "10.5")], id="unit 101: 110.50 - 100.00"),
        pytest.param(
            GRADUATED, WITH_FIRST_FLAT, (0, -1, 1, 1), [(0, 0), (0, 0), (1, 0), (1, 12)], id="below 0 nothing is new"
        ),
        pytest.param(
            GRADUATED,
            WITH_FIRST_FLAT,
            (0, 1, 1),
            [(0, 0), (1, 12), (1, 10)],
            id="the first flat comes once, with a unit",
        ),
        pytest.param(PACKAGE, BY_PACKAGE, (100, 1, 1), [(100, 0), (1, 5), (1, 0)], id="unit 101 pays for 102"),
        pytest.param(
            PERCENTAGE,
            {"rate": "50", "free_units_per_events": 1},
            (4, 4),
            [(4, 0), (4, 2)],
            id="50 % after one free event",
        ),
        pytest.param(
            PERCENTAGE,
            {"rate": "10", "fixed_amount": "2"},
            (10, -4, 3, 0, 8),
            [(10, 3), (0, 0), (3, 0), (0, 2), ("7", "2.7")],
            id="what takes away or is paid already owes no fixed amount",
        ),
        pytest.param(
            PERCENTAGE,
            {"rate": "2.99", "per_transaction_min_amount": "1.75", "per_transaction_max_amount": "12"},
            (10, 80, 10000),
            [(10, "1.75"), (80, "2.392"), (10000, 12)],
            id="each within its bounds",
        ),
        pytest.param(DYNAMIC, {}, (3, 4), [(3, "1.5"), (4, "1.5")], id="its own amount"),
    ],
)
def test_an_event_owes_what_it_adds_to_the_price(model, given, changes, expected):
    assert shown(paid(model, given, changes)) == figures(*expected)


def test_a_duplicate_value_owes_nothing():
    parsed = properties.parse(PERCENTAGE, {"rate": "10", "fixed_amount": "2"})
    same = ChargeUsage(D(3), 3)
    fee = event_fee(PERCENTAGE, parsed, change=D(0), before=same, after=same)
    assert (fee.units, fee.priced.amount, fee.priced.unit_amount) == (0, 0, 0)


@pytest.mark.parametrize(
    ("model", "given", "changes", "expected"),
    [
        pytest.param(STANDARD, {"amount": "2"}, (10, -4, 8), ("2", "0", "2"), id="the price"),
        pytest.param(GRADUATED, FLATS, (100, 2), ("1", "5.5"), id="11 / 2"),
        pytest.param(
            PACKAGE, BY_PACKAGE, (95, 10, 5), ("0", "1", "0"), id="5 / 5 paid units, and what is paid already"
        ),
    ],
)
def test_one_unit_of_an_event_costs_its_share(model, given, changes, expected):
    assert [fee.priced.unit_amount for fee in paid(model, given, changes)] == [D(each) for each in expected]


@pytest.mark.parametrize(
    ("amount", "change", "growth", "days", "of_days", "expected", "units"),
    [
        pytest.param("29", 10, 10, 24, 29, 24000, 10, id="6 February: 10 x 24/29 = 8.27587"),
        pytest.param("29", -5, 0, 20, 29, 0, 0, id="fewer give nothing back"),
        pytest.param("29", 2, 0, 15, 29, 0, 2, id="a place paid already"),
        pytest.param("10", 4, 4, 29, 30, 3867, 4, id="2 September: 4 x 29/30 = 3.86667"),
    ],
)
def test_a_prorated_event_owes_its_new_units_for_the_days_left(amount, change, growth, days, of_days, expected, units):
    parsed = properties.parse(STANDARD, {"amount": amount})
    fee = prorated_event_fee(parsed, change=D(change), growth=D(growth), days=days, of_days=of_days)
    assert round_half_up(to_cents(fee.priced.amount, "EUR")) == expected
    assert (fee.units, fee.priced.details) == (units, {})
    assert fee.priced.unit_amount == pytest.approx(fee.priced.amount / growth if growth else 0)


# What its details show.


def test_the_details_of_an_event_are_empty_but_for_rates():
    charges = ((STANDARD, {"amount": "1"}), (GRADUATED, FLATS), (PACKAGE, BY_PACKAGE), (DYNAMIC, {}))
    assert [fee.priced.details for charge in charges for fee in paid(*charge, (100, 50))] == [{}] * 8


def test_a_percentage_shows_the_difference_that_an_event_makes():
    given = {
        "rate": "1.3",
        "fixed_amount": "2",
        "free_units_per_events": 3,
        "free_units_per_total_aggregation": "250",
    }
    names = ("units", "free_units", "paid_units", "free_events", "paid_events", "per_unit_total_amount")
    names += ("fixed_fee_unit_amount", "fixed_fee_total_amount")
    details = [fee.priced.details for fee in paid(PERCENTAGE, given, (50, 100, 250, 400, -10))]
    assert [tuple(each[name] for name in names) for each in details] == [
        ("50.0", "50.0", "0.0", 1, 0, "0.0", "0.0", "0.0"),
        ("100.0", "100.0", "0.0", 1, 0, "0.0", "0.0", "0.0"),
        ("250.0", "100.0", "150.0", 0, 1, "1.95", "2.0", "2.0"),  # 250 of the total are free.
        ("400.0", "0.0", "400.0", 0, 1, "5.2", "2.0", "2.0"),
        ("0.0", "0.0", "0.0", 0, 0, "0.0", "2.0", "0.0"),
    ]
    assert {each["rate"] for each in details} == {"1.3"}


def test_a_graduated_percentage_shows_the_difference_by_tier():
    tiers = [rate_tier(0, 100, "20", "10"), rate_tier(101, 200, "30", "7"), rate_tier(201, None, "40", "0")]
    first, second, none = paid(GRADUATED_PERCENTAGE, {"graduated_percentage_ranges": tiers}, (50, 100, -20))
    assert first.priced.details == {
        "graduated_percentage_ranges": [
            {
                "from_value": 0,
                "to_value": 100,
                "units": "50.0",
                "rate": "20.0",
                "per_unit_total_amount": "0.4",
                "flat_unit_amount": "10.0",
                "total_with_flat_amount": "20.0",
            }
        ]
    }
    names = ("units", "flat_unit_amount", "per_unit_total_amount", "total_with_flat_amount")
    assert [tuple(t[name] for name in names) for t in second.priced.details["graduated_percentage_ranges"]] == [
        ("50.0", "0.0", "0.2", "10.0"),
        ("50.0", "7.0", "0.44", "22.0"),
    ]
    assert (second.units, second.priced.amount) == (100, 32)
    assert [tuple(t[name] for name in names) for t in none.priced.details["graduated_percentage_ranges"]] == [
        ("0.0", "0.0", "0.0", "0.0"),
        ("0.0", "0.0", "0.0", "0.0"),
    ]


# Laws.

CHANGES = st.lists(st.decimals(0, 5000, places=2), max_size=8)
TEXTS = test_percentages.TEXTS


@st.composite
def models(draw: st.DrawFn) -> tuple[ChargeModel, dict[str, Any]]:
    """A model with some properties."""
    any_of: list[tuple[ChargeModel, st.SearchStrategy[dict[str, Any]]]] = [
        (STANDARD, st.fixed_dictionaries({"amount": TEXTS})),
        (GRADUATED, test_charge_models.tier_lists().map(lambda tiers: {"graduated_ranges": tiers})),
        (
            PACKAGE,
            st.fixed_dictionaries(
                {"amount": TEXTS, "package_size": st.integers(1, 500), "free_units": st.integers(0, 5000)}
            ),
        ),
        (GRADUATED_PERCENTAGE, test_percentages.tier_lists().map(lambda tiers: {"graduated_percentage_ranges": tiers})),
        (
            PERCENTAGE,
            st.builds(
                lambda rate, fixed, free, bounds: {"rate": rate, "fixed_amount": fixed, **free, **bounds},
                TEXTS,
                TEXTS,
                test_percentages.FREE,
                test_percentages.bounds(),
            ),
        ),
    ]
    model, given = draw(st.sampled_from(any_of))
    return model, draw(given)


@given(models(), CHANGES)
def test_events_paid_one_by_one_add_up_to_the_price_of_the_period(charge, changes):
    model, given = charge
    fees = paid(model, given, changes)
    units = sum(changes, D(0))
    usage = ChargeUsage(units, len(changes), values=tuple(changes))
    # Without units no flat amount is paid in advance.
    expected = price(model, usage, properties.parse(model, given)).amount if units else D(0)
    assert sum((fee.priced.amount for fee in fees), D(0)) == expected


@given(models(), CHANGES.filter(bool))
def test_details_of_events_add_up_to_those_of_the_period(charge, changes):
    model, given = charge
    if model is not PERCENTAGE or not sum(changes):
        return
    usage = ChargeUsage(sum(changes, D(0)), len(changes), values=tuple(changes))
    whole = price(model, usage, properties.parse(model, given)).details
    fees = paid(model, given, changes)
    for name in set(whole) - {"rate", "fixed_fee_unit_amount"}:
        assert sum((D(fee.priced.details[name]) for fee in fees), D(0)) == D(whole[name])


@given(models(), st.lists(st.decimals(-100, 100, places=2), max_size=8))
def test_an_event_never_owes_less_than_nothing_and_one_without_growth_nothing(charge, changes):
    model, given = charge
    level = Level()
    for change, fee in zip(changes, paid(model, given, changes), strict=True):
        assert fee.priced.amount >= 0
        assert fee.units >= 0
        if change and not level.growth(change):
            assert (fee.priced.amount, fee.units) == (0, max(D(0), change))
        level = level.after(change)


@given(st.lists(st.decimals(-100, 100, places=2), max_size=10))
def test_growth_adds_up_to_the_highest_level(changes):
    level, grown = Level(), D(0)
    for change in changes:
        grown = CONTEXT.add(grown, level.growth(change))
        level = level.after(change)
    assert grown == level.paid == max([D(0), *(sum(changes[: n + 1], D(0)) for n in range(len(changes)))])
