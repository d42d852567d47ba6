"""One POST within a deadline, however slowly the other side goes.

A socket's own time-out begins anew with each byte that comes. Here every step (name, connection, handshake, each piece
sent, each piece read) gets only what is left of one deadline.
"""

import http.client
import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from chalicelib.features.webhooks.address import Address

_SENT_AT_ONCE = 16 * 1024


class Deadline:
    """An instant by which all must be over."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._end = seconds, time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left.

        Raises: TimeoutError, when there are none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"not over within {self._seconds:g} s")
        return left


@dataclass(frozen=True, slots=True)
class Reply:
    """Reply of an endpoint: the status, and the beginning of the body."""

    status: int
    text: str


def post(
    address: Address,
    body: bytes,
    headers: Mapping[str, str],
    *,
    resolve: Callable[[str, int], str],
    deadline: Deadline,
    read_max: int,
) -> Reply:
    """Send `body` and read at most `read_max` bytes of the answer's. `resolve`: the IP address of a host.

    Raises: OSError (a deadline that is over is one), http.client.HTTPException, ValueError, and what `resolve` raises.
    """
    ip = _within(deadline, lambda: resolve(address.host, address.port))
    with socket.create_connection((ip, address.port), timeout=deadline.left()) as plain:
        sock = _secured(plain, address.host, deadline) if address.secure else plain
        with sock:
            _send(sock, _head(address, len(body), headers) + body, deadline)
            answer = http.client.HTTPResponse(_Answering(sock, deadline), method="POST")  # type: ignore[arg-type]
            with answer:
                answer.begin()
                return Reply(answer.status, answer.read(read_max).decode("utf-8", "replace"))


def _within(deadline: Deadline, work: Callable[[], str]) -> str:
    """Result of `work`, or its exception, before the deadline. A name lookup accepts no timeout: one that hangs is left
    behind in its thread."""
    outcome: queue.Queue[tuple[str, BaseException | None]] = queue.Queue(1)

    def carry_out() -> None:
        try:
            outcome.put((work(), None))
        except BaseException as error:  # noqa: BLE001  raised again below, in the thread that waits
            outcome.put(("", error))

    threading.Thread(target=carry_out, daemon=True).start()
    try:
        found, failure = outcome.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError("the name was not found in time") from None
    if failure is not None:
        raise failure
    return found


def _head(address: Address, length: int, headers: Mapping[str, str]) -> bytes:
    own = {"Host": address.host_header, "Content-Length": str(length), "Connection": "close"}
    lines = [f"POST {address.target} HTTP/1.1", *(f"{name}: {value}" for name, value in {**own, **headers}.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Reading all certificates takes a while."""
    return ssl.create_default_context()


def _secured(plain: socket.socket, host: str, deadline: Deadline) -> socket.socket:
    plain.settimeout(deadline.left())
    return _trusted().wrap_socket(plain, server_hostname=host)


def _send(sock: socket.socket, data: bytes, deadline: Deadline) -> None:
    view = memoryview(data)
    while view:
        sock.settimeout(deadline.left())
        view = view[sock.send(view[:_SENT_AT_ONCE]) :]


class _Answering:
    """Source of an answer, in the form of a socket that `http.client` reads."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock, self._deadline = sock, deadline

    def makefile(self, *_: Any) -> io.BufferedReader:
        """The answer's bytes as a file."""
        return io.BufferedReader(_Incoming(self._sock, self._deadline))


class _Incoming(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock, self._deadline = sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._deadline.left())
        return self._sock.recv_into(buffer)
