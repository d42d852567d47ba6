"""The app behind a WSGI server, answering as API Gateway would.

Chalice keeps the current request on the app object: behind several threads most requests would read another one's
headers. Here it lies in thread-local storage.
"""

import base64
import contextlib
import json
import select
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from chalice.app import Chalice
from chalice.config import Config
from chalice.local import LocalGateway, LocalGatewayException
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask

# A refused request is read on so long, and is over after such a silence.
_READ_ON_SECONDS, _PAUSE_SECONDS = 2.0, 0.05

_local = threading.local()


def _per_thread(name: str) -> property:
    return property(lambda self: getattr(_local, name, None), lambda self, value: setattr(_local, name, value))


class ThreadedChalice(Chalice):
    """A Chalice app whose current request belongs to the thread that answers it."""

    current_request = _per_thread("current_request")
    lambda_context = _per_thread("lambda_context")


def threaded(app: Chalice) -> Chalice:
    """The same app, safe behind several threads."""
    for name in ("current_request", "lambda_context"):
        app.__dict__.pop(name, None)
    app.__class__ = ThreadedChalice
    return app


class Gateway:
    """A WSGI application around a Chalice app."""

    def __init__(self, app: Chalice) -> None:
        self._gateway = LocalGateway(threaded(app), Config())

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        status, headers, body = self._answer(environ)
        start_response(f"{status} {_PHRASES.get(status, 'Status')}", [*headers, ("Content-Length", str(len(body)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    def _answer(self, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
        method = environ["REQUEST_METHOD"]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        headers = {k[5:].replace("_", "-").lower(): v for k, v in environ.items() if k.startswith("HTTP_")}
        if environ.get("CONTENT_TYPE"):
            headers["content-type"] = environ["CONTENT_TYPE"]
        path = environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ["PATH_INFO"]
        try:
            answer = self._gateway.handle_request(method, path, headers, body)
            if method == "HEAD" and answer["statusCode"] == 405:  # Few routes have their own.
                answer = self._gateway.handle_request("GET", path, headers, body)
        except (LocalGatewayException, UnicodeError):  # It fails to name a key that is not ASCII.
            return _error(404, "Not Found", "resource_not_found")
        if answer["statusCode"] == 405 and "Code" in str(answer.get("body")):
            # No method of this name at this path: API Gateway knows no such route either.
            return _error(404, "Not Found", "resource_not_found")
        return _plain(answer)


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """A parser that refuses addresses at which the original fails, and with it the connection."""

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head of a request.

        Raises: ParsingError.
        """
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError("Bad URI") from error


class _RefusedTask(ErrorTask):  # type: ignore[misc]
    """The answer to what the server cannot even read as a request."""

    def execute(self) -> None:
        """Answer in the API's form."""
        status, _, body = _refused(self.request.error.code)
        self.status = f"{status} {_PHRASES[status]}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self._read_what_is_left()
        self.write(body)

    def _read_what_is_left(self) -> None:
        """A connection that is closed with something unread is reset, and its client never sees the answer."""
        end = time.monotonic() + _READ_ON_SECONDS
        with contextlib.suppress(OSError):
            while time.monotonic() < end:
                if not select.select([self.channel.socket], [], [], _PAUSE_SECONDS)[0]:
                    return
                if not self.channel.socket.recv(1 << 16):
                    return


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection on which the server's own refusals have the API's form."""

    parser_class = _Parser
    error_task_class = _RefusedTask


def _refused(code: int) -> tuple[int, list[tuple[str, str]], bytes]:
    if code in (413, 431, 500):
        return _error(code, _PHRASES[code], {413: "request_too_large", 431: "headers_too_large"}.get(code))
    return _error(400, "BadRequest: malformed request", None)  # Encodings of bodies that nobody uses, too.


def _plain(answer: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = [(name, str(value)) for name, value in (answer.get("headers") or {}).items()]
    headers += [(name, value) for name, values in (answer.get("multiValueHeaders") or {}).items() for value in values]
    body = answer.get("body") or ""
    raw = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode() if isinstance(body, str) else body
    return int(answer["statusCode"]), headers, raw


def _error(status: int, phrase: str, code: str | None) -> tuple[int, list[tuple[str, str]], bytes]:
    fields = {"status": status, "error": phrase} | ({"code": code} if code else {})
    body = json.dumps(fields).encode()
    return status, [("Content-Type", "application/json")], body


_PHRASES = {
    200: "OK",
    201: "Created",
    303: "See Other",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
