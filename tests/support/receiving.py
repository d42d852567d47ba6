"""A customer's endpoint in a test, and the delivery of what waits for it."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chalicelib import limits, wiring
from chalicelib.platform import agenda, clock
from chalicelib.platform.settings import settings
from tests.support.story import Story, received

# What an endpoint answers: a status, or a status with headers.
Answer = int | tuple[int, dict[str, str]]


class Receiver:
    """Keeps what comes, answers as told (200 once the list is empty, or what `always` says)."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[Answer] = []
        self.always: Callable[[int], Answer] = lambda number: 200
        receiver, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    receiver.calls.append((dict(self.headers), body))
                    answer = receiver.answers.pop(0) if receiver.answers else receiver.always(len(receiver.calls))
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status == 302:
                    self.send_header("Location", f"{receiver.url}/elsewhere")
                self.end_headers()
                self.wfile.write(b"thanks")

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def sequences(self) -> list[int]:
        """The numbers of all messages that came, in the order of their coming."""
        return [int(headers["X-Tollgate-Sequence"]) for headers, _ in self.calls]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """All messages that came."""
        return [json.loads(body) for _, body in self.calls]

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


def listen(story: Story, receiver: Receiver, path: str = "/hook?x=1", **fields: object) -> dict[str, Any]:
    """Register a receiver; its endpoint."""
    body = {"webhook_endpoint": {"webhook_url": f"{receiver.url}{path}", **fields}}
    made: dict[str, Any] = story.ok("POST", "/webhook_endpoints", body)["webhook_endpoint"]
    return made


def deliver() -> int:
    """Number and deliver all that waits in the queue; how many messages of the queue there were."""
    total = 0
    while records := received(settings().webhooks_queue):
        assert wiring.deliver(records) == {"batchItemFailures": []}
        total += len(records)
    return total


def run_due(*, within: timedelta = timedelta(0)) -> list[agenda.Task]:
    """Run the deliveries that are due within a time, as the tick would; them."""
    until = clock.utc_now() + within
    tasks = [task for n in range(limits.DUE_SHARDS) for task in agenda.due(n, until=until)]
    found = [task for task in tasks if task.kind.name == "webhook_stream"]
    wiring.deliver(
        [{"messageId": str(n), "body": json.dumps(agenda.message(task.key))} for n, task in enumerate(found)]
    )
    return found
