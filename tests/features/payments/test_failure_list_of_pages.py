"""Every fault at the calls around a payment: connecting, pages, ways to pay, and questions where a payment stands. Whoever asks
through the API is told, never with a 500, and asks again; what we ask by ourselves is asked later. Source: rules/collection 2,
3; rules/catalog 10."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.features.payments import far_side
from tests.features.payments.collecting import KEY
from tests.features.payments.far_side import TOKEN, leave_card, methods
from tests.features.payments.test_failure_list import BOTH, EACH, World
from tests.features.payments.test_failure_list import world as world
from tests.support.providers import stripe_calls
from tests.support.story import Story, work

STRIPE = pytest.mark.parametrize("name", ["stripe"])
# Calls as `World.fail` knows the others, by provider.
CALLS = {
    "stripe": {
        "connect": "POST /v1/webhook_endpoints",
        "checkout": "POST /v1/checkout/sessions",
        "methods": "GET /v1/payment_methods",
        "ask": "GET /v1/payment_intents/*",
        "close": "POST /v1/checkout/sessions/*/expire",
    },
    "gocardless": {
        "connect": "GET /creditors",
        "checkout": "POST /billing_request*",
        "methods": "GET /mandates",
        "ask": "GET /payments/*",
    },
}


def fail(world: World, what: str, kind: str, times: int = 1) -> None:
    world.far.calls.setdefault(what, CALLS[world.name][what])
    world.fail(what, kind, times)


def patiently(story: Story, method: str, path: str, body: Any = None, between: Callable[[], Any] = int) -> Any:
    """What a client gets in the end who asks again whenever the provider gave no answer."""
    for _ in range(6):
        answer = story.call(method, path, body)
        if answer.status == 200:
            return answer.body
        assert answer.status == 422, answer
        assert answer.body["error_details"]["base"][0].startswith("payment_provider_not_reached"), answer
        between()
    raise AssertionError("it never succeeds")


def has_paid(world: World, invoice: Any) -> None:
    """The invoice is paid, by one payment there and here."""
    world.settle(lambda: world.payer.again(invoice)["payment_status"] == "succeeded")
    shown = world.payer.again(invoice)
    assert (shown["payment_status"], shown["total_paid_amount_cents"]) == ("succeeded", 1999)
    assert world.moved() == [1999]
    states = [each["payment_status"] for each in world.payer.payments()]
    assert states.count("succeeded") == 1
    assert {*states} <= {"succeeded", "failed"}


@BOTH
@EACH
def test_connecting(world: World, kind: str) -> None:
    fail(world, "connect", kind)
    secret = {"secret_key": KEY} if world.name == "stripe" else {"access_token": TOKEN}
    body = {"payment_provider": {"code": "main", "payment_provider": world.name, **secret}}
    patiently(world.story, "POST", "/payment_providers", body, world.fake.release)
    world.fake.release()
    assert len(world.story.ok("GET", "/payment_providers")["payment_providers"]) == 1
    if world.name == "stripe" and kind != "stored_done":
        assert len(world.account.listed("webhook_endpoint")) == 1


@BOTH
@EACH
def test_a_page_for_leaving_a_way_to_pay(world: World, kind: str) -> None:
    world.connected()
    far_side.customer(world.story, provider=world.name)
    world.story.customer("cust", currency="EUR")
    fail(world, "checkout", kind)
    patiently(world.story, "POST", "/customers/cust/checkout_url", between=world.fake.release)
    world.leave()
    assert len(methods(world.story)) == 1
    has_paid(world, world.payer.bill())


@BOTH
@EACH
def test_the_ways_to_pay(world: World, kind: str) -> None:
    """An invoice that waits for one is paid when it is read at last."""
    world.connected()
    far_side.customer(world.story, provider=world.name)
    world.story.customer("cust", currency="EUR")
    invoice = world.payer.bill()
    fail(world, "methods", kind, 2)
    world.leave()
    has_paid(world, invoice)
    assert len(methods(world.story)) == 1


@BOTH
@EACH
def test_asking_where_a_payment_stands(world: World, kind: str) -> None:
    """Which its event made us ask, before we know that it was made."""
    invoice = world.begin().payer.bill()
    world.fail("charge", "lost_done", 1)
    work()
    if world.name == "gocardless":
        world.account.move(world.account.listed("payments")[0]["id"], "submitted")
    fail(world, "ask", kind, 3)
    world.heard()
    has_paid(world, invoice)


@STRIPE
@EACH
def test_a_page_for_paying_once(world: World, kind: str) -> None:
    """Also where the provider keeps its failure under the page's key: nobody waits a day for another page."""
    world.connected()
    far_side.customer(world.story)
    invoice = world.payer.bill()
    fail(world, "checkout", kind)
    url = patiently(world.story, "POST", f"/invoices/{invoice['lago_id']}/payment_url", between=world.fake.release)[
        "invoice_payment_details"
    ]["payment_url"]
    (page,) = [each for each in world.account.listed("checkout.session") if each["url"] == url]
    stripe_calls.complete(world.account, page["id"], "4242424242424242")
    world.heard()
    has_paid(world, invoice)


@STRIPE
@pytest.mark.parametrize("kind", ["stored", "stored_done"])
def test_a_page_that_nobody_ever_sees_keeps_no_card_from_being_charged(world: World, kind: str) -> None:
    world.connected()
    far_side.customer(world.story)
    invoice = world.payer.bill()
    fail(world, "checkout", kind)
    assert world.story.call("POST", f"/invoices/{invoice['lago_id']}/payment_url").status == 422
    world.leave()
    work()
    assert world.payer.again(invoice)["payment_status"] == "succeeded"
    has_paid(world, invoice)


@STRIPE
@EACH
@pytest.mark.parametrize("is_paid", [False, True], ids=["open", "paid"])
def test_closing_a_page_before_a_card_is_charged(world: World, kind: str, is_paid: bool) -> None:
    """Nobody charges while somebody may pay on a page; what was paid there is adopted."""
    world.connected()
    far_side.customer(world.story)
    invoice = world.payer.bill()
    world.story.ok("POST", f"/invoices/{invoice['lago_id']}/payment_url")
    page = world.account.listed("checkout.session")[0]
    fail(world, "close", kind, 2)
    leave_other(world, page)
    if is_paid:
        stripe_calls.complete(world.account, page["id"], "4242424242424242")
    has_paid(world, invoice)
    assert page["status"] == ("complete" if is_paid else "expired")


def leave_other(world: World, page: Any) -> None:
    """A card is left on a page of its own, while the one for paying stays open."""
    world.story.ok("POST", "/customers/cust/checkout_url")
    leave_card(world.running, key=KEY)
    assert page["status"] == "open"
    world.fake.sender.events[:] = [each for each in world.fake.sender.events if page["id"] not in str(each.body)]
    far_side.deliver(world.running)
