"""Credit notes by hand: amounts, limits, refusals. Source: rules/invoices 7.1, 7.2; rules/money 3."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.domain.invoicing.credit_notes import CreditItem, Split, amounts, share_of_item
from chalicelib.domain.invoicing.creditable import CreditableFee, CreditableInvoice, NotesSoFar, estimate, note
from chalicelib.domain.invoicing.taxes import TaxRate

D = Decimal


def fee(name: str, cents: int, *rates: str, share: int | str | Fraction = 0, credited: str = "0") -> CreditableFee:
    taxes = tuple(TaxRate(str(n), str(n), "t", D(rate)) for n, rate in enumerate(rates))
    return CreditableFee(name, cents, Fraction(share), taxes, D(credited))


def invoice(*fees: CreditableFee, paid: int = 0, due: int = 0, **notes: int) -> CreditableInvoice:
    return CreditableInvoice(fees, NotesSoFar(**notes), paid, due)


def items(**cents: int | str) -> list[tuple[str, Decimal]]:
    return [(name, D(amount)) for name, amount in cents.items()]


def after(of: CreditableInvoice, sent, given: Split):
    """The invoice after a note, with the note's amounts and parts."""
    found, parts = note(of, sent, given)
    fees = tuple(
        replace(each, credited_cents=each.credited_cents + sum((c for n, c in sent if n == each.id), D(0)))
        for each in of.fees
    )
    notes = NotesSoFar(
        of.notes.sub_total_cents + found.sub_total_cents,
        of.notes.taxes_cents + found.taxes_cents,
        of.notes.credited_cents + parts.credit_cents,
        of.notes.refunded_cents + parts.refund_cents,
        of.notes.offset_cents + parts.offset_cents,
    )
    return CreditableInvoice(fees, notes, of.paid_cents, of.due_cents - parts.offset_cents), found, parts


def test_the_note_that_completes_an_invoice_brings_the_difference():
    of, totals = invoice(*(fee(name, 3335, "7") for name in "abc")), []
    for name in "abc":
        sent = items(**{name: 3335})
        expected = estimate(of, sent).max_creditable_cents
        of, found, parts = after(of, sent, Split(3568, 0, 0))
        assert found.total_cents == parts.credit_cents == expected
        totals.append(found.total_cents)
    assert totals == [3568, 3568, 3569]


def test_the_cent_comes_off_the_credit_and_the_invoice_is_credited_in_full():
    of, found, parts = after(invoice(fee("a", 76900, "20")), items(a=72686), Split(87224, 0, 0))
    assert (found.taxes_cents, found.total_cents, parts) == (14537, 87223, Split(87223, 0, 0))
    of, found, parts = after(of, items(a="4214"), Split(5057, 0, 0))
    assert (found.taxes_cents, found.total_cents) == (843, 5057)
    assert of.notes.credited_cents == 92280


def test_taxes_of_a_half_cent_each_never_exceed_the_invoice():
    of, taxes = invoice(*(fee(name, 10, "5") for name in "abcd")), []
    for name in "abcd":
        sent = items(**{name: 10})
        of, found, _ = after(of, sent, Split(estimate(of, sent).max_creditable_cents, 0, 0))
        taxes.append(found.taxes_cents)
    assert taxes == [1, 1, 0, 0]


def test_a_note_that_leaves_no_whole_cent_completes_the_invoice():
    # An automatic note of 12.9032258 left 7.0967742.
    of = invoice(fee("a", 2000, credited="1290.32258"), sub_total_cents=1290, credited_cents=1290)
    assert estimate(of, items(a=709)).max_creditable_cents == 710
    assert estimate(of, items(a=708)).max_creditable_cents == 708


def test_net_and_tax_of_thirds_are_rounded_each():
    found = amounts([fee("a", 58000, "25").item(D("19333.333"))])
    assert (found.sub_total_cents, found.taxes_cents, found.total_cents) == (19333, 4833, 24166)


