"""Wallets: credits, payments, ongoing usage, refills. Source: rules/invoices 8; rules/money 2."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.invoicing.wallets import Wallet, covered, payments
from chalicelib.domain.wallets import refills
from chalicelib.domain.wallets.credits import Balance, CreditPrice, Entry, added, used, voided
from chalicelib.domain.wallets.ongoing import Payer, usage_of
from chalicelib.domain.wallets.refills import Limits, Refill

D = Decimal


def price(rate: str, currency: str = "EUR") -> CreditPrice:
    return CreditPrice(D(rate), currency)


# Credits and cents


@pytest.mark.parametrize(
    ("credits", "rate", "currency", "cents", "kept"),
    [
        ("10", "5", "EUR", 5000, "10"),
        ("1.23456", "0.50", "EUR", 62, "1.24"),
        ("10.34567", "1.375", "EUR", 1423, "10.34909"),
        ("10.345679", "1.375", "EUR", 1423, "10.34909"),
        ("0.004", "1", "EUR", 0, "0"),
        ("0.999999", "100", "JPY", 100, "1"),
    ],
)
def test_credits_follow_the_rounded_amount(credits, rate, currency, cents, kept):
    assert added(D(credits), price(rate, currency)) == Entry(cents, D(kept))


def test_voided_credits_are_taken_off_as_they_are():
    entry = voided(Balance(10000, D(100)), D("14.28444999"), price("1"))
    assert entry == Entry(1428, D("14.28444"))
    assert Balance(10000, D(100)).minus(entry) == Balance(8572, D("85.71556"))


@pytest.mark.parametrize(
    ("balance", "credits", "expected"),
    [
        pytest.param(Balance(1000, D("3.33334")), "3.33334", Entry(1000, D("3.33334")), id="all credits, all cents"),
        pytest.param(Balance(1000, D("3.33334")), "3.33333", Entry(1000, D("3.33334")), id="all cents, all credits"),
        pytest.param(Balance(1000, D("3.33334")), "0.001", Entry(0, D("0.001")), id="worth nothing: for the caller"),
    ],
)
def test_a_void_leaves_neither_cents_nor_credits_alone(balance, credits, expected):
    assert voided(balance, D(credits), price("3")) == expected


def test_the_last_use_takes_all_credits():
    balance, taken = Balance(3000, D(10)), []
    for _ in range(3):
        taken.append(used(balance, 1000, price("3")))
        balance = balance.minus(taken[-1])
    assert [entry.credits for entry in taken] == [D("3.33333"), D("3.33333"), D("3.33334")]
    assert balance == Balance(0, D(0))


def test_cents_that_are_left_keep_a_part_of_a_credit():
    # 0.00001 credits at 10,000: 10 cents.
    balance = Balance(10, D("0.00001"))
    first = used(balance, 9, price("10000"))
    assert first == Entry(9, D(0))
    assert used(balance.minus(first), 1, price("10000")) == Entry(1, D("0.00001"))


def test_no_more_is_taken_than_there_is():
    with pytest.raises(ValueError, match="used"):
        used(Balance(1, D(1)), 2, price("1"))
    with pytest.raises(ValueError, match="voided"):
        voided(Balance(1, D(1)), D("1.00001"), price("1"))


moves = st.lists(
    st.tuples(st.sampled_from(["add", "void", "use"]), st.decimals("0.00001", 1000, places=5)), min_size=1, max_size=12
)


@settings(max_examples=100)
@given(st.decimals("0.001", 20000, places=3), st.sampled_from(["EUR", "JPY", "KWD"]), moves)
def test_a_wallet_has_cents_exactly_while_it_has_credits(rate, currency, moves):
    """Its balance is the sum of its entries, and an invoice takes exactly what the wallet loses."""
    at, balance, cents, credits = CreditPrice(rate, currency), Balance(), 0, D(0)
    for kind, size in moves:
        if kind == "add":
            entry, sign = added(size, at), 1
        elif kind == "void":
            entry, sign = voided(balance, min(size, balance.credits), at), -1
        else:
            wanted = min(int(size), balance.cents)
            entry, sign = used(balance, wanted, at), -1
            assert entry.cents == wanted
        if entry.cents == 0:  # The caller refuses it.
            continue
        balance = balance.plus(entry) if sign > 0 else balance.minus(entry)
        cents, credits = cents + sign * entry.cents, credits + sign * entry.credits
        assert balance == Balance(cents, credits)
        assert balance.cents >= 0
        assert balance.credits >= 0
        assert (balance.cents == 0) == (balance.credits == 0)


# Payments

SUBSCRIPTION, CALLS, SEATS = ("subscription", None), ("charge", "calls"), ("charge", "seats")


@pytest.mark.parametrize(
    ("wallets", "paid"),
    [
        pytest.param([Wallet("w", 3000)], (3000,), id="all of a balance"),
        pytest.param([Wallet("w", 9000)], (7700,), id="no more than the total"),
        pytest.param([Wallet("w", 9000, frozenset([CALLS]))], (2200,), id="only its bucket"),
        pytest.param([Wallet("w", 9000, frozenset())], (0,), id="no bucket of its own"),
        pytest.param([Wallet("a", 9000, frozenset([CALLS])), Wallet("b", 9000)], (2200, 5500), id="the rest"),
        pytest.param(
            [Wallet("a", 6000), Wallet("b", 9000, frozenset([CALLS]))], (6000, 1700), id="the largest bucket first"
        ),
        pytest.param(
            [Wallet("a", 5600), Wallet("b", 9000, frozenset([SUBSCRIPTION]))], (5600, 0), id="its bucket is paid"
        ),
    ],
)
def test_each_wallet_pays_its_buckets_in_order(wallets, paid):
    assert payments(wallets, {CALLS: Fraction(2200), SUBSCRIPTION: Fraction(5500)}, 7700) == paid


def test_a_wallet_covers_its_types_and_its_metrics():
    every = [SUBSCRIPTION, CALLS, SEATS]
    assert covered(every, fee_types=[], metric_codes=[]) is None
    assert covered(every, fee_types=["charge"], metric_codes=[]) == {CALLS, SEATS}
    assert covered(every, fee_types=["subscription"], metric_codes=["seats"]) == {SUBSCRIPTION, SEATS}


# Ongoing usage


def metrics(*codes: str) -> frozenset:
    return frozenset(("charge", code) for code in codes)


def test_usage_goes_over_the_wallets_that_may_pay_for_it():
    payers = [
        Payer(10, metrics("storage", "seats")),
        Payer(20, metrics("seats", "api")),
        Payer(30, metrics("api", "sms")),
        Payer(40, metrics("sms", "storage")),
    ]
    usage = {("charge", code): Fraction(n) for code, n in [("storage", 10), ("seats", 20), ("api", 30), ("sms", 40)]}
    assert usage_of(payers, usage) == (10, 30, 40, 20)


@pytest.mark.parametrize(
    ("payers", "expected"),
    [
        pytest.param([Payer(5000)], (556,), id="rounded once: 50.00 become 44.44"),
        pytest.param([Payer(100), Payer(100)], (100, 456), id="the last takes all that is left"),
        pytest.param([Payer(100, refills=True), Payer(5000)], (556, 0), id="who refills takes all of it"),
        pytest.param([Payer(0, frozenset())], (0,), id="nobody may pay"),
        pytest.param([Payer(-5), Payer(9)], (0, 556), id="no room below nothing"),
        pytest.param([], (), id="no wallets"),
    ],
)
def test_exact_usage_is_taken_in_order(payers, expected):
    assert usage_of(payers, {CALLS: Fraction("20.4"), SEATS: Fraction("535.2")}) == expected


# Refills

EUR = price("1")


@pytest.mark.parametrize(
    ("level", "increment", "most", "expected"),
    [
        pytest.param("30", ("50", "0"), None, ("100", "0"), id="two increments"),
        pytest.param("110", ("50", "0"), None, ("0", "0"), id="10, and 100 on its way"),
        pytest.param("95", ("50", "0"), None, ("50", "0"), id="-5, and 100 on its way"),
        pytest.param("100", ("50", "0"), None, ("50", "0"), id="at the threshold"),
        pytest.param("30", ("50", "10"), None, ("100", "20"), id="an increment is paid and granted"),
        pytest.param("30", ("50", "10"), 9999, ("50", "10"), id="as many as fit"),
        pytest.param("30", ("50", "10"), 10000, ("100", "20"), id="just fitting"),
        pytest.param("30", ("50", "10"), 4999, ("0", "0"), id="none fits"),
        pytest.param("30", ("0", "50"), 1, ("0", "100"), id="grants have no limit"),
        pytest.param("30", ("0", "0"), None, ("0", "0"), id="no increment"),
    ],
)
def test_fixed_refills(level, increment, most, expected):
    found = refills.fixed(D(level), D(100), Refill(*map(D, increment)), EUR, Limits(most_cents=most))
    assert found == Refill(*map(D, expected))


@pytest.mark.parametrize(
    ("level", "wanted", "limits", "grants", "rate", "expected"),
    [
        pytest.param("30", "200", Limits(), False, "1", ("170", "0"), id="the gap"),
        pytest.param("30", "200", Limits(most_cents=10000), False, "1", ("100", "0"), id="cut to the most"),
        pytest.param("4", "10", Limits(5000), False, "1", ("50", "0"), id="raised to the least"),
        pytest.param("4", "10", Limits(5000), True, "1", ("0", "6"), id="a grant is as it is"),
        pytest.param("10", "10", Limits(5000), False, "1", ("0", "0"), id="no gap"),
        pytest.param("0", "200", Limits(1, 10000), False, "3", ("33.33333", "0"), id="a rate without end"),
        pytest.param("0", "1", Limits(10000), False, "3", ("33.33334", "0"), id="the same up"),
    ],
)
def test_target_refills(level, wanted, limits, grants, rate, expected):
    found = refills.target(D(level), D(wanted), price(rate), limits, grants=grants)
    assert found == Refill(*map(D, expected))


@settings(max_examples=60)
@given(st.decimals("0.01", 5000, places=2), st.integers(1, 10**5), st.integers(0, 10**5), st.integers(0, 10**4))
def test_a_purchase_stays_within_its_limits(rate, least, more, gap):
    limits, at = Limits(least, least + more), CreditPrice(rate, "EUR")
    found = refills.target(D(0), D(gap), at, limits)
    bought = added(found.paid, at)
    assert bought.cents <= limits.most_cents
    increment = Refill(paid=D(1))
    assert at.cents(refills.fixed(D(0), D(gap), increment, at, limits).paid) <= limits.most_cents
