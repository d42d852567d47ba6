"""No secret of a connection is in an answer, a message, a log or a table, whatever happens. Source: rules/catalog 10."""

import pytest

from tests.features.payments import far_side
from tests.features.payments.far_side import KEY, TOKEN, connect, customer, deliver, leave_card
from tests.support import messages
from tests.support.changes import core_items
from tests.support.story import Answer, Story, work


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The body of each answer of the API."""
    found: list[str] = []
    call = Story.call

    def listening(story: Story, *given: object) -> Answer:
        answer = call(story, *given)  # type: ignore[arg-type]
        found.append(repr(answer))
        return answer

    monkeypatch.setattr(Story, "call", listening)
    return found


def test_secrets_stay_where_they_are(story: Story, stripe, gocardless, heard, caplog, capsys):
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "https://example.com/hook"}})
    connect(story)
    shown_once = far_side.connect_gocardless(story, gocardless)["webhook_secret"]
    heard.clear()
    signing = [*far_side.webhook_secrets(story), shown_once]
    stripe.fake.faults.add("POST /v1/customers", "echo")
    customer(story)
    customer(story, "second")
    leave_card(stripe)
    deliver(stripe)
    work()
    for kind in ("echo", "503", "odd"):
        stripe.fake.faults.add("POST /v1/checkout/sessions", kind)
        story.call("POST", "/customers/second/checkout_url")
        stripe.fake.faults.add("POST /v1/webhook_endpoints", kind)
        story.call("POST", "/payment_providers/main/rotate_webhook_secret")
    story.ok("GET", "/payment_providers")
    stripe.fake.revoked.add(KEY)
    customer(story, "third")
    story.call("PUT", "/payment_providers/main", {"payment_provider": {"secret_key": KEY}})
    story.call("DELETE", "/payment_providers/main")
    work()
    told = repr([(each.webhook_type, each.payload) for each in messages.messages(story.ref.id)])
    assert "customer.payment_provider_error" in told
    assert "payment_provider.error" in told
    everything = "\n".join([*heard, told, caplog.text, capsys.readouterr().out, repr(core_items())])
    for secret in (KEY, TOKEN, *signing):
        assert secret not in everything
