"""Which property values count, and how units are rounded. Source: usage.md sections 2 and 3."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.aggregation.numbers import quantity
from chalicelib.domain.aggregation.rounding import rounded
from chalicelib.domain.charges import properties
from chalicelib.domain.charges.models import ChargeModel, ChargeUsage, price


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
    ],
)
def test_numbers_and_their_texts_count(value, number):
    assert quantity(value) == Decimal(number)


@pytest.mark.parametrize(
    "value", ["", "1,5", "1e3", " 1", "abc", "+1", ".5", "1.", None, True, [], {}, "1000000000000000", "٣", "9" * 70]
)
def test_anything_else_does_not(value):
    assert quantity(value) is None


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_a_quantity_always_fits_a_counter(value):
    number = quantity(value)
    if number is not None:
        assert abs(number) < 10**15
        assert -number.as_tuple().exponent <= 15


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
