"""Which property values count, and how units are rounded. Source: rules/usage 2, 3."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import limits
from chalicelib.domain.aggregation.numbers import is_countable, quantity
from chalicelib.domain.aggregation.rounding import rounded
from chalicelib.domain.charges import properties
from chalicelib.domain.charges.models import ChargeModel, price
from chalicelib.domain.charges.usage import ChargeUsage
from chalicelib.domain.money import CONTEXT


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("12", "12"),
        ("-3.50", "-3.50"),
        (7, "7"),
        (Decimal("0.1"), "0.1"),
        ("0.0000000000000014", "0.000000000000001"),
        ("999999999999999", "999999999999999"),
        ("999999999999999.999999999999999", "999999999999999.999999999999999"),
        (10**15, "1000000000000000"),
        ("1000000000000000000.000000000000001", "1000000000000000000.000000000000001"),
        ("-99999999999999999999999.999999999999999", "-99999999999999999999999.999999999999999"),
        (10**23 - 1, "99999999999999999999999"),
        (Decimal("1E+22"), "10000000000000000000000"),
        (Decimal("0E+999999"), "0"),
        (Decimal("-1E-999999"), "0"),
        ("0" * 90 + "7.5", "7.5"),
    ],
)
def test_numbers_and_their_texts_count(value, number):
    assert quantity(value) == Decimal(number)


@pytest.mark.parametrize(
    "value", ["", "1,5", "1e3", " 1", "abc", "+1", ".5", "1.", None, True, [], {}, "٣", "9" * 70, 10**23, "0" * 101]
)
def test_anything_else_does_not(value):
    assert quantity(value) is None
    assert not is_countable(value)


def test_what_is_rounded_up_to_the_bound_is_beyond_it():
    assert quantity("99999999999999999999999.9999999999999994") == Decimal("99999999999999999999999.999999999999999")
    assert quantity("99999999999999999999999.9999999999999995") is None


@pytest.mark.parametrize(
    ("value", "is_one"), [(0, True), ("-0.00", True), ("0.0000000000000005", True), ("-0.0000000000000004", False)]
)
def test_what_would_count_as_nothing_is_told_from_nothing(value, is_one):
    assert is_countable(value) is is_one


def test_quantities_are_as_long_as_limits_say():
    longest = "9" * limits.QUANTITY_DIGITS_BEFORE + "." + "9" * limits.QUANTITY_DIGITS_AFTER
    assert quantity(longest) == Decimal(longest)
    assert quantity(f"1{'0' * limits.QUANTITY_DIGITS_BEFORE}") is None


LONG = st.decimals(-(10**33), 10**33, places=15, allow_nan=False).map(CONTEXT.plus)
PRICES = st.decimals(0, Decimal(f"{'9' * 15}.{'9' * 15}"), places=15, allow_nan=False)


@given(LONG, PRICES)
def test_sums_of_the_largest_quantities_are_priced_exactly(units, amount):
    units, parsed = abs(units), properties.parse(ChargeModel.STANDARD, {"amount": format(amount, "f")})
    priced = price(ChargeModel.STANDARD, ChargeUsage(units, 1), parsed).amount
    assert Fraction(priced) == Fraction(units) * Fraction(parsed.amount)


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_a_quantity_always_fits_a_counter(value):
    number = quantity(value)
    if number is not None:
        assert abs(number) < 10**23
        assert -number.as_tuple().exponent <= 15
        assert len(format(number, "f")) <= 40


@pytest.mark.parametrize(
    ("function", "precision", "units"),
    [("ceil", 1, "5.4"), ("floor", 0, "5"), ("round", 2, "5.33"), (None, None, "5.333")],
)
def test_units_are_rounded_by_the_metrics_function(function, precision, units):
    assert rounded(Decimal("5.333"), function, precision) == Decimal(units)


@pytest.mark.parametrize(
    ("units", "amount", "result"),
    [("1000", "0.05", "50.00"), ("3", "0.333333333333333", "0.999999999999999"), ("0", "9", "0")],
)
def test_standard_prices_every_unit_alike(units, amount, result):
    parsed = properties.parse(ChargeModel.STANDARD, {"amount": amount})
    assert price(ChargeModel.STANDARD, ChargeUsage(Decimal(units), 1), parsed).amount == Decimal(result)


@pytest.mark.parametrize("amount", [None, 5, 0.5, "-1", "1e2", "", "NaN", "1.2345678901234567"])
def test_an_amount_is_a_decimal_text(amount):
    with pytest.raises(properties.PropertyErrors) as refused:
        properties.parse(ChargeModel.STANDARD, {"amount": amount})
    assert refused.value.details == {"amount": ["invalid_amount"]}
