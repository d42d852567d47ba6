"""Use cases that take the id to use, as pages give them one: the second of two equal requests finds what the first made."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.domain.errors import Invalid
from chalicelib.features.credit_notes import by_hand, service
from chalicelib.features.prepaid import top_ups
from chalicelib.features.wallets.worth import worth_of
from chalicelib.platform.ids import CreditNoteId, InvoiceId, WalletId, new_id
from tests.support.story import Story
from tests.support.wallets import check, ledger, wallet

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def sold(story: Story) -> Any:
    """An invoice of 100.00."""
    story.customer(currency="EUR")
    add_on = {"name": "Setup", "code": "setup", "amount_cents": 10000, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": add_on})
    body = {"external_customer_id": "cust", "fees": [{"add_on_code": "setup"}]}
    return story.ok("POST", "/invoices", {"invoice": body})["invoice"]


def test_a_credit_note_is_made_once(story: Story):
    invoice = story.ok("GET", f"/invoices/{sold(story)['lago_id']}")["invoice"]
    items = [{"fee_id": invoice["fees"][0]["lago_id"], "amount_cents": 8000}]
    body = {"invoice_id": invoice["lago_id"], "items": items, "credit_amount_cents": 8000}
    note_id = CreditNoteId(new_id())
    first, tasks = by_hand.create(story.ref, body, now=NOW, note_id=note_id)
    second, none = by_hand.create(story.ref, body, now=NOW, note_id=note_id)
    assert (first.id, second.number, none) == (note_id, first.number, [])
    assert tasks
    assert len(story.notes()) == 1
    left = by_hand.offered(story.ref.id, InvoiceId(invoice["lago_id"]), now=NOW).creditable.remaining
    assert list(left.values()) == [Decimal(2000)]


def test_the_uses_of_a_credit_note_are_the_credits_of_invoices(story: Story):
    invoice = story.ok("GET", f"/invoices/{sold(story)['lago_id']}")["invoice"]
    items = [{"fee_id": invoice["fees"][0]["lago_id"], "amount_cents": 8000}]
    body = {"invoice_id": invoice["lago_id"], "items": items, "credit_amount_cents": 8000}
    made = story.ok("POST", "/credit_notes", {"credit_note": body})["credit_note"]

    def uses() -> tuple[list[tuple[str, int]], bool]:
        note = service.find(story.ref.id, CreditNoteId(made["lago_id"]))
        found = service.uses(story.ref.id, note)
        return [(each.id, cents) for each, cents in found.found], found.are_all

    assert uses() == ([], True)
    story.plan(amount_cents=5000)
    story.subscribe()
    story.travel("2024-03-01T10:00:00Z")
    _, january, february = story.invoices()
    assert uses() == ([(january["lago_id"], 5000), (february["lago_id"], 3000)], True)
    story.ok("POST", f"/invoices/{february['lago_id']}/void")
    assert uses() == ([(january["lago_id"], 5000)], True)


def test_a_list_of_notes_without_items_is_the_rest_of_the_apis(story: Story):
    invoice = story.ok("GET", f"/invoices/{sold(story)['lago_id']}")["invoice"]
    items = [{"fee_id": invoice["fees"][0]["lago_id"], "amount_cents": 8000}]
    body = {"invoice_id": invoice["lago_id"], "items": items, "credit_amount_cents": 8000}
    story.ok("POST", "/credit_notes", {"credit_note": body})
    (whole,) = story.notes()
    note = service.find(story.ref.id, CreditNoteId(whole["lago_id"]))
    (head,) = service.show_heads(story.ref.id, [note])
    names = [name for name in whole if name.endswith("_cents") or name in ("number", "reason", "credit_status")]
    assert {name: head[name] for name in names} == {name: whole[name] for name in names}


def test_a_wallet_is_made_once(story: Story):
    story.customer(currency="EUR")
    body = {"external_customer_id": "cust", "rate_amount": "1", "granted_credits": "5", "paid_credits": "10"}
    wallet_id = WalletId(new_id())
    made = [top_ups.create(story.ref, body, now=NOW, wallet_id=wallet_id) for _ in range(2)]
    assert {each.id for each in made} == {wallet_id}
    assert len(story.ok("GET", "/wallets")["wallets"]) == 1
    assert len(story.invoices()) == 1
    check(story)


def test_a_top_up_is_made_once(story: Story):
    story.customer(currency="EUR")
    made = wallet(story, granted_credits="1")
    body = {"wallet_id": made["lago_id"], "paid_credits": "10", "granted_credits": "5", "voided_credits": "2"}
    _, first = top_ups.top_up(story.ref, body, now=NOW, mark="a")
    _, second = top_ups.top_up(story.ref, body, now=NOW, mark="a")
    assert [each.id for each in first] == [each.id for each in second]
    assert [each.transaction_status for each in second] == ["purchased", "granted", "voided"]
    assert len(ledger(story, made)) == 4
    top_ups.top_up(story.ref, body, now=NOW, mark="b")
    assert len(ledger(story, made)) == 7
    with pytest.raises(Invalid):
        top_ups.top_up(story.ref, {**body, "voided_credits": "100"}, now=NOW, mark="c")
    check(story)


@pytest.mark.parametrize(
    ("rate", "currency", "cents"),
    [("1", "EUR", 10000), ("0.0125", "EUR", 125), ("5", "JPY", 500), ("0", "EUR", None), ("x", "EUR", None)],
)
def test_the_worth_of_credits_is_written_out_while_the_rate_is_a_price(rate, currency, cents):
    assert worth_of(rate, currency, 100) == cents
    assert worth_of("NaN", currency, 100) is None
    assert worth_of("1e30", currency, 100) is None
