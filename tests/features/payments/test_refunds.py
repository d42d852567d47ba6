"""Credit notes that are refunded through the provider. Source: rules/collection 5."""

from typing import Any

import pytest

from chalicelib.features.credit_notes import service as credit_notes
from chalicelib.features.payments.collection import applying
from chalicelib.features.payments.providers.values import Event, Hint
from tests.features.payments.collecting import Payer
from tests.support.messages import messages
from tests.support.providers.frame import Running
from tests.support.story import Story, work


@pytest.fixture
def payer(story: Story, stripe: Running, monkeypatch: pytest.MonkeyPatch) -> Payer:
    """A customer with a provider."""
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    return Payer(story, stripe, monkeypatch).begin()


def paid(payer: Payer, cents: int = 3000) -> Any:
    invoice = payer.bill(cents)
    work()
    return payer.again(invoice)


def note(payer: Payer, invoice: Any, cents: int) -> Any:
    items = [{"fee_id": invoice["fees"][0]["lago_id"], "amount_cents": cents}]
    body = {"invoice_id": invoice["lago_id"], "reason": "other", "refund_amount_cents": cents, "items": items}
    made = payer.story.ok("POST", "/credit_notes", {"credit_note": body})["credit_note"]
    work()
    work()
    return made


def status(payer: Payer, made: Any) -> str:
    shown: str = payer.story.ok("GET", f"/credit_notes/{made['lago_id']}")["credit_note"]["refund_status"]
    return shown


def refunds(payer: Payer) -> list[int]:
    return [each["amount"] for each in payer.account.listed("refund") if each["status"] != "failed"]


def failures(payer: Payer) -> int:
    return [each.webhook_type for each in messages(payer.story.ref.id)].count("credit_note.refund_failure")


def test_a_note_is_refunded_once(payer: Payer) -> None:
    made = note(payer, paid(payer), 1000)
    assert (status(payer, made), refunds(payer)) == ("succeeded", [1000])
    payer.later(days=2)
    assert refunds(payer) == [1000]


@pytest.mark.parametrize("fault", ["lost_done", "lost_undone", "reset", "503", "500_done", "409", "429"])
def test_a_lost_answer_refunds_once(payer: Payer, fault: str) -> None:
    invoice = paid(payer)
    payer.stripe.fake.faults.add("POST /v1/refunds", fault)
    made = note(payer, invoice, 1000)
    for _ in range(4):
        payer.later(minutes=20)
    assert (status(payer, made), refunds(payer)) == ("succeeded", [1000])


def test_a_refund_that_fails_later_is_told(payer: Payer) -> None:
    made = note(payer, paid(payer), 1000)
    (refund,) = payer.account.listed("refund")
    payer.account.move(refund["id"], "failed")
    for _ in range(2):
        event = Event("evt", "refund", refund["id"], "refund.failed", None, Hint())
        applying.apply(payer.story.ref, payer.connection, event)
    work()
    assert (status(payer, made), failures(payer)) == ("failed", 1)


def test_what_was_refunded_elsewhere_is_left_to_the_client(payer: Payer) -> None:
    invoice = paid(payer)
    payer.account.refund(payer.intents()[0], 2500)
    made = note(payer, invoice, 1000)
    assert (status(payer, made), sorted(refunds(payer))) == ("pending", [500, 2500])
    assert failures(payer) == 0


def test_what_was_paid_by_hand_is_refunded_by_hand(payer: Payer) -> None:
    payer.leave(None)
    invoice = payer.bill(2000)
    payer.story.ok("POST", "/payments", {"payment": {"invoice_id": invoice["lago_id"], "amount_cents": 2000}})
    work()
    payer.later(days=1)
    made = note(payer, payer.again(invoice), 1000)
    assert (status(payer, made), refunds(payer)) == ("pending", [])


def test_a_failure_that_the_provider_keeps_ends_the_refund_after_an_hour(payer: Payer) -> None:
    invoice = paid(payer)
    payer.stripe.fake.faults.add("POST /v1/refunds", "stored")
    made = note(payer, invoice, 1000)
    for minutes in (2, 6, 31):
        payer.later(minutes=minutes)
        assert (status(payer, made), failures(payer)) == ("pending", 0)
    payer.later(hours=3)
    assert (status(payer, made), failures(payer), refunds(payer)) == ("failed", 1, [])
    (told,) = [each for each in messages(payer.story.ref.id) if each.webhook_type == "credit_note.refund_failure"]
    assert '"error_code":"provider_error"' in told.payload


def test_a_payment_that_the_provider_does_not_know_is_refused_once(payer: Payer) -> None:
    invoice = paid(payer)
    del payer.account.objects[payer.intents()[0]["id"]]
    made = note(payer, invoice, 1000)
    payer.later(days=2)
    assert (status(payer, made), failures(payer)) == ("failed", 1)


def test_a_refund_that_succeeded_is_kept_with_its_time(payer: Payer) -> None:
    made = note(payer, paid(payer), 1000)
    kept = credit_notes.get(payer.story.ref.id, made["lago_id"])
    assert kept is not None
    assert kept.refunded_at == kept.updated_at
    payer.story.ok("PUT", f"/credit_notes/{made['lago_id']}", {"credit_note": {"refund_status": "failed"}})
    again = credit_notes.get(payer.story.ref.id, made["lago_id"])
    assert again is not None
    assert again.refunded_at is None
