"""Workers that are killed while a stream of events runs: in the end every accepted event counts once.

Real processes on an emulated AWS (ministack): messages that a dead worker had taken come again when their time is over.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.periods import Span
from chalicelib.features.audit.audit import audit
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import service as usage
from chalicelib.platform import auth, aws, clock, queues
from chalicelib.platform.settings import settings
from tests.support import ministack
from tests.support.story import Story

_WORKERS, _EVENTS, _BATCH, _KILLS = 2, 4_000, 20, 8
_VISIBLE_AGAIN_SECONDS = 2
_WAITING_MAX = 50  # Messages: enough for all workers, and soon worked off.
# For what takes half a minute where nothing else runs.
_PATIENCE_SECONDS = 600


@pytest.fixture
def stack(tmp_path, monkeypatch) -> Iterator[dict[str, str]]:
    """The environment of processes that use the emulator; this process is one of them."""
    with ministack.running(tmp_path / "log", monkeypatch) as variables:
        _deliver_soon_and_often(queues.url(settings().events_queue))
        yield {**os.environ, **variables}


def _deliver_soon_and_often(url: str) -> None:
    """What a dead worker had taken comes again in seconds, and however often that happens goes to no dead letters."""
    sqs = aws.client("sqs")
    policy = json.loads(
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
    )
    attributes = {
        "VisibilityTimeout": str(_VISIBLE_AGAIN_SECONDS),
        "RedrivePolicy": json.dumps(policy | {"maxReceiveCount": 1000}),
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)


class Workers:
    """Processes that meter, some of which die at work now and then."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables
        self._running = [self._start() for _ in range(_WORKERS)]
        self._killed_at = 0.0

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "infra.local.consumer", "events", "meter"]
        return subprocess.Popen(command, env=self._variables, stderr=subprocess.DEVNULL)

    def kill_at_work(self, number: int) -> bool:
        """Kill so many at once, if messages are taken by then; others take their places.

        All are stopped before anybody looks, so that who is killed had what was taken, however busy the machine is. What
        those before had taken has come back by then.
        """
        if time.monotonic() < self._killed_at + 2 * _VISIBLE_AGAIN_SECONDS:
            return False
        for each in self._running:
            each.send_signal(signal.SIGSTOP)
        is_at_work = _waiting_and_taken()[1] > 0
        for n in range(number if is_at_work else 0):
            self._running[n].kill()
            self._running[n].wait()
            self._running[n] = self._start()
            self._killed_at = time.monotonic()
        for each in self._running:
            each.send_signal(signal.SIGCONT)
        self._running.reverse()  # The other one's turn.
        return is_at_work

    def work_off(self) -> None:
        """Until the queue is empty."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while any(_waiting_and_taken()):
            assert time.monotonic() < deadline, "the queue gets empty"
            time.sleep(0.05)

    def stop(self) -> None:
        for each in self._running:
            each.kill()
            each.wait()


@dataclass
class Sender:
    """Sends events, and known ones once more; `sent`: each as it was sent first."""

    story: Story
    chance: random.Random
    now: datetime
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)

    def send(self) -> None:
        """One batch."""
        events = [self._event(len(self.sent) + n) for n in range(_BATCH)]
        again = self.chance.sample(sorted(self.sent), min(len(self.sent), 10))
        bodies = events + [self.sent[name] for name in again]
        self.sent |= {body["transaction_id"]: body for body in events}
        self.story.ok("POST", "/events/batch", {"events": self.chance.sample(bodies, len(bodies))})

    def _event(self, n: int) -> dict[str, Any]:
        at = self.now - timedelta(seconds=self.chance.randrange(0, 3 * 86_400))
        return {
            "transaction_id": f"t{n}",
            "external_subscription_id": "sub",
            "code": self.chance.choice(["calls", "peak"]),
            "timestamp": int(at.timestamp()),
            "properties": {"v": self.chance.randrange(-5, 1000), "cloud": self.chance.choice(["aws", "gcp", "x"])},
        }


def test_every_accepted_event_counts_once_whoever_is_killed(stack):
    story = Story.begin(sandbox=False)
    filters = [{"key": "cloud", "values": ["aws", "gcp"]}]
    story.metric("calls", "sum_agg", field_name="v", filters=filters)
    story.metric("peak", "max_agg", field_name="v")
    sender = Sender(story, random.Random(7), clock.utc_now())
    kills, deadline = 0, time.monotonic() + _PATIENCE_SECONDS
    workers = Workers(stack)
    try:
        # Events come for as long as somebody is to be killed: so there is always work to be killed at.
        while kills < _KILLS or len(sender.sent) < _EVENTS:
            assert time.monotonic() < deadline, "workers take messages"
            if _waiting_and_taken()[0] < _WAITING_MAX:
                sender.send()
            if kills < _KILLS:
                # In turn one of them, so that the other one goes on, and both, of which one at least was at work.
                kills += workers.kill_at_work(1 + kills % _WORKERS)
        workers.work_off()
    finally:
        workers.stop()
    organization = auth.identify({"authorization": f"Bearer {story.api_key}"})
    for code in ("calls", "peak"):
        own = [body for body in sender.sent.values() if body["code"] == code]
        span = Span(sender.now - timedelta(days=10), sender.now + timedelta(days=1))
        counted = usage.read(organization, Stream("sub"), span)
        assert counted.events(code) == len(own)
        assert counted.sum(code, "v").total == sum(body["properties"]["v"] for body in own)
    assert audit(now=clock.utc_now(), organization_id=organization.id) == []


def _waiting_and_taken() -> tuple[int, int]:
    """At one instant: between two questions a message that was taken may have come back."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = queues.url(settings().events_queue)
    found = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])
