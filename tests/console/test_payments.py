"""The list of payments, and one payment with its receipt."""

from typing import Any

import pytest

from tests.support import capacity
from tests.support.console import Visitor, member_of
from tests.support.story import Story


@pytest.fixture
def paid(visitor: Visitor) -> Visitor:
    """An invoice of 12.50, of which 10.00 is paid by hand."""
    story = visitor.story
    story.customer("cust", name="Cobalt", currency="EUR")
    story.ok("POST", "/add_ons", {"add_on": {"name": "S", "code": "s", "amount_cents": 1250, "amount_currency": "EUR"}})
    body = {"external_customer_id": "cust", "fees": [{"add_on_code": "s"}]}
    invoice = story.ok("POST", "/invoices", {"invoice": body})["invoice"]
    payment = {"invoice_id": invoice["lago_id"], "amount_cents": 1000, "reference": "SEPA 77"}
    story.ok("POST", "/payments", {"payment": {**payment, "paid_at": "2023-12-24T10:00:00Z"}})
    return visitor


def payment_of(visitor: Visitor) -> Any:
    """The one payment."""
    return visitor.story.ok("GET", "/payments")["payments"][0]


def test_the_list_shows_what_the_api_shows(paid):
    words = paid.get("payments").words
    number = payment_of(paid)["invoice_numbers"][0]
    assert f"{number} Succeeded Cobalt Manual SEPA 77 Jan 1, 2024, 00:00 €10.00" in words
    assert "1–1 of 1" in words


def test_an_empty_list_says_where_payments_come_from(visitor):
    assert "Record one that you received from its invoice" in visitor.get("payments").words


@pytest.mark.parametrize(("asked", "there"), [("cust", True), ("nobody", False)])
def test_the_customer_is_a_filter(paid, asked, there):
    text = paid.get("payments", external_customer_id=asked).text
    assert (f'data-copy="{payment_of(paid)["lago_id"]}"' in text) == there


def test_the_invoice_is_a_filter(paid):
    payment = payment_of(paid)
    assert "1–1 of 1" in paid.get("payments", invoice_id=payment["lago_payable_id"]).words
    assert "Nothing matches" in paid.get("payments", invoice_id="none").words


def test_one_payment_has_its_receipt(paid):
    payment = payment_of(paid)
    words = paid.get("payments", payment["lago_id"]).words
    (receipt,) = paid.story.ok("GET", "/payment_receipts")["payment_receipts"]
    for text in ("€10.00 Succeeded", f"Number {receipt['number']}", "Reference SEPA 77", "Paid Dec 24, 2023, 10:00"):
        assert text in words


def test_payments_of_others_are_not_there(paid):
    other = member_of(Story.begin(name="Other"), "otto@example.com")
    assert other.get("payments", payment_of(paid)["lago_id"]).status == 404


def test_the_pages_cost_few_requests(paid):
    for segments in (("payments",), ("payments", payment_of(paid)["lago_id"])):
        with capacity.counting() as meter:
            assert paid.get(*segments).status == 200
        assert meter.total <= 8, (segments, meter.requests)
