"""Attempts whose worker died are counted, and an endpoint that hangs holds up nobody else's messages."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from chalicelib import limits, wiring
from chalicelib.features.webhooks import delivery, numbering
from chalicelib.platform import agenda, clock, files
from chalicelib.platform.agenda import runner as running
from chalicelib.platform.settings import settings
from tests.features.webhooks.test_deadlines import dripping, serving
from tests.support import ministack
from tests.support.messages import messages
from tests.support.receiving import Receiver, listen
from tests.support.story import Story, received

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def local(environment) -> Iterator[None]:
    """The settings of this machine, where an endpoint may be at 127.0.0.1."""
    settings.cache_clear()
    yield
    settings.cache_clear()


class Died(BaseException):
    """A worker that is killed runs no further line."""


def due() -> list[agenda.Task]:
    later = clock.utc_now() + timedelta(days=4)
    return [task for n in range(limits.DUE_SHARDS) for task in agenda.due(n, until=later)]


@contextlib.contextmanager
def later(monkeypatch, by: timedelta) -> Iterator[datetime]:
    """The same some time later."""
    now = clock.utc_now() + by
    with monkeypatch.context() as patched:
        patched.setattr(clock, "utc_now", lambda: now)
        yield now


@pytest.fixture
def announced(story, receiver) -> Story:
    """A message that waits to be delivered."""
    listen(story, receiver)
    story.customer("c")
    numbering.number(story.ref)
    return story


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


def dying(*_: object) -> None:
    raise Died


def test_an_attempt_whose_worker_died_is_counted_and_the_next_one_waits_its_time(announced, receiver, monkeypatch):
    (task,) = due()
    with monkeypatch.context() as patched:
        patched.setattr(delivery, "attempt", dying)
        with pytest.raises(Died):
            running.run(task, now=task.due_at)
    (begun,) = messages(announced.ref.id)
    assert (begun.status, begun.attempts) == ("pending", 0)
    (task,) = due()
    assert running.run(task, now=task.due_at) is None  # As long as it may go on nobody else begins.
    assert receiver.calls == []
    with later(monkeypatch, timedelta(minutes=2)) as now:
        (task,) = due()
        assert running.run(task, now=task.due_at) is None
        (counted,) = messages(announced.ref.id)
        assert (counted.status, counted.attempts, counted.last_at) == ("retrying", 1, now)
        assert (counted.http_status, counted.error) == (None, delivery.UNFINISHED.error)
        assert receiver.calls == []
        (task,) = due()
        assert timedelta(seconds=3) <= task.run_at - now < timedelta(seconds=4)
    with later(monkeypatch, timedelta(minutes=3)):
        assert running.run(task, now=task.due_at) is None
    (delivered,) = messages(announced.ref.id)
    assert (delivered.status, delivered.attempts, len(receiver.calls)) == ("succeeded", 2, 1)
    assert due() == []


def test_of_a_round_whose_worker_died_only_what_was_under_way_is_counted(story, receiver, monkeypatch):
    """Of three messages the first was delivered and noted, the second was under way; the third was not begun."""
    listen(story, receiver)
    for n in range(3):
        story.customer(f"c{n}")
    numbering.number(story.ref)
    (task,) = due()
    attempt = delivery.attempt
    with monkeypatch.context() as patched:
        patched.setattr(delivery, "attempt", lambda r: attempt(r) if not receiver.calls else dying())
        with pytest.raises(Died):
            running.run(task, now=task.due_at)
    with later(monkeypatch, timedelta(minutes=2)):
        (task,) = due()
        running.run(task, now=task.due_at)
    assert receiver.sequences == [1, 3]
    assert [(m.status, m.attempts) for m in reversed(messages(story.ref.id))] == [
        ("succeeded", 1),
        ("retrying", 1),
        ("succeeded", 1),
    ]
    with later(monkeypatch, timedelta(minutes=3)):
        (task,) = due()
        running.run(task, now=task.due_at)
    assert receiver.sequences == [1, 3, 2]


def test_a_message_that_kills_every_worker_has_failed_after_seventeen(announced, receiver, monkeypatch):
    hours = 0
    with monkeypatch.context() as patched:
        patched.setattr(delivery, "attempt", dying)
        while tasks := due_within(monkeypatch, hours):
            with later(monkeypatch, timedelta(hours=hours)), contextlib.suppress(Died):
                running.run(tasks[0], now=tasks[0].due_at)
            hours += 20
            assert hours < 20 * 40
    (message,) = messages(announced.ref.id)
    assert (message.status, message.attempts) == ("failed", limits.WEBHOOK_ATTEMPTS_MAX)
    assert list(agenda.parked()) == []


def due_within(monkeypatch, hours: int) -> list[agenda.Task]:
    with later(monkeypatch, timedelta(hours=hours)):
        return due()


def test_what_fails_before_the_call_is_no_attempt(announced, receiver, monkeypatch):
    """The key or the file store is out of reach: ours, so the agenda tries again, and the message has lost nothing."""
    (task,) = due()
    with monkeypatch.context() as patched:
        patched.setattr(delivery.signing, "jwt_signature", lambda body: files.get("nothing there"))
        assert running.run(task, now=task.due_at) is not None
    (message,) = messages(announced.ref.id)
    assert (message.status, message.attempts) == ("pending", 0)
    (task,) = due()
    assert running.run(task, now=task.due_at) is None
    assert [m.status for m in messages(announced.ref.id)] == ["succeeded"]


def test_a_lease_outlives_any_attempt_and_a_message_of_the_queue_outlives_the_lease():
    assert timedelta(seconds=limits.WEBHOOK_TIMEOUT_SECONDS + 10) < limits.WEBHOOK_LANE_LEASE
    queue = json.loads((ROOT / "infra" / "resources.json").read_text())["Resources"]["WebhooksQueue"]["Properties"]
    assert timedelta(seconds=queue["VisibilityTimeout"]) > limits.WEBHOOK_LANE_LEASE


# One batch of many organizations.


def test_an_endpoint_that_hangs_holds_up_nobody_elses_messages_of_its_batch(tmp_path, monkeypatch):
    """On an emulator: moto's tables take no threads."""
    monkeypatch.setattr(limits, "WEBHOOK_TIMEOUT_SECONDS", 4)
    monkeypatch.setattr(limits, "WEBHOOK_LANE_SECONDS", 1)
    quick: list[float] = []

    def noting(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        quick.append(time.monotonic())
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with (
        ministack.running(tmp_path / "log", monkeypatch),
        serving(dripping(b"HTTP/1.1 ")) as hanging,
        serving(noting) as sound,
    ):
        noisy, quiet = Story.begin(sandbox=False), Story.begin(sandbox=False)
        for story, server in ((noisy, hanging), (quiet, sound)):
            story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": server.url}})
        for n in range(9):
            noisy.customer(f"c{n}")
        quiet.customer("c")
        numbered = received(settings().webhooks_queue)
        assert len(numbered) == 10
        assert wiring.deliver(numbered) == {"batchItemFailures": []}
        records = received(settings().webhooks_queue)
        assert len(records) == 2
        begun = time.monotonic()
        assert wiring.deliver(records) == {"batchItemFailures": []}
        seconds = time.monotonic() - begun
        assert [message.status for message in messages(quiet.ref.id)] == ["succeeded"]
        assert "succeeded" not in {message.status for message in messages(noisy.ref.id)}
    assert (hanging.calls, sound.calls) == (1, 1)
    assert quick[0] - begun < 3
    assert seconds < 4 + 5
