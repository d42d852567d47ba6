"""What tests do at the far side of a payment provider, and how they look at ours."""

from datetime import timedelta
from typing import Any

from chalicelib import limits
from chalicelib.features.payments.connections import reading, sealing
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import runner
from tests.support.providers import stripe_calls
from tests.support.providers.frame import Running
from tests.support.story import Answer, Story, request, work

KEY = "sk_test_far_side_1234"
TOKEN = "sandbox_far_side_1234"


def connect(story: Story, code: str = "main", key: str = KEY, **more: Any) -> Any:
    """A connection with Stripe."""
    body = {"code": code, "payment_provider": "stripe", "secret_key": key, **more}
    return story.ok("POST", "/payment_providers", {"payment_provider": body})["payment_provider"]


def connect_gocardless(story: Story, gocardless: Running, code: str = "debit") -> Any:
    """A connection with GoCardless, its endpoint entered by hand."""
    body = {"code": code, "payment_provider": "gocardless", "access_token": TOKEN}
    made = story.ok("POST", "/payment_providers", {"payment_provider": body})["payment_provider"]
    gocardless.fake.account(TOKEN).webhooks.append((made["webhook_url"], made["webhook_secret"]))  # type: ignore[attr-defined]
    return made


def customer(story: Story, external_id: str = "cust", provider: str | None = "stripe", **configuration: Any) -> Any:
    """A customer with a provider, brought in line there."""
    billing = {"payment_provider": provider, "sync_with_provider": True, **configuration}
    shown = story.customer(external_id, email=f"{external_id}@example.com", billing_configuration=billing)
    work()
    return shown


def provider_customer_id(story: Story, external_id: str = "cust") -> str | None:
    """The provider's id of a customer."""
    shown = story.ok("GET", f"/customers/{external_id}")["customer"]
    found: str | None = shown["billing_configuration"]["provider_customer_id"]
    return found


def leave_card(stripe: Running, number: str = "4242424242424242", key: str = KEY) -> None:
    """The customer of the newest page leaves a card on it."""
    account = stripe.fake.account(key)  # type: ignore[attr-defined]
    page = next(each for each in account.listed("checkout.session") if each["status"] == "open")
    stripe_calls.complete(account, page["id"], number)


def deliver(running: Running, **how: Any) -> list[int]:
    """Everything that the provider would send is sent to us; the answers' statuses."""
    sent = running.fake.sender.requests(**how)  # type: ignore[attr-defined]
    return [post(each.url, each.body, each.headers).status for each in sent]


def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """One request to our endpoint, bytes as they are."""
    return request("POST", "/webhooks" + url.partition("/webhooks")[2], body, headers)


def methods(story: Story, external_id: str = "cust") -> list[Any]:
    """A customer's ways to pay."""
    found: list[Any] = story.ok("GET", f"/customers/{external_id}/payment_methods")["payment_methods"]
    return found


def webhook_secrets(story: Story, code: str = "main") -> list[str]:
    """The secrets that sign events."""
    return sealing.webhook_secrets(story.ref.id, reading.find(story.ref.id, code), at=clock.utc_now())


def run_waiting() -> None:
    """Whatever waits for a provider is tried now."""
    until = clock.utc_now() + timedelta(days=1)
    waiting = [task for number in range(limits.DUE_SHARDS) for task in agenda.due(number, until=until)]
    for task in waiting:
        if task.kind.real_time:
            runner.run(task, now=task.due_at)
