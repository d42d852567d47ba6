"""Purchases of credits that are not paid, or only in part. Source: rules/invoices 1, 8.4, 10; rules/money 4."""

from typing import Any

import pytest

from chalicelib.features.invoicing import void as voiding
from chalicelib.features.prepaid import settlement
from chalicelib.features.wallets import store
from chalicelib.platform.unit import Unit
from tests.support import wallets
from tests.support.story import Answer, Story
from tests.support.wallets import ledger, pay, read, top_up, wallet


@pytest.fixture
def story(aws: None) -> Story:
    made = Story.begin()
    made.customer("cust", currency="EUR")
    return made


def bought(story: Story, made: Any, **fields: Any) -> str:
    """The invoice of a purchase of 10.00."""
    (entry,) = top_up(story, made, paid_credits="10", **fields)
    return str(entry["lago_invoice_id"])


def record(story: Story, invoice_id: str, cents: int) -> Answer:
    return story.call("POST", "/payments", {"payment": {"invoice_id": invoice_id, "amount_cents": cents}})


def set_back(story: Story, invoice_id: str, status: str) -> Answer:
    return story.call("PUT", f"/invoices/{invoice_id}", {"invoice": {"payment_status": status}})


def void(story: Story, invoice_id: str, **options: Any) -> Answer:
    return story.call("POST", f"/invoices/{invoice_id}/void", options)


REFUSED = {"payment_status": ["value_is_invalid"]}


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_a_settled_purchase_is_neither_set_back_nor_voided(story: Story, status: str) -> None:
    made = wallet(story)
    invoice_id = bought(story, made)
    pay(story, invoice_id)
    assert set_back(story, invoice_id, status).body["error_details"] == REFUSED
    assert void(story, invoice_id).body["code"] == "not_voidable"
    assert read(story, made)["balance_cents"] == 1000
    wallets.check(story)


def test_a_purchase_that_is_voided_while_it_settles_adds_nothing(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settlement has read a paid invoice, which is set back and void before it writes."""
    made = wallet(story)
    invoice_id = bought(story, made)
    answers: list[int] = []

    class Late(Unit):
        def commit(self) -> None:
            monkeypatch.setattr(settlement, "Unit", Unit)
            answers.append(set_back(story, invoice_id, "failed").status)
            answers.append(void(story, invoice_id).status)
            super().commit()

    monkeypatch.setattr(settlement, "Unit", Late)
    pay(story, invoice_id)
    story.travel("2024-01-02T00:00:00Z")
    assert answers == [200, 200]
    (entry,) = ledger(story, made)
    assert (entry["status"], read(story, made)["balance_cents"]) == ("failed", 0)
    wallets.check(story)


def test_a_purchase_that_settles_while_it_is_voided_stays(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """The void has read a purchase that is not settled; the settlement is faster."""
    invoice_id = bought(story, wallet(story))
    purchase_id = story.invoices()[0]["fees"][0]["item"]["lago_item_id"]

    class Late(Unit):
        def commit(self) -> None:
            monkeypatch.setattr(voiding, "Unit", Unit)
            entry = store.transaction(story.ref.id, purchase_id)
            assert entry is not None
            settled = entry.model_copy(update={"status": "settled"})
            Unit(store.replace_transaction(story.ref.id, entry, settled)).commit()
            super().commit()

    monkeypatch.setattr(voiding, "Unit", Late)
    assert void(story, invoice_id).body["code"] == "not_voidable"


def test_a_purchase_paid_in_part_is_refunded_by_its_void(story: Story) -> None:
    made = wallet(story)
    invoice_id = bought(story, made)
    assert record(story, invoice_id, 400).status == 200
    assert void(story, invoice_id).body["code"] == "not_voidable"
    for wrong in ({"refund_amount": 401}, {"credit_amount": 1}, {"credit_amount": 1, "refund_amount": 399}):
        refused = void(story, invoice_id, generate_credit_note=True, **wrong)
        assert refused.body["error_details"] == {"credit_refund_amount": ["total_amount_exceeds_invoice_amount"]}
    assert void(story, invoice_id, generate_credit_note=True, refund_amount=400).status == 200
    (note,) = story.notes()
    assert (note["total_amount_cents"], note["refund_amount_cents"], note["credit_amount_cents"]) == (400, 400, 0)
    (entry,) = ledger(story, made)
    assert (entry["status"], read(story, made)["balance_cents"]) == ("failed", 0)
    assert record(story, invoice_id, 600).body["code"] == "invalid_type_or_status"
    wallets.check(story)


def test_a_purchase_of_which_nothing_was_paid_is_voided_as_it_is(story: Story) -> None:
    made = wallet(story)
    invoice_id = bought(story, made)
    assert void(story, invoice_id, generate_credit_note=True, refund_amount=1).status == 422
    assert void(story, invoice_id, generate_credit_note=True).status == 200
    assert story.notes() == []
    assert ledger(story, made)[0]["status"] == "failed"


def test_a_status_does_not_contradict_the_payments(story: Story) -> None:
    story.plan(amount_cents=1000, pay_in_advance=True)
    story.subscribe()
    (invoice,) = story.invoices()
    invoice_id = invoice["lago_id"]
    assert record(story, invoice_id, 400).status == 200
    assert set_back(story, invoice_id, "failed").status == 200
    assert record(story, invoice_id, 600).status == 200
    for status in ("pending", "failed"):
        assert set_back(story, invoice_id, status).body["error_details"] == REFUSED
    assert set_back(story, invoice_id, "succeeded").status == 200


def test_an_invoice_of_nothing_stays_paid(story: Story) -> None:
    story.plan(amount_cents=0, pay_in_advance=True)
    story.subscribe()
    (invoice,) = story.invoices()
    assert (invoice["total_amount_cents"], invoice["payment_status"]) == (0, "succeeded")
    assert set_back(story, invoice["lago_id"], "pending").body["error_details"] == REFUSED
