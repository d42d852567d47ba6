"""Answers: bodies, refusals and failures in the form that Chalice sends.

Chalice turns an exception of a view into a 500 before its middleware sees it; so refusals are translated here, in one
table.
"""

import base64
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalice.app import Response as Response

from chalicelib import limits
from chalicelib.domain import errors
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.platform.json import to_json
from chalicelib.platform.log import logger

_STATUS: dict[type[errors.BillingError], tuple[int, str]] = {
    errors.BadRequest: (400, "BadRequest"),
    errors.Unauthorized: (401, "Unauthorized"),
    errors.Forbidden: (403, "Forbidden"),
    errors.NotFound: (404, "Not Found"),
    errors.NotAllowed: (405, "Method Not Allowed"),
    errors.Conflict: (409, "Conflict"),
    errors.TooLarge: (413, "Payload Too Large"),
    errors.Invalid: (422, "Unprocessable Entity"),
    errors.TooManyAttempts: (429, "Too Many Requests"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer other than a 200 with a JSON body. `body` None: the answer's body is empty."""

    body: Any
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def response(answer: Answer, accepted: str = "") -> Response:
    """The answer as Chalice sends it. `accepted`: the client's Accept-Encoding; a large body is zipped where it allows
    it."""
    headers = {"Content-Type": answer.content_type, **answer.headers}
    if answer.body is None:
        return Response(body="", status_code=answer.status, headers=headers)
    text = to_json(answer.body) if answer.content_type == "application/json" else answer.body
    if len(text) > limits.GZIP_ABOVE_BYTES and "gzip" in accepted:
        return _Zipped(body=text, status_code=answer.status, headers={**headers, "Content-Encoding": "gzip"})
    return Response(body=text, status_code=answer.status, headers=headers)


def text(text: str, status: int, headers: Mapping[str, Any], accepted: str) -> Response:
    """A page; headers may have several values. Zipped above `limits.PAGE_GZIP_ABOVE_BYTES` where the client allows it."""
    headers = {"Content-Type": "text/html; charset=utf-8", **headers}
    if len(text) > limits.PAGE_GZIP_ABOVE_BYTES and "gzip" in accepted:
        return _Zipped(body=text, status_code=status, headers={**headers, "Content-Encoding": "gzip"})
    return Response(body=text, status_code=status, headers=headers)


def refusal(error: errors.BillingError) -> Response:
    """The API's answer to a refused request: status, error, code and details."""
    status, phrase = next(answer for kind, answer in _STATUS.items() if isinstance(error, kind))
    body: dict[str, Any] = {"status": status, "error": phrase}
    if isinstance(error, errors.BadRequest):
        body["error"] = f"BadRequest: {error.code}"
    elif isinstance(error, errors.Invalid):
        body |= {"code": error.code, "error_details": error.details}
    elif not isinstance(error, errors.Unauthorized):
        body["code"] = error.code
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, errors.TooManyAttempts) else {}
    return response(Answer(body, status, headers=headers))


def bug(request: Any) -> Response:
    """A bare 500. The exception is in the log only."""
    logger.exception("bug", extra={"path": request.context.get("resourcePath"), "method": request.method})
    return response(Answer({"status": 500, "error": "Internal Error"}, 500))


def too_busy(error: Exception) -> Response:
    """A 503 with Retry-After: AWS is busy and the request was valid, so clients repeat it by themselves."""
    logger.warning("AWS is busy", extra={"error": repr(error)})
    body = {"status": 503, "error": "Service Unavailable", "code": ErrorCode.SERVICE_BUSY}
    return response(Answer(body, 503, headers={"Retry-After": "2"}))


def lead(to: str, headers: Mapping[str, Any]) -> Response:
    """See another address."""
    return Response(body="", status_code=303, headers={**headers, "Location": to})


def binary(body: bytes, headers: Mapping[str, Any]) -> Response:
    """A file, whatever its content type."""
    return _Binary(body=body, status_code=200, headers=dict(headers))


class _Binary(Response):  # type: ignore[misc]
    """An answer of bytes: Chalice itself knows them by a list of content types only."""

    def to_dict(self, binary_types: Any = None) -> dict[str, Any]:
        """The answer in the form that API Gateway expects of binary bodies."""
        return {
            "statusCode": self.status_code,
            "headers": self.headers,
            "multiValueHeaders": {},
            "body": base64.b64encode(self.body).decode(),
            "isBase64Encoded": True,
        }


class _Zipped(Response):  # type: ignore[misc]
    """A zipped answer: Lambda answers at most 6 MB, and an invoice may have 5,000 fees."""

    def to_dict(self, binary_types: Any = None) -> dict[str, Any]:
        """The answer in the form that API Gateway expects of binary bodies, whatever its content type."""
        zipped = gzip.compress(str(self.body).encode(), compresslevel=6, mtime=0)
        several = {name: value for name, value in self.headers.items() if isinstance(value, list)}
        return {
            "statusCode": self.status_code,
            "headers": {name: value for name, value in self.headers.items() if name not in several},
            "multiValueHeaders": several,
            "body": base64.b64encode(zipped).decode(),
            "isBase64Encoded": True,
        }
