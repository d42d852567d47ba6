"""Payment requests are paid on a page of their own, retried, and in nobody's way. Source: rules/collection 6."""

from typing import Any

import pytest

from chalicelib.features.payments.collection import applying
from chalicelib.features.payments.providers.values import Event, Hint
from tests.features.payments.collecting import DECLINED, GOOD, Payer
from tests.features.payments.test_payment_requests import ask, overdue
from tests.support.messages import messages
from tests.support.providers import stripe_calls
from tests.support.providers.frame import Running
from tests.support.story import Answer, Story, work


@pytest.fixture
def payer(story: Story, stripe: Running, monkeypatch: pytest.MonkeyPatch) -> Payer:
    """A customer with a provider, and no way to pay yet."""
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    return Payer(story, stripe, monkeypatch).begin(None)


@pytest.fixture
def invoices(payer: Payer) -> list[Any]:
    return overdue(payer, 1000, 2500)


@pytest.fixture
def request_id(payer: Payer, invoices: list[Any]) -> str:
    found: str = ask(payer, invoices).body["payment_request"]["lago_id"]
    return found


def settled() -> None:
    while work():
        pass


def page(payer: Payer, request_id: str) -> Answer:
    return payer.story.call("POST", f"/payment_requests/{request_id}/payment_url")


def url(payer: Payer, request_id: str) -> str:
    answer = page(payer, request_id)
    assert answer.status == 200, answer.body
    details = answer.body["payment_request_payment_details"]
    assert (details["lago_payment_request_id"], details["payment_provider"]) == (request_id, "stripe")
    found: str = details["payment_url"]
    return found


def retry(payer: Payer, request_id: str, **body: Any) -> Answer:
    answer = payer.story.call("POST", f"/payment_requests/{request_id}/retry_payment", body or None)
    settled()
    return answer


def sessions(payer: Payer, *status: str) -> list[Any]:
    found = payer.account.listed("checkout.session")
    return [each for each in found if each["mode"] == "payment" and each["status"] in (status or (each["status"],))]


def pay(payer: Payer, *, heard: bool = True) -> None:
    """The customer pays on the page that is open, and the provider says so, twice and in two ways."""
    (open_page,) = sessions(payer, "open")
    stripe_calls.complete(payer.account, open_page["id"], GOOD)
    (intent,) = payer.intents()
    for kind, object_id in 2 * [("page", open_page["id"]), ("payment", intent["id"])] if heard else []:
        event = Event(f"e-{object_id}", kind, object_id, "x", None, Hint())  # type: ignore[arg-type]
        applying.apply(payer.story.ref, payer.connection, event)
        settled()


def status(payer: Payer, request_id: str) -> str:
    shown: str = payer.story.ok("GET", f"/payment_requests/{request_id}")["payment_request"]["payment_status"]
    return shown


def paid(payer: Payer, invoices: list[Any]) -> list[tuple[str, int]]:
    found = [payer.again(each) for each in invoices]
    return [(each["payment_status"], each["total_paid_amount_cents"]) for each in found]


def told(payer: Payer) -> list[str]:
    return [each.webhook_type for each in messages(payer.story.ref.id)]


def test_its_page_pays_all_invoices(payer: Payer, invoices: list[Any], request_id: str) -> None:
    found = url(payer, request_id)
    assert url(payer, request_id) == found
    (open_page,) = sessions(payer, "open")
    assert open_page["amount_total"] == 3500
    pay(payer)
    assert paid(payer, invoices) == [("succeeded", 1000), ("succeeded", 2500)]
    assert status(payer, request_id) == "succeeded"
    (payment,) = payer.payments()
    assert (payment["payable_type"], payment["lago_payable_id"]) == ("PaymentRequest", request_id)
    assert (payment["amount_cents"], payment["invoice_ids"]) == (3500, [each["lago_id"] for each in invoices])
    for each in invoices:
        assert payer.story.ok("GET", f"/payments?invoice_id={each['lago_id']}")["payments"] == [payment]
    assert payer.story.ok("GET", "/payments?invoice_id=another")["payments"] == []
    assert told(payer).count("payment_request.payment_status_updated") == 1
    refused = page(payer, request_id)
    assert refused.body["error_details"] == {"base": ["invalid_invoice_status_or_payment_status"]}


def test_what_is_paid_otherwise_is_left_out_of_the_next_page(
    payer: Payer, invoices: list[Any], request_id: str
) -> None:
    found = url(payer, request_id)
    body = {"invoice_id": invoices[0]["lago_id"], "amount_cents": 1000}
    payer.story.ok("POST", "/payments", {"payment": body})
    settled()
    assert sessions(payer, "open") == []
    assert url(payer, request_id) != found
    assert [each["amount_total"] for each in sessions(payer, "open")] == [2500]
    pay(payer)
    assert paid(payer, invoices) == [("succeeded", 1000), ("succeeded", 2500)]


