"""The common frame of fake providers: a server in a thread, a log of calls, faults, a clock of its own, control routes.

Control routes, JSON in and out, all below `/_test/`:

    GET  log                              the calls that came: method, path, key, body
    POST faults {call, kind, times, after, seconds}     DELETE faults
    POST release                          what `lost_later` put off is done now
    POST clock {seconds}                  the provider's clock goes forward
    POST keys {key, revoked, forbidden}   a secret is revoked, or may not make calls that match a pattern
    POST complete, move, refund, emit, forget, ...      what each fake says of itself
"""

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.support.providers.faults import UNDONE, Fault, Faults

CONTROL = "/_test/"


@dataclass(frozen=True)
class Asked:
    """A call as it came in. Names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def call(self) -> str:
        """What patterns match."""
        return f"{self.method} {self.path}"

    @property
    def key(self) -> str:
        """The key that makes it idempotent."""
        return self.headers.get("idempotency-key", "")

    @property
    def secret(self) -> str:
        """The secret that it was made with."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Answer:
    """What is answered: an object as JSON, or text as a page."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> tuple[bytes, str]:
        """The body's bytes and their type."""
        if isinstance(self.body, str):
            return self.body.encode(), "text/html; charset=utf-8"
        return json.dumps(self.body).encode(), "application/json"


class Problem(Exception):
    """A call that is answered with an error. `stored`: the answer stays under the call's key."""

    def __init__(self, answer: Answer, *, stored: bool = False) -> None:
        super().__init__(str(answer.body))
        self.answer, self.stored = answer, stored


class Fake:
    """A provider's state and rules. Calls are worked off one at a time."""

    def __init__(self) -> None:
        self.url = ""
        self.lock = threading.RLock()
        self.log: list[Asked] = []
        self.faults = Faults()
        self.revoked: set[str] = set()
        self.forbidden: dict[str, list[str]] = {}
        self._ahead = timedelta()
        self._later: list[Callable[[], object]] = []

    def now(self) -> datetime:
        """The provider's time."""
        return datetime.now(UTC) + self._ahead

    def forward(self, **by: float) -> None:
        """Let the provider's clock go forward. What was put off is done by then: no call takes as long as a key is kept."""
        self.release()
        self._ahead += timedelta(**by)

    def release(self) -> None:
        """Do what was put off."""
        with self.lock:
            later, self._later = self._later, []
            for work in later:
                work()

    def calls(self, pattern: str) -> list[Asked]:
        """The calls that came and match a pattern."""
        return [each for each in self.log if fnmatchcase(each.call, pattern)]

    def allowed(self, asked: Asked) -> bool:
        """Whether the secret may make the call."""
        return not any(fnmatchcase(asked.call, pattern) for pattern in self.forbidden.get(asked.secret, []))

    # What each fake says of itself.

    def handle(self, asked: Asked) -> Answer:
        """Work a call off, in all its rules. Raises nothing."""
        raise NotImplementedError

    def broken(self, kind: str, asked: Asked) -> Answer:
        """The answer of a fault that does nothing."""
        raise NotImplementedError

    def begin(self, asked: Asked) -> bool:
        """Note that a call is being worked off, and will end later; False where it would be answered from what is known."""
        return True

    def store(self, asked: Asked, answer: Answer) -> None:
        """Keep a failure under a call's key."""
        raise ValueError("this provider keeps no failures")

    def control(self, name: str, said: dict[str, Any]) -> Any:
        """A control route of its own."""
        raise KeyError(name)

    def page(self, asked: Asked) -> Answer | None:
        """A page for people; None where there is none."""
        return None

    def after(self) -> None:
        """Something may have changed: whoever sends events by itself looks now."""

    # What all have.

    def put_off(self, work: Callable[[], object]) -> None:
        """Do something at `release`."""
        self._later.append(work)

    def controlled(self, asked: Asked) -> Any:
        """A control route."""
        name, said = asked.path.removeprefix(CONTROL), json.loads(asked.body or b"{}")
        if name == "log":
            shown = [{"method": e.method, "path": e.path, "key": e.key, "body": e.body.decode()} for e in self.log]
            if asked.method == "DELETE":
                self.log.clear()
            return shown
        if name == "faults":
            self.faults.clear() if asked.method == "DELETE" else self.faults.add(**said)
        elif name == "release":
            self.release()
        elif name == "clock":
            self.forward(seconds=said["seconds"])
        elif name == "keys":
            (self.revoked.add if said.get("revoked") else self.revoked.discard)(said["key"])
            self.forbidden[said["key"]] = said.get("forbidden", [])
        else:
            with self.lock:
                return self.control(name, said)
        return {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # One packet for head and body.
    server: "_Server"

    def _work(self) -> None:
        fake, asked = self.server.fake, self._asked()
        if asked.path.startswith(CONTROL):
            return self._controlled(asked)
        page = fake.page(asked)
        if page is not None:
            fake.after()
            return self._send(page)
        fake.log.append(asked)
        fault = fake.faults.take(asked.call) or Fault(asked.call, "")
        if fault.kind in UNDONE:
            return self._undone(fault, asked)
        answer = self._stored(fault.kind, asked) if fault.kind.startswith("stored") else fake.handle(asked)
        fake.after()
        return self._done(fault, asked, answer)

    def _undone(self, fault: Fault, asked: Asked) -> None:
        fake = self.server.fake
        if not fault.kind.startswith("lost"):
            return self._send(fake.broken(fault.kind, asked))
        if fault.kind == "lost_later" and fake.begin(asked):
            fake.put_off(lambda: fake.handle(asked))
        return self._hang_up()

    def _done(self, fault: Fault, asked: Asked, answer: Answer) -> None:
        if fault.kind == "lost_done":
            return self._hang_up()
        if fault.kind in ("500_done", "502_done", "503_done"):
            return self._send(self.server.fake.broken(fault.kind.removesuffix("_done"), asked))
        time.sleep(fault.seconds)
        return self._send(answer, part=0.5 if fault.kind == "reset" else 1.0)

    do_GET = do_POST = do_PUT = do_DELETE = _work

    def _asked(self) -> Asked:
        place = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Asked(self.command, place.path, place.query, headers, body)

    def _stored(self, kind: str, asked: Asked) -> Answer:
        fake = self.server.fake
        with fake.lock:
            if kind == "stored_done":
                fake.handle(asked)
            answer = fake.broken("500", asked)
            fake.store(asked, answer)
        return answer

    def _controlled(self, asked: Asked) -> None:
        try:
            said = self.server.fake.controlled(asked)
            self.server.fake.after()
            self._send(Answer(200, said))
        except Problem as problem:
            self._send(problem.answer)
        except (KeyError, TypeError, ValueError) as problem:
            self._send(Answer(422, {"problem": repr(problem)}))

    def _send(self, answer: Answer, *, part: float = 1.0) -> None:
        body, kind = answer.encoded()
        self.send_response(answer.status)
        for name, value in {"Content-Type": kind, **answer.headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body[: int(len(body) * part)])
            self.wfile.flush()
        except OSError:
            self.close_connection = True  # Nobody waited for it.
        if part < 1:
            self._hang_up()

    def _hang_up(self) -> None:
        """Reset the connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, fake: Fake) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.fake = fake

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nobody hears of a client that went away; what is wrong with the fake is told."""
        import sys

        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Running:
    """A fake provider that listens."""

    def __init__(self, fake: Fake, port: int = 0) -> None:
        self.fake = fake
        self._server = _Server(port, fake)
        self.url = fake.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Listen until interrupted."""
        with contextlib.suppress(KeyboardInterrupt):
            self._thread.join()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
