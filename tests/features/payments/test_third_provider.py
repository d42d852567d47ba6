"""A third provider is one file and one line: with no more than these everything goes its way, over HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.domain import payment_providers
from chalicelib.features.payments.providers.values import Method
from tests.features.payments.collecting import _ADD_ON
from tests.features.payments.far_side import post
from tests.support import third_provider
from tests.support.messages import messages
from tests.support.story import Story, work

PIN = "1234-5678-9012-3456"


@pytest.fixture
def till(monkeypatch: pytest.MonkeyPatch) -> Iterator[third_provider.Till]:
    """The one line of the registry, and the provider's far side."""
    monkeypatch.setitem(payment_providers.MODULES, "tillpay", "tests.support.third_provider")
    third_provider.TILL.__init__()  # type: ignore[misc]
    yield third_provider.TILL
    third_provider.TILL.__init__()  # type: ignore[misc]


@pytest.fixture
def connection(story: Story, till: third_provider.Till) -> Any:
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    body = {"code": "till", "payment_provider": "tillpay", "pin": PIN, "success_redirect_url": "https://shop.example/"}
    return story.ok("POST", "/payment_providers", {"payment_provider": body})["payment_provider"]


def settled() -> None:
    while work():
        pass


def tell(connection: Any, event: dict[str, str], secret: str | None = None) -> int:
    headers, body = third_provider.signature(secret or connection["webhook_secret"], event)
    return post(connection["webhook_url"], body, headers).status


def leave(till: third_provider.Till, connection: Any, number: int) -> str:
    """The customer leaves a way to pay, and the provider says so, twice."""
    method_id = f"M{number}"
    till.methods[method_id] = Method(method_id, "till", "usable", customer_id="C1")
    for _ in range(2):
        assert tell(connection, {"id": f"left-{number}", "method": method_id}) == 200
    settled()
    return method_id


def bill(story: Story) -> Any:
    story.call("POST", "/add_ons", {"add_on": _ADD_ON})
    body = {"external_customer_id": "cust", "currency": "EUR", "fees": [{"add_on_code": "setup", "units": 1}]}
    made = story.ok("POST", "/invoices", {"invoice": body})["invoice"]
    settled()
    return made


def again(story: Story, invoice: Any) -> Any:
    return story.ok("GET", f"/invoices/{invoice['lago_id']}")["invoice"]


def test_it_is_connected_charged_and_refunded(story: Story, till: third_provider.Till, connection: Any) -> None:
    assert connection["payment_provider"] == "tillpay"
    assert PIN not in str(story.ok("GET", "/payment_providers"))
    billing = {"payment_provider": "tillpay", "payment_provider_code": "till", "sync_with_provider": True}
    story.customer("cust", currency="EUR", email="a@example.com", billing_configuration=billing)
    settled()
    shown = story.ok("GET", "/customers/cust")["customer"]["billing_configuration"]
    assert (shown["payment_provider"], shown["provider_customer_id"]) == ("tillpay", "C1")
    page = story.ok("POST", "/customers/cust/checkout_url")["customer"]
    assert page["checkout_url"] == "https://till.example/L1"
    waiting = bill(story)
    assert again(story, waiting)["payment_status"] == "pending"

    bad = leave(till, connection, 1)
    till.declining.add(bad)
    assert again(story, waiting)["payment_status"] == "succeeded"
    refused = bill(story)
    assert again(story, refused)["payment_status"] == "failed"
    leave(till, connection, 2)
    assert again(story, refused)["payment_status"] == "succeeded"

    paid = again(story, refused)
    items = [{"fee_id": paid["fees"][0]["lago_id"], "amount_cents": 500}]
    note = {"invoice_id": paid["lago_id"], "reason": "other", "refund_amount_cents": 500, "items": items}
    made = story.ok("POST", "/credit_notes", {"credit_note": note})["credit_note"]
    settled()
    assert story.ok("GET", f"/credit_notes/{made['lago_id']}")["credit_note"]["refund_status"] == "succeeded"
    assert [each.amount_cents for each in till.refunds.values()] == [500]
    payments = story.ok("GET", "/payments")["payments"]
    assert {(each["payment_provider_type"], each["payment_provider_code"]) for each in payments} == {
        ("tillpay", "till")
    }
    assert sorted(each["payment_status"] for each in payments) == ["failed", "succeeded", "succeeded"]
    link = story.call("POST", f"/invoices/{bill(story)['lago_id']}/payment_url")
    assert (link.status, link.body["error_details"]) == (422, {"base": ["invalid_payment_provider"]})


def test_its_events_are_verified(story: Story, till: third_provider.Till, connection: Any) -> None:
    assert tell(connection, {"id": "E1", "payment": "P1"}, secret="another") == 400
    assert tell(connection, {"id": "E1", "payment": "P1"}) == 200
    settled()
    assert story.ok("GET", "/payments")["payments"] == []


def test_a_wrong_secret_is_told_and_the_connection_ends(
    story: Story, till: third_provider.Till, connection: Any
) -> None:
    till.revoked.add("0000-0000-0000-0000")
    refused = story.call("PUT", "/payment_providers/till", {"payment_provider": {"pin": "0000-0000-0000-0000"}})
    assert (refused.status, refused.body["error_details"]) == (422, {"pin": ["value_is_invalid"]})
    till.revoked.add(PIN)
    billing = {"payment_provider": "tillpay", "sync_with_provider": True}
    story.customer("cust", email="a@example.com", billing_configuration=billing)
    settled()
    assert "payment_provider.error" in [each.webhook_type for each in messages(story.ref.id)]
    story.ok("DELETE", "/payment_providers/till")
    assert story.call("GET", "/payment_providers/till").status == 404


def test_a_name_that_nobody_has_is_refused(story: Story) -> None:
    answer = story.call(
        "POST",
        "/customers",
        {"customer": {"external_id": "x", "billing_configuration": {"payment_provider": "tillpay"}}},
    )
    assert answer.status == 422
    assert "value_is_invalid" in str(answer.body["error_details"])