def test_a_card_is_charged_only_once_the_requests_page_is_closed(
    payer: Payer, invoices: list[Any], request_id: str
) -> None:
    url(payer, request_id)
    payer.leave(GOOD)
    payer.story.ok("POST", f"/invoices/{invoices[0]['lago_id']}/retry_payment")
    settled()
    assert sessions(payer, "open") == []
    assert [each["amount"] for each in payer.intents()] == [1000]
    assert paid(payer, invoices) == [("succeeded", 1000), ("pending", 0)]


def test_a_page_that_was_paid_is_the_payment_and_no_card_is_charged(
    payer: Payer, invoices: list[Any], request_id: str
) -> None:
    url(payer, request_id)
    pay(payer, heard=False)
    payer.leave(GOOD)
    payer.story.ok("POST", f"/invoices/{invoices[1]['lago_id']}/retry_payment")
    settled()
    assert [each["amount"] for each in payer.intents()] == [3500]
    assert paid(payer, invoices) == [("succeeded", 1000), ("succeeded", 2500)]
    assert status(payer, request_id) == "succeeded"


def test_an_invoices_own_page_closes_the_requests(payer: Payer, invoices: list[Any], request_id: str) -> None:
    url(payer, request_id)
    payer.story.ok("POST", f"/invoices/{invoices[0]['lago_id']}/payment_url")
    assert [each["amount_total"] for each in sessions(payer, "open")] == [1000]
    url(payer, request_id)
    assert [each["amount_total"] for each in sessions(payer, "open")] == [3500]


def test_a_page_whose_answer_was_lost_is_the_same_page(payer: Payer, request_id: str) -> None:
    payer.stripe.fake.faults.add("POST /v1/checkout/sessions", "lost_done")
    assert page(payer, request_id).body["error_details"] == {"base": ["payment_provider_not_reached"]}
    payer.story.organization(name="Renamed")
    url(payer, request_id)
    assert len(sessions(payer)) == 1


def test_a_request_without_a_payment_under_way_is_in_nobodys_way(
    payer: Payer, invoices: list[Any], request_id: str
) -> None:
    payer.leave(GOOD)
    assert payer.story.call("POST", f"/invoices/{invoices[0]['lago_id']}/retry_payment").status == 200
    settled()
    assert paid(payer, invoices) == [("succeeded", 1000), ("pending", 0)]
    assert retry(payer, request_id).status == 200
    assert paid(payer, invoices) == [("succeeded", 1000), ("succeeded", 2500)]
    assert sorted(each["amount"] for each in payer.intents()) == [1000, 2500]


def test_a_refused_request_is_retried_by_a_new_payment(payer: Payer, invoices: list[Any]) -> None:
    payer.leave(DECLINED)
    request_id = ask(payer, invoices).body["payment_request"]["lago_id"]
    settled()
    assert status(payer, request_id) == "failed"
    payer.leave(GOOD)
    answer = payer.story.call("POST", f"/payment_requests/{request_id}/retry_payment")
    assert (answer.status, answer.body) == (200, None)
    assert status(payer, request_id) == "pending"
    twice = payer.story.call("POST", f"/payment_requests/{request_id}/retry_payment")
    assert (twice.status, twice.body["code"]) == (405, "payment_processor_is_currently_handling_payment")
    alone = payer.story.call("POST", f"/invoices/{invoices[0]['lago_id']}/retry_payment")
    assert (alone.status, alone.body["code"]) == (405, "payment_processor_is_currently_handling_payment")
    refused = page(payer, request_id)
    assert refused.body["error_details"] == {"base": ["invalid_invoice_status_or_payment_status"]}
    settled()
    assert (status(payer, request_id), len(payer.intents())) == ("succeeded", 1)
    assert paid(payer, invoices) == [("succeeded", 1000), ("succeeded", 2500)]
    again = retry(payer, request_id)
    assert (again.status, again.body["code"]) == (405, "invalid_status")


def test_a_retry_may_name_the_way_to_pay(payer: Payer, invoices: list[Any]) -> None:
    payer.leave(GOOD)
    (good,) = payer.story.ok("GET", "/customers/cust/payment_methods")["payment_methods"]
    payer.leave(DECLINED)
    request_id = ask(payer, invoices).body["payment_request"]["lago_id"]
    settled()
    unknown = retry(payer, request_id, payment_method={"payment_method_id": "nothing"})
    assert unknown.body["error_details"] == {"payment_method": ["value_is_invalid"]}
    assert retry(payer, request_id, payment_method={"payment_method_id": good["lago_id"]}).status == 200
    assert status(payer, request_id) == "succeeded"


def test_without_a_provider_the_retry_is_told(story: Story, stripe: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    payer = Payer(story, stripe, monkeypatch)
    story.customer(currency="EUR")
    request_id = ask(payer, overdue(payer, 1000)).body["payment_request"]["lago_id"]
    assert retry(payer, request_id).status == 200
    (failure,) = [each for each in messages(story.ref.id) if each.webhook_type == "payment_request.payment_failure"]
    assert "customer_must_have_payment_provider" in failure.payload
    assert page(payer, request_id).body["error_details"] == {"base": ["no_linked_payment_provider"]}
    unknown = payer.story.call("POST", "/payment_requests/none/payment_url")
    assert (unknown.status, unknown.body["code"]) == (404, "payment_request_not_found")
