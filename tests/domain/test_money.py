"""Exact amounts and parts of them. Source: rules/billing-periods 4, 7."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import money, proration
from chalicelib.domain.intervals import Interval


@pytest.mark.parametrize(
    ("amount", "days", "of", "cents"),
    [
        pytest.param(5000, 22, 31, 3548, id="$50 from 10 August: 3548.387"),
        pytest.param(1000, 16, 30, 533, id="10 from 15 April: 533.33"),
        pytest.param(7000, 4, 7, 4000, id="$70 a week from Thursday"),
        pytest.param(120000, 261, 365, 85808, id="$1200 a year from 15 April"),
        pytest.param(120000, 261, 366, 85574, id="the same in a leap year"),
        pytest.param(91000, 42, 91, 42000, id="$910 a quarter from 20 May"),
        pytest.param(2000, 10, 31, 645, id="upgrade on 11 May, old plan"),
        pytest.param(4000, 21, 31, 2710, id="upgrade on 11 May, new plan"),
        pytest.param(2000, 11, 31, 710, id="ended on 11 May"),
        pytest.param(5000000, 17, 31, 2741935, id="after a trial of ten days"),
        pytest.param(120000, 235, 365, 77260, id="monthly to yearly on 11 May"),
    ],
)
def test_a_part_of_a_period_is_rounded_once(amount, days, of, cents):
    assert money.round_half_up(proration.prorated(amount, days=days, period_days=of)) == cents


@pytest.mark.parametrize(
    ("current", "new", "upgrade"),
    [
        ((2000, "monthly"), (4000, "monthly"), True),
        ((2000, "monthly"), (1500, "monthly"), False),
        ((2000, "monthly"), (30000, "yearly"), True),
        ((2000, "monthly"), (18000, "yearly"), False),
        ((1000, "weekly"), (4300, "monthly"), False),
        ((2000, "monthly"), (2000, "monthly"), True),
    ],
)
def test_plans_are_compared_by_their_price_per_year(current, new, upgrade):
    assert proration.is_upgrade(current=(current[0], Interval(current[1])), new=(new[0], Interval(new[1]))) is upgrade


@pytest.mark.parametrize(
    ("plan", "left", "of", "fee", "credited", "unused"),
    [
        pytest.param(2000, 20, 31, 2000, 0, "1290.32258", id="ended on 11 May"),
        pytest.param(2000, 21, 31, 2000, 0, "1354.83870", id="upgraded on 11 May, cut and not rounded"),
        pytest.param(4000, 11, 31, 2710, 0, "1419.35483", id="a second upgrade"),
        pytest.param(4000, 31, 31, 2710, 710, "2000.00000", id="never more than the fee less what was credited"),
        pytest.param(4000, 5, 31, 100, 100, "0.00000", id="nothing left"),
    ],
)
def test_what_is_given_back_never_exceeds_what_was_billed(plan, left, of, fee, credited, unused):
    found = proration.unused_cents(plan, days_left=left, period_days=of, fee_cents=fee, credited_cents=credited)
    assert found == Decimal(unused)


@pytest.mark.parametrize(
    ("amount", "cents"),
    [("0.175", 18), ("0.174", 17), ("1.005", 101), ("0.999999999999999", 100), ("-0.005", -1), ("33.333333333", 3333)],
)
def test_halves_round_away_from_zero(amount, cents):
    assert money.round_half_up(money.to_cents(Decimal(amount), "EUR")) == cents


# ISO 4217, but for the currencies of 2 decimals.
_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF",
}


@pytest.mark.parametrize("currency", sorted(money.CURRENCIES))
def test_minor_units_are_those_of_iso_4217(currency):
    expected = next((decimals for decimals, listed in _DECIMALS.items() if currency in listed.split()), 2)
    assert money.exponent(currency) == expected
    assert money.to_cents(Decimal(1), currency) == 10**expected


@pytest.mark.parametrize(
    ("value", "text"), [("0", "0.0"), ("3", "3.0"), ("12.50", "12.5"), ("1E+3", "1000.0"), ("-0.0", "0.0")]
)
def test_decimals_are_shown_in_plain_digits(value, text):
    assert money.decimal_string(Decimal(value)) == text


@given(st.integers(0, 10**9), st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_parts_of_a_period_add_up_to_the_whole_within_a_cent_a_part(amount, days):
    whole = sum(days)
    parts = [proration.prorated(amount, days=part, period_days=whole) for part in days]
    assert abs(sum(parts) - amount) < Decimal("0.0000001")
    assert all(0 <= part <= amount + Decimal("0.0000001") for part in parts)
    assert proration.prorated(amount, days=whole, period_days=whole) == amount


@pytest.mark.parametrize(
    ("amount", "whole"),
    [("1/2", 1), ("-1/2", -1), ("1/3", 0), ("-2/3", -1), ("5556/10", 556), ("7", 7), ("0", 0), ("-3/2", -2)],
)
def test_fractions_round_as_decimals_do(amount, whole):
    assert money.round_half_up(Fraction(amount)) == whole


def test_a_fraction_is_shown_with_every_digit_that_it_has():
    assert money.to_decimal(Fraction(258064516, 10**6)) == Decimal("258.064516")
    assert str(money.to_decimal(Fraction(400))) == "400"
    assert money.to_decimal(Fraction(1, 3)).quantize(Decimal("0.00001")) == Decimal("0.33333")
