"""Taxes, dates and numbers of invoices. Source: rules/invoices 2, 3, 4, 9."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.invoicing import dates, numbers
from chalicelib.domain.invoicing.steps import Credits, TaxedFee, totals
from chalicelib.domain.invoicing.taxes import TaxRate, fee_taxes

BUCKET = ("subscription", None)


def tax(rate: str, code: str = "t") -> TaxRate:
    return TaxRate(code, code, code, Decimal(rate))


def test_invoice_taxes_are_rounded_once_and_not_fee_by_fee():
    # 0.17 and 4.46 at 20 %: 3.4 and 89.2 cents; together 92.6.
    sums = totals([TaxedFee(17, (tax("20"),), BUCKET), TaxedFee(446, (tax("20"),), BUCKET)])
    assert sums.taxes.amount_cents == 93
    assert sums.total_amount_cents == 556
    assert [fee_taxes(Decimal(cents), [tax("20")]).amount_cents for cents in (17, 446)] == [3, 89]


def test_taxes_of_one_level_add_up():
    sums = totals([TaxedFee(999, (tax("10", "a"), tax("5", "b")), BUCKET)])
    assert [line.amount_cents for line in sums.taxes.applied] == [100, 50]
    assert sums.taxes.amount_cents == 150  # 149.85
    assert sums.total_amount_cents == 1149


def test_the_rate_of_an_invoice_is_weighted_by_what_was_taxed():
    sums = totals([TaxedFee(5000, (tax("20", "a"),), BUCKET), TaxedFee(2000, (tax("5", "b"),), BUCKET)])
    assert sums.taxes.rate == Decimal("15.71429")
    assert sums.total_amount_cents == 8100


def test_without_an_amount_the_rate_is_weighted_by_the_number_of_fees():
    assert totals([TaxedFee(0, (tax("20"),), BUCKET), TaxedFee(0, (), BUCKET)]).taxes.rate == Decimal("10.00000")


@given(st.lists(st.integers(0, 10**7), max_size=8), st.integers(0, 100))
def test_the_total_is_fees_and_taxes(amounts, rate):
    sums = totals([TaxedFee(cents, (tax(str(rate)),), BUCKET) for cents in amounts])
    assert sums.total_amount_cents == sum(amounts) + sums.taxes.amount_cents
    assert abs(sums.taxes.amount_cents - Decimal(sum(amounts) * rate) / 100) <= Decimal("0.5")


def test_credit_notes_are_taken_after_tax_one_after_the_other():
    sums = totals([TaxedFee(1000, (tax("20"),), BUCKET)], Credits(notes=(700, 800, 900)))
    assert sums.sub_total_including_taxes_amount_cents == 1200
    assert sums.taken_from_notes == (700, 500, 0)
    assert (sums.credit_notes_amount_cents, sums.total_amount_cents) == (1200, 0)


@given(st.lists(st.integers(0, 10**6), max_size=5), st.lists(st.integers(1, 10**6), max_size=5))
def test_credits_never_take_more_than_is_owed_nor_leave_what_they_could_take(amounts, balances):
    sums = totals([TaxedFee(cents, (tax("10"),), BUCKET) for cents in amounts], Credits(notes=tuple(balances)))
    owed = sums.sub_total_including_taxes_amount_cents
    assert sum(sums.taken_from_notes) == sums.credit_notes_amount_cents == min(owed, sum(balances))
    assert sums.total_amount_cents == owed - sums.credit_notes_amount_cents
    assert all(0 <= taken <= balance for taken, balance in zip(sums.taken_from_notes, balances, strict=True))


@pytest.mark.parametrize(
    ("grace", "term", "how", "issuing", "due"),
    [
        (0, 0, {}, "2023-03-01", "2023-03-01"),
        (3, 30, {}, "2023-03-04", "2023-04-03"),
        (3, 30, {"adjustment": dates.KEEP}, "2023-03-01", "2023-03-31"),
        (0, 0, {"anchor": dates.CURRENT_PERIOD_END}, "2023-02-28", "2023-02-28"),
    ],
)
def test_dates_of_an_invoice_billed_on_1_march(grace, term, how, issuing, due):
    found = dates.document_dates(date(2023, 3, 1), grace_days=grace, net_payment_term_days=term, **how)
    assert (found.issuing_date.isoformat(), found.payment_due_date.isoformat()) == (issuing, due)


def test_numbers_grow_beyond_three_digits():
    assert numbers.per_customer("LAG-1A2B", 5, 12) == "LAG-1A2B-005-012"
    assert numbers.per_customer("LAG-1A2B", 1000, 1234) == "LAG-1A2B-1000-1234"
    assert numbers.per_organization("LAG-1A2B", date(2023, 3, 9), 7) == "LAG-1A2B-202303-007"
    assert numbers.draft("LAG-1A2B") == "LAG-1A2B-DRAFT"
