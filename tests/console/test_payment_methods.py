"""Ways to pay on a customer's page, links to pages of the provider, payments that failed, and payment requests."""

from typing import Any

import pytest

from tests.support import capacity, paying
from tests.support.console import Visitor, member_of, sent
from tests.support.story import Story


@pytest.fixture
def linked(visitor: Visitor) -> Visitor:
    """A customer who is at the provider and has left nothing there."""
    paying.connect(visitor.story)
    paying.link(visitor.story, "cust", name="Cobalt", currency="EUR", email="pay@example.com")
    add_on = {"name": "Setup", "code": "setup", "amount_cents": 1250, "amount_currency": "EUR"}
    visitor.story.ok("POST", "/add_ons", {"add_on": add_on})
    return visitor


def customer(visitor: Visitor) -> str:
    return str(visitor.story.ok("GET", "/customers/cust")["customer"]["lago_id"])


def billed(visitor: Visitor) -> Any:
    body = {"external_customer_id": "cust", "currency": "EUR", "fees": [{"add_on_code": "setup"}]}
    return visitor.story.ok("POST", "/invoices", {"invoice": body})["invoice"]


def again(visitor: Visitor, invoice: Any) -> Any:
    return visitor.story.ok("GET", f"/invoices/{invoice['lago_id']}")["invoice"]


def test_a_link_for_leaving_a_way_to_pay_is_made_when_asked_for(linked: Visitor):
    place = ("customers", customer(linked), "payment_methods", "new")
    assert "http://127.0.0.1" not in linked.get(*place).words
    shown = sent(linked, *place)
    assert "/pay/cs_" in shown.text
    assert "None yet" in linked.get("customers", customer(linked), "payments").words


def test_without_a_provider_nothing_is_said_of_methods(visitor: Visitor):
    visitor.story.customer("cust", currency="EUR")
    assert "Payment methods" not in visitor.get("customers", customer(visitor), "payments").words


def test_methods_are_listed_chosen_and_deleted(linked: Visitor):
    first, second = (paying.leave(linked.story, "cust", card) for card in (paying.GOOD, paying.GOOD))
    assert (len(first), len(second)) == (1, 2)
    kept = next(each for each in second if not each["is_default"])
    default = next(each for each in second if each["is_default"])
    place = ("customers", customer(linked), "payment_methods")
    shown = linked.get("customers", customer(linked), "payments")
    assert shown.words.count("Default") == 1
    assert shown.words.count("Kept") == 1
    assert linked.post(*place, kept["lago_id"], "default").status == 303
    now = {each["lago_id"]: each["is_default"] for each in paying.methods(linked.story, "cust")}
    assert now == {kept["lago_id"]: True, default["lago_id"]: False}
    assert "It is not the one that is charged" in linked.get(*place, default["lago_id"], "delete").words
    assert linked.post(*place, default["lago_id"], "delete").status == 303
    assert [each["lago_id"] for each in paying.methods(linked.story, "cust")] == [kept["lago_id"]]
    assert "No other is left" in linked.get(*place, kept["lago_id"], "delete").words
    assert linked.get(*place, default["lago_id"], "delete").status == 404


def test_a_payment_that_failed_says_why_on_every_page(linked: Visitor):
    paying.leave(linked.story, "cust", paying.DECLINED)
    invoice = billed(linked)
    paying.until(linked.story, lambda: again(linked, invoice)["payment_status"] == "failed")
    (payment,) = linked.story.ok("GET", "/payments")["payments"]
    for segments in (("invoices", invoice["lago_id"]), ("payments", payment["lago_id"])):
        assert "generic_decline" in linked.get(*segments).text, segments
    words = linked.get("payments", payment["lago_id"]).words
    assert "Provider Stripe Connection stripe" in words
    assert payment["provider_payment_id"] in words
    assert payment["provider_payment_id"] in linked.get("payments").words
    confirm = linked.get("invoices", invoice["lago_id"], "retry_payment").words
    assert "It is collected by Stripe once more" in confirm


def test_retry_of_one_is_a_new_payment(linked: Visitor):
    invoice = billed(linked)
    paying.leave(linked.story, "cust", paying.DECLINED)
    paying.until(linked.story, lambda: states(linked) == ["failed"])
    assert linked.post("invoices", invoice["lago_id"], "retry_payment").status == 303
    paying.until(linked.story, lambda: states(linked) == ["failed", "failed"])
    paying.leave(linked.story, "cust", paying.GOOD)  # It pays what is owed.
    paying.until(linked.story, lambda: again(linked, invoice)["payment_status"] == "succeeded")
    assert states(linked) == ["succeeded", "failed", "failed"]


def states(visitor: Visitor) -> list[str]:
    """States of the payments, the last one first."""
    return [each["payment_status"] for each in visitor.story.ok("GET", "/payments")["payments"]]


def test_an_invoice_has_a_payment_link(linked: Visitor):
    invoice = billed(linked)
    assert "Payment link" in linked.get("invoices", invoice["lago_id"]).words
    shown = sent(linked, "invoices", invoice["lago_id"], "payment_url")
    assert "/pay/cs_" in shown.text
    linked.story.ok("POST", "/payments", {"payment": {"invoice_id": invoice["lago_id"], "amount_cents": 1250}})
    refused = linked.post("invoices", invoice["lago_id"], "payment_url")
    assert (refused.status, "invalid_invoice_status_or_payment_status" in refused.text) == (422, True)


