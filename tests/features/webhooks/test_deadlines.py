"""Endpoints that never end: an attempt is over in time whatever they do, and counts also where its worker died."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from chalicelib import limits, wiring
from chalicelib.features.webhooks import delivery, wire
from chalicelib.features.webhooks.delivery import Request
from chalicelib.platform import agenda, clock, files
from chalicelib.platform.agenda import runner as running
from chalicelib.platform.settings import settings
from chalicelib.tasks import webhooks as jobs
from tests.features.webhooks.test_webhooks import Receiver, listen, messages
from tests.support import ministack
from tests.support.story import Story, received, work

# What a time-out of the socket alone would wait for is this long: no test here waits for it.
WITHIN = 1.0
DRIP = 0.1

Answer = Callable[[socket.socket, threading.Event], None]


class Server:
    """A real server that treats each connection as it is told, until the test is over."""

    def __init__(self, answer: Answer) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._answer = answer
        self.calls = 0
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/hook"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.calls += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._answer(connection, self._over)

    def stop(self) -> None:
        self._over.set()
        self._listening.close()


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    server = Server(answer)
    try:
        yield server
    finally:
        server.stop()


def dripping(before: bytes, drop: bytes = b"x") -> Answer:
    """Read the request, say `before`, and then a byte at a time, for ever."""

    def answer(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(before)
        while not over.wait(DRIP):
            connection.sendall(drop)

    return answer


def silent(connection: socket.socket, over: threading.Event) -> None:
    """Take nothing, say nothing, end nothing."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    over.wait()


def saying(text: bytes) -> Answer:
    """Read the request, say this, and close."""

    def answer(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(text)

    return answer


NEVER_ENDING = {
    "silence": silent,
    "a status line a byte at a time": dripping(b"HTTP/1.1 "),
    "headers a byte at a time": dripping(b"HTTP/1.1 200 OK\r\nX: "),
    "one header after the other": dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "to be continued": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body a byte at a time": dripping(b"HTTP/1.1 200 OK\r\n\r\n"),
    "a body of a length a byte at a time": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"),
    "chunks a byte at a time": dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
}


@pytest.fixture(autouse=True)
def local(environment) -> Iterator[None]:
    """The settings of this machine, where an endpoint may be at 127.0.0.1."""
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(limits, "WEBHOOK_TIMEOUT_SECONDS", WITHIN)


def post(url: str, body: bytes = b"{}") -> tuple[delivery.Verdict, float]:
    """An attempt, and how long it took."""
    begun = time.monotonic()
    return delivery.attempt(Request(url, body, {})), time.monotonic() - begun


@pytest.mark.parametrize("answer", NEVER_ENDING.values(), ids=NEVER_ENDING)
def test_an_answer_that_never_ends_is_a_failure_in_time(soon, answer):
    with serving(answer) as server:
        verdict, seconds = post(server.url)
    assert (verdict.delivered, verdict.http_status) == (False, None)
    assert "TimeoutError" in verdict.response
    assert WITHIN * 0.9 < seconds < WITHIN + 1


def test_a_body_that_nobody_takes_is_a_failure_in_time(soon):
    with serving(silent) as server:
        verdict, seconds = post(server.url, b"x" * 30_000_000)
    assert "TimeoutError" in verdict.response
    assert seconds < WITHIN + 1


def test_a_handshake_that_never_ends_is_a_failure_in_time(soon):
    with serving(dripping(b"\x16\x03\x03\x40\x00", b"\x02")) as server:
        verdict, seconds = post(server.url.replace("http:", "https:"))
    assert verdict.delivered is False
    assert seconds < WITHIN + 1


def test_a_name_that_is_looked_up_for_ever_is_a_failure_in_time(soon, monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(20) and [])
    verdict, seconds = post("http://slow.example/")
    over.set()
    assert "TimeoutError" in verdict.response
    assert WITHIN * 0.9 < seconds < WITHIN + 1


def test_a_connection_that_nobody_takes_is_a_failure_in_time(soon):
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):  # The queue of connections is full: whoever comes now gets no answer.
            caller = waiting.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())
        verdict, seconds = post(f"http://127.0.0.1:{full.getsockname()[1]}/")
    assert "TimeoutError" in verdict.response
    assert seconds < WITHIN + 1


@pytest.mark.parametrize(
    ("said", "delivered", "status", "begins"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nthanks", True, 200, "thanks"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True, 204, ""),
        (b"HTTP/1.0 500 Oh\r\n\r\noh", False, 500, "oh"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True, 200, "ok"),
        (b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe", True, 200, "\ufffd"),
        (b"HTTP/1.1 301 Away\r\nLocation: http://127.0.0.1:9/\r\n\r\n", False, 301, ""),
        (b"", False, None, "RemoteDisconnected"),
        (b"nonsense\r\n\r\n", False, None, "BadStatusLine"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", False, None, "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", False, None, "IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", False, None, "HTTPException"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", False, None, "LineTooLong"),
    ],
)
def test_whatever_is_answered_is_a_verdict(said, delivered, status, begins):
    with serving(saying(said)) as server:
        verdict, _ = post(server.url)
    assert (verdict.delivered, verdict.http_status) == (delivered, status)
    assert verdict.response.startswith(begins)


def test_of_an_answer_without_an_end_no_more_than_four_kilobytes_are_read():
    """Gigabytes, as fast as they go: who sends them sees the connection end."""
    sent: list[int] = [0]

    def pouring(connection: socket.socket, over: threading.Event) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not over.is_set():
            sent[0] += connection.send(b"x" * 65536)

    with serving(pouring) as server:
        verdict, seconds = post(server.url)
    assert (verdict.delivered, verdict.response) == (True, "x" * 4096)
    assert seconds < 5
    assert sent[0] < 20_000_000


def test_what_goes_over_the_wire():
    seen: list[bytes] = []

    def keeping(connection: socket.socket, over: threading.Event) -> None:
        while b"{}" not in b"".join(seen):
            seen.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with serving(keeping) as server:
        verdict = delivery.attempt(Request(f"{server.url}/ü?x=1", b"{}", {"X-Lago-Unique-Key": "m"}))
    assert verdict.delivered
    port = server.url.split(":")[2].split("/")[0]
    assert (
        b"".join(seen)
        == (
            f"POST /hook/%C3%BC?x=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 2\r\nConnection: close\r\n"
            "X-Lago-Unique-Key: m\r\n\r\n{}"
        ).encode()
    )


def test_a_certificate_of_nobody_is_refused(monkeypatch, tmp_path):
    certificate = self_signed(tmp_path)

    def secured(connection: socket.socket, over: threading.Event) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with context.wrap_socket(connection, server_side=True) as inner:
            inner.recv(65536)
            inner.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with serving(secured) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        refused, _ = post(url)
        assert (refused.delivered, refused.response[:23]) == (False, "SSLCertVerificationErro")
        monkeypatch.setattr(wire, "_trusted", lambda: ssl.create_default_context(cafile=certificate))
        assert post(url)[0] == delivery.Verdict(delivered=True, http_status=200, response="ok")
        other, _ = post(url.replace("localhost", "127.0.0.1"))
        assert other.response.startswith("SSLCertVerificationErro")


def self_signed(folder) -> str:
    """A certificate of localhost with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = clock.utc_now()
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none)
    place = folder / "pem"
    place.write_bytes(made.public_bytes(pem) + secret)
    return str(place)


# Attempts whose worker died.


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
        assert (counted.http_status, counted.response) == (None, delivery.UNFINISHED.response)
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
        serving(dripping(b"HTTP/1.1 200 OK\r\n\r\n")) as hanging,
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
