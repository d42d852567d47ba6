"""One POST within a deadline, however slowly the other side goes.

A socket's own time-out begins anew with each byte that comes. Here every step (name, connection, handshake, each piece
sent, each piece read) gets only what is left of one deadline.
"""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from chalicelib import limits
from chalicelib.features.webhooks import answer
from chalicelib.features.webhooks.address import Address
from chalicelib.features.webhooks.answer import Reply

_SENT_AT_ONCE = 16 * 1024
# Of the time that is left, for sending: who takes no more of a message may have answered it already.
_SENDING = 0.9


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

    def part(self, share: float) -> "Deadline":
        """The deadline at the end of a share of what is left."""
        found = Deadline(self.left() * share)
        found._seconds = self._seconds
        return found

    def shorten(self, seconds: float) -> None:
        """Let it end in so many seconds, if it ends later."""
        self._end = min(self._end, time.monotonic() + seconds)


def post(
    address: Address,
    body: bytes,
    headers: Mapping[str, str],
    *,
    resolve: Callable[[str, int], Sequence[str]],
    deadline: Deadline,
    read_max: int,
) -> Reply:
    """Send `body` and read at most `read_max` bytes of the answer's. `resolve`: the IP addresses of a host.

    Raises: OSError (a deadline that is over is one), http.client.HTTPException, ValueError, and what `resolve` raises.
    """
    ips = _within(deadline, lambda: resolve(address.host, address.port))
    with _connected(ips, address.port, deadline) as plain:
        sock = _secured(plain, address.host, deadline) if address.secure else plain
        with sock:
            unsent = _send(sock, _head(address, len(body), headers) + body, deadline.part(_SENDING))
            try:
                return answer.read(
                    lambda most: _receive(sock, most, deadline),
                    decided=lambda: deadline.shorten(limits.WEBHOOK_AFTER_STATUS_SECONDS),
                    read_max=read_max,
                )
            except Exception as error:
                raise (unsent or error) from error


def _within(deadline: Deadline, work: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Result of `work`, or its exception, before the deadline. A name lookup accepts no timeout: one that hangs is left
    behind in its thread."""
    outcome: queue.Queue[Sequence[str] | BaseException] = queue.Queue(1)

    def carry_out() -> None:
        try:
            outcome.put(work())
        except BaseException as error:  # noqa: BLE001  raised again below, in the thread that waits
            outcome.put(error)

    threading.Thread(target=carry_out, daemon=True).start()
    try:
        found = outcome.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError("the name was not found in time") from None
    if isinstance(found, BaseException):
        raise found
    return found


def _connected(ips: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
    """A connection to the first address that takes one. Each has a fair share of the time, so that one that says nothing
    leaves some for the others."""
    last: OSError = OSError("the name has no address")
    for number, ip in enumerate(ips):
        try:
            return socket.create_connection((ip, port), timeout=deadline.left() / (len(ips) - number))
        except OSError as error:
            last = error
    deadline.left()
    raise last


def _head(address: Address, length: int, headers: Mapping[str, str]) -> bytes:
    own = {"Host": address.host_header, "Content-Length": str(length), "Connection": "close"}
    lines = [f"POST {address.target} HTTP/1.1", *(f"{name}: {value}" for name, value in {**own, **headers}.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Reading all certificates takes a while."""
    return ssl.create_default_context()


def _secured(plain: socket.socket, host: str, deadline: Deadline) -> socket.socket:
    """The connection after the handshake, whose time-out is one for all of it: Python's `ssl` counts so."""
    plain.settimeout(deadline.left())
    return _trusted().wrap_socket(plain, server_hostname=host)


def _send(sock: socket.socket, data: bytes, deadline: Deadline) -> OSError | None:
    """Send all, or return what prevented it: the answer may be there although not all was taken."""
    view = memoryview(data)
    try:
        while view:
            sock.settimeout(deadline.left())
            view = view[sock.send(view[:_SENT_AT_ONCE]) :]
    except OSError as error:
        return error
    return None


def _receive(sock: socket.socket, most: int, deadline: Deadline) -> bytes:
    sock.settimeout(deadline.left())
    return sock.recv(most)
