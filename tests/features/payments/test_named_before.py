"""Customers who named a provider before it was connected. Source: rules/catalog 10.4."""

from typing import Any

import pytest

from chalicelib.platform.agenda import walk
from tests.features.payments.far_side import KEY, connect, leave_card, provider_customer_id
from tests.support.messages import messages
from tests.support.providers.frame import Running
from tests.support.story import Story, work


def named(story: Story, external_id: str, **configuration: Any) -> None:
    billing = {"payment_provider": "stripe", "sync_with_provider": True, **configuration}
    story.customer(external_id, email=f"{external_id}@example.com", billing_configuration=billing)


def settled() -> None:
    while work():
        pass


def customers_there(stripe: Running) -> list[str]:
    account = stripe.fake.account(KEY)  # type: ignore[attr-defined]
    return sorted(each["metadata"]["customer_id"] for each in account.listed("customer"))


def test_they_are_brought_in_line_when_it_is(story: Story, stripe: Running) -> None:
    named(story, "plain")
    named(story, "coded", payment_provider_code="main")
    named(story, "other", payment_provider_code="another")
    named(story, "unasked", sync_with_provider=False)
    named(story, "debit", payment_provider="gocardless")
    story.customer("none")
    settled()
    connect(story)
    settled()
    assert customers_there(stripe) == ["coded", "plain"]
    assert provider_customer_id(story, "plain")
    leave_card(stripe)
    settled()
    assert customers_there(stripe) == ["coded", "plain"]


def test_a_second_connection_disturbs_nobody_of_the_first(story: Story, stripe: Running) -> None:
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    connect(story)
    named(story, "first")
    settled()
    connect(story, code="second", key="sk_test_second_account_5")
    settled()
    assert "customer.payment_provider_error" not in [each.webhook_type for each in messages(story.ref.id)]
    assert stripe.fake.account("sk_test_second_account_5").listed("customer") == []  # type: ignore[attr-defined]


def test_many_are_asked_for_in_slices(story: Story, stripe: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        named(story, f"c{number}")
    settled()
    monkeypatch.setattr(walk, "RUN_SECONDS", -1)
    connect(story)
    settled()
    assert customers_there(stripe) == ["c0", "c1", "c2", "c3"]


def configuration(story: Story, external_id: str) -> tuple[Any, Any, Any]:
    shown = story.ok("GET", f"/customers/{external_id}")["customer"]["billing_configuration"]
    return shown["payment_provider"], shown["payment_provider_code"], shown["provider_customer_id"]


def test_customers_of_a_removed_connection_name_no_provider(story: Story, stripe: Running) -> None:
    named(story, "other", payment_provider_code="another")
    connect(story)
    named(story, "plain")
    named(story, "coded", payment_provider_code="main")
    named(story, "debit", payment_provider="gocardless")
    settled()
    story.ok("DELETE", "/payment_providers/main")
    settled()
    assert configuration(story, "plain") == configuration(story, "coded") == (None, None, None)
    assert configuration(story, "debit")[0] == "gocardless"
    assert configuration(story, "other")[:2] == ("stripe", "another")


def test_where_another_connection_takes_its_place_they_go_on(story: Story, stripe: Running) -> None:
    connect(story)
    named(story, "plain")
    named(story, "coded", payment_provider_code="main")
    settled()
    own = provider_customer_id(story, "coded")
    story.ok("DELETE", "/payment_providers/main")
    connect(story)
    settled()
    assert configuration(story, "coded") == ("stripe", "main", own)
    assert configuration(story, "plain")[0] == "stripe"
    assert customers_there(stripe) == ["coded", "plain"]