@pytest.fixture
def overdue(visitor: Visitor) -> Visitor:
    """Two overdue invoices of a customer without a provider."""
    visitor.story.customer("cust", name="Cobalt", currency="EUR", email="pay@example.com")
    add_on = {"name": "Setup", "code": "setup", "amount_cents": 1250, "amount_currency": "EUR"}
    visitor.story.ok("POST", "/add_ons", {"add_on": add_on})
    for _ in range(2):
        billed(visitor)
    visitor.story.travel("2024-01-03T00:00:00Z")
    return visitor


def test_a_request_asks_for_what_is_ticked(overdue: Visitor):
    assert "Cobalt" in overdue.get("payment_requests", "new").words
    address = overdue.address("payment_requests", "new", customer=customer(overdue))
    shown = overdue.at(address)
    assert "2 invoices: €25.00" in shown.words
    ids = [each["lago_id"] for each in overdue.story.invoices()]
    drawn = overdue.send(address, {**shown.fields, "lago_invoice_ids": ids[:1], "_do": "draw"})
    assert "1 invoice: €12.50" in drawn.words
    form = {**shown.fields, "lago_invoice_ids": ids}
    made = [overdue.send(address, form) for _ in range(2)]  # A second click of the same form.
    (asked,) = overdue.story.ok("GET", "/payment_requests")["payment_requests"]
    assert {each.location for each in made} == {overdue.address("payment_requests", asked["lago_id"])}
    assert (asked["amount_cents"], asked["email"]) == (2500, "pay@example.com")
    page = overdue.get("payment_requests", asked["lago_id"]).words
    assert "€25.00 Pending" in page
    assert all(each["number"] in page for each in overdue.story.invoices())
    assert "Cobalt" in overdue.get("payment_requests").words


def test_a_request_for_nothing_is_refused_at_the_field(overdue: Visitor):
    address = overdue.address("payment_requests", "new", customer=customer(overdue))
    refused = overdue.send(address, {**overdue.at(address).fields, "lago_invoice_ids": ""})
    assert (refused.status, "value_is_mandatory" in refused.text) == (422, True)


def test_nothing_of_others_is_there(overdue: Visitor):
    other = member_of(Story.begin(name="Other"), "otto@example.com")
    body = {"external_customer_id": "cust", "lago_invoice_ids": [overdue.story.invoices()[0]["lago_id"]]}
    asked = overdue.story.ok("POST", "/payment_requests", {"payment_request": body})["payment_request"]
    mine = customer(overdue)
    assert other.get("payment_requests", asked["lago_id"]).status == 404
    assert other.get("payment_requests", "new", customer=mine).status == 404
    assert other.get("customers", mine, "payment_methods", "new").status == 404
    assert other.post("customers", mine, "payment_methods", "x", "default").status == 404


def test_a_page_of_requests_costs_as_much_as_one(overdue: Visitor):
    ids = [each["lago_id"] for each in overdue.story.invoices()]
    costs = []
    for each in ids:
        body = {"external_customer_id": "cust", "lago_invoice_ids": [each]}
        overdue.story.ok("POST", "/payment_requests", {"payment_request": body})
        overdue.get("payment_requests")
        with capacity.counting() as meter:
            assert overdue.get("payment_requests").status == 200
        costs.append(meter.total)
    assert costs[0] == costs[1] <= 8


def test_a_request_has_a_link_and_a_retry_of_its_own(linked: Visitor):
    for _ in range(2):
        billed(linked)
    linked.story.travel("2024-01-03T00:00:00Z")
    paying.leave(linked.story, "cust", paying.DECLINED)
    paying.until(linked.story, lambda: states(linked) == ["failed", "failed"])
    ids = [each["lago_id"] for each in linked.story.invoices()]
    body = {"external_customer_id": "cust", "lago_invoice_ids": ids}
    asked = linked.story.ok("POST", "/payment_requests", {"payment_request": body})["payment_request"]["lago_id"]
    paying.until(linked.story, lambda: states(linked) == ["failed"] * 3)
    page = linked.get("payment_requests", asked).words
    assert "Payment link" in page
    assert "Resend for collection" in page
    assert (
        "€25.00 is still due of 2 invoices. It is collected by Stripe once more, as one payment"
        in linked.get("payment_requests", asked, "retry_payment").words
    )
    assert linked.post("payment_requests", asked, "retry_payment").status == 303
    paying.until(linked.story, lambda: states(linked) == ["failed"] * 4)
    assert "/pay/cs_" in sent(linked, "payment_requests", asked, "payment_url").text
    for each in ids:
        linked.story.ok("POST", "/payments", {"payment": {"invoice_id": each, "amount_cents": 1250}})
    page = linked.get("payment_requests", asked).words
    assert "Payment link" not in page
    assert "Resend for collection" not in page
    refused = linked.post("payment_requests", asked, "retry_payment")
    assert (refused.status, "invalid_status" in refused.text) == (405, True)


def test_a_retry_without_a_provider_says_that_nothing_is_collected(overdue: Visitor):
    ids = [each["lago_id"] for each in overdue.story.invoices()]
    body = {"external_customer_id": "cust", "lago_invoice_ids": ids}
    asked = overdue.story.ok("POST", "/payment_requests", {"payment_request": body})["payment_request"]["lago_id"]
    assert "Payment link" not in overdue.get("payment_requests", asked).words
    assert "nothing is collected" in overdue.get("payment_requests", asked, "retry_payment").words
    assert sent(overdue, "payment_requests", asked, "retry_payment").status == 303
    assert states(overdue) == []
