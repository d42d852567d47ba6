"""What is told of wallets, and when what depends on usage happens in real time. Decision 0026."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.features.metering import watching
from chalicelib.features.webhooks.types import TYPES
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import runner
from tests.support import wallets
from tests.support.charging import ts
from tests.support.items import core
from tests.support.messages import messages
from tests.support.story import Story, meter, work
from tests.support.wallets import ledger, pay, read, top_up, wallet


def begin(**how: Any) -> Story:
    story = Story.begin(**how)
    metric = story.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    story.plan("plan", [charge])
    for customer in ("cust", "other"):
        story.customer(customer, currency="EUR")
        story.subscribe(external_id=f"{customer}-sub", customer=customer)
    types = sorted(name for name in TYPES if name.startswith("wallet"))
    endpoint = {"webhook_url": "http://127.0.0.1:9/hook", "event_types": [*types, "invoice.paid_credit_added"]}
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": endpoint})
    return story


def told_of(story: Story) -> list[tuple[str, Any]]:
    """The messages so far: type, and the object in the body."""
    work()
    bodies = [json.loads(message.payload) for message in messages(story.ref.id)]
    return [(body["webhook_type"], body[body["object_type"]]) for body in bodies]


def test_changes_are_told_with_the_balance(aws: None) -> None:
    story = begin()
    made = wallet(story, granted_credits="10")
    (bought,) = top_up(story, made, paid_credits="5")
    pay(story, bought["lago_invoice_id"])
    (lost,) = top_up(story, made, paid_credits="7")
    pay(story, lost["lago_invoice_id"], "failed")
    story.ok("PUT", f"/wallets/{made['lago_id']}", {"wallet": {"name": "New"}})
    story.ok("DELETE", f"/wallets/{made['lago_id']}")
    found = told_of(story)
    assert Counter(name for name, _ in found) == {
        "wallet.created": 1,
        "wallet_transaction.created": 3,
        "wallet_transaction.updated": 2,
        "wallet_transaction.payment_failure": 1,
        "wallet.updated": 4,  # Two purchases, a settlement, a name.
        "wallet.terminated": 1,
        "invoice.paid_credit_added": 2,
    }
    (created,) = [body for name, body in found if name == "wallet.created"]
    assert (created["balance_cents"], created["lago_id"]) == (1000, made["lago_id"])
    (failure,) = [body for name, body in found if name == "wallet_transaction.payment_failure"]
    assert failure["lago_wallet_transaction_id"] == lost["lago_id"]
    settled = [body for name, body in found if name == "wallet_transaction.updated" and body["status"] == "settled"]
    assert [(each["remaining_amount_cents"], each["wallet"]["balance_cents"]) for each in settled] == [(500, 1500)]


def test_an_empty_ongoing_balance_is_told_once_until_it_is_positive_again(aws: None) -> None:
    story = begin()
    made = wallet(story, granted_credits="2")

    def told() -> list[int]:
        read(story, made)
        return sorted(
            body["ongoing_balance_cents"] for name, body in told_of(story) if name.endswith("depleted_ongoing_balance")
        )

    for number, expected in ((1, []), (1, [0]), (1, [0])):
        for _ in range(number):
            story.use(at=ts("2024-01-01T00:00:00"), subscription="cust-sub")
        meter()
        assert told() == expected
    top_up(story, made, granted_credits="5")
    assert told() == [0]
    for _ in range(5):
        story.use(at=ts("2024-01-01T00:00:00"), subscription="cust-sub")
    meter()
    assert told() == [-100, 0]
    wallets.check(story)


def refreshes() -> list[agenda.Task]:
    pages = core.client.get_paginator("scan").paginate(TableName=core.name)
    rows = [item for page in pages for item in page["Items"] if item.get("kind", {}).get("S") == "refresh_wallets"]
    found = (agenda.find((item["pk"]["S"], item["sk"]["S"])) for item in rows)
    return [task for task in found if task is not None]


@pytest.fixture(autouse=True)
def forgotten() -> None:
    watching._known.clear()
    watching._told.clear()


def test_in_real_time_a_threshold_is_seen_within_minutes_and_others_cost_nothing(aws: None) -> None:
    story = begin(sandbox=False)
    rule = {"trigger": "threshold", "threshold_credits": "1", "paid_credits": "50"}
    made = wallet(story, granted_credits="2", recurring_transaction_rules=[rule])
    work()
    assert refreshes() == []
    now = datetime.now(UTC).timestamp() + 1
    story.use(at=now, subscription="other-sub")
    meter()
    assert refreshes() == []
    for _ in range(3):
        story.use(at=now, subscription="cust-sub")
        meter()
    (task,) = refreshes()
    assert task.run_at - clock.utc_now() < limits.WALLET_WATCH_WINDOW + limits.WALLET_WATCH_LAG
    assert runner.run(task, now=clock.utc_now() + timedelta(seconds=5)) is None
    assert [each["credit_amount"] for each in ledger(story, made, "&status=pending")] == ["50.0"]
    assert refreshes() == [] or all(each.subject != task.subject for each in refreshes())


def test_what_waits_for_usage_never_stops_counting(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    story = begin()
    wallet(story, granted_credits="2")

    def broken(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("chalicelib.features.customers.usage_watch.watched", broken)
    story.use(at=ts("2024-01-01T00:00:00"), subscription="cust-sub")
    meter()
    assert story.usage("cust-sub")["charges_usage"][0]["events_count"] == 1


def test_a_subscription_that_starts_later_is_watched_and_a_last_wallet_lets_go(aws: None) -> None:
    story = begin()
    made = wallet(story, granted_credits="2")
    story.subscribe(external_id="more")
    for _ in range(2):
        story.use(at=ts("2024-01-01T00:00:00"), subscription="more")
    meter()
    assert read(story, made)["ongoing_balance_cents"] == 0
    assert "wallet.depleted_ongoing_balance" in {name for name, _ in told_of(story)}
    story.ok("DELETE", f"/wallets/{made['lago_id']}")
    story.use(at=ts("2024-01-01T00:00:00"), subscription="more")
    meter()
    assert refreshes() == []


def test_a_deleted_customers_drafts_are_paid_before_its_wallets_end(aws: None) -> None:
    story = begin()
    story.customer("cust", billing_configuration={"invoice_grace_period": 3})
    made = wallet(story, granted_credits="2")
    for _ in range(5):
        story.use(at=ts("2024-01-01T00:00:00"), subscription="cust-sub")
    story.travel("2024-02-01T00:00:00Z")
    story.ok("DELETE", "/customers/cust")
    story.travel("2024-02-01T00:06:00Z")
    assert {i["prepaid_credit_amount_cents"] for i in story.invoices() if i["total_amount_cents"]} == {200}
    assert read(story, made)["status"] == "terminated"
    wallets.check(story)
