"""Discounts of coupons. Source: rules/invoices 5; rules/money 1."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.invoicing import coupons
from chalicelib.domain.invoicing.coupons import Coupon, Limit
from chalicelib.domain.money import to_decimal


def amount(cents: int, *fees: int) -> Coupon:
    return Coupon("c", amount_cents=cents, fees=frozenset(fees) if fees else None)


def percent(rate: str, *fees: int) -> Coupon:
    return Coupon("p", rate=Decimal(rate), fees=frozenset(fees) if fees else None)


def given_of(discounts):
    return [discount.amount_cents for discount in discounts]


@pytest.mark.parametrize(
    ("coupon", "fees", "expected"),
    [
        pytest.param(percent("15"), [5999], [900], id="15 % of 59.99: 8.9985"),
        pytest.param(amount(10000), [6000], [6000], id="never more than the base"),
        pytest.param(amount(10000), [4000, 4000], [8000], id="two subscriptions of 40.00"),
        pytest.param(percent("1"), [20], [], id="0.002 is no discount"),
        pytest.param(percent("150"), [20], [20], id="never more than all"),
        pytest.param(Coupon("c", amount_cents=5, fees=frozenset()), [20], [], id="limited, without a matching fee"),
        pytest.param(amount(5), [], [], id="no fees"),
        pytest.param(amount(5), [0], [], id="nothing to discount"),
    ],
)
def test_a_discount_is_rounded_once_and_never_more_than_its_base(coupon, fees, expected):
    assert given_of(coupons.before_tax([coupon], fees)) == expected
    assert given_of(coupons.after_tax([coupon], [Fraction(cents) for cents in fees], sum(fees))) == expected


def test_what_is_left_of_a_fixed_coupon_is_used_on_the_next_invoices():
    left, taken = 10000, []
    for fee in (6000, 3000, 5000):
        taken += given_of(coupons.before_tax([amount(left)], [fee]))
        left -= taken[-1]
    assert taken == [6000, 3000, 1000]
    assert given_of(coupons.before_tax([amount(10000)], [5000])) == [5000]  # Recurring: the same amount each time.


def test_before_tax_a_coupon_takes_what_earlier_ones_left_of_its_fees():
    first, second = coupons.before_tax([percent("10", 1), amount(1000)], [5000, 2000])
    assert (first.amount_cents, first.shares) == (200, (0, 200))
    assert second.amount_cents == 1000
    assert [round(to_decimal(share), 3) for share in second.shares] == [Decimal("735.294"), Decimal("264.706")]
    assert sum(second.shares) == 1000


def test_before_tax_shares_never_exceed_a_fee_with_fractions_left():
    # 10 over fees of 7 and 10 leaves 2.88 of the first: a limited coupon takes 2.
    first, second = coupons.before_tax([amount(10), percent("100", 0)], [7, 10])
    assert (first.amount_cents, second.amount_cents) == (10, 2)


def test_after_tax_a_limited_base_is_exact_and_ends_at_zero():
    # 0.17 and 4.46 with 20 %: 5.556 of a total of 5.56.
    gross = [Fraction("20.4"), Fraction("535.2")]
    assert given_of(coupons.after_tax([percent("100", 0, 1)], gross, 556)) == [556]


def test_after_tax_a_limited_coupon_takes_what_an_earlier_one_left_of_its_fee():
    gross = [Fraction(1000), Fraction(1000)]
    assert given_of(coupons.after_tax([amount(700, 0), amount(700, 0), amount(5000)], gross, 2000)) == [700, 300, 1000]


def test_after_tax_the_base_is_what_credit_notes_left():
    assert given_of(coupons.after_tax([percent("10")], [Fraction(5500), Fraction(2200)], 5700)) == [570]
    assert given_of(coupons.after_tax([amount(3000, 0)], [Fraction(5500)], 1000)) == [1000]
    assert given_of(coupons.after_tax([percent("50", 0)], [Fraction(5500)], 1000)) == [500]


def test_limited_coupons_come_first_and_older_ones_before_newer_ones():
    def applied(name: str, limit: Limit, day: int) -> tuple[Limit, datetime, Coupon]:
        return limit, datetime(2024, 1, day, tzinfo=UTC), Coupon(name, amount_cents=1)

    rows = [
        applied("all, old", Limit.NONE, 1),
        applied("plan, new", Limit.PLANS, 4),
        applied("metric", Limit.METRICS, 5),
        applied("plan, old", Limit.PLANS, 3),
        applied("all, new", Limit.NONE, 2),
    ]
    assert [each.id for each in coupons.in_order(rows)] == ["metric", "plan, old", "plan, new", "all, old", "all, new"]


@pytest.mark.parametrize("terms", [{}, {"amount_cents": 1, "rate": Decimal(1)}])
def test_a_coupon_has_an_amount_or_a_rate(terms):
    with pytest.raises(ValueError, match="either"):
        Coupon("c", **terms)


FEES = 4
limits = st.none() | st.frozensets(st.integers(0, FEES - 1))
some_coupons = st.lists(
    st.builds(Coupon, st.just("c"), st.integers(1, 10**4), st.none(), limits)
    | st.builds(Coupon, st.just("p"), st.none(), st.decimals("0.01", 100, places=2), limits),
    max_size=5,
)
fee_amounts = st.lists(st.integers(0, 10**4), min_size=FEES, max_size=FEES)


@settings(max_examples=60)
@given(some_coupons, fee_amounts)
def test_shares_add_up_to_the_discount_and_fit_into_their_fees(found, fees):
    discounts = coupons.before_tax(found, fees)
    assert all(discount.amount_cents == sum(discount.shares) > 0 for discount in discounts)
    taken = coupons.shares_of_fees(discounts, len(fees))
    assert all(0 <= share <= fee for share, fee in zip(taken, fees, strict=True))


@settings(max_examples=60)
@given(some_coupons, fee_amounts, st.integers(0, 30), st.integers(0, 10**4))
def test_discounts_after_tax_never_exceed_what_is_left(found, fees, rate, noted):
    gross = [Fraction(fee * (100 + rate), 100) for fee in fees]
    total = max(0, round(sum(gross)) - noted)
    discounts = coupons.after_tax(found, gross, total)
    assert sum(given_of(discounts)) <= total
    assert all(discount.amount_cents == sum(discount.shares) > 0 for discount in discounts)
