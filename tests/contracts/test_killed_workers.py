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
from datetime import timedelta

import pytest

from chalicelib.domain.periods import Span
from chalicelib.features.events.stream import Stream
from chalicelib.features.usage import service as usage
from chalicelib.features.usage.audit import audit
from chalicelib.platform import auth, aws, clock, queues
from chalicelib.platform.settings import settings
from tests.support import ministack
from tests.support.story import Story

_WORKERS, _EVENTS, _BATCH, _KILLED = 2, 4_000, 20, 8
_VISIBLE_AGAIN_SECONDS = 2


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
    """Processes that meter, some of which die now and then."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables
        self._running = [self._start() for _ in range(_WORKERS)]
        self.killed = 0

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "infra.local.consumer", "events", "meter"]
        return subprocess.Popen(command, env=self._variables, stderr=subprocess.DEVNULL)

    def work_off_and_die(self, chance: random.Random) -> None:
        """Until the queue is empty; whenever there is less in it one of them is killed, wherever it is, and another one
        takes its place."""
        seen, deadline = _waiting(), time.monotonic() + 100
        while any(_waiting_and_taken()):
            assert time.monotonic() < deadline, "the queue gets empty"
            if self.killed < _KILLED and _waiting() < seen:
                time.sleep(chance.random() * 0.3)
                self._kill(chance.randrange(_WORKERS))
                seen = _waiting()
            time.sleep(0.02)

    def _kill(self, n: int) -> None:
        self._running[n].send_signal(signal.SIGKILL)
        self._running[n].wait()
        self._running[n] = self._start()
        self.killed += 1

    def stop(self) -> None:
        for each in self._running:
            each.kill()
            each.wait()


def test_every_accepted_event_counts_once_whoever_is_killed(stack):
    story = Story.begin(sandbox=False)
    filters = [{"key": "cloud", "values": ["aws", "gcp"]}]
    story.metric("calls", "sum_agg", field_name="v", filters=filters)
    story.metric("peak", "max_agg", field_name="v")
    chance = random.Random(7)
    now = clock.utc_now()
    sent: dict[str, dict] = {}
    workers = Workers(stack)
    try:
        while len(sent) < _EVENTS:
            events = [_event(len(sent) + n, chance, now) for n in range(_BATCH)]
            again = chance.sample(sorted(sent), min(len(sent), 10))  # Known ones, sent once more.
            bodies = events + [sent[name] for name in again]
            sent |= {body["transaction_id"]: body for body in events}
            story.ok("POST", "/events/batch", {"events": chance.sample(bodies, len(bodies))})
        workers.work_off_and_die(chance)
    finally:
        workers.stop()
    assert workers.killed == _KILLED
    organization = auth.identify({"authorization": f"Bearer {story.api_key}"})
    for code in ("calls", "peak"):
        own = [body for body in sent.values() if body["code"] == code]
        span = Span(now - timedelta(days=10), now + timedelta(days=1))
        counted = usage.read(organization, Stream("sub"), span)
        assert counted.events(code) == len(own)
        assert counted.sum(code, "v").total == sum(body["properties"]["v"] for body in own)
    assert audit(now=clock.utc_now(), organization_id=organization.id) == []


def _event(n: int, chance: random.Random, now) -> dict:
    at = now - timedelta(seconds=chance.randrange(0, 3 * 86_400))
    return {
        "transaction_id": f"t{n}",
        "external_subscription_id": "sub",
        "code": chance.choice(["calls", "peak"]),
        "timestamp": int(at.timestamp()),
        "properties": {"v": chance.randrange(-5, 1000), "cloud": chance.choice(["aws", "gcp", "x"])},
    }


def _waiting() -> int:
    return _waiting_and_taken()[0]


def _waiting_and_taken() -> tuple[int, int]:
    """At one instant: between two questions a message that was taken may have come back."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = queues.url(settings().events_queue)
    found = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])
