"""The vocabulary of stories: a sandbox organization driven through the API, with its queues worked off in between."""

import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any

from chalice.config import Config
from chalice.local import LocalGateway

from app import app
from chalicelib import wiring
from chalicelib.features.sandbox import service as test_clock
from chalicelib.platform import auth, aws, queues
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.settings import settings
from tests.support.aws import ADMIN_KEY


@dataclass
class Answer:
    """Status and decoded body of a call."""

    status: int
    body: Any


@dataclass
class Story:
    """One organization's key, and verbs of the API."""

    api_key: str
    ids: itertools.count = field(default_factory=lambda: itertools.count(1))  # type: ignore[type-arg]

    @classmethod
    def begin(cls, at: str | None = "2024-01-01T00:00:00Z", **organization: Any) -> "Story":
        """A new sandbox organization, its clock at an instant (1 January 2024, UTC; None: never set)."""
        body = {"name": "Acme", "email": "acme@example.com", "sandbox": True, **organization}
        made = request("POST", "/admin/organizations", body, {"X-Admin-API-Key": ADMIN_KEY})
        assert made.status == 201, made
        story = cls(made.body["api_key"])
        if body["sandbox"] and at is not None:
            story.travel(at)
        return story

    @property
    def ref(self) -> OrganizationRef:
        """The organization as use cases are given it."""
        return auth.identify({"authorization": f"Bearer {self.api_key}"})

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Any call, with whatever answer."""
        return request(method, f"/api/v1{path}", body, {"Authorization": f"Bearer {self.api_key}"})

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        """A call that must succeed; its body."""
        answer = self.call(method, path, body)
        assert answer.status == 200, answer
        return answer.body

    # Verbs.

    def travel(self, to: str) -> Any:
        """Move the clock (after the events on their way were metered, as the clock itself would wait)."""
        meter()
        clock = self.ok("PUT", "/test_clock", {"test_clock": {"now": to}})["test_clock"]
        if clock["status"] == "advancing":  # A busy machine: go on as the job behind the clock would.
            assert test_clock.run_until_arrived(self.ref, give_up_at=time.monotonic() + 300)
            clock = self.ok("GET", "/test_clock")["test_clock"]
        assert clock["status"] == "ready", clock
        assert "failed_tasks" not in clock, clock
        return clock

    def organization(self, **fields: Any) -> Any:
        """Change settings."""
        return self.ok("PUT", "/organizations", {"organization": fields})["organization"]

    def metric(self, code: str = "calls", aggregation_type: str = "count_agg", **fields: Any) -> Any:
        """A billable metric."""
        body = {"name": code, "code": code, "aggregation_type": aggregation_type, **fields}
        return self.ok("POST", "/billable_metrics", {"billable_metric": body})["billable_metric"]

    def plan(self, code: str = "plan", charges: list[dict[str, Any]] | None = None, **fields: Any) -> Any:
        """A plan, monthly and in arrears where nothing else is said."""
        body = {"name": code, "code": code, "interval": "monthly", "amount_cents": 0, "amount_currency": "EUR"}
        body |= {"charges": charges or [], **fields}
        return self.ok("POST", "/plans", {"plan": body})["plan"]

    def customer(self, external_id: str = "cust", **fields: Any) -> Any:
        """A customer."""
        return self.ok("POST", "/customers", {"customer": {"external_id": external_id, **fields}})["customer"]

    def subscribe(self, plan: str = "plan", external_id: str = "sub", customer: str = "cust", **fields: Any) -> Any:
        """A subscription."""
        body = {"external_customer_id": customer, "plan_code": plan, "external_id": external_id, **fields}
        return self.ok("POST", "/subscriptions", {"subscription": body})["subscription"]

    def terminate(self, external_id: str = "sub", query: str = "") -> Any:
        """End a subscription."""
        meter()
        return self.ok("DELETE", f"/subscriptions/{external_id}{query}")["subscription"]

    def use(self, code: str = "calls", *, at: float, subscription: str = "sub", **properties: Any) -> str:
        """Send one event; its transaction id."""
        transaction_id = f"tx-{next(self.ids)}"
        event = {"transaction_id": transaction_id, "external_subscription_id": subscription, "code": code}
        self.ok("POST", "/events", {"event": {**event, "timestamp": at, "properties": properties}})
        return transaction_id

    def usage(self, subscription: str = "sub", customer: str = "cust") -> Any:
        """Current usage."""
        meter()
        path = f"/customers/{customer}/current_usage?external_subscription_id={subscription}"
        return self.ok("GET", path)["customer_usage"]

    def notes(self) -> list[Any]:
        """All final credit notes, oldest first."""
        found = self.ok("GET", "/credit_notes?per_page=1000")["credit_notes"]
        return sorted(found, key=lambda note: (note["created_at"], note["number"]))

    def invoices(self, query: str = "") -> list[Any]:
        """All invoices, oldest first, each with everything."""
        found = self.ok("GET", f"/invoices?per_page=1000{query}")["invoices"]
        whole = [self.ok("GET", f"/invoices/{invoice['lago_id']}")["invoice"] for invoice in found]
        return sorted(whole, key=lambda invoice: (invoice["created_at"], invoice["sequential_id"] or 0))


def request(method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
    """One request through the gateway that Chalice brings."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    gateway = LocalGateway(app, Config())
    answer = gateway.handle_request(method, path, {"Content-Type": "application/json", **headers}, raw)
    text = answer["body"]
    return Answer(answer["statusCode"], json.loads(text) if text else None)


def received(queue: str, number: int = 10) -> list[dict[str, Any]]:
    """Messages of a queue in the form in which Lambda gets them, taken off it."""
    url = queues.url(queue)
    found = aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=number).get("Messages", [])
    for message in found:
        aws.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [{"messageId": message["MessageId"], "body": message["Body"]} for message in found]


def meter() -> None:
    """Work off the queue of events."""
    while records := received(settings().events_queue):
        assert wiring.meter(records) == {"batchItemFailures": []}


def work(queue: str = "jobs") -> int:
    """Work off a queue of tasks ("jobs": the sandboxes' too, and what waits for payment providers); how many messages there
    were."""
    total = 0
    wanted = ("jobs", "sandbox", "providers") if queue == "jobs" else (queue,)
    names = [str(getattr(settings(), f"{name}_queue")) for name in wanted]
    while records := [record for name in names for record in received(name)]:
        assert wiring.work(records) == {"batchItemFailures": []}
        total += len(records)
    return total
