"""Purchases of credits that are not paid, or only in part. Source: rules/invoices 1, 8.4, 10; rules/money 4."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.features.invoicing import void as voiding
from chalicelib.features.payments import service as payments
from chalicelib.features.prepaid import settlement
from chalicelib.features.wallets import service as wallet_service
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
    # The requests in the middle would wait for the one around them, which runs what is due in this clock.
    monkeypatch.setattr(limits, "CLOCK_INLINE_SECONDS", 0.5)
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


def by_request(story: Story, made: Any) -> None:
    story.ok("DELETE", f"/wallets/{made['lago_id']}")


def by_itself(story: Story, made: Any) -> None:
    story.travel("2024-01-03T00:00:00Z")


def with_the_customer(story: Story, made: Any) -> None:
    story.ok("DELETE", "/customers/cust")
    story.travel("2024-01-03T00:00:00Z")


def expiring(story: Story, ending: Any) -> Any:
    return wallet(story, **({"expiration_at": "2024-01-02T12:00:00Z"} if ending is by_itself else {}))


@pytest.mark.parametrize("ending", [by_request, by_itself, with_the_customer])
def test_purchases_of_a_wallet_that_ends_are_given_up(story: Story, ending: Any) -> None:
    made = expiring(story, ending)
    paid, plain, partly, lost = (bought(story, made) for _ in range(4))
    pay(story, paid)
    assert record(story, partly, 400).status == 200
    pay(story, lost, "failed")
    ending(story, made)
    states = {each["lago_id"]: each["status"] for each in story.invoices()}
    assert states == {paid: "finalized", plain: "voided", partly: "voided", lost: "voided"}
    (note,) = story.notes()
    assert (note["lago_invoice_id"], note["refund_amount_cents"], note["credit_amount_cents"]) == (partly, 400, 0)
    entries = {each["lago_invoice_id"]: each["status"] for each in ledger(story, made)}
    assert entries == {paid: "settled", plain: "failed", partly: "failed", lost: "failed"}
    for invoice_id in (plain, partly, lost):
        assert record(story, invoice_id, 100).body["code"] == "invalid_type_or_status"
        assert set_back(story, invoice_id, "succeeded").body["code"] == "update_on_voided_invoice"
    assert read(story, made)["balance_cents"] == 1000
    wallets.check(story)


def test_open_invoices_of_a_wallet_that_ends_are_closed_or_refunded(story: Story) -> None:
    made = wallet(story)
    plain, partly = (bought(story, made, invoice_requires_successful_payment=True) for _ in range(2))
    assert record(story, partly, 400).status == 200
    by_request(story, made)
    (shown,) = story.invoices()
    assert (shown["lago_id"], shown["status"], shown["number"][-8:]) == (partly, "voided", "-001-001")
    assert [each["refund_amount_cents"] for each in story.notes()] == [400]
    assert {each["status"] for each in ledger(story, made)} == {"failed"}
    assert story.call("GET", f"/invoices/{plain}").status == 404
    answers = (record(story, plain, 1000), set_back(story, plain, "succeeded"))
    assert [(each.status, each.body["code"]) for each in answers] == [(403, "invalid_type_or_status")] * 2


def test_no_payment_is_taken_before_the_purchases_are_given_up(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wallet has ended, or ends while a payment is written; the task that follows has not come by yet."""
    made = wallet(story)
    invoice_id = bought(story, made)

    class Late(Unit):
        def commit(self) -> None:
            monkeypatch.setattr(payments, "Unit", Unit)
            wallet_service.terminate(story.ref, made["lago_id"], now=datetime(2024, 1, 1, tzinfo=UTC))
            super().commit()

    monkeypatch.setattr(payments, "Unit", Late)
    for answer in (record(story, invoice_id, 1000), set_back(story, invoice_id, "succeeded")):
        assert (answer.status, answer.body["code"]) == (403, "invalid_type_or_status")
    story.travel("2024-01-02T00:00:00Z")
    assert [each["status"] for each in story.invoices()] == ["voided"]
    assert (ledger(story, made)[0]["status"], read(story, made)["balance_cents"]) == ("failed", 0)
