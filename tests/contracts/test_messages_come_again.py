"""On the local stack's own workers and an emulated SQS: a message that failed is received again in seconds, alone."""

import threading
import time

import pytest

import app
from chalicelib.platform import aws, queues
from chalicelib.platform.settings import settings
from infra.local.workers import QueueWorker
from tests.support import ministack


@pytest.fixture
def stack(tmp_path, monkeypatch):
    with ministack.running(tmp_path / "log", monkeypatch):
        yield


@pytest.mark.parametrize(("queue", "handler"), [("events", app.meter), ("jobs", app.worker)], ids=["events", "tasks"])
def test_a_message_that_failed_comes_again_in_seconds(stack, queue, handler):
    name = str(getattr(settings(), f"{queue}_queue"))
    received: list[tuple[int, float]] = []
    stop = threading.Event()

    def noting(event, context):
        assert len(event["Records"]) == 1
        received.append((int(event["Records"][0]["attributes"]["ApproximateReceiveCount"]), time.monotonic()))
        if len(received) == 3:
            stop.set()
        return handler(event, context)

    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    worker = QueueWorker(aws.client("sqs"), queues.url(name), arn, noting, stop)
    queues.send(name, "{")  # Nobody can read it.
    worker.start()
    assert stop.wait(120), "instead of 150 or 900 s a time"
    worker.join(30)
    assert [count for count, _ in received] == [1, 2, 3]
    (_, first), (_, second), (_, third) = received
    assert second - first >= 4
    assert third - second >= 4
