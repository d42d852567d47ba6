"""The part of the story of all messages in which payment providers act: fakes of our own."""

import contextlib
import os
from collections.abc import Iterator
from unittest.mock import patch

from chalicelib.platform.settings import settings
from tests.support import stripe_server
from tests.support.providers.frame import Running
from tests.support.story import Story

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
