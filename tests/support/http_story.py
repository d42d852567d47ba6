"""A story told over HTTP, at a stack that runs with workers of its own."""

import time
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.support.story import Answer, Story

_COUNTED_WITHIN_SECONDS = 60
_ARRIVED_WITHIN_SECONDS = 120


@dataclass
class HttpStory(Story):
    """An organization at the stack of an address: verbs of the API, each done when it answers."""

    url: str = ""
    _sent: set[tuple[str, str]] = field(default_factory=set)
    _session: requests.Session = field(default_factory=requests.Session)

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Any call, with whatever answer."""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        answer = self._session.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers, timeout=60)
        if answer.ok and method == "POST" and path.startswith("/events"):
            events = body["events"] if path.startswith("/events/batch") else [body["event"]]
            self._sent |= {(event["external_subscription_id"], event["transaction_id"]) for event in events}
        return Answer(answer.status_code, answer.json() if answer.content else None)

    def travel(self, to: str) -> Any:
        """Move the clock, and wait until it has arrived."""
        clock = self.ok("PUT", "/test_clock", {"test_clock": {"now": to}})["test_clock"]
        end = time.monotonic() + _ARRIVED_WITHIN_SECONDS
        while clock["status"] == "advancing" and time.monotonic() < end:
            time.sleep(0.1)
            clock = self.ok("GET", "/test_clock")["test_clock"]
        assert clock["status"] == "ready", clock
        assert "failed_tasks" not in clock, clock
        return clock

    def terminate(self, external_id: str = "sub", query: str = "") -> Any:
        """End a subscription."""
        self.metered()
        return self.ok("DELETE", f"/subscriptions/{external_id}{query}")["subscription"]

    def usage(self, subscription: str = "sub", customer: str = "cust") -> Any:
        """Current usage."""
        self.metered()
        path = f"/customers/{customer}/current_usage?external_subscription_id={subscription}"
        return self.ok("GET", path)["customer_usage"]

    def metered(self) -> None:
        """Wait until all events that were sent are counted: they are listed after that."""
        end = time.monotonic() + _COUNTED_WITHIN_SECONDS
        while self._sent and (listed := self._listed()) < len(self._sent):
            assert time.monotonic() < end, f"{listed} of {len(self._sent)} events are counted"
            time.sleep(0.1)

    def _listed(self) -> int:
        return int(self.ok("GET", "/events?per_page=1")["meta"]["total_count"])
