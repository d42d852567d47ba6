"""Invoices that are collected through a provider. Source: rules/collection 1, 2."""

import pytest

from tests.features.payments.collecting import CONFIRMED, DECLINED, GOOD, Payer
from tests.support.messages import messages
from tests.support.providers.frame import Running
from tests.support.story import Story, work


@pytest.fixture
def payer(story: Story, stripe: Running, monkeypatch: pytest.MonkeyPatch) -> Payer:
    """A customer with a provider."""
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    return Payer(story, stripe, monkeypatch)


def told(payer: Payer) -> list[str]:
    """The types of the messages about payments, in their order."""
    found = [each.webhook_type for each in messages(payer.story.ref.id)]
    return [each for each in found if "payment" in each]


def test_a_final_invoice_is_collected(payer: Payer) -> None:
    invoice = payer.begin().bill()
    (pending,) = payer.payments()
    assert (pending["payment_status"], pending["type"], pending["amount_cents"]) == ("pending", "provider", 1999)
    assert payer.again(invoice)["payment_status"] == "pending"
    work()
    (paid,) = payer.payments()
    (intent,) = payer.intents()
    assert (paid["payment_status"], paid["provider_payment_id"]) == ("succeeded", intent["id"])
    assert (paid["payment_provider_code"], paid["payment_provider_type"]) == ("main", "stripe")
    after = payer.again(invoice)
    assert (after["payment_status"], after["total_paid_amount_cents"]) == ("succeeded", 1999)
    assert payer.row().collected.request.description == f"Acme - Invoice {invoice['number']}"
    receipts = payer.story.ok("GET", "/payment_receipts")["payment_receipts"]
    assert [each["payment"]["lago_id"] for each in receipts] == [paid["lago_id"]]
    assert sorted(told(payer)) == ["invoice.payment_status_updated", "payment.succeeded", "payment_receipt.created"]
    payer.later(days=3)
    assert len(payer.account.listed("payment_intent")) == 1


def test_a_refusal_fails_the_invoice_and_another_card_pays_it(payer: Payer) -> None:
    invoice = payer.begin(DECLINED).bill()
    work()
    (failed,) = payer.payments()
    assert (failed["payment_status"], payer.again(invoice)["payment_status"]) == ("failed", "failed")
    assert sorted(told(payer)) == ["invoice.payment_failure", "invoice.payment_status_updated"]
    payer.later(days=2)
    assert len(payer.payments()) == 1
    payer.leave(GOOD)
    assert payer.story.call("POST", f"/invoices/{invoice['lago_id']}/retry_payment").status == 200
    twice = payer.story.call("POST", f"/invoices/{invoice['lago_id']}/retry_payment")
    assert (twice.status, twice.body["code"]) == (405, "payment_processor_is_currently_handling_payment")
    work()
    assert [each["payment_status"] for each in payer.payments()] == ["failed", "succeeded"]
    assert payer.again(invoice)["payment_status"] == "succeeded"
    assert len(payer.intents()) == 1


@pytest.mark.parametrize("fault", ["lost_done", "lost_undone", "reset", "503", "500", "500_done", "409", "429", "odd"])
def test_a_lost_answer_charges_once(payer: Payer, fault: str) -> None:
    payer.begin()
    payer.stripe.fake.faults.add("POST /v1/payment_intents", fault)
    invoice = payer.bill()
    work()
    assert payer.row().payment_status in ("pending", "succeeded", "processing")
    payer.story.organization(name="Renamed")
    payer.later(minutes=7)
    payer.later(hours=1)
    payer.later(hours=3)
    assert len(payer.intents()) == 1
    assert payer.again(invoice)["payment_status"] == "succeeded"
    assert payer.again(invoice)["total_paid_amount_cents"] == 1999


def test_a_card_that_must_be_confirmed_is_asked_for_where_that_is_wanted(payer: Payer) -> None:
    invoice = payer.begin(CONFIRMED, supports_3ds=True).bill()
    work()
    work()
    first, second = payer.payments()
    assert (first["payment_status"], second["payment_status"]) == ("failed", "processing")
    assert second["next_action"]
    assert told(payer) == ["payment.requires_action"]
    assert payer.again(invoice)["payment_status"] == "pending"
