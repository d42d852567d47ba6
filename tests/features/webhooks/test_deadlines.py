"""Endpoints that never end: an attempt is over in time whatever they do."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib import limits
from chalicelib.features.webhooks import delivery, wire
from chalicelib.features.webhooks.delivery import Request
from chalicelib.platform import clock
from chalicelib.platform.settings import settings

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
    "a status line without its end": dripping(b"HTTP/1.1 200 OK"),
    "to be continued": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "an interim answer a byte at a time": dripping(b"HTTP/1.1 103 Early Hints\r\nLink: "),
}

# The status line is complete: it has decided, and what follows gets little time.
DECIDED = {
    "headers a byte at a time": dripping(b"HTTP/1.1 200 OK\r\nX: "),
    "one header after the other": dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
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
    assert "TimeoutError" in verdict.error
    assert WITHIN * 0.9 < seconds < WITHIN + 1


@pytest.mark.parametrize("answer", DECIDED.values(), ids=DECIDED)
def test_a_complete_status_line_decides_whatever_the_rest_does(monkeypatch, answer):
    monkeypatch.setattr(limits, "WEBHOOK_AFTER_STATUS_SECONDS", 0.5)
    with serving(answer) as server:
        verdict, seconds = post(server.url)
    assert (verdict.delivered, verdict.http_status, verdict.error) == (True, 200, None)
    assert 0.4 < seconds < 2
    assert 400 < verdict.duration_ms < 2000


def test_a_body_that_nobody_takes_is_a_failure_in_time(soon):
    with serving(silent) as server:
        verdict, seconds = post(server.url, b"x" * 30_000_000)
    assert "TimeoutError" in verdict.error
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
    assert "TimeoutError" in verdict.error
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
    assert "TimeoutError" in verdict.error
    assert seconds < WITHIN + 1


@pytest.mark.parametrize(
    ("said", "delivered", "status", "begins"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nthanks", True, 200, "thanks"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True, 204, ""),
        (b"HTTP/1.0 500 Oh\r\n\r\noh", False, 500, "oh"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True, 200, "ok"),
        (b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe", True, 200, "\ufffd\ufffd"),
        (b"HTTP/1.1 301 Away\r\nLocation: http://127.0.0.1:9/\r\n\r\n", False, 301, ""),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\n\nok", True, 200, "ok"),
        (b"HTTP/1.1 200\r\n\r\n", True, 200, ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", True, 200, ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nok", True, 200, "ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: nonsense\r\n\r\nok", True, 200, "ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\ncut", True, 200, "cut"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8bbroken", True, 200, "\x1f\ufffdbroken"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\nok", True, 200, "ok"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\nok", True, 200, ""),
        (b"HTTP/1.1 200 OK\r\nno header at all\r\n\r\nok", True, 200, "ok"),
        (b"HTTP/1.1 200 OK\r\nX: cut", True, 200, ""),
        (b"HTTP/1.1 200 OK\r\n", True, 200, ""),
        (b"HTTP/1.1 500 Oh\r\nX: cut", False, 500, ""),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"\xff" * 5000, True, 200, "\ufffd" * 1365),
    ],
)
def test_whatever_is_answered_is_a_verdict(said, delivered, status, begins):
    with serving(saying(said)) as server:
        verdict, _ = post(server.url)
    assert (verdict.delivered, verdict.http_status, verdict.error) == (delivered, status, None)
    assert verdict.response == begins


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", "RemoteDisconnected"),
        (b"HTTP/1.1 200 OK", "BadStatusLine"),
        (b"HTTP/1.1 100 Go on\r\n\r\n", "RemoteDisconnected"),
        (b"HTTP/1.1 100 Go on\r\nX: ", "RemoteDisconnected"),
        (b"nonsense\r\n\r\n", "BadStatusLine"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "BadStatusLine"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "BadStatusLine"),
        (b"<html>200 OK</html>", "BadStatusLine"),
        (b"HTTP/1.1 100 Go on\r\n" + b"X: y\r\n" * 20_000, "LineTooLong"),
        (b"HTTP/1.1 200 " + b"y" * 70_000, "LineTooLong"),
    ],
)
def test_what_is_no_answer_is_a_failure(said, error):
    with serving(saying(said)) as server:
        verdict, _ = post(server.url)
    assert (verdict.delivered, verdict.http_status, verdict.response) == (False, None, "")
    assert verdict.error.startswith(error)


def test_an_answer_before_the_whole_message_was_taken_counts(soon):
    """A server that refuses a large body says so early, and takes no more of it."""

    def refusing(connection: socket.socket, over: threading.Event) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.recv(1024)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        over.wait()

    with serving(refusing) as server:
        verdict, seconds = post(server.url, b"x" * 30_000_000)
    assert (verdict.delivered, verdict.http_status) == (False, 413)
    assert seconds < WITHIN + 1


def test_410_says_that_nobody_wants_more():
    with serving(saying(b"HTTP/1.1 410 Gone\r\n\r\n")) as server:
        verdict, _ = post(server.url)
    assert (verdict.delivered, verdict.http_status, verdict.gone) == (False, 410, True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("3600", 3600),
        ("3601", 3600),
        ("9" * 5000, 3600),
        ("Fri, 01 Mar 2024 00:02:00 GMT", 120),
        ("Fri, 01 Mar 2024 01:02:00 +0100", 120),
        ("Fri, 01 Mar 2024 00:02:00 -0000", 120),
        ("Fri, 01 Mar 2030 00:00:00 GMT", 3600),
        ("Thu, 29 Feb 2024 00:00:00 GMT", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("\u0661", None),
        ("Fri, 99 Mar 99999 00:00:00 GMT", None),
    ],
)
def test_the_wait_that_an_endpoint_asks_for(text, seconds):
    found = delivery.retry_after(text, datetime(2024, 3, 1, tzinfo=UTC))
    assert found == (None if seconds is None else timedelta(seconds=seconds))


def test_a_failed_attempt_carries_the_wait_that_was_asked_for():
    with serving(saying(b"HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\n\r\n")) as server:
        assert post(server.url)[0].retry_after == timedelta(seconds=7)
    with serving(saying(b"HTTP/1.1 200 OK\r\nRetry-After: 7\r\n\r\n")) as server:
        assert post(server.url)[0].retry_after is None


def test_the_next_address_is_tried_where_one_refuses(monkeypatch):
    with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n")) as server, socket.socket() as nobody:
        port = int(server.url.split(":")[2].split("/")[0])
        nobody.bind(("127.0.0.2", 0))
        monkeypatch.setattr(delivery, "checked_addresses", lambda host, port: ["127.0.0.2", "127.0.0.3", "127.0.0.1"])
        assert post(f"http://several.example:{port}/")[0].delivered
        monkeypatch.setattr(delivery, "checked_addresses", lambda host, port: ["127.0.0.2", "127.0.0.3"])
        assert "ConnectionRefusedError" in post(f"http://several.example:{port}/")[0].error
        monkeypatch.setattr(delivery, "checked_addresses", lambda host, port: [])
        assert "no address" in post(f"http://several.example:{port}/")[0].error


def test_one_that_says_nothing_leaves_time_for_the_next(soon, monkeypatch):
    with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n")) as server, contextlib.ExitStack() as waiting:
        port = int(server.url.split(":")[2].split("/")[0])
        full = waiting.enter_context(socket.socket())
        full.bind(("127.0.0.2", port))
        full.listen(0)
        for _ in range(3):
            caller = waiting.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())
        monkeypatch.setattr(delivery, "checked_addresses", lambda host, port: ["127.0.0.2", "127.0.0.1"])
        verdict, seconds = post(f"http://several.example:{port}/")
    assert verdict.delivered
    assert WITHIN * 0.4 < seconds < WITHIN


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
        assert (refused.delivered, refused.error[:23]) == (False, "SSLCertVerificationErro")
        monkeypatch.setattr(wire, "_trusted", lambda: ssl.create_default_context(cafile=certificate))
        assert post(url)[0] == delivery.Verdict(delivered=True, http_status=200, response="ok")
        other, _ = post(url.replace("localhost", "127.0.0.1"))
        assert other.error.startswith("SSLCertVerificationErro")


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
