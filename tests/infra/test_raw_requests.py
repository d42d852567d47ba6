"""What the local server answers by itself has the API's form, whatever bytes come."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest
import waitress

from app import app
from infra.local.gateway import Channel, Gateway
from tests.support.story import Story

TEXTS = ["%EF%BF%BE", "%00", "%ED%A0%80", "%", "%ff", "%2F..%2F", "x" * 3000, "\xff", "~" * 300, "%23%23", "a;b", "*"]
GOOD = b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.fixture
def port(aws: None) -> Iterator[int]:
    """A server of the whole app on a free port."""
    server = waitress.create_server(Gateway(app), host="127.0.0.1", port=0, threads=2, ident=None)
    server.channel_class = Channel
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield server.effective_port
    server.close()
    server.task_dispatcher.shutdown()
    thread.join(10)
    # What the server made of the app is undone, so that other tests find it as it was.
    app.__class__ = app.__class__.__mro__[1] if app.__class__.__name__ == "ThreadedChalice" else app.__class__


def answer(port: int, raw: bytes) -> tuple[int, bytes]:
    """(status, body) of one request as bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    own = [b"Host: a", b"Connection: close", *headers]
    if body:
        own.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([line + b" HTTP/1.1", *own, b"", body])


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(b"GET http://[/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="bad URI"),
        pytest.param(b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="bad host"),
        pytest.param(b"nonsense\r\n\r\n", 400, id="no request line"),
        pytest.param(b"GET /health HTTP/9.9.9\r\n\r\n", 400, id="bad version"),
        pytest.param(b"GET /health HTTP/1.1\r\nno header\r\n\r\n", 400, id="bad header"),
        pytest.param(b"GET /health HTTP/1.1\r\nA: b\x00c\r\n\r\n", 400, id="NUL in a header"),
        pytest.param(b"POST /api/v1/plans HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400, id="bad length"),
        pytest.param(b"POST /api/v1/plans HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, id="negative length"),
        pytest.param(b"POST /api/v1/plans HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400, id="unknown encoding"),
        pytest.param(b"POST /api/v1/plans HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, id="bad chunk"),
        pytest.param(request(b"GET /health", b"A: " + b"x" * 300_000), 431, id="headers too large"),
        pytest.param(request(b"GET /" + b"x" * 300_000), 431, id="a path too long"),
        pytest.param(request(b"GET /nowhere"), 404, id="nowhere"),
        pytest.param(request(b"GET /nowhere", b"Authorization: Bearer \xff\xfe"), 404, id="a key that is not ASCII"),
        pytest.param(request(b"GET //"), 404, id="two slashes"),
        pytest.param(request(b"GET /api/v1/plans", b"Authorization: Bearer \xff\xfe"), 401, id="an unknown key"),
        pytest.param(request(b"BREW /api/v1/plans"), 404, id="an unknown method"),
        pytest.param(request(b"PATCH /api/v1/plans"), 404, id="no such method here"),
        pytest.param(request(b"POST /api/v1/plans", b"Content-Type: \xff/;;=", body=b"{}"), 401, id="a strange type"),
        pytest.param(request(b"GET /api/v1/plans?a=%ff%00&[]=&&=%&page=1;2"), 401, id="a strange query"),
    ],
)
def test_what_is_no_request_is_refused_in_our_form(port, raw, status):
    found, body = answer(port, raw)
    told = json.loads(body)
    assert (found, told["status"]) == (status, status)
    assert isinstance(told["error"], str)


def test_the_server_goes_on_after_all_that(port):
    for raw in (b"\x16\x03\x01\x02\x00\x01\x00", b"", b"GET", b"\r\n\r\n\r\n", bytes(range(256))):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(raw)
    assert answer(port, GOOD)[0] == 200


@pytest.mark.parametrize("place", ["/plans/{}", "/customers/{}", "/events/{}", "/plans/{}/charges/{}", "/invoices/{}"])
def test_any_path_and_query_is_answered(port, place):
    key = Story.begin().api_key.encode()
    for text in TEXTS:
        path = "/api/v1" + place.replace("{}", text)
        for query in ("", f"?{text}={text}", f"?external_subscription_id={text}&code={text}&search_term={text}"):
            line = b"GET " + (path + query).encode("latin-1")
            found, body = answer(port, request(line, b"Authorization: Bearer " + key))
            told = json.loads(body)
            assert 400 <= found < 500, (path, query, told)
            assert told["status"] == found
