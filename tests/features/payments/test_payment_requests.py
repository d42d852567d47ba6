"""Payment requests over several invoices. Source: rules/collection 6."""

from typing import Any

import pytest
from lago_python_client.models.payment_request import PaymentRequestResponse

from tests.features.payments.collecting import DECLINED, GOOD, Payer
from tests.support.messages import messages
from tests.support.providers.frame import Running
from tests.support.story import Answer, Story, work


@pytest.fixture
def payer(story: Story, stripe: Running, monkeypatch: pytest.MonkeyPatch) -> Payer:
    """A customer with a provider."""
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    return Payer(story, stripe, monkeypatch).begin(None)


def overdue(payer: Payer, *cents: int) -> list[Any]:
    """Invoices that nobody paid in time."""
    invoices = [payer.bill(each) for each in cents]
    work()
    payer.story.travel("2024-03-01T00:00:00Z")
    return invoices


def ask(payer: Payer, invoices: list[Any], **more: Any) -> Answer:
    ids = [each["lago_id"] for each in invoices]
    body = {"external_customer_id": "cust", "email": "pay@example.com", "lago_invoice_ids": ids, **more}
    answer = payer.story.call("POST", "/payment_requests", {"payment_request": body})
    if answer.status == 200:
        work()
    return answer


def told(payer: Payer) -> list[str]:
    found = [each.webhook_type for each in messages(payer.story.ref.id)]
    return sorted(each for each in found if "payment" in each and "overdue" not in each)


def test_several_invoices_are_paid_as_one(payer: Payer) -> None:
    invoices = overdue(payer, 1000, 2500)
    payer.leave(GOOD)
    made = ask(payer, invoices).body["payment_request"]
    parsed = PaymentRequestResponse.parse_obj(made)
    assert (parsed.amount_cents, parsed.amount_currency, parsed.payment_status) == (3500, "EUR", "pending")
    (intent,) = payer.intents()
    assert (intent["amount"], intent["metadata"]["lago_payment_request_id"]) == (3500, made["lago_id"])
    for invoice, cents in zip(invoices, (1000, 2500), strict=True):
        after = payer.again(invoice)
        assert (after["payment_status"], after["total_paid_amount_cents"]) == ("succeeded", cents)
    (payment,) = payer.payments()
    assert (payment["payable_type"], payment["lago_payable_id"]) == ("PaymentRequest", made["lago_id"])
    assert payment["invoice_ids"] == [each["lago_id"] for each in invoices]
    shown = payer.story.ok("GET", f"/payment_requests/{made['lago_id']}")["payment_request"]
    assert (shown["payment_status"], len(shown["invoices"])) == ("succeeded", 2)
    assert told(payer) == [
        *["invoice.payment_status_updated"] * 2,
        *("payment.succeeded", "payment_receipt.created", "payment_request.created"),
        "payment_request.payment_status_updated",
    ]
    for path in ("/payment_requests", "/customers/cust/payment_requests", "/payment_requests?payment_status=succeeded"):
        assert payer.story.ok("GET", path)["payment_requests"] == [shown]
    assert payer.story.ok("GET", "/payment_requests?payment_status=failed")["payment_requests"] == []


def test_a_refusal_is_told_of_the_request(payer: Payer) -> None:
    invoices = overdue(payer, 1000, 2500)
    payer.leave(DECLINED)
    made = ask(payer, invoices).body["payment_request"]
    assert (
        payer.story.ok("GET", f"/payment_requests/{made['lago_id']}")["payment_request"]["payment_status"] == "failed"
    )
    assert {payer.again(each)["payment_status"] for each in invoices} == {"failed"}
    assert "payment_request.payment_failure" in told(payer)
    assert "invoice.payment_failure" not in told(payer)


def test_an_invoice_that_was_paid_meanwhile_is_left_out(payer: Payer) -> None:
    invoices = overdue(payer, 1000, 2500)
    payer.leave(GOOD)
    ids = [each["lago_id"] for each in invoices]
    body = {"external_customer_id": "cust", "lago_invoice_ids": ids}
    payer.story.ok("POST", "/payment_requests", {"payment_request": body})
    payer.story.ok("POST", "/payments", {"payment": {"invoice_id": ids[0], "amount_cents": 1000}})
    for _ in range(3):
        work()
    (intent,) = payer.intents()
    assert intent["amount"] == 2500
    assert [payer.again(each)["total_paid_amount_cents"] for each in invoices] == [1000, 2500]


def test_what_cannot_be_asked_for(payer: Payer) -> None:
    early = payer.bill(1000)
    assert ask(payer, [early]).body["code"] == "invoices_not_overdue"
    invoices = overdue(payer, 2000)
    payer.leave(GOOD)
    again = payer.story.call("POST", f"/invoices/{invoices[0]['lago_id']}/retry_payment")
    assert again.status == 200
    refused = ask(payer, invoices)
    assert (refused.status, refused.body["code"]) == (405, "payment_processor_is_currently_handling_payment")
    assert ask(payer, [{"lago_id": "none"}]).body["code"] == "invoice_not_found"
    assert ask(payer, []).status == 422
