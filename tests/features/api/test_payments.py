"""Payments by hand and their receipts over HTTP. Source: rules/invoices 10; rules/money 6."""

from datetime import timedelta
from typing import Any

import pytest
from lago_python_client.models.payment import PaymentResponse
from lago_python_client.models.payment_receipt import PaymentReceiptResponse

from chalicelib.platform.clock import utc_now
from tests.features.api.test_notes_by_hand import again, invoiced, pay
from tests.support.messages import messages
from tests.support.parallel import at_once, statuses
from tests.support.story import Story, work


def payment(story: Story, **fields: Any) -> Any:
    return story.call("POST", "/payments", {"payment": fields})


def test_an_invoice_is_paid_in_parts(story: Story) -> None:
    url = {"webhook_url": "http://127.0.0.1:9/hook"}
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": url})
    invoice = invoiced(story, 1000, rate="0")
    sent = {"invoice_id": invoice["lago_id"], "amount_cents": 300, "reference": "bank 1", "paid_at": "2023-12-31"}
    first = payment(story, **sent).body["payment"]
    parsed = PaymentResponse.parse_obj(first)
    assert (parsed.type, parsed.payment_status, parsed.reference) == ("manual", "succeeded", "bank 1")
    assert (first["invoice_ids"], first["invoice_numbers"]) == ([invoice["lago_id"]], [invoice["number"]])
    assert (first["payable_type"], first["amount_currency"]) == ("Invoice", "EUR")
    part = again(story, invoice)
    assert (part["total_paid_amount_cents"], part["total_due_amount_cents"]) == (300, 700)
    assert (part["payment_status"], part["refundable_amount_cents"]) == ("pending", 300)
    over = pay(story, invoice, 701)
    assert (over.status, over.body["error_details"]) == (422, {"amount_cents": ["invalid_value"]})
    assert pay(story, invoice, 700).status == 200
    paid = again(story, invoice)
    assert (paid["total_due_amount_cents"], paid["payment_status"]) == (0, "succeeded")
    assert {fee["payment_status"] for fee in paid["fees"]} == {"succeeded"}
    work()
    sent_types = [message.webhook_type for message in messages(story.ref.id)]
    assert sent_types.count("payment_receipt.created") == 2
    assert sent_types.count("invoice.payment_status_updated") == 1


def test_payments_and_receipts_are_listed(story: Story) -> None:
    invoice = invoiced(story, 1000, rate="0")
    story.customer("other", currency="EUR")
    story.subscribe("plan", "other", "other")
    (other,) = [each for each in story.invoices() if each["lago_id"] != invoice["lago_id"]]
    made = [pay(story, each, 100).body["payment"]["lago_id"] for each in (invoice, other, invoice)]

    def listed(path: str, root: str = "payments") -> list[str]:
        body = story.ok("GET", path)
        assert body["meta"]["total_count"] == len(body[root])
        return [each["lago_id"] for each in body[root]]

    assert set(listed("/payments")) == set(made)
    assert listed(f"/payments?invoice_id={other['lago_id']}") == [made[1]]
    assert listed("/payments?external_customer_id=other") == [made[1]]
    assert listed("/payments?external_customer_id=nobody") == []
    assert set(listed("/customers/cust/payments")) == {made[0], made[2]}
    assert story.call("GET", "/customers/nobody/payments").body["code"] == "customer_not_found"
    assert story.ok("GET", f"/payments/{made[0]}")["payment"]["lago_id"] == made[0]
    receipts = story.ok("GET", f"/payment_receipts?invoice_id={invoice['lago_id']}")["payment_receipts"]
    assert {each["number"] for each in receipts} == {f"{invoice['number']}-PR00{n}" for n in (1, 2)}
    assert {each["payment"]["lago_id"] for each in receipts} == {made[0], made[2]}
    assert len(listed("/payment_receipts", "payment_receipts")) == 3
    shown = story.ok("GET", f"/payment_receipts/{receipts[0]['lago_id']}")["payment_receipt"]
    assert PaymentReceiptResponse.parse_obj(shown).payment.lago_id == receipts[0]["payment"]["lago_id"]


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ({"invoice_id": None}, {"invoice_id": ["value_is_mandatory"]}),
        ({"amount_cents": 0}, {"amount_cents": ["invalid_value"]}),
        ({"amount_cents": -1}, {"amount_cents": ["invalid_value"]}),
        ({"amount_cents": None}, {"amount_cents": ["invalid_value"]}),
        ({"amount_cents": 1.5}, {"amount_cents": ["invalid_value"]}),
        ({"paid_at": "soon"}, {"paid_at": ["invalid_date"]}),
        ({"reference": "x" * 41}, {"reference": ["value_is_too_long"]}),
    ],
)
def test_what_is_refused(story: Story, fields: Any, details: Any) -> None:
    answer = payment(story, **{"invoice_id": "none", "amount_cents": 1, "reference": "r"} | fields)
    assert (answer.status, answer.body["error_details"]) == (422, details)


def test_only_final_invoices_are_paid(story: Story) -> None:
    assert payment(story, invoice_id="none", amount_cents=1).body["code"] == "invoice_not_found"
    story.plan(amount_cents=1000, pay_in_advance=True)
    story.customer("late", currency="EUR", billing_configuration={"invoice_grace_period": 3})
    story.subscribe("plan", "late", "late")
    (draft,) = story.invoices("&status=draft")
    assert pay(story, draft, 100).status == 403


def test_payments_at_once_never_exceed_what_is_due(story: Story) -> None:
    invoice = invoiced(story, 1000, rate="0")
    body = {"payment": {"invoice_id": invoice["lago_id"], "amount_cents": 400, "reference": "r"}}
    answers = at_once(story.call, [("POST", "/payments", body)] * 4)
    assert statuses(answers) == {200: 2, 422: 2}
    assert again(story, invoice)["total_paid_amount_cents"] == 800
    numbers = {each["number"] for each in story.ok("GET", "/payment_receipts")["payment_receipts"]}
    assert numbers == {f"{invoice['number']}-PR00{n}" for n in (1, 2)}


def test_a_status_that_is_set_records_no_payment(story: Story) -> None:
    invoice = invoiced(story, 1000, rate="0")
    story.ok("PUT", f"/invoices/{invoice['lago_id']}", {"invoice": {"payment_status": "succeeded"}})
    told = again(story, invoice)
    assert (told["total_paid_amount_cents"], told["refundable_amount_cents"]) == (0, 0)


def test_money_that_came_today_is_recorded_under_a_test_clock_of_the_past(story: Story) -> None:
    invoice = invoiced(story, 1000, rate="0")
    for sent in (utc_now().isoformat(), utc_now().date().isoformat(), "2023-12-31T23:00:00-08:00"):
        assert payment(story, invoice_id=invoice["lago_id"], amount_cents=100, paid_at=sent).status == 200
    tomorrow = (utc_now() + timedelta(days=2)).date().isoformat()
    refused = payment(story, invoice_id=invoice["lago_id"], amount_cents=100, paid_at=tomorrow)
    assert refused.body["error_details"] == {"paid_at": ["invalid_date"]}
    assert again(story, invoice)["total_paid_amount_cents"] == 300
