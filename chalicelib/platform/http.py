"""The one wrapper around every view: who calls, what time it is for them, what they sent, and refusals as answers.

A view takes a `Call` and returns the body of a 200, or an `Answer`. A view's exception has become a 500 before
Chalice's middleware would see it, so refusals are translated here, in one table. Anything that is not a refusal is a
bug: it is logged and answered with a bare 500.
"""

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import simplejson
from chalice.app import Blueprint, Response

from chalicelib import limits
from chalicelib.domain import errors
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.platform import auth, clock
from chalicelib.platform.busy import is_busy
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.log import logger
from chalicelib.platform.table import Cancelled, ConditionFailed

View = Callable[["Call"], Any]

_STATUS: dict[type[errors.BillingError], tuple[int, str]] = {
    errors.BadRequest: (400, "BadRequest"),
    errors.Unauthorized: (401, "Unauthorized"),
    errors.Forbidden: (403, "Forbidden"),
    errors.NotFound: (404, "Not Found"),
    errors.NotAllowed: (405, "Method Not Allowed"),
    errors.Conflict: (409, "Conflict"),
    errors.TooLarge: (413, "Payload Too Large"),
    errors.Invalid: (422, "Unprocessable Entity"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is not simply a 200 with a JSON body. `body` None means an empty one."""

    body: Any
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, authenticated: what a view may know."""

    organization: OrganizationRef
    now: datetime
    path: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    raw_body: bytes
    source_ip: str = ""

    def json(self) -> Any:
        """The body as JSON; numbers with a fraction as exact decimals.

        Raises: BadRequest, when it is not JSON at all.
        """
        return read_json(self.raw_body)

    def root(self, name: str) -> dict[str, Any]:
        """The object under the body's root key.

        Raises: BadRequest, when the key is missing, empty or no object.
        """
        body = self.json()
        value = body.get(name) if isinstance(body, dict) else None
        if not isinstance(value, dict) or not value:
            raise errors.BadRequest(f"param is missing or the value is empty or invalid: {name}")
        return value

    def optional_body(self) -> dict[str, Any]:
        """The body where there may be none."""
        body = self.json() if self.raw_body.strip() else {}
        return body if isinstance(body, dict) else {}

    def one(self, name: str) -> str | None:
        """The query parameter of this name; the last one when it is repeated, None when absent or empty."""
        values = self.query.get(name)
        return values[-1] if values and values[-1] != "" else None

    def many(self, *names: str) -> list[str]:
        """All values of these parameters, `name` and `name[]` alike."""
        return [v for name in names for form in (name, f"{name}[]") for v in self.query.get(form, ()) if v != ""]


class Routes:
    """The routes of one slice: a Chalice blueprint whose views take a `Call`."""

    def __init__(self, name: str, prefix: str = "/api/v1") -> None:
        self.blueprint = Blueprint(name)
        self._prefix = prefix

    def get(self, path: str, **how: Any) -> Callable[[View], View]:
        """A view that reads."""
        return self._route("GET", path, **how)

    def post(self, path: str, **how: Any) -> Callable[[View], View]:
        """A view that creates or acts."""
        return self._route("POST", path, **how)

    def put(self, path: str, **how: Any) -> Callable[[View], View]:
        """A view that changes."""
        return self._route("PUT", path, **how)

    def patch(self, path: str, **how: Any) -> Callable[[View], View]:
        """A view that merges."""
        return self._route("PATCH", path, **how)

    def delete(self, path: str, **how: Any) -> Callable[[View], View]:
        """A view that removes."""
        return self._route("DELETE", path, **how)

    def _route(
        self, method: str, path: str, *, key: str = "organization", while_advancing: bool = False
    ) -> Callable[[View], View]:
        """`key`: whose key opens it (`organization`, `admin`, `none`). `while_advancing`: also when the clock moves."""

        def register(view: View) -> View:
            def handle(**path_values: str) -> Response:
                return _answered(
                    self.blueprint.current_request, view, path_values, key, while_advancing=while_advancing
                )

            handle.__name__ = f"{method.lower()}_{view.__module__}_{view.__name__}".replace(".", "_")
            self.blueprint.route(self._prefix + path, methods=[method], content_types=["*/*"])(handle)
            return view

        return register


def read_json(raw: bytes) -> Any:
    """Strict JSON: UTF-8, no NaN, no lone surrogates, of bounded depth; numbers with a fraction become `Decimal`.

    Raises: BadRequest.
    """
    try:
        value = json.loads(raw.decode("utf-8"), parse_float=Decimal, parse_constant=_no_constant)
        if b"\\u" in raw:
            to_json(value).encode("utf-8")
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise errors.BadRequest("malformed JSON") from error
    if raw.count(b"[") + raw.count(b"{") > limits.JSON_DEPTH_MAX and _is_deeper(value, limits.JSON_DEPTH_MAX):
        raise errors.BadRequest("JSON is nested too deeply")
    return value


def to_json(body: Any) -> str:
    """An answer's text. Amounts are integers and decimal strings by now; what is left as `Decimal` (rates, days, numbers
    inside an event's properties) becomes a JSON number with exactly these digits."""
    return str(simplejson.dumps(body, ensure_ascii=False, separators=(",", ":"), use_decimal=True))


def refusal(error: errors.BillingError) -> Response:
    """A refusal as the API's answer."""
    status, phrase = next(answer for kind, answer in _STATUS.items() if isinstance(error, kind))
    body: dict[str, Any] = {"status": status, "error": phrase}
    if isinstance(error, errors.BadRequest):
        body["error"] = f"BadRequest: {error.code}"
    elif isinstance(error, errors.Invalid):
        body |= {"code": error.code, "error_details": error.details}
    elif not isinstance(error, errors.Unauthorized):
        body["code"] = error.code
    return _response(Answer(body, status))


def _answered(request: Any, view: View, path: dict[str, str], key: str, *, while_advancing: bool) -> Response:
    try:
        if len(request.raw_body) > limits.BODY_BYTES_MAX:
            raise errors.TooLarge
        result = view(_call(request, path, key, while_advancing=while_advancing))
    except errors.BillingError as error:
        return refusal(error)
    except (Cancelled, ConditionFailed) as error:
        if is_busy(error):
            return _too_busy(error)
        if isinstance(error, Cancelled) and not error.is_race:
            return _bug(request)
        return refusal(errors.Conflict(ErrorCode.CHANGED_MEANWHILE))
    except Exception as error:  # noqa: BLE001  a bug is answered with a bare 500, and logged here, once
        return _too_busy(error) if is_busy(error) else _bug(request)
    answer = result if isinstance(result, Answer) else Answer(result)
    return _response(answer, request.headers.get("accept-encoding") or "")


def _bug(request: Any) -> Response:
    logger.exception("bug", extra={"path": request.context.get("resourcePath"), "method": request.method})
    return _response(Answer({"status": 500, "error": "Internal Error"}, 500))


def _too_busy(error: Exception) -> Response:
    """AWS is, and nothing was wrong with the request: clients repeat it by themselves."""
    logger.warning("AWS is busy", extra={"error": repr(error)})
    body = {"status": 503, "error": "Service Unavailable", "code": ErrorCode.SERVICE_BUSY}
    return _response(Answer(body, 503, headers={"Retry-After": "2"}))


def _call(request: Any, path: dict[str, str], key: str, *, while_advancing: bool) -> Call:
    if key == "organization":
        organization = auth.identify(request.headers)
        state = clock.read(organization)
        if state.advancing and request.method != "GET" and not while_advancing:
            raise errors.Conflict(ErrorCode.TEST_CLOCK_ADVANCING)
        now = state.now or clock.utc_now()
    else:
        if key == "admin":
            auth.require_admin(request.headers)
        organization, now = OrganizationRef(OrganizationId(""), sandbox=False), clock.utc_now()
    parameters = request.query_params
    query = {name: parameters.getlist(name) for name in parameters} if parameters else {}
    return Call(
        organization=organization,
        now=now,
        path={name: unquote(value) for name, value in path.items()},
        query=query,
        headers=request.headers,
        raw_body=request.raw_body,
        source_ip=str(request.context.get("identity", {}).get("sourceIp", "")),
    )


def _response(answer: Answer, accepted: str = "") -> Response:
    headers = {"Content-Type": answer.content_type, **answer.headers}
    if answer.body is None:
        return Response(body="", status_code=answer.status, headers=headers)
    text = to_json(answer.body) if answer.content_type == "application/json" else answer.body
    if len(text) > limits.GZIP_ABOVE_BYTES and "gzip" in accepted:
        return _Zipped(body=text, status_code=answer.status, headers={**headers, "Content-Encoding": "gzip"})
    return Response(body=text, status_code=answer.status, headers=headers)


class _Zipped(Response):  # type: ignore[misc]
    """An answer too large to go as it is: Lambda answers at most 6 MB, and an invoice may have 5,000 fees."""

    def to_dict(self, binary_types: Any = None) -> dict[str, Any]:
        """In the form of a binary answer, whatever its content type."""
        zipped = gzip.compress(str(self.body).encode(), compresslevel=6, mtime=0)
        return {
            "statusCode": self.status_code,
            "headers": self.headers,
            "multiValueHeaders": {},
            "body": base64.b64encode(zipped).decode(),
            "isBase64Encoded": True,
        }


def _is_deeper(value: Any, depth: int) -> bool:
    """Whether containers stand inside each other in more levels than `depth`; level by level, not by recursion."""
    level: list[Any] = [value]
    for _ in range(depth + 1):
        containers = [each for each in level if isinstance(each, dict | list)]
        level = [inner for each in containers for inner in (each.values() if isinstance(each, dict) else each)]
    return any(isinstance(each, dict | list) for each in level)


def _no_constant(name: str) -> Any:
    raise ValueError(name)
