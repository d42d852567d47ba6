"""Customers who pay by a fake Stripe, at a stack or in this process: cards are left on its page, and its events are heard."""

import functools
import time
from typing import Any
from uuid import uuid4

import requests

from tests.support import story as queues
from tests.support import stripe_server
from tests.support.http_story import HttpStory
from tests.support.providers.frame import Running
from tests.support.story import Story, request

GOOD, DECLINED = "4242424242424242", "4000000000000341"
_WITHIN_SECONDS = 60


@functools.cache
def server() -> Running:
    """The fake of this process, for stories in it; each secret has an account of its own there."""
    return stripe_server.start()


def connect(story: Story, code: str = "stripe") -> Any:
    """Connect the organization with an account of its own."""
    body = {"code": code, "name": "Stripe", "payment_provider": "stripe", "secret_key": f"sk_test_{uuid4().hex}"}
    return story.ok("POST", "/payment_providers", {"payment_provider": body})["payment_provider"]


def link(story: Story, external_id: str, code: str = "stripe", **fields: Any) -> Any:
    """Have a customer created there."""
    billing = {"payment_provider": "stripe", "payment_provider_code": code, "sync": True, "sync_with_provider": True}
    body = {"external_id": external_id, "billing_configuration": billing, **fields}
    return story.ok("POST", "/customers", {"customer": body})["customer"]


def leave(story: Story, external_id: str, card: str = GOOD) -> Any:
    """Leave a card on the provider's page; the customer's methods, once it is among them."""
    before = len(methods(story, external_id))
    url = story.ok("POST", f"/customers/{external_id}/checkout_url")["customer"]["checkout_url"]
    answer = requests.post(url, data={"choice": card}, allow_redirects=False, timeout=60)
    assert answer.status_code == 303, answer.text
    return until(story, lambda: [each for each in [methods(story, external_id)] if len(each) > before])[0]


def methods(story: Story, external_id: str) -> Any:
    """The customer's ways to pay."""
    return story.ok("GET", f"/customers/{external_id}/payment_methods")["payment_methods"]


def until(story: Story, found: Any) -> Any:
    """What is found, once it is there; meanwhile events are heard and tasks done."""
    end = time.monotonic() + _WITHIN_SECONDS
    while not (there := found()):
        assert time.monotonic() < end, "it did not come"
        if isinstance(story, HttpStory):
            time.sleep(0.1)
        else:
            hear(story)
    return there


def hear(story: Story) -> None:
    """Deliver the events of the fake of this process to the organization that they are for, and do what they made due."""
    for each in server().fake.sender.requests():  # type: ignore[attr-defined]
        path = "/webhooks" + each.url.partition("/webhooks")[2]
        if story.ref.id in path:
            assert request("POST", path, each.body, each.headers).status == 200
    queues.work()
