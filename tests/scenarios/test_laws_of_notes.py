"""Laws of credit notes and payments by hand: whatever is sent in whatever order, none exceeds its invoice."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.errors import Invalid
from chalicelib.features.credit_notes import by_hand
from chalicelib.features.credit_notes import service as notes
from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices import whole as invoice_whole
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.payments import service as payments
from chalicelib.platform import clock
from chalicelib.platform.ids import CreditNoteId, InvoiceId
from tests.support.story import Story

_names = (f"c{n}" for n in itertools.count())


@pytest.fixture(scope="module")
def story(module_aws: None) -> Story:
    """Fees of 33.35, 0.07 and 12.34, with 7 % and 5.5 % of tax."""
    story = Story.begin()
    for code, rate in (("one", "7"), ("two", "5.5")):
        tax = {"name": code, "code": code, "rate": rate, "applied_to_organization": True}
        story.ok("POST", "/taxes", {"tax": tax})
    fixed = []
    for code, amount in (("a", 7), ("b", 1234)):
        add_on = {"name": code, "code": code, "amount_cents": amount, "amount_currency": "EUR"}
        story.ok("POST", "/add_ons", {"add_on": add_on})
        priced = {"properties": {"amount": f"{amount / 100:.2f}"}}
        fixed.append({"add_on_code": code, "charge_model": "standard", "units": 1, "pay_in_advance": True, **priced})
    story.plan(amount_cents=3335, pay_in_advance=True, fixed_charges=fixed)
    return story


def issued(story: Story) -> Invoice:
    name = next(_names)
    story.customer(name, currency="EUR")
    story.subscribe("plan", name, name)
    (invoice,) = story.ok("GET", f"/invoices?external_customer_id={name}")["invoices"]
    return invoices.find(story.ref.id, InvoiceId(invoice["lago_id"]))


_SHARES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 100)), min_size=1, max_size=3)
_STEPS = st.one_of(
    st.tuples(st.just("pay"), st.integers(1, 6000)),
    st.tuples(st.just("note"), _SHARES, st.integers(0, 100), st.integers(0, 100), st.integers(-1, 1)),
)


@given(steps=st.lists(_STEPS, min_size=2, max_size=6))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_notes_and_payments_never_exceed_the_invoice(story: Story, steps: list[Any]) -> None:
    ref, now = story.ref, clock.now(story.ref)
    invoice = issued(story)
    fees = [fee.id for fee in invoice_whole.read_whole(ref.id, invoice).fees]
    for step in steps:
        if step[0] == "pay":
            sent = {"invoice_id": invoice.id, "amount_cents": step[1]}
            _allowed(lambda sent=sent: payments.record(ref, sent, now=now))
        else:
            _note_of(story, invoice, fees, *step[1:])
        check(story, invoices.find(ref.id, invoice.id))
    complete(story, invoices.find(ref.id, invoice.id))


def _note_of(
    story: Story, invoice: Invoice, fees: list[str], shares: list[tuple[int, int]], refund: int, offset: int, off: int
) -> None:
    items = [{"fee_id": fees[place], "amount_cents": (3335, 7, 1234)[place] * part // 200} for place, part in shares]
    sent: dict[str, Any] = {"invoice_id": invoice.id, "items": items}
    estimated = _allowed(lambda: by_hand.estimate(story.ref.id, sent, now=clock.now(story.ref)))
    if estimated is None:
        return
    found = estimated[2]
    given = {
        "refund_amount_cents": found.max_refundable_cents * refund // 100,
        "offset_amount_cents": min(found.max_offsettable_cents, found.max_creditable_cents) * offset // 200,
    }
    credit = max(0, found.max_creditable_cents - sum(given.values()) + off)
    sent |= given | {"credit_amount_cents": credit}
    made = _allowed(lambda: by_hand.create(story.ref, sent, now=clock.now(story.ref)))
    if made is not None:
        note = made[0]
        assert note.total_amount_cents == found.max_creditable_cents
        assert note.taxes_amount_cents == found.amounts.taxes_cents


def check(story: Story, invoice: Invoice) -> None:
    """The laws, from the notes themselves."""
    made = of(story, invoice)
    assert [note.sequential_id for note in made] == list(range(1, len(made) + 1))
    for note in made:
        parts = note.credit_amount_cents, note.refund_amount_cents, note.offset_amount_cents
        assert min(parts) >= 0
        assert sum(parts) == note.total_amount_cents
    net = sum(note.sub_total_excluding_taxes_amount_cents for note in made)
    taxes = sum(note.taxes_amount_cents for note in made)
    assert net <= invoice.sub_total_excluding_taxes_amount_cents
    assert taxes <= invoice.taxes_amount_cents
    assert invoice.creditable_cents == invoice.sub_total_including_taxes_amount_cents - net - taxes
    refunded = sum(note.refund_amount_cents for note in made)
    assert refunded == invoice.noted.refunded_cents <= invoice.total_paid_amount_cents
    assert sum(note.offset_amount_cents for note in made) == invoice.offset_amount_cents
    assert invoice.due_amount_cents >= 0
    assert (invoice.payment_status == "succeeded") == (invoice.due_amount_cents == 0)


def complete(story: Story, invoice: Invoice) -> None:
    """A note of all that is left brings the invoice to its end, to the cent."""
    whole = invoice_whole.read_whole(story.ref.id, invoice)
    left = [
        {"fee_id": fee.id, "amount_cents": fee.amount_cents - int(invoice.credited.get(fee.id, "0"))}
        for fee in whole.fees
    ]
    sent = {"invoice_id": invoice.id, "items": left, "credit_amount_cents": invoice.creditable_cents}
    if invoice.creditable_cents:
        by_hand.create(story.ref, sent, now=clock.now(story.ref))
    after = invoices.find(story.ref.id, invoice.id)
    check(story, after)
    assert (after.creditable_cents, after.refundable_cents()) == (0, 0)


def of(story: Story, invoice: Invoice) -> list[CreditNote]:
    return [notes.find(story.ref.id, CreditNoteId(each)) for each in invoice.note_ids]


def _allowed(change: Callable[[], Any]) -> Any:
    try:
        return change()
    except Invalid:
        return None
