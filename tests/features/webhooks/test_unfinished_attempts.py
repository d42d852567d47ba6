"""Attempts whose worker died are counted, and an endpoint that hangs holds up nobody else's messages."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from chalicelib import limits, wiring
from chalicelib.features.webhooks import delivery
from chalicelib.platform import agenda, clock, files
from chalicelib.platform.agenda import runner as running
from chalicelib.platform.settings import settings
from chalicelib.tasks import webhooks as jobs
from tests.features.webhooks.test_deadlines import dripping, serving
from tests.features.webhooks.test_webhooks import Receiver, listen, messages
from tests.support import ministack
from tests.support.story import Story, received, work


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
    work("jobs")
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
    (begun,) = messages(announced)
    assert (begun.status, begun.retries) == ("pending", 0)
    assert begun.leased_until is not None
    assert running.run(task, now=task.due_at) is None  # As long as it may go on nobody else begins.
    assert receiver.calls == []
    with later(monkeypatch, timedelta(minutes=2)) as now:
        (task,) = due()
        assert running.run(task, now=task.due_at) is None
        (counted,) = messages(announced)
        assert (counted.status, counted.retries, counted.last_retried_at) == ("retrying", 1, now)
        assert (counted.http_status, counted.response) == (None, delivery.UNFINISHED.error)
        assert receiver.calls == []
        (task,) = due()
        assert timedelta(seconds=3) <= task.run_at - now < timedelta(seconds=4)
    with later(monkeypatch, timedelta(minutes=3)):
        assert running.run(task, now=task.due_at) is None
    (delivered,) = messages(announced)
    assert (delivered.status, delivered.retries, len(receiver.calls)) == ("succeeded", 1, 1)
    assert due() == []


def test_a_message_that_kills_every_worker_has_failed_after_seventeen(announced, receiver, monkeypatch):
    hours = 0
    with monkeypatch.context() as patched:
        patched.setattr(delivery, "attempt", dying)
        while tasks := due_within(monkeypatch, hours):
            with later(monkeypatch, timedelta(hours=hours)), contextlib.suppress(Died):
                running.run(tasks[0], now=tasks[0].due_at)
            hours += 20
            assert hours < 20 * 40
    (message,) = messages(announced)
    assert (message.status, message.retries) == ("failed", limits.WEBHOOK_ATTEMPTS_MAX)
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
    (message,) = messages(announced)
    assert (message.status, message.retries, message.leased_until) == ("pending", 0, None)
    (task,) = due()
    assert running.run(task, now=task.due_at) is None
    assert [m.status for m in messages(announced)] == ["succeeded"]


def test_a_lease_outlives_any_attempt():
    assert timedelta(seconds=limits.WEBHOOK_TIMEOUT_SECONDS + 10) < jobs._LEASE


# One batch of many organizations.


def test_an_endpoint_that_hangs_holds_up_nobody_elses_messages_of_its_batch(tmp_path, monkeypatch):
    """On an emulator: moto's tables take no threads."""
    monkeypatch.setattr(limits, "WEBHOOK_TIMEOUT_SECONDS", 4)
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
        while work("jobs"):
            pass
        records = received(settings().webhooks_queue)
        assert len(records) == 10
        begun = time.monotonic()
        assert wiring.deliver(records) == {"batchItemFailures": []}
        seconds = time.monotonic() - begun
        assert [message.status for message in messages(quiet)] == ["succeeded"]
        assert {message.status for message in messages(noisy)} == {"retrying"}
    assert (hanging.calls, sound.calls) == (9, 1)
    assert quick[0] - begun < 3
    assert seconds < 4 + 5
