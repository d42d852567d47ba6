"""From fees to the total due, in both modes. Source: rules/invoices 3, 4, 5, 8.3; rules/money 1, 2."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.invoicing.coupons import Coupon
from chalicelib.domain.invoicing.steps import AFTER_TAX, BEFORE_TAX, VERSION_NUMBERS, Credits, TaxedFee, totals
from chalicelib.domain.invoicing.taxes import TaxRate
from chalicelib.domain.invoicing.wallets import Wallet
from chalicelib.domain.money import to_decimal

SUBSCRIPTION, CALLS = ("subscription", None), ("charge", "calls")


def fee(cents: int, *rates: str, bucket=SUBSCRIPTION) -> TaxedFee:
    taxes = tuple(TaxRate(str(n), str(n), "t", Decimal(rate)) for n, rate in enumerate(rates))
    return TaxedFee(cents, taxes, bucket)


@pytest.mark.parametrize(
    ("mode", "note", "without_tax", "tax", "coupon", "total"),
    [
        (AFTER_TAX, 0, 7000, 700, 1000, 3700),
        (BEFORE_TAX, 0, 6000, 600, 1000, 3600),
        (AFTER_TAX, 2000, 7000, 700, 1000, 1700),
        (BEFORE_TAX, 2000, 6000, 600, 1000, 1600),
    ],
)
def test_the_published_example(mode, note, without_tax, tax, coupon, total):
    credits = Credits((note,) if note else (), (Coupon("c", 1000),), (Wallet("w", 3000),))
    found = totals([fee(5000, "10"), fee(2000, "10", bucket=CALLS)], credits, mode)
    assert found.fees_amount_cents == 7000
    assert found.sub_total_excluding_taxes_amount_cents == without_tax
    assert found.taxes.amount_cents == tax
    assert found.sub_total_including_taxes_amount_cents == without_tax + tax
    assert found.coupons_amount_cents == coupon
    assert found.credit_notes_amount_cents == note
    assert found.prepaid_credit_amount_cents == 3000
    assert found.total_amount_cents == total


def test_the_cascade_before_tax():
    coupons = (Coupon("m", rate=Decimal(10), fees=frozenset([1])), Coupon("all", 1000))
    found = totals([fee(5000, "20"), fee(2000, "20", bucket=CALLS)], Credits(coupons=coupons), BEFORE_TAX)
    assert [round(to_decimal(base), 3) for base in found.fee_bases] == [Decimal("4264.706"), Decimal("1535.294")]
    assert found.sub_total_excluding_taxes_amount_cents == 5800
    assert (found.taxes.amount_cents, found.total_amount_cents) == (1160, 6960)


@pytest.mark.parametrize(("mode", "discounts"), [(BEFORE_TAX, [1000, 600]), (AFTER_TAX, [1100, 660])])
def test_percentages_come_to_the_same_in_both_modes_with_one_tax_rate(mode, discounts):
    coupons = (Coupon("b", rate=Decimal(50), fees=frozenset([1])), Coupon("all", rate=Decimal(10)))
    found = totals([fee(5000, "10"), fee(2000, "10")], Credits(coupons=coupons), mode)
    assert [discount.amount_cents for discount in found.discounts] == discounts
    assert found.total_amount_cents == 5940


def test_a_full_discount_leaves_nothing_to_pay():
    coupons = (Coupon("all", rate=Decimal(100), fees=frozenset([0, 1])),)
    found = totals([fee(17, "20"), fee(446, "20")], Credits(coupons=coupons))
    assert (found.coupons_amount_cents, found.total_amount_cents) == (556, 0)


def test_a_percentage_after_tax_is_of_what_a_credit_note_left():
    found = totals([fee(7000, "10")], Credits((2000,), (Coupon("p", rate=Decimal(10)),)))
    assert (found.coupons_amount_cents, found.total_amount_cents) == (570, 5130)


def test_taxes_of_fees_with_a_coupon_before_tax():
    coupons = (Coupon("c", 25000, fees=frozenset([1])),)
    found = totals([fee(17900, "10"), fee(39900, "10", "10.0")], Credits(coupons=coupons), BEFORE_TAX)
    assert [line.amount_cents for line in found.taxes.applied] == [3280, 1490]
    assert (found.taxes.amount_cents, found.taxes.rate) == (4770, Decimal("14.54268"))
    assert found.total_amount_cents == 37570


def test_a_restricted_wallet_pays_its_exact_bucket_rounded_once():
    # 3 x 1.03 at 6 %: 3.2754.
    wallet = Wallet("w", 1000, frozenset([CALLS]))
    found = totals([fee(103, "6", bucket=CALLS)] * 3, Credits(wallets=(wallet,)))
    assert (found.paid_by_wallets, found.total_amount_cents) == ((328,), 0)


@pytest.mark.parametrize(
    ("credits", "paid"),
    [
        pytest.param(Credits(), 2200, id="the fee with its tax"),
        pytest.param(Credits(notes=(3850,)), 1100, id="less its part of a note of half the invoice"),
        pytest.param(Credits(coupons=(Coupon("c", 770),)), 1980, id="less its part of a coupon on all"),
        pytest.param(Credits(coupons=(Coupon("c", 770, fees=frozenset([1])),)), 1430, id="less a coupon on it"),
        pytest.param(Credits((3850,), (Coupon("c", 3000, fees=frozenset([1])),)), 0, id="never below nothing"),
    ],
)
def test_a_bucket_is_less_what_coupons_and_notes_took_of_its_fees(credits, paid):
    wallet = Wallet("w", 10000, frozenset([CALLS]))
    fees = [fee(5000, "10"), fee(2000, "10", bucket=CALLS)]
    assert totals(fees, Credits(credits.notes, credits.coupons, (wallet,))).paid_by_wallets == (paid,)


def test_a_mode_has_its_version_number():
    assert VERSION_NUMBERS == {AFTER_TAX: 2, BEFORE_TAX: 4}
    with pytest.raises(ValueError, match="never"):
        totals([], mode="never")


buckets = st.sampled_from([SUBSCRIPTION, CALLS, ("charge", "seats")])
rates = st.lists(st.sampled_from(["20", "5.5", "7.123"]), max_size=2)
some_fees = st.lists(st.builds(lambda c, r, b: fee(c, *r, bucket=b), st.integers(0, 10**4), rates, buckets), max_size=5)
limits = st.none() | st.frozensets(st.integers(0, 4))
some_credits = st.builds(
    Credits,
    st.lists(st.integers(0, 5000), max_size=3).map(tuple),
    st.lists(
        st.builds(Coupon, st.just("c"), st.integers(1, 3000), st.none(), limits)
        | st.builds(Coupon, st.just("p"), st.none(), st.integers(1, 100).map(Decimal), limits),
        max_size=3,
    ).map(tuple),
    st.lists(st.builds(Wallet, st.just("w"), st.integers(0, 5000), st.none() | st.frozensets(buckets)), max_size=3).map(
        tuple
    ),
)


@settings(max_examples=100)
@given(some_fees, some_credits, st.sampled_from([AFTER_TAX, BEFORE_TAX]))
def test_the_total_is_what_the_order_leaves_and_never_negative(fees, credits, mode):
    found = totals(fees, credits, mode)
    given_by_coupons = sum(discount.amount_cents for discount in found.discounts)
    assert found.coupons_amount_cents == given_by_coupons
    assert found.fees_amount_cents == sum(each.amount_cents for each in fees)
    early = given_by_coupons if mode == BEFORE_TAX else 0
    assert found.sub_total_excluding_taxes_amount_cents == found.fees_amount_cents - early == sum(found.fee_bases)
    with_taxes = found.sub_total_excluding_taxes_amount_cents + found.taxes.amount_cents
    assert found.sub_total_including_taxes_amount_cents == with_taxes
    lowered = found.credit_notes_amount_cents + given_by_coupons - early + found.prepaid_credit_amount_cents
    assert found.total_amount_cents == with_taxes - lowered >= 0
    assert abs(found.taxes.amount_cents - found.taxes.precise_cents) <= Fraction(1, 2)


@settings(max_examples=100)
@given(some_fees, some_credits, st.sampled_from([AFTER_TAX, BEFORE_TAX]))
def test_an_invoice_takes_no_more_than_each_credit_has(fees, credits, mode):
    found = totals(fees, credits, mode)
    assert sum(found.taken_from_notes) == found.credit_notes_amount_cents
    assert sum(found.paid_by_wallets) == found.prepaid_credit_amount_cents
    assert all(0 <= taken <= has for taken, has in zip(found.taken_from_notes, credits.notes, strict=True))
    for paid, wallet in zip(found.paid_by_wallets, credits.wallets, strict=True):
        assert 0 <= paid <= wallet.balance_cents
    whole = Credits(coupons=(Coupon("all", rate=Decimal(100)),))
    assert totals(fees, whole, mode).total_amount_cents == 0
