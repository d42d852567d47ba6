"""Every type of message: that it is sent, that docs/webhooks.md shows it, and that nothing is written where nobody listens."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.features.webhooks.types import TYPES
from chalicelib.platform import dynamodb, files
from scripts import webhook_docs
from scripts.listen import Listener
from tests.support.story import Story
from tests.support.telling import deliver, everything, listening
from tests.support.wallets import wallet

CODE = Path(webhook_docs.__file__).parents[1] / "chalicelib"
# What no task may be of where nobody listens.
TELLING = {"announce", "wallet_changed", "event_error", "deliver_webhook"}


@pytest.fixture(scope="module")
def told(module_aws: None) -> Listener:
    """All messages of a story in which everything happens."""
    story = Story.begin()
    with listening(story) as listener:
        everything(story)
    return listener


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    return webhook_docs.listed(webhook_docs.PAGE.read_text())


def test_what_is_sent_is_what_the_page_lists(told: Listener, shown: dict[str, Any]) -> None:
    assert {message["webhook_type"] for message in told.messages} == set(shown)
    assert set(webhook_docs.sent_when()) == set(shown)
    assert told.summary() == []


def test_examples_have_the_fields_of_messages(told: Listener, shown: dict[str, Any]) -> None:
    for message in told.messages:
        example = shown[message["webhook_type"]]
        kind = message["object_type"]
        assert list(example) == list(message), message["webhook_type"]
        assert set(example[kind]) == set(message[kind]), message["webhook_type"]


def test_code_names_no_other_types(shown: dict[str, Any]) -> None:
    named: set[str] = set()
    for path in [*CODE.glob("tasks/*.py"), *CODE.glob("features/**/*.py")]:
        if path.parent.name != "webhooks":
            found = ast.walk(ast.parse(path.read_text()))
            named |= {node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert named & TYPES == set(shown)


def test_where_nobody_listens_nothing_is_written(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: list[str] = []
    stored: list[str] = []
    transact, put = dynamodb.transact, files.put

    def watched(actions: Any, **how: Any) -> None:
        items = [action["Put"]["Item"] for action in actions if "Put" in action]
        kinds.extend(item["kind"]["S"] for item in items if "kind" in item)
        transact(actions, **how)

    def kept(name: str, *content: Any) -> None:
        stored.append(name)
        put(name, *content)

    monkeypatch.setattr(dynamodb, "transact", watched)
    monkeypatch.setattr(files, "put", kept)
    story = Story.begin()
    everything(story)
    assert "print_invoice" in kinds
    assert not TELLING & set(kinds)
    assert all(name.endswith(".pdf") for name in stored)


def _last(listener: Listener, name: str) -> Any:
    deliver()
    message = [each for each in listener.messages if each["webhook_type"] == name][-1]
    return json.loads(json.dumps(message[message["object_type"]]))


def test_payloads_are_what_the_api_answers(aws: None) -> None:
    story = Story.begin()
    with listening(story) as listener:
        story.metric("calls")
        assert (
            _last(listener, "billable_metric.created") == story.ok("GET", "/billable_metrics/calls")["billable_metric"]
        )
        story.plan(amount_cents=3100, pay_in_advance=True)
        story.ok("PUT", "/plans/plan", {"plan": {"description": "More"}})
        assert _last(listener, "plan.updated") == story.ok("GET", "/plans/plan")["plan"]
        story.customer(currency="EUR")
        assert _last(listener, "customer.created") == story.ok("GET", "/customers/cust")["customer"]
        story.subscribe()
        subscription = _last(listener, "subscription.started")
        answer = story.ok("GET", "/subscriptions/sub")["subscription"]
        assert subscription | answer == subscription
        assert {"plan", "customer"} <= set(subscription)
        (invoice,) = story.invoices()
        assert _last(listener, "invoice.created") | {"file_url": None} == invoice | {"file_url": None}
        paid = {"invoice_id": invoice["lago_id"], "amount_cents": 3100, "reference": "bank"}
        story.ok("POST", "/payments", {"payment": paid})
        receipt = _last(listener, "payment_receipt.created")
        answer = story.ok("GET", f"/payment_receipts/{receipt['lago_id']}")["payment_receipt"]
        assert receipt | {"file_url": None} == answer | {"file_url": None}
        items = [{"fee_id": invoice["fees"][0]["lago_id"], "amount_cents": 100}]
        note = {"invoice_id": invoice["lago_id"], "credit_amount_cents": 100, "items": items}
        story.ok("POST", "/credit_notes", {"credit_note": note})
        noted = _last(listener, "credit_note.created")
        answer = story.ok("GET", f"/credit_notes/{noted['lago_id']}")["credit_note"]
        assert noted | {"file_url": None} == answer | {"file_url": None}
        made = wallet(story, granted_credits="5")
        answer = story.ok("GET", f"/wallets/{made['lago_id']}")["wallet"]
        assert _last(listener, "wallet.created") == answer
        entry = _last(listener, "wallet_transaction.created")
        assert entry.pop("wallet") == answer
        assert entry == story.ok("GET", f"/wallet_transactions/{entry['lago_id']}")["wallet_transaction"]
