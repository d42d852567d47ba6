"""The part of the story of all messages in which payment providers act: fakes of our own."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

from chalicelib.platform.settings import settings
from tests.support import stripe_server
from tests.support.providers import stripe_calls
from tests.support.providers.frame import Running
from tests.support.story import Story, request

KEY, REVOKED = "sk_test_story_1234", "sk_test_story_revoked_1234"


@contextlib.contextmanager
def stripe() -> Iterator[Running]:
    """A fake Stripe that the app calls."""
    server = stripe_server.start()
    with patch.dict(os.environ, {"STRIPE_API_BASE": server.url, "NO_PROXY": "127.0.0.1"}):
        settings.cache_clear()
        yield server
    settings.cache_clear()
    server.stop()


def connect(story: Story, code: str = "stripe", key: str = KEY) -> None:
    """A connection."""
    body = {"code": code, "payment_provider": "stripe", "secret_key": key}
    story.ok("POST", "/payment_providers", {"payment_provider": body})


def customers(story: Story, server: Running) -> None:
    """One that is created there, one that is not there, and one whose connection's key was revoked."""
    connect(story)
    connect(story, "revoked", REVOKED)
    server.fake.revoked.add(REVOKED)
    by_code = {"payment_provider": "stripe", "payment_provider_code": "stripe"}
    paying = {"external_id": "paying", "name": "Paying Ltd", "currency": "EUR", "email": "paying@example.com"}
    for external_id, configuration in (
        ("paying", by_code | {"sync_with_provider": True}),
        ("unknown there", by_code | {"provider_customer_id": "cus_unknown"}),
        ("waiting", by_code | {"payment_provider_code": "revoked", "sync_with_provider": True}),
    ):
        fields = paying | {"external_id": external_id, "billing_configuration": configuration}
        story.ok("POST", "/customers", {"customer": fields})


def invoices(story: Story) -> None:
    """Two that wait for a way to pay."""
    for _ in range(2):
        _billed(story)


def payments(story: Story, server: Running, deliver: Callable[[], None]) -> None:
    """A card that is declined, by itself and for a request, one that pays, a refund that fails, and a card whose bank asks.
    The invoices that waited are overdue by now."""
    _leave(story, server, "4000000000000341", deliver)
    ids = [each["lago_id"] for each in story.ok("GET", "/invoices?external_customer_id=paying")["invoices"]]
    asked = {"external_customer_id": "paying", "email": "paying@example.com", "lago_invoice_ids": ids}
    story.ok("POST", "/payment_requests", {"payment_request": asked})
    deliver()
    _leave(story, server, "4242424242424242", deliver)
    for each in ids:
        story.call("POST", f"/invoices/{each}/retry_payment")
    deliver()
    paid = story.ok("GET", f"/invoices/{ids[0]}")["invoice"]
    items = [{"fee_id": paid["fees"][0]["lago_id"], "amount_cents": 100}]
    note = {"invoice_id": ids[0], "reason": "other", "refund_amount_cents": 120, "items": items}
    story.ok("POST", "/credit_notes", {"credit_note": note})
    deliver()
    account = server.fake.account(KEY)  # type: ignore[attr-defined]
    account.move(account.listed("refund")[0]["id"], "failed")
    _hear(server)
    story.ok("PUT", "/payment_providers/stripe", {"payment_provider": {"supports_3ds": True}})
    _leave(story, server, "4000002760003184", deliver)
    _billed(story)
    deliver()


def _billed(story: Story) -> None:
    one_off = {"external_customer_id": "paying", "currency": "EUR", "fees": [{"add_on_code": "setup", "units": 2}]}
    story.ok("POST", "/invoices", {"invoice": one_off})


def _leave(story: Story, server: Running, number: str, deliver: Callable[[], None]) -> None:
    """The customer leaves a card, and Stripe says so."""
    known = _methods(story)
    story.ok("POST", "/customers/paying/checkout_url")
    account: Any = server.fake.account(KEY)  # type: ignore[attr-defined]
    page = next(each for each in account.listed("checkout.session") if each["status"] == "open")
    stripe_calls.complete(account, page["id"], number)
    _hear(server)
    deliver()
    (newest,) = _methods(story) - known
    story.ok("PUT", f"/customers/paying/payment_methods/{newest}/set_as_default")
    deliver()


def _methods(story: Story) -> set[str]:
    found = story.ok("GET", "/customers/paying/payment_methods")["payment_methods"]
    return {each["lago_id"] for each in found}


def _hear(server: Running) -> None:
    for each in server.fake.sender.requests():  # type: ignore[attr-defined]
        path = "/webhooks" + each.url.partition("/webhooks")[2]
        assert request("POST", path, each.body, each.headers).status == 200