@pytest.mark.parametrize(
    ("of", "sent", "credit", "refund"),
    [
        pytest.param(
            invoice(fee("a", 5000, "10"), fee("b", 2000, "10"), paid=3700),
            items(a=5000, b=2000),
            7700,
            3700,
            id="after tax, all",
        ),
        pytest.param(
            invoice(
                fee("a", 5000, "10", share=Fraction(5000, 7)), fee("b", 2000, "10", share=Fraction(2000, 7)), paid=3600
            ),
            items(a=5000, b=2000),
            6600,
            3600,
            id="before tax, all",
        ),
        pytest.param(
            invoice(
                fee("a", 5000, "10", share=Fraction(5000, 7)), fee("b", 2000, "10", share=Fraction(2000, 7)), paid=3600
            ),
            items(b=2000),
            1885,
            1885,
            id="before tax, 18.857 in all",
        ),
        pytest.param(
            invoice(fee("a", 17900, "10"), fee("b", 39900, "10", "10", share=25000)),
            items(a=17900, b=39900),
            37570,
            0,
            id="two taxes, all",
        ),
        pytest.param(
            invoice(fee("a", 17900, "10"), fee("b", 39900, "10", "10", share=25000)),
            items(b=26260),
            11767,
            0,
            id="two taxes, 117.676",
        ),
        pytest.param(invoice(fee("a", 10000, "20"), paid=7000), items(a=10000), 12000, 7000, id="50.00 of it prepaid"),
        pytest.param(
            invoice(fee("a", 10000), paid=7000, refunded_cents=6500), items(a=3000), 3000, 500, id="refunded before"
        ),
    ],
)
def test_maxima(of, sent, credit, refund):
    found = estimate(of, sent)
    assert (found.max_creditable_cents, found.max_refundable_cents) == (credit, refund)


@pytest.mark.parametrize(
    ("of", "sent", "given", "parts"),
    [
        pytest.param(
            invoice(fee("a", 2, credited="1"), sub_total_cents=1, credited_cents=1),
            items(a=1),
            Split(2, 0, 0),
            Split(1, 0, 0),
            id="never more than remains",
        ),
        pytest.param(
            invoice(fee("a", 76900, "20"), paid=92280),
            items(a=72686),
            Split(0, 87224, 0),
            Split(0, 87223, 0),
            id="without a credit off the refund",
        ),
        pytest.param(
            invoice(fee("a", 10000, "20"), paid=9000, due=3000),
            items(a=2500),
            Split(0, 0, 3000),
            Split(0, 0, 3000),
            id="an offset of all that is due",
        ),
        pytest.param(
            invoice(fee("a", 10000, "20"), paid=9000, due=3000),
            items(a=10000),
            Split(4000, 5000, 2999),
            Split(4001, 5000, 2999),
            id="the credit takes the cent",
        ),
        pytest.param(
            invoice(fee("a", 12000), paid=100, due=0),
            items(a=101),
            Split(0, 100, 0),
            Split(1, 100, 0),
            id="a refund is never more than was paid",
        ),
    ],
)
def test_what_is_stored_is_what_was_computed(of, sent, given, parts):
    found, stored = note(of, sent, given)
    assert stored == parts
    assert found.total_cents == stored.total_cents


OPEN = invoice(fee("a", 10000, "20"), fee("b", 500), paid=9000, due=3500)
HIGHER = ["higher_than_remaining_invoice_amount"]


