"""The answer of an endpoint, byte by byte: a complete status line decides, whatever comes after it.

So what follows it (headers, the beginning of the body) is read as far as it comes, and nothing in it is an error: it may
hang, be cut, or be no HTTP at all. Nothing is unpacked.
"""

import http.client
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chalicelib import limits

_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9]{2})(?: [^\r\n]*)?\r?\n")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
_PIECE = 4096

# Takes the number of bytes wanted at most; an empty result is the end.
Receive = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Reply:
    """Reply of an endpoint: the status, the headers that came by lower-case name, the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    text: str


def read(receive: Receive, *, decided: Callable[[], None], read_max: int) -> Reply:
    """The reply. `decided` is called once the status line is complete: a shorter time may begin for the rest.

    Raises: http.client.HTTPException, OSError, until there is a complete status line; nothing after it.
    """
    incoming = _Incoming(receive)
    status = _status(incoming)
    decided()
    headers = _headers(incoming)
    body = b""
    if headers.complete and status not in (204, 304):
        body = _body(incoming, headers.found, read_max)
    # Bytes that are no UTF-8 grow when they are replaced.
    text = body.decode("utf-8", "replace").encode()[:read_max].decode("utf-8", "ignore")
    return Reply(status, headers.found, text)


class _Incoming:
    """What came and was not taken yet."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._buffer, self._head_bytes = receive, b"", 0

    def line(self) -> bytes:
        """The next line of a head with its end; one without an end where the connection closed.

        Raises: OSError; http.client.LineTooLong, also where all lines together are too long.
        """
        while b"\n" not in self._buffer and self._head_bytes + len(self._buffer) <= limits.WEBHOOK_HEAD_BYTES:
            piece = self._receive(_PIECE)
            if not piece:
                break
            self._buffer += piece
        line, end, self._buffer = self._buffer.partition(b"\n")
        self._head_bytes += len(line + end)
        if self._head_bytes > limits.WEBHOOK_HEAD_BYTES:
            raise http.client.LineTooLong("head")
        return line + end

    def some(self, most: int) -> bytes:
        """Some bytes, `most` at most; an empty text at the end.

        Raises: OSError.
        """
        if not self._buffer:
            self._buffer = self._receive(min(most, _PIECE))
        piece, self._buffer = self._buffer[:most], self._buffer[most:]
        return piece


@dataclass(frozen=True, slots=True)
class _Headers:
    found: Mapping[str, str]
    complete: bool


def _status(incoming: _Incoming) -> int:
    """The status; interim answers (1xx) are skipped."""
    while True:
        line = incoming.line()
        if not line:
            raise http.client.RemoteDisconnected("the connection was closed without an answer")
        found = _STATUS_LINE.fullmatch(line)
        if found is None:
            raise http.client.BadStatusLine(line[:100].decode("latin-1"))
        status = int(found[1])
        if status >= 200:
            return status
        while (header := incoming.line()).strip():
            pass
        if not header:
            raise http.client.RemoteDisconnected("the connection was closed after an interim answer")


def _headers(incoming: _Incoming) -> _Headers:
    found: dict[str, str] = {}
    try:
        while (line := incoming.line()).endswith(b"\n"):
            if not line.strip():
                return _Headers(found, complete=True)
            name, _, value = line.decode("latin-1").partition(":")
            found.setdefault(name.strip().lower(), value.strip())
    except (OSError, http.client.HTTPException):
        pass
    return _Headers(found, complete=False)


def _body(incoming: _Incoming, headers: Mapping[str, str], read_max: int) -> bytes:
    """The beginning of the body, as far as it comes."""
    kept = bytearray()
    length = headers.get("content-length", "")
    most = min(read_max, int(length)) if length.isascii() and length.isdigit() and len(length) < 20 else read_max
    try:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            _add_chunks(incoming, kept, read_max)
        else:
            _add(incoming, kept, most)
    except (OSError, http.client.HTTPException):
        pass
    return bytes(kept)


def _add(incoming: _Incoming, kept: bytearray, number: int) -> bool:
    """Keep so many more bytes; False where there are fewer."""
    end = len(kept) + number
    while len(kept) < end:
        piece = incoming.some(end - len(kept))
        if not piece:
            return False
        kept += piece
    return True


def _add_chunks(incoming: _Incoming, kept: bytearray, read_max: int) -> None:
    while len(kept) < read_max:
        size = _CHUNK_SIZE.fullmatch(incoming.line())
        if size is None or int(size[1], 16) == 0:
            return
        if not _add(incoming, kept, min(int(size[1], 16), read_max - len(kept))):
            return
        incoming.line()
