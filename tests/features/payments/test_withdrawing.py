"""Money that comes in several ways at once, and payments that are not wanted any more. Source: rules/collection 1, 2."""

from typing import Any

import pytest

from chalicelib.features.payments.collection import applying
from chalicelib.features.payments.providers.values import Event, Hint
from tests.features.payments.collecting import DECLINED, GOOD, Payer
from tests.support.messages import messages
from tests.support.providers import stripe_calls
from tests.support.providers.frame import Running
from tests.support.story import Story, work


@pytest.fixture
def payer(story: Story, stripe: Running, monkeypatch: pytest.MonkeyPatch) -> Payer:
    """A customer with a provider."""
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    return Payer(story, stripe, monkeypatch)


def told(payer: Payer) -> list[str]:
    found = [each.webhook_type for each in messages(payer.story.ref.id)]
    return sorted(each for each in found if "payment" in each)


def page(payer: Payer, invoice: Any) -> str:
    body = payer.story.ok("POST", f"/invoices/{invoice['lago_id']}/payment_url")["invoice_payment_details"]
    assert body["lago_invoice_id"] == invoice["lago_id"]
    url: str = body["payment_url"]
    return url


def hear(payer: Payer, kind: Any, object_id: str) -> None:
    """An event came, as often as providers like."""
    for _ in range(2):
        event = Event(f"evt-{object_id}", kind, object_id, "x", None, Hint())
        applying.apply(payer.story.ref, payer.connection, event)
        work()


def sessions(payer: Payer, *status: str) -> list[Any]:
    found = payer.account.listed("checkout.session")
    return [each for each in found if each["mode"] == "payment" and each["status"] in (status or (each["status"],))]


def test_a_page_is_given_again_until_its_amount_changes(payer: Payer) -> None:
    invoice = payer.begin(None).bill(3000)
    work()
    assert payer.payments() == []
    url = page(payer, invoice)
    assert page(payer, invoice) == url
    payer.story.ok("POST", "/payments", {"payment": {"invoice_id": invoice["lago_id"], "amount_cents": 1000}})
    assert page(payer, invoice) != url
    (open_page,) = sessions(payer, "open")
    assert open_page["amount_total"] == 2000
    stripe_calls.complete(payer.account, open_page["id"], GOOD)
    hear(payer, "page", open_page["id"])
    hear(payer, "payment", payer.intents()[0]["id"])
    after = payer.again(invoice)
    assert (after["payment_status"], after["total_paid_amount_cents"]) == ("succeeded", 3000)
    assert [each["type"] for each in payer.payments()] == ["manual", "provider"]
    assert told(payer).count("payment.succeeded") == 2


def test_a_page_whose_answer_was_lost_is_the_same_page(payer: Payer) -> None:
    invoice = payer.begin(None).bill()
    payer.stripe.fake.faults.add("POST /v1/checkout/sessions", "lost_done")
    refused = payer.story.call("POST", f"/invoices/{invoice['lago_id']}/payment_url")
    assert refused.body["error_details"] == {"base": ["payment_provider_not_reached"]}
    payer.story.organization(name="Renamed")
    page(payer, invoice)
    assert len(sessions(payer)) == 1


def test_a_paid_page_is_the_payment_and_no_card_is_charged(payer: Payer) -> None:
    invoice = payer.begin(DECLINED).bill()
    work()
    assert payer.again(invoice)["payment_status"] == "failed"
    page(payer, invoice)
    (open_page,) = sessions(payer, "open")
    stripe_calls.complete(payer.account, open_page["id"], GOOD)
    payer.leave(GOOD)
    payer.story.ok("POST", f"/invoices/{invoice['lago_id']}/retry_payment")
    work()
    work()
    assert len(payer.intents()) == 1
    assert payer.again(invoice)["payment_status"] == "succeeded"
    assert payer.again(invoice)["total_paid_amount_cents"] == 1999
    statuses = [(each["payment_status"], each["payment_method_id"] is None) for each in payer.payments()]
    assert sorted(statuses) == [("failed", False), ("failed", False), ("succeeded", True)]


def test_pages_are_closed_when_the_invoice_is_paid_otherwise(payer: Payer) -> None:
    invoice = payer.begin(None).bill()
    page(payer, invoice)
    payer.story.ok("POST", "/payments", {"payment": {"invoice_id": invoice["lago_id"], "amount_cents": 1999}})
    work()
    assert sessions(payer, "open") == []


