"""Automatic credit notes beside payments, notes by hand and coupons. Source: rules/invoices 7.1; rules/money 3, 8."""

from decimal import Decimal
from typing import Any

import pytest

from chalicelib.features.credit_notes import values
from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices import whole as invoice_whole
from chalicelib.features.invoices.parts import NoteSums
from chalicelib.platform.ids import CreditNoteId, InvoiceId
from tests.features.api.test_notes_by_hand import again, fee_of, invoiced, noted, pay
from tests.support.credit_notes import NOW
from tests.support.story import Story


@pytest.fixture
def whole(story: Story) -> invoice_whole.WholeInvoice:
    """100.00 and 20 % tax."""
    invoice = invoiced(story, 10000)
    return invoice_whole.read_whole(story.ref.id, invoices.find(story.ref.id, InvoiceId(invoice["lago_id"])))


def automatic(
    whole: invoice_whole.WholeInvoice, item: str, *, mode: str = "credit", used: int = 0, fee: Any = None, **fields: Any
) -> CreditNote:
    return values.draft_or_final(
        whole.invoice.model_copy(update=fields),
        whole.fees[0].model_copy(update=fee or {}),
        Decimal(item),
        mode=mode,
        used_cents=used,
        note_id=CreditNoteId("00000000-0000-4000-8000-000000000001"),
        customer_search="",
        today=NOW.date(),
        now=NOW,
    )


def parts(note: CreditNote) -> tuple[int, int, int]:
    return note.credit_amount_cents, note.refund_amount_cents, note.offset_amount_cents


def test_a_coupon_after_tax_is_not_given_back(whole):
    coupon = {"late_coupon_share_cents": "2000"}
    paid = {"coupons_amount_cents": 2000, "total_amount_cents": 10000, "total_paid_amount_cents": 10000}
    note = automatic(whole, "5000", fee=coupon, **paid)
    assert (note.total_amount_cents, note.coupons_adjustment_amount_cents) == (5000, 1000)
    assert (note.sub_total_excluding_taxes_amount_cents, note.taxes_amount_cents) == (5000, 1000)
    # Half of what was paid was used, 50.00 with tax and less the coupon: the other half is refunded.
    assert parts(automatic(whole, "5000", mode="refund", used=5000, fee=coupon, **paid)) == (0, 5000, 0)


def test_a_coupon_before_tax_is_not_given_back(whole):
    taxed = {"coupon_share_cents": "2000", "taxes_amount_cents": 1600}
    sums = {"sub_total_excluding_taxes_amount_cents": 8000, "taxes_amount_cents": 1600, "version_number": 4}
    sums |= {"sub_total_including_taxes_amount_cents": 9600, "total_amount_cents": 9600}
    note = automatic(whole, "5000", mode="refund", used=4800, fee=taxed, total_paid_amount_cents=9600, **sums)
    assert (note.total_amount_cents, note.coupons_adjustment_amount_cents) == (4800, 1000)
    assert parts(note) == (0, 4800, 0)


def test_a_draft_takes_the_coupons_of_its_fee_when_it_is_final(whole):
    draft = automatic(whole, "5000", mode="offset", used=6000, status="draft")
    assert (draft.status, parts(draft)) == ("draft", (0, 0, 6000))
    fees = [whole.fees[0].model_copy(update={"late_coupon_share_cents": "2000"})]
    final = values.finalized(draft, whole.invoice, today=NOW.date(), now=NOW, fees=fees)
    assert (final.total_amount_cents, parts(final)) == (5000, (0, 0, 5000))
    due = whole.invoice.model_copy(update={"total_amount_cents": 4000})
    assert parts(values.finalized(draft, due, today=NOW.date(), now=NOW)) == (2000, 0, 4000)


def test_no_more_is_offset_than_is_due_nor_refunded_than_was_paid(whole):
    assert parts(automatic(whole, "5000", mode="offset", offset_amount_cents=8000)) == (2000, 0, 4000)
    refunded = NoteSums(refunded_cents=5000)
    paid = {"total_paid_amount_cents": 12000, "noted": refunded}
    assert parts(automatic(whole, "10000", mode="refund", **paid)) == (5000, 7000, 0)


def test_a_note_is_at_most_what_others_left(whole):
    note = automatic(whole, "2000.4", noted=NoteSums(sub_total_cents=8000, taxes_cents=1601))
    assert (note.sub_total_excluding_taxes_amount_cents, note.taxes_amount_cents) == (2000, 399)


def test_all_unused_days_offset_pay_the_invoice(story):
    invoice = invoiced(story, 10000)
    story.ok("PUT", "/subscriptions/sub", {"subscription": {"on_termination_credit_note": "offset"}})
    noted(story, invoice, (fee_of(invoice, 10000), 1000), credit_amount_cents=1200)
    assert pay(story, invoice, 1200).status == 200
    story.travel("2024-01-11T00:00:00Z")
    story.terminate(query="?on_termination_credit_note=offset")
    last = story.notes()[-1]
    told = again(story, invoice)
    assert told["total_due_amount_cents"] == 12000 - 1200 - last["offset_amount_cents"] >= 0
    total = sum(note["total_amount_cents"] for note in story.notes())
    assert told["creditable_amount_cents"] == 12000 - total


def test_two_notes_of_one_instant_stand_on_one_invoice(story):
    story.plan(amount_cents=3100, pay_in_advance=True)
    story.customer(currency="EUR")
    for name in ("one", "two"):
        story.subscribe("plan", name)
    story.travel("2024-02-01T00:00:00Z")
    invoice = story.invoices()[-1]
    assert len(invoice["subscriptions"]) == 2
    story.travel("2024-02-16T00:00:00Z")
    story.ok("DELETE", "/customers/cust")
    assert [note["sequential_id"] for note in story.notes()] == [1, 2]
    told = again(story, invoice)
    assert told["creditable_amount_cents"] == invoice["total_amount_cents"] - sum(
        note["total_amount_cents"] for note in story.notes()
    )
