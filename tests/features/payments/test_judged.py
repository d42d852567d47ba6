"""What a bank, a payer or another account makes of a payment, and what is told of it. Source: rules/collection 1, 2."""

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from chalicelib.features.customers import service as customers
from chalicelib.features.payments.collection import service
from chalicelib.features.payments.links import refreshing
from chalicelib.features.payments.providers import values
from tests.features.payments.collecting import CONFIRMED, DECLINED, GOOD, Payer
from tests.features.payments.far_side import TOKEN, connect_gocardless, deliver, post
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


def codes(payer: Payer) -> list[str]:
    found = [each for each in messages(payer.story.ref.id) if each.webhook_type == "invoice.payment_failure"]
    body = [json.loads(each.payload) for each in found]
    return [next(value for value in _codes(each)) for each in body]


def _codes(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["error_code"]] if "error_code" in value else []
        return own + [code for each in value.values() for code in _codes(each)]
    return []


def test_a_bank_that_asks_for_the_customer_is_no_failure_to_tell(payer: Payer) -> None:
    invoice = payer.begin(CONFIRMED).bill()
    work()
    assert (payer.row().payment_status, payer.again(invoice)["payment_status"]) == ("failed", "failed")
    assert payer.row().collected.error.error_code == "authentication_required"
    assert told(payer) == ["invoice.payment_status_updated"]
    payer.leave(GOOD)
    payer.story.ok("POST", f"/invoices/{invoice['lago_id']}/retry_payment")
    work()
    assert payer.again(invoice)["payment_status"] == "succeeded"


def test_a_payment_that_nobody_confirms_is_cancelled_after_a_day(payer: Payer) -> None:
    invoice = payer.begin(CONFIRMED, supports_3ds=True).bill()
    for _ in range(3):
        work()
    assert payer.row().payment_status == "processing"
    payer.later(hours=25)
    assert (payer.row().payment_status, payer.again(invoice)["payment_status"]) == ("failed", "failed")
    assert {each["status"] for each in payer.account.listed("payment_intent")} == {
        "canceled",
        "requires_payment_method",
    }
    assert codes(payer) == ["canceled"]
    payer.leave(GOOD)
    payer.story.ok("POST", f"/invoices/{invoice['lago_id']}/retry_payment")
    work()
    assert payer.again(invoice)["payment_status"] == "succeeded"


def test_a_customer_in_india_confirms_each_payment(payer: Payer) -> None:
    payer.begin()
    payer.story.customer("cust", country="IN")
    work()
    payer.bill()
    work()
    (request,) = payer.stripe.fake.calls("POST /v1/payment_intents")
    sent = dict(parse_qsl(request.body.decode()))
    assert not {"off_session", "error_on_requires_action"} & set(sent)
    assert (sent["confirm"], sent["return_url"]) == ("true", "https://stripe.com")


@pytest.mark.parametrize(("status", "code"), [("charged_back", "charged_back"), ("failed", "late_failure")])
def test_money_that_goes_back_says_how(story: Story, gocardless: Running, status: str, code: str) -> None:
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    payer = Payer(story, gocardless, None)  # type: ignore[arg-type]
    debit, account = debited(story, gocardless)
    for each in ("submitted", "confirmed", "paid_out", status):
        account.move(debit["id"], each)
        deliver(gocardless)
        settled()
    assert codes(payer) == [code]
    assert [each["payment_status"] for each in payer.payments()] == ["failed"]


