"""What credit notes are worth. Source: rules/billing-periods 7.4; rules/invoices 7.1, 7.2."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.invoicing.credit_notes import (
    MODES,
    CreditItem,
    Split,
    amounts,
    number,
    paid_share_cents,
    split,
    unused_days_credit,
)
from chalicelib.domain.invoicing.taxes import TaxRate


def taxes(*rates: str) -> tuple[TaxRate, ...]:
    return tuple(TaxRate(rate, rate, rate, Decimal(rate)) for rate in rates)


@pytest.mark.parametrize(
    ("item", "share", "rates", "net", "tax", "total"),
    [
        pytest.param("3571.42857", "0", ["20"], 3571, 714, 4285, id="20 of 28 days of 50.00: 714.29 tax, not 4286"),
        pytest.param("7142.85714", "0", ["20"], 7143, 1429, 8572, id="20 of 28 days of 100.00: 1428.57 tax, not 8571"),
        pytest.param("1354.83870", "0", ["10"], 1355, 135, 1490, id="21 of 31 days of 20.00: 135.48 tax"),
        pytest.param("1354.83870", "0", [], 1355, 0, 1355, id="the same without tax"),
        pytest.param("1290.32258", "0", ["20"], 1290, 258, 1548, id="20 of 31 days of 20.00: 258.06 tax"),
        pytest.param("2000", "285.714", ["10"], 1714, 171, 1885, id="20.00 with its share of a coupon: 18.857 in all"),
        pytest.param("26260", "16453.634", ["10", "10.0"], 9806, 1961, 11767, id="two taxes: 117.676 in all"),
        pytest.param("72686", "0", ["20"], 72686, 14537, 87223, id="145.372 tax"),
        pytest.param("0", "0", ["20"], 0, 0, 0, id="nothing"),
    ],
)
def test_net_and_tax_are_rounded_each_and_the_total_is_their_sum(item, share, rates, net, tax, total):
    found = amounts([CreditItem(Decimal(item), Decimal(share), taxes(*rates))])
    assert (found.sub_total_cents, found.taxes_cents, found.total_cents) == (net, tax, total)
    assert found.item_cents == Decimal(item)


def test_precise_amounts_keep_every_digit():
    found = amounts([CreditItem(Decimal("1290.32258"), Decimal(0), taxes("20"))])
    assert found.precise_taxes_cents == Decimal("258.064516")
    assert found.precise_total_cents == Decimal("1548.387096")
    assert found.taxes_rate == Decimal("20.00000")


def test_coupon_shares_are_summed_up_before_they_are_rounded():
    # 0.4 + 0.4 = 0.8 cents.
    found = amounts([CreditItem(Decimal(10), Decimal("0.4"), ()), CreditItem(Decimal(10), Decimal("0.4"), ())])
    assert (found.coupons_adjustment_cents, found.sub_total_cents, found.item_cents) == (1, 19, 20)  # 19.2


def test_items_of_different_taxes_are_taxed_each_and_rounded_once():
    # 17 and 446 cents at 20 %: 3.4 + 89.2 = 92.6; and 100 at 5 %: 5.
    found = amounts([CreditItem(Decimal(n), Decimal(0), taxes("20")) for n in (17, 446)])
    assert found.taxes_cents == 93
    mixed = amounts(
        [CreditItem(Decimal(300), Decimal(0), taxes("20")), CreditItem(Decimal(100), Decimal(0), taxes("5"))]
    )
    assert [(line.tax.code, line.base_cents, line.amount_cents) for line in mixed.applied] == [
        ("20", Decimal(300), 60),
        ("5", Decimal(100), 5),
    ]
    assert mixed.taxes_rate == Decimal("16.25")  # 20 x 3/4 + 5 x 1/4.


@pytest.mark.parametrize(
    ("mode", "paid", "expected"),
    [
        pytest.param("refund", 2400, Split(0, 1548, 0), id="all paid: 1548 are less than 2400 - 852"),
        pytest.param("refund", 1200, Split(1200, 348, 0), id="half paid: 1200 - 852, the rest as credit"),
        pytest.param("refund", 852, Split(1548, 0, 0), id="no more paid than used"),
        pytest.param("refund", 0, Split(1548, 0, 0), id="nothing paid"),
        pytest.param("offset", 2400, Split(0, 1548, 0), id="offset of what is paid is a refund"),
        pytest.param("offset", 1200, Split(0, 348, 1200), id="half paid: the rest against what is owed"),
        pytest.param("offset", 0, Split(0, 0, 1548), id="nothing paid: all against what is owed"),
        pytest.param("credit", 2400, Split(1548, 0, 0), id="credit does not ask what was paid"),
    ],
)
def test_what_was_paid_beyond_the_used_part_is_refunded(mode, paid, expected):
    assert split(1548, mode=mode, paid_cents=paid, used_cents=852) == expected


def test_an_unknown_mode_is_a_bug():
    with pytest.raises(ValueError, match="skip"):
        split(1, mode="skip", paid_cents=0, used_cents=0)


@pytest.mark.parametrize(
    ("paid", "part", "whole", "expected"),
    [
        (2400, 2400, 2400, 2400),
        (1200, 2400, 4800, 600),
        (100, 1, 3, 33),  # 33.3, cut.
        (0, 2400, 2400, 0),
        (2400, 3000, 2400, 2400),  # Never more than was paid.
        (0, 0, 0, 0),
    ],
)
def test_a_fee_is_paid_in_proportion_to_its_invoice(paid, part, whole, expected):
    assert paid_share_cents(paid, part_cents=part, whole_cents=whole) == expected


def test_a_note_is_numbered_below_its_invoice():
    assert number("LAG-1A2B-005-012", 1) == "LAG-1A2B-005-012-CN001"
    assert number("LAG-1A2B-005-012", 1000) == "LAG-1A2B-005-012-CN1000"


exact_cents = st.decimals(min_value=0, max_value=10**9, places=5)
rates = st.lists(st.decimals(min_value=0, max_value=100, places=3), max_size=3)


@st.composite
def credit_items(draw):
    item = draw(exact_cents)
    share = item * draw(st.integers(0, 100)) / 100
    return CreditItem(item, share, tuple(TaxRate(str(i), str(i), "t", rate) for i, rate in enumerate(draw(rates))))


@given(st.lists(credit_items(), max_size=5))
def test_the_total_is_the_sum_of_its_parts_and_within_a_cent_of_exact(items):
    found = amounts(items)
    assert found.total_cents == found.sub_total_cents + found.taxes_cents
    assert min(found.sub_total_cents, found.taxes_cents, found.coupons_adjustment_cents) >= 0
    exact = sum(
        (
            (i.amount_cents - i.coupon_share_cents) * (1 + sum((t.rate for t in i.taxes), Decimal(0)) / 100)
            for i in items
        ),
        Decimal(0),
    )
    assert abs(found.precise_total_cents - exact) < Decimal("0.00001")
    assert abs(found.total_cents - found.precise_total_cents) <= 1
    assert abs(found.taxes_cents - found.precise_taxes_cents) <= Decimal("0.5")


cents = st.integers(0, 10**9)


@given(cents, st.sampled_from(MODES), cents, cents)
def test_the_parts_of_a_split_add_up_and_none_is_negative(total, mode, paid, used):
    found = split(total, mode=mode, paid_cents=paid, used_cents=used)
    assert found.credit_cents + found.refund_cents + found.offset_cents == total
    assert min(found.credit_cents, found.refund_cents, found.offset_cents) >= 0
    assert found.refund_cents <= max(0, paid - used)
    assert found.offset_cents == 0 or mode == "offset"


@given(st.lists(cents, min_size=1, max_size=6), cents)
def test_shares_of_all_parts_are_never_more_than_was_paid(parts, paid):
    shares = [paid_share_cents(paid, part_cents=part, whole_cents=sum(parts)) for part in parts]
    assert 0 <= sum(shares) <= paid


@pytest.mark.parametrize(
    ("plan_amount", "days", "fee", "credited", "rate", "item", "credited_after", "used"),
    [
        pytest.param(2000, 20, 2000, "0", "20", "1290.32258", "1290.32258", 852, id="ended on 11 May, 20 % tax"),
        pytest.param(2000, 21, 2000, "0", "10", "1354.83870", "1354.83870", 710, id="upgraded on 11 May, 10 % tax"),
        pytest.param(4000, 11, 2710, "0", "0", "1419.35483", "1419.35483", 1291, id="a second upgrade, on 21 May"),
        pytest.param(4000, 21, 2000, "0", "0", "2000", "2000.00000", 0, id="no more than the fee"),
        pytest.param(2000, 20, 2000, "290.32258", "0", "1000", "1290.32258", 710, id="less what was credited before"),
    ],
)
def test_the_credit_for_unused_days_of_may(plan_amount, days, fee, credited, rate, item, credited_after, used):
    found = unused_days_credit(
        plan_amount,
        unused_days=days,
        period_start=date(2023, 5, 1),
        period_end=date(2023, 6, 1),
        fee_cents=fee,
        credited_cents=Decimal(credited),
        taxes_rate=Decimal(rate),
    )
    assert found is not None
    assert (found.item_cents, found.credited_cents) == (Decimal(item), Decimal(credited_after))
    assert found.used_cents == used


@pytest.mark.parametrize(("days", "fee", "credited"), [(0, 2000, "0"), (20, 0, "0"), (20, 2000, "2000")])
def test_no_credit_where_nothing_is_left(days, fee, credited):
    found = unused_days_credit(
        2000,
        unused_days=days,
        period_start=date(2023, 5, 1),
        period_end=date(2023, 6, 1),
        fee_cents=fee,
        credited_cents=Decimal(credited),
        taxes_rate=Decimal(20),
    )
    assert found is None
