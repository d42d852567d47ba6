"""Prices by package and by the events' own amounts. Source: rules/usage 6.3, 6.7, 6.8, 8, 10."""

from decimal import ROUND_CEILING
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.charges import properties
from chalicelib.domain.charges.models import ChargeModel, price
from chalicelib.domain.charges.usage import ChargeUsage, Priced


def by_package(units: D | str, amount: str, size: int, free: int) -> Priced:
    """The price of some units."""
    given: dict[str, Any] = {"amount": amount, "package_size": size, "free_units": free}
    return price(ChargeModel.PACKAGE, ChargeUsage(D(units), 1), properties.parse(ChargeModel.PACKAGE, given))


@pytest.mark.parametrize(
    ("units", "amount", "size", "free", "expected"),
    [
        pytest.param("0", "5", 100, 100, "0", id="no usage"),
        pytest.param("100", "5", 100, 100, "0", id="all of it free"),
        pytest.param("100.000000000000001", "5", 100, 100, "5", id="a package is begun by any part of a unit"),
        pytest.param("101", "5", 100, 100, "5", id="one unit begins a package"),
        pytest.param("200", "5", 100, 100, "5", id="a full package"),
        pytest.param("201", "5", 100, 100, "10", id="the next one"),
        pytest.param("25300", "1", 1000, 10000, "16", id="ceil(15300 / 1000) x 1"),
        pytest.param("10000", "1", 1000, 10000, "0", id="just what is free"),
        pytest.param("121", "100", 10, 10, "1200", id="111 units are 12 packages"),
        pytest.param("0.5", "2", 1, 0, "2", id="nothing free"),
    ],
)
def test_every_package_begun_costs_a_whole_one(units, amount, size, free, expected):
    assert by_package(units, amount, size, free).amount == D(expected)


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        pytest.param("121", "10.810810810810811", id="1200 / 111 paid units"),
        pytest.param("10", "0", id="none is paid"),
        pytest.param("0", "0", id="no usage"),
    ],
)
def test_one_unit_costs_its_share_among_the_paid_ones(units, expected):
    assert by_package(units, "100", 10, 10).unit_amount == D(expected)


@pytest.mark.parametrize(
    ("units", "free", "paid", "size", "amount"),
    [
        pytest.param("0", "0.0", "0.0", 0, "0.0", id="nothing is said without units"),
        pytest.param("60.5", "100.0", "0.0", 10, "5.0", id="less than what is free"),
        pytest.param("130.5", "100.0", "30.5", 10, "5.0", id="more than what is free"),
    ],
)
def test_package_shows_what_is_free_and_what_is_paid(units, free, paid, size, amount):
    assert by_package(units, "5", 10, 100).details == {
        "free_units": free,
        "paid_units": paid,
        "per_package_size": size,
        "per_package_unit_amount": amount,
    }


@pytest.mark.parametrize(
    ("units", "cents", "amount", "unit_amount"),
    [
        pytest.param("4", "1234.5", "12.345", "3.08625", id="the events' amounts, in currency units"),
        pytest.param("3", "0.000000000000001", "0.00000000000000001", "0", id="to the last decimal"),
        pytest.param("0", "500", "0", "0", id="nothing without units"),
        pytest.param("2", "-500", "0", "0", id="a negative amount owes nothing"),
    ],
)
def test_dynamic_adds_up_the_events_own_amounts(units, cents, amount, unit_amount):
    usage = ChargeUsage(D(units), 2, precise_total_cents=D(cents))
    result = price(ChargeModel.DYNAMIC, usage, properties.parse(ChargeModel.DYNAMIC, {}))
    assert (result.amount, result.unit_amount, result.details) == (D(amount), D(unit_amount), {})


# Laws.

UNITS = st.decimals(0, 10**9, places=6)
AMOUNTS = st.decimals(0, 10**6, places=4).map(lambda amount: format(amount, "f"))
SIZES, FREE = st.integers(1, 10**6), st.integers(0, 10**6)


@given(UNITS, UNITS, AMOUNTS, SIZES, FREE)
def test_more_units_never_cost_less(one, other, amount, size, free):
    fewer, more = sorted((one, other))
    assert by_package(fewer, amount, size, free).amount <= by_package(more, amount, size, free).amount


@given(UNITS, AMOUNTS, SIZES, FREE)
def test_packages_hold_the_paid_units_and_less_than_one_package_more(units, amount, size, free):
    result = by_package(units, amount, size, free)
    paid = D(result.details["paid_units"])
    packages = (paid / size).to_integral_value(ROUND_CEILING)
    assert result.amount == packages * D(amount)
    assert 0 <= packages * size - paid < size
    assert paid == max(D(0), units - free)


@given(UNITS, AMOUNTS, SIZES)
def test_packages_of_one_unit_cost_whole_units(units, amount, size):
    assert by_package(units, amount, 1, 0).amount == units.to_integral_value(ROUND_CEILING) * D(amount)


def test_the_largest_quantity_at_the_finest_price_loses_nothing():
    result = by_package("999999999999999.999999999999999", "999999999999999.999999999999999", 1, 0)
    assert result.amount == 10**30 - 1  # 10^15 packages, each 10^-15 short of 10^15.
