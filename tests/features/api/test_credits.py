"""Credits of any kind: which an invoice may take, and that they are written with it. Source: rules/invoices 7.3."""

from dataclasses import replace

import pytest

from chalicelib import limits
from chalicelib.features.credits import service
from chalicelib.features.credits.applied_coupons import UsableCoupon
from chalicelib.features.credits.open_notes import NoteChange, OpenNote
from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import store as invoices
from chalicelib.platform.unit import Unit
from tests.support import credit_notes
from tests.support.coupons import apply, coupon
from tests.support.credit_notes import NOW, a_note, an_invoice, listed, open_notes, stored
from tests.support.story import Story


@pytest.fixture
def billed(story: Story) -> Story:
    return credit_notes.billed(story)


def test_a_note_is_used_by_other_invoices_of_its_currency(billed):
    invoice = an_invoice(billed)
    fees = invoices.fees_of(billed.ref.id, invoice)
    own, other = OpenNote(a_note(billed)), OpenNote(a_note(billed, id="another"))
    foreign = OpenNote(other.note.model_copy(update={"currency": "USD"}))
    assert service.offered([own, other, foreign], invoice, fees).notes == (other,)
    assert service.offered([other], invoice, []).notes == ()


def test_the_oldest_notes_are_offered_as_far_as_a_transaction_holds_them(billed):
    invoice = an_invoice(billed)
    fees = invoices.fees_of(billed.ref.id, invoice)
    many = [OpenNote(a_note(billed, id=f"other{n}")) for n in range(limits.CREDIT_NOTES_PER_INVOICE_MAX + 2)]
    assert service.offered(many, invoice, fees).notes == tuple(many[: limits.CREDIT_NOTES_PER_INVOICE_MAX])


def test_coupons_come_first_in_what_a_transaction_holds(billed):
    invoice = an_invoice(billed)
    fees = invoices.fees_of(billed.ref.id, invoice)
    made = coupon(billed, percentage_rate=1)
    applied = apply(billed)
    items = customers.items_of(billed.ref.id, applied["lago_customer_id"])
    (found,) = [each for each in service.open_of(billed.ref, items) if isinstance(each, UsableCoupon)]
    assert found.coupon.id == made["lago_id"]
    many = [
        replace(found, applied=found.applied.model_copy(update={"id": f"{n:02d}"}))
        for n in range(limits.COUPONS_PER_INVOICE_MAX + 1)
    ]
    notes = [OpenNote(a_note(billed, id=f"other{n}")) for n in range(limits.CREDIT_NOTES_PER_INVOICE_MAX)]
    offer = service.offered([*notes, *many], invoice, fees)
    assert [each.applied.id for each, _ in offer.coupons] == [each.applied.id for each in many[:-1]]
    assert 2 * (len(offer.coupons) + len(offer.notes)) == limits.CREDIT_PLACES_MAX
    assert offer.notes == tuple(notes[: len(offer.notes)])


def test_a_note_that_its_transaction_creates_and_takes_is_written_once(billed):
    invoice = an_invoice(billed).model_copy(update={"id": "another"})
    old, new, kept = stored(billed), a_note(billed), a_note(billed)
    taken = [OpenNote(old).take(invoice, 1000, now=NOW), OpenNote(new, stored=False).take(invoice, 500, now=NOW)]
    assert [(each.part.note_id, each.part.amount_cents) for each in taken] == [(old.id, 1000), (new.id, 500)]
    Unit(service.actions(billed.ref.id, taken, [NoteChange(None, new), NoteChange(None, kept)])).commit()
    left = {each.note_id: each.balance_cents for each in open_notes(billed, old)}
    assert left == {
        old.id: old.balance_amount_cents - 1000,
        new.id: new.balance_amount_cents - 500,
        kept.id: kept.balance_amount_cents,
    }
    assert sorted(listed(billed)) == sorted([old.id, new.id, kept.id])
