"""Codes as texts, and values as people read them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.console import format, texts
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.money import CURRENCIES, exponent


@pytest.mark.parametrize("code", [str(code) for code in ErrorCode])
def test_every_code_says_what_to_do(code):
    assert texts.has_text(code)


def test_a_code_that_nobody_knows_is_shown_as_it_is():
    assert texts.refusal("no_such_code").text == "no_such_code"


@pytest.mark.parametrize(
    ("cents", "currency", "text"),
    [
        (465577, "EUR", "€4,655.77"),
        (-5, "EUR", "−€0.05"),
        (1234, "JPY", "¥1,234"),
        (1234567, "KWD", "KWD 1,234.567"),
        (0, "USD", "$0.00"),
        (10**17, "USD", "$1,000,000,000,000,000.00"),
        (None, "EUR", "–"),
    ],
)
def test_money(cents, currency, text):
    assert format.money(cents, currency).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0.015609", "€0.015609"),
        ("0.5", "€0.50"),
        ("12", "€12.00"),
        ("0.000000000000001", "€0.000000000000001"),
        ("", "–"),
    ],
)
def test_prices_keep_all_their_digits(amount, text):
    assert format.price(amount, "EUR") == text


@pytest.mark.parametrize(
    ("value", "text"), [("144171", "144,171"), ("0.50", "0.5"), ("-3", "−3"), ("1e3", "1,000"), (None, "–")]
)
def test_units(value, text):
    assert format.units(value) == text


@given(st.integers(-(10**17), 10**17), st.sampled_from(sorted(CURRENCIES)))
def test_an_amount_that_is_typed_as_it_was_shown_is_the_same(cents, currency):
    assert format.as_minor(format.as_typed(cents, currency), currency) == cents


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(CURRENCIES)))
def test_money_shows_every_digit(cents, currency):
    shown = format.money(cents, currency)
    digits = "".join(each for each in shown if each.isdigit())
    assert int(digits) == abs(cents)
    assert shown.startswith("−") == (cents < 0)


@pytest.mark.parametrize("text", ["", "x", "1.234", "NaN", "Infinity", "1e30", "--1"])
def test_what_is_no_amount_is_none(text):
    assert format.as_minor(text, "EUR") is None


def test_every_currency_has_its_own_decimals():
    assert format.as_minor("1.5", "JPY") is None
    assert format.as_minor("1.234", "KWD") == 1234
    assert all(
        format.as_typed(1, each) == f"{Decimal(1).scaleb(-exponent(each)):.{exponent(each)}f}" for each in CURRENCIES
    )


def test_instants_stand_in_a_zone():
    assert format.moment("2026-10-19T14:20:00Z", "Europe/Paris", time=True) == "Oct 19, 2026, 16:20"
    assert format.moment("2026-09-30T15:00:00Z", "Asia/Tokyo") == "Oct 1, 2026"


@pytest.mark.parametrize(
    ("end", "zone", "day"),
    [
        ("2026-08-31T15:00:00Z", "Asia/Tokyo", "Aug 31, 2026"),  # Midnight: the day before is the last one.
        ("2026-08-31T14:59:59Z", "Asia/Tokyo", "Aug 31, 2026"),
        ("2026-08-31T21:59:59Z", "Europe/Paris", "Aug 31, 2026"),
    ],
)
def test_the_last_day_of_a_period_is_inclusive(end, zone, day):
    assert format.last_day(end, zone) == day


def test_a_tooltip_tells_three_times():
    assert format.tip("2026-08-03T08:00:00Z", "Europe/Paris", "Asia/Tokyo").split("\n") == [
        "UTC|Aug 3, 2026, 08:00:00",
        "Organization|Aug 3, 2026, 10:00:00 · Europe/Paris",
        "Customer|Aug 3, 2026, 17:00:00 · Asia/Tokyo",
    ]
