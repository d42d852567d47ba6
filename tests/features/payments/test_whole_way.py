"""From the first page of a customer to the money, with all events of the provider, over HTTP. Source: rules/collection 2, 5."""

from typing import Any

import pytest

from tests.features.payments.far_side import KEY, TOKEN, connect, connect_gocardless, customer, deliver, leave_card
from tests.support.providers.frame import Running
from tests.support.story import Story, work


def bill(story: Story, cents: int = 1999) -> Any:
    add_on = {"name": "Setup", "code": "setup", "amount_cents": cents, "amount_currency": "EUR"}
    story.call("POST", "/add_ons", {"add_on": add_on})
    fee = {"add_on_code": "setup", "unit_amount_cents": cents, "units": 1}
    body = {"external_customer_id": "cust", "currency": "EUR", "fees": [fee]}
    return story.ok("POST", "/invoices", {"invoice": body})["invoice"]


def again(story: Story, invoice: Any) -> Any:
    return story.ok("GET", f"/invoices/{invoice['lago_id']}")["invoice"]


def twice(running: Running) -> None:
    """Everything is told again, and all of it twice."""
    assert {*deliver(running), *deliver(running)} == {200}


def settled(story: Story) -> None:
    while work():
        pass


def test_an_invoice_waits_for_a_card_and_is_paid_refunded_and_told(story: Story, stripe: Running) -> None:
    connect(story)
    customer(story)
    invoice = bill(story)
    settled(story)
    assert again(story, invoice)["payment_status"] == "pending"
    leave_card(stripe)
    deliver(stripe)
    settled(story)
    twice(stripe)
    settled(story)
    paid = again(story, invoice)
    assert (paid["payment_status"], paid["total_paid_amount_cents"]) == ("succeeded", 1999)
    items = [{"fee_id": paid["fees"][0]["lago_id"], "amount_cents": 500}]
    note = {"invoice_id": paid["lago_id"], "reason": "other", "refund_amount_cents": 500, "items": items}
    made = story.ok("POST", "/credit_notes", {"credit_note": note})["credit_note"]
    settled(story)
    twice(stripe)
    settled(story)
    shown = story.ok("GET", f"/credit_notes/{made['lago_id']}")["credit_note"]
    assert shown["refund_status"] == "succeeded"
    account = stripe.fake.account(KEY)  # type: ignore[attr-defined]
    assert [each["amount"] for each in account.listed("payment_intent")] == [1999]
    assert [each["amount"] for each in account.listed("refund")] == [500]


@pytest.mark.parametrize("end", ["paid_out", "failed", "charged_back"])
def test_a_debit_takes_days(story: Story, gocardless: Running, end: str) -> None:
    connect_gocardless(story, gocardless)
    billing = {"payment_provider": "gocardless", "sync_with_provider": True}
    story.customer("cust", name="Umbra", currency="EUR", email="a@example.com", billing_configuration=billing)
    settled(story)
    account = gocardless.fake.account(TOKEN)  # type: ignore[attr-defined]
    story.ok("POST", "/customers/cust/checkout_url")
    gocardless.fake.control("complete", {"key": TOKEN, "id": account.listed("billing_request_flows")[0]["id"]})
    deliver(gocardless)
    settled(story)
    invoice = bill(story)
    settled(story)
    (payment,) = story.ok("GET", "/payments")["payments"]
    assert (payment["payment_status"], payment["payment_provider_type"]) == ("processing", "gocardless")
    (debit,) = account.listed("payments")
    steps = ["submitted", "confirmed"] + (["failed"] if end == "failed" else ["paid_out"])
    for status in [*steps, *(["charged_back"] if end == "charged_back" else [])]:
        account.move(debit["id"], status)
        twice(gocardless)
        settled(story)
    after = again(story, invoice)
    expected = ("succeeded", 1999) if end == "paid_out" else ("failed", 0)
    assert (after["payment_status"], after["total_paid_amount_cents"]) == expected