@pytest.mark.parametrize("how", ["pay", "void", "status"])
def test_what_is_not_owed_any_more_is_not_charged(payer: Payer, how: str) -> None:
    invoice = payer.begin().bill()
    if how == "pay":
        payer.story.ok("POST", "/payments", {"payment": {"invoice_id": invoice["lago_id"], "amount_cents": 1999}})
    elif how == "void":
        payer.story.ok("POST", f"/invoices/{invoice['lago_id']}/void")
    else:
        payer.story.ok("PUT", f"/invoices/{invoice['lago_id']}", {"invoice": {"payment_status": "succeeded"}})
    work()
    payer.later(days=2)
    assert payer.account.listed("payment_intent") == []
    provided = [each for each in payer.payments() if each["type"] == "provider"]
    assert [each["payment_status"] for each in provided] == ["failed"]
    assert "invoice.payment_failure" not in told(payer)


def test_a_payment_that_was_sent_already_is_cancelled(payer: Payer) -> None:
    invoice = payer.begin("4000002760003184", supports_3ds=True).bill()
    work()
    work()
    payer.story.ok("POST", f"/invoices/{invoice['lago_id']}/void")
    work()
    work()
    states = {each["status"] for each in payer.account.listed("payment_intent")}
    assert states == {"canceled", "requires_payment_method"}
    assert payer.row().payment_status == "failed"
    assert payer.again(invoice)["payment_status"] == "pending"


def test_a_payment_that_succeeds_after_all_is_shown_above_the_total(payer: Payer) -> None:
    invoice = payer.begin().bill()
    payer.stripe.fake.faults.add("POST /v1/payment_intents", "lost_done")
    work()
    payer.story.ok("POST", "/payments", {"payment": {"invoice_id": invoice["lago_id"], "amount_cents": 1999}})
    work()
    payer.later(hours=2)
    payer.later(hours=20)
    after = payer.again(invoice)
    assert (after["total_paid_amount_cents"], after["total_due_amount_cents"]) == (3998, 0)
    assert after["payment_status"] == "succeeded"


def test_events_bring_the_present_state_however_they_come(payer: Payer) -> None:
    invoice = payer.begin().bill()
    payer.stripe.fake.faults.add("POST /v1/payment_intents", "lost_done")
    work()
    (intent,) = payer.intents()
    hear(payer, "payment", intent["id"])
    assert payer.again(invoice)["payment_status"] == "succeeded"
    payer.later(days=2)
    assert payer.again(invoice)["total_paid_amount_cents"] == 1999
    assert told(payer).count("payment.succeeded") == 1


def test_a_lost_dispute_is_kept_with_the_invoice(payer: Payer) -> None:
    invoice = payer.begin("4000000000000259").bill()
    work()
    (dispute,) = payer.account.listed("dispute")
    payer.account.move(dispute["id"], "lost")
    hear(payer, "dispute", dispute["id"])
    assert payer.again(invoice)["payment_dispute_lost_at"] is not None
    assert told(payer).count("invoice.payment_dispute_lost") == 1


def test_a_purchase_of_credits_is_paid_on_a_page(payer: Payer) -> None:
    payer.begin(None)
    body = {"external_customer_id": "cust", "rate_amount": "1", "currency": "EUR", "paid_credits": "12"}
    made = payer.story.ok("POST", "/wallets", {"wallet": {**body, "invoice_requires_successful_payment": True}})
    path = f"/wallets/{made['wallet']['lago_id']}/wallet_transactions"
    (bought,) = payer.story.ok("GET", path)["wallet_transactions"]
    body = payer.story.ok("POST", f"/wallet_transactions/{bought['lago_id']}/payment_url")
    assert body["wallet_transaction_payment_details"]["payment_url"]
    (open_page,) = sessions(payer, "open")
    assert open_page["amount_total"] == 1200
    stripe_calls.complete(payer.account, open_page["id"], GOOD)
    hear(payer, "page", open_page["id"])
    payer.story.travel("2024-01-02T00:00:00Z")
    assert [each["status"] for each in payer.story.ok("GET", path)["wallet_transactions"]] == ["settled"]
