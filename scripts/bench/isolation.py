"""What eight endpoints take beside one that hangs and one that refuses, against what they take without them.

Real servers on this machine, real requests over HTTP, and the app's own handler behind as many workers of the queue as the
local stack has, each of which gets up to ten messages at once, as on Lambda. Only the deadline of an attempt is shorter.
"""

import contextlib
import http.server
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest import mock

from chalicelib import limits, wiring
from chalicelib.platform import aws, queues
from chalicelib.platform.settings import settings
from infra.local.workers import QueueWorker
from scripts.bench.billing import bench_story
from scripts.bench.tables import Row
from scripts.bench.webhooks import all_of_queue
from tests.support.story import Story

_WELL, _OTHERS = 8, 2
_WORKERS = 10
_MESSAGES = 1_000
_ANSWER_SECONDS, _DEADLINE_SECONDS = 0.03, 2.0
_RATIO_MAX = 1.2
_GIVE_UP_SECONDS = 300


def row(messages: int = _MESSAGES) -> Row:
    """The time of the eight in times of what they take alone, in one run."""
    each = messages // (_WELL + _OTHERS)
    alone, crowded = (seconds(each, others=others, deadline=_DEADLINE_SECONDS) for others in (False, True))
    name = f"{messages:,} messages to ten endpoints, one of which hangs and one refuses: the other eight"
    return Row(name, "times as long as without them", crowded / alone, _RATIO_MAX)


def seconds(each: int, *, others: bool, deadline: float) -> float:
    """Seconds until eight endpoints have so many numbered messages each, beside two that never take one or without them."""
    story = bench_story()
    with _answering() as server, _hanging() as silent:
        urls = [f"http://127.0.0.1:{server.server_port}/{n}" for n in range(_WELL)]
        if others:
            urls += [f"http://127.0.0.1:{silent}/", f"http://127.0.0.1:{_closed_port()}/"]
        _announced(story, urls, each)
        with mock.patch.object(limits, "WEBHOOK_TIMEOUT_SECONDS", deadline):
            return _time(server, each)


def _announced(story: Story, urls: list[str], number: int) -> None:
    """Announce and number, so that deliveries alone are left; their wake-ups wait in the queue."""
    for url in urls:
        story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": url, "signature_algo": "hmac"}})
    for n in range(number):
        story.customer(f"c{n}")
    announced = all_of_queue()
    lanes: dict[str, dict[str, Any]] = {}
    while announced:
        assert wiring.deliver(announced[:10]) == {"batchItemFailures": []}
        found = all_of_queue()
        lanes |= {each["body"]: each for each in found if "webhook_stream" in each["body"]}
        announced = [each for each in found if "webhook_stream" not in each["body"]]
    for body in lanes:
        aws.client("sqs").send_message(QueueUrl=queues.url(settings().webhooks_queue), MessageBody=body)


def _time(server: "_Server", each: int) -> float:
    """Seconds that the workers take for all messages of the endpoints that answer."""
    stop = threading.Event()
    queue = settings().webhooks_queue
    workers = [
        QueueWorker(
            aws.client("sqs"), queues.url(queue), queue, lambda event, _: wiring.deliver(event["Records"]), stop
        )
        for _ in range(_WORKERS)
    ]
    begun = time.monotonic()
    for worker in workers:
        worker.start()
    try:
        while sum(server.served.values()) < _WELL * each:
            assert time.monotonic() - begun < _GIVE_UP_SECONDS, server.served
            time.sleep(0.005)
        return time.monotonic() - begun
    finally:
        stop.set()
        for worker in workers:
            worker.join(60)


class _Server(http.server.ThreadingHTTPServer):
    """Answers after a while, and counts by path."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.served: Counter[str] = Counter()
        self.lock = threading.Lock()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        """200, a little later."""
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(_ANSWER_SECONDS)
        self.send_response(200)
        self.end_headers()
        with self.server.lock:
            self.server.served[self.path] += 1

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def _answering() -> Iterator[_Server]:
    with _Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@contextlib.contextmanager
def _hanging() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent:
        yield silent.getsockname()[1]


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