def test_an_announced_retry_holds_until_the_provider_says_something_else(
    story: Story, gocardless: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with a provider that tells of it only once."""
    payer = Payer(story, gocardless, monkeypatch)
    debit, account = debited(story, gocardless)
    account.move(debit["id"], "submitted")
    account.move(debit["id"], "failed", will_attempt_retry=True)
    deliver(gocardless)
    settled()
    assert payer.payments()[0]["payment_status"] == "processing"
    for each in account.listed("events"):
        del account.objects[each["id"]]
    payer.later(days=20)
    assert payer.payments()[0]["payment_status"] == "processing"
    account.move(debit["id"], "failed", will_attempt_retry=False)
    deliver(gocardless)
    settled()
    assert payer.payments()[0]["payment_status"] == "failed"


def debited(story: Story, gocardless: Running) -> tuple[Any, Any]:
    """A debit that was just made, and its account."""
    connect_gocardless(story, gocardless)
    billing = {"payment_provider": "gocardless", "sync_with_provider": True}
    story.customer("cust", name="Umbra", currency="EUR", email="a@example.com", billing_configuration=billing)
    settled()
    account = gocardless.fake.account(TOKEN)  # type: ignore[attr-defined]
    story.ok("POST", "/customers/cust/checkout_url")
    gocardless.fake.control("complete", {"key": TOKEN, "id": account.listed("billing_request_flows")[0]["id"]})
    deliver(gocardless)
    settled()
    Payer(story, gocardless, None).bill()  # type: ignore[arg-type]
    settled()
    (debit,) = account.listed("payments")
    return debit, account


def settled() -> None:
    while work():
        pass


def test_a_card_left_after_a_refusal_pays_though_it_is_not_the_default(payer: Payer) -> None:
    invoice = payer.begin(DECLINED).bill()
    work()
    assert payer.again(invoice)["payment_status"] == "failed"
    link = payer.provider.setup_link(payer.opened, _setup(payer))
    stripe_calls.complete(payer.account, link.id, GOOD)
    newest = payer.provider.methods(payer.opened, payer.provider_id)[0]
    refreshing.refresh(payer.story.ref, payer.connection, payer.customer_id, about=newest.id)
    settled()
    assert payer.again(invoice)["payment_status"] == "succeeded"
    shown = payer.story.ok("GET", "/customers/cust/payment_methods")["payment_methods"]
    assert [each["provider_method_id"] == newest.id for each in shown] == [False, True]


def _setup(payer: Payer) -> Any:
    return values.SetupRequest(payer.customer_id, payer.provider_id, "EUR", "http://127.0.0.1:9/", ("card",))


def test_a_page_of_another_account_is_closed_before_a_card_is_charged(payer: Payer) -> None:
    invoice = payer.begin(None).bill()
    payer.story.ok("POST", f"/invoices/{invoice['lago_id']}/payment_url")
    other = "sk_test_another_account_9"
    body = {"code": "second", "payment_provider": "stripe", "secret_key": other}
    payer.story.ok("POST", "/payment_providers", {"payment_provider": body})
    billing = {"payment_provider": "stripe", "payment_provider_code": "second", "sync_with_provider": True}
    payer.story.customer("cust", email="a@example.com", billing_configuration=billing)
    settled()
    account = payer.stripe.fake.account(other)  # type: ignore[attr-defined]
    (setup,) = account.listed("checkout.session")
    stripe_calls.complete(account, setup["id"], GOOD)
    for each in payer.stripe.fake.sender.requests():  # type: ignore[attr-defined]
        post(each.url, each.body, each.headers)
    settled()
    assert payer.again(invoice)["payment_status"] == "succeeded"
    assert [each["status"] for each in payer.account.listed("checkout.session")] == ["expired"]


def test_what_was_to_be_charged_at_an_account_that_was_left_is_charged_at_the_new_one(payer: Payer) -> None:
    invoice = payer.begin(GOOD).bill()
    own = customers.get(payer.story.ref.id, payer.customer_id)
    assert own is not None
    gone = own.billing_configuration.model_copy(update={"payment_provider": None, "provider_customer_id": None})
    changed = own.model_copy(update={"billing_configuration": gone})
    customers.replace_action(payer.story.ref.id, own, changed).alone()
    settled()
    assert payer.account.listed("payment_intent") == []
    assert (payer.row().payment_status, payer.again(invoice)["payment_status"]) == ("failed", "pending")
    again = replace_configuration(payer, own)
    service.submit_unpaid(payer.story.ref, again)
    settled()
    assert payer.again(invoice)["payment_status"] == "succeeded"


def replace_configuration(payer: Payer, before: Any) -> Any:
    """The customer comes back to the account."""
    now = customers.get(payer.story.ref.id, payer.customer_id)
    assert now is not None
    again = now.model_copy(update={"billing_configuration": before.billing_configuration})
    customers.replace_action(payer.story.ref.id, now, again).alone()
    found = customers.get(payer.story.ref.id, payer.customer_id)
    assert found is not None
    return found


def test_a_payment_in_doubt_of_a_connection_that_is_gone_does_not_block_its_invoice_for_ever(payer: Payer) -> None:
    invoice = payer.begin().bill()
    payer.stripe.fake.faults.add("POST /v1/payment_intents", "lost_undone")
    work()
    payer.story.ok("DELETE", "/payment_providers/main")
    payer.stripe.fake.revoked.add("sk_test_collecting_1234")
    payer.later(days=2)
    assert payer.row().payment_status == "pending"
    for _ in range(6):
        payer.later(days=1)
    assert (payer.row().payment_status, payer.again(invoice)["payment_status"]) == ("failed", "pending")
