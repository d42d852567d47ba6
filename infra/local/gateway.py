"""The app behind a WSGI server, answering as API Gateway would.

Chalice keeps the current request on the app object: behind several threads most requests would read another one's
headers. Here it lies in thread-local storage.
"""

import base64
import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

from chalice.app import Chalice
from chalice.config import Config
from chalice.local import LocalGateway, LocalGatewayException

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
            answer = self._gateway.handle_request("GET" if method == "HEAD" else method, path, headers, body)
        except LocalGatewayException:
            return _error(404, "Not Found", "resource_not_found")
        if answer["statusCode"] == 405 and "Code" in str(answer.get("body")):
            # No method of this name at this path: API Gateway knows no such route either.
            return _error(404, "Not Found", "resource_not_found")
        return _plain(answer)


def _plain(answer: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = [(name, str(value)) for name, value in (answer.get("headers") or {}).items()]
    headers += [(name, value) for name, values in (answer.get("multiValueHeaders") or {}).items() for value in values]
    body = answer.get("body") or ""
    raw = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode() if isinstance(body, str) else body
    return int(answer["statusCode"]), headers, raw


def _error(status: int, phrase: str, code: str) -> tuple[int, list[tuple[str, str]], bytes]:
    body = json.dumps({"status": status, "error": phrase, "code": code}).encode()
    return status, [("Content-Type", "application/json")], body


_PHRASES = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    500: "Internal Server Error",
}