@pytest.mark.parametrize(
    ("of", "sent", "given", "details"),
    [
        (OPEN, items(a=-1), Split(0, 0, 0), {"amount_cents": ["invalid_value"]}),
        (OPEN, items(a=10001), Split(0, 0, 0), {"amount_cents": ["higher_than_remaining_fee_amount"]}),
        (
            OPEN,
            [*items(a=9999), *items(a=2)],
            Split(0, 0, 0),
            {"amount_cents": ["higher_than_remaining_fee_amount"]},
        ),
        (OPEN, items(a=1000), Split(1202, 0, 0), {"base": ["does_not_match_item_amounts"]}),
        (OPEN, items(a=1000), Split(1198, 0, 0), {"base": ["does_not_match_item_amounts"]}),
        (OPEN, items(a=0), Split(0, 0, 0), {"base": ["total_amount_must_be_positive"]}),
        (OPEN, items(a=10000), Split(0, 9001, 2999), {"refund_amount_cents": HIGHER}),
        (OPEN, items(a=10000), Split(8499, 0, 3501), {"offset_amount_cents": HIGHER}),
        (
            replace(OPEN, paid_cents=0),
            items(a=1000),
            Split(0, 1, 9999),
            {"refund_amount_cents": ["cannot_refund_unpaid_invoice"]},
        ),
        (
            invoice(fee("a", 10000), credited_cents=9000),
            items(a=2000),
            Split(2000, 0, 0),
            {"credit_amount_cents": HIGHER, "base": HIGHER},
        ),
        (
            invoice(fee("a", 10000), paid=10000, refunded_cents=9000),
            items(a=2000),
            Split(2000, 0, 0),
            {"base": HIGHER},
        ),
    ],
)
def test_refusals(of, sent, given, details):
    with pytest.raises(Invalid) as refused:
        note(of, sent, given)
    assert refused.value.details == details


def test_an_item_of_another_invoice_is_not_found():
    with pytest.raises(NotFound, match="fee_not_found"):
        estimate(OPEN, items(c=1))


def test_an_automatic_note_does_not_give_back_what_a_coupon_gave_after_tax():
    # 100.00 at 20 % with a coupon of 20.00, half unused: 60.00 - 10.00.
    late = share_of_item(Fraction(2000), item_cents=D(5000), fee_cents=10000)
    found = amounts([CreditItem(D(5000), D(0), fee("a", 1, "20").taxes, late)])
    assert (found.sub_total_cents, found.taxes_cents) == (5000, 1000)
    assert (found.coupons_adjustment_cents, found.total_cents) == (1000, 5000)


def test_a_free_fee_has_no_share():
    assert share_of_item(Fraction(1), item_cents=D(0), fee_cents=0) == 0


rates = st.lists(st.sampled_from(["20", "7", "5.5", "33.333"]), max_size=2)


@st.composite
def creditable(draw):
    """An invoice with coupon shares, and its fees cut into items of several notes."""
    fees, cuts = [], []
    for name in "abc"[: draw(st.integers(1, 3))]:
        parts = draw(st.lists(st.integers(0, 400), min_size=1, max_size=4))
        share = Fraction(sum(parts) * draw(st.integers(0, 7)), 7)
        fees.append(fee(name, sum(parts), *draw(rates), share=share))
        cuts.append((name, parts))
    notes = [
        [(name, D(parts[n])) for name, parts in cuts if n < len(parts)] for n in range(max(len(p) for _, p in cuts))
    ]
    return invoice(*fees), notes


def worth_of(of, sent):
    """The most that a note of these items may credit; 0 where it would be refused as one of nothing."""
    try:
        return estimate(of, sent).max_creditable_cents
    except Invalid as refused:
        if refused.details != {"base": ["total_amount_must_be_positive"]}:
            raise
        return 0


@settings(max_examples=100)
@given(creditable())
def test_notes_never_exceed_their_invoice_and_all_of_them_are_the_invoice(case):
    of, notes = case
    whole = amounts([each.item(D(each.amount_cents)) for each in of.fees])
    for sent in notes:
        worth = worth_of(of, sent)
        if worth == 0:
            # A note of nothing is refused; its items stay open, and come with the last one.
            continue
        of, found, parts = after(of, sent, Split(worth, 0, 0))
        assert found.total_cents == worth == parts.credit_cents
        assert min(found.sub_total_cents, found.taxes_cents) >= 0
        assert of.notes.sub_total_cents <= whole.sub_total_cents
        assert of.notes.taxes_cents <= whole.taxes_cents
    rest = list(of.remaining.items())
    left = worth_of(of, rest)
    assert of.notes.credited_cents + left == whole.total_cents
