"""Credits of any kind: which an invoice may take, and that they are written with it. Source: rules/invoices 7.3."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.invoicing.steps import AFTER_TAX, BEFORE_TAX
from chalicelib.features.credits import service
from chalicelib.features.credits.applied_coupons import UsableCoupon
from chalicelib.features.credits.open_notes import NoteChange, OpenNote
from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import store as invoices
from chalicelib.features.invoicing import compose
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


def coupons_of(billed: Story, number: int, **terms: Any) -> list[UsableCoupon]:
    """So many coupons of 1 %, the oldest first."""
    coupon(billed, percentage_rate=1)
    applied = apply(billed)
    items = customers.items_of(billed.ref.id, applied["lago_customer_id"])
    (found,) = [each for each in service.open_of(billed.ref, items) if isinstance(each, UsableCoupon)]
    return [replace(found, applied=found.applied.model_copy(update={"id": f"{n:02d}", **terms})) for n in range(number)]


def test_the_oldest_notes_are_offered_as_far_as_a_transaction_holds_them(billed):
    invoice = an_invoice(billed)
    fees = invoices.fees_of(billed.ref.id, invoice)
    many = [OpenNote(a_note(billed, id=f"other{n}")) for n in range(50)]
    assert service.offered(many, invoice, fees).notes == tuple(many[: service.PLACES // 2])
    assert service.offered(many, invoice, fees, places=7).notes == tuple(many[:3])
    assert service.offered(many, invoice, fees, places=-1).notes == ()


def test_notes_of_thousands_of_items_are_offered_as_far_as_their_size_allows(billed, monkeypatch):
    invoice = an_invoice(billed)
    fees = invoices.fees_of(billed.ref.id, invoice)
    many = [OpenNote(a_note(billed, id=f"other{n}")) for n in range(3)]
    for most, offered in ((3, 3), (2, 2), (0, 1)):
        monkeypatch.setattr(service, "_ITEMS_MAX", most)
        assert len(service.offered(many, invoice, fees).notes) == offered


def test_coupons_come_first_in_what_a_transaction_holds(billed):
    invoice = an_invoice(billed)
    fees = invoices.fees_of(billed.ref.id, invoice)
    many = coupons_of(billed, 4, frequency="once")
    notes = [OpenNote(a_note(billed, id=f"other{n}")) for n in range(4)]
    offer = service.offered([*notes, *many], invoice, fees, places=6)
    assert [each.applied.id for each, _ in offer.coupons] == ["00", "01", "02"]
    assert offer.notes == ()
    offer = service.offered([*notes, *many], invoice, fees, places=13)
    assert (len(offer.coupons), offer.notes) == (4, tuple(notes[:2]))


def test_a_coupon_for_ever_never_waits(billed):
    invoice = an_invoice(billed)
    other = invoice.model_copy(update={"id": "another"})
    fees = invoices.fees_of(billed.ref.id, invoice)
    many = coupons_of(billed, 5)
    offer = service.offered(many, invoice, fees, places=3)
    assert [each.written for each, _ in offer.coupons] == [True, True, True, False, False]
    taken = [each.take(other, 31, now=NOW) for each, _ in offer.coupons]
    assert [each.part.amount_cents for each in taken] == [31] * 5
    assert len(service.actions(billed.ref.id, taken, ())) == 3


@pytest.mark.parametrize("mode", [AFTER_TAX, BEFORE_TAX])
def test_all_that_is_there_is_taken_or_nothing_is_left_to_pay(billed, mode):
    """For any number of coupons and notes up to the bound: of 31.00 and 20 % of tax."""
    invoice = an_invoice(billed)
    fees = invoices.fees_of(billed.ref.id, invoice)
    (coupon_,) = coupons_of(billed, 1, percentage_rate=None, amount_currency="EUR", amount_cents=37)
    base = OpenNote(a_note(billed, id="other"))
    for number in range(service.PLACES // 4 + 1):
        notes = [OpenNote(base.note.model_copy(update={"id": f"n{n}"})) for n in range(number)]
        many = [replace(coupon_, applied=coupon_.applied.model_copy(update={"id": f"{n:02d}"})) for n in range(number)]
        for found, available in ((notes, number * base.note.balance_amount_cents), (many, number * 37)):
            sums = compose.sums_of(fees, service.offered(found, invoice, fees).credits(), mode)
            remaining = 3100 if found is many and mode == BEFORE_TAX else 3720
            assert sums.credit_notes_amount_cents + sums.coupons_amount_cents == min(available, remaining)
        together = compose.sums_of(fees, service.offered([*notes, *many], invoice, fees).credits(), mode)
        assert len(together.taken_from_notes) == number
        assert together.total_amount_cents == 0 or len(together.discounts) == number


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
