"""The one wrapper around every view: it identifies the organization, reads its clock and the request, and translates
refusals.

A view takes a `Call` and returns the body of a 200, or an `Answer`. Anything it raises that is not a refusal is a bug:
it is logged and answered with a bare 500.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from chalice.app import Blueprint, Response

from chalicelib import limits
from chalicelib.domain import errors
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.platform import auth, clock, log, spans
from chalicelib.platform.busy import is_busy
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import Cancelled, ConditionFailed
from chalicelib.platform.http import answers, endpoints
from chalicelib.platform.http.answers import Answer
from chalicelib.platform.http.endpoints import Declared, Endpoint
from chalicelib.platform.http.json import read_json
from chalicelib.platform.ids import OrganizationId

View = Callable[["Call"], Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request, as views receive it."""

    organization: OrganizationRef
    now: datetime
    path: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    raw_body: bytes
    source_ip: str = ""

    def json(self) -> Any:
        """The body as JSON. Numbers with a fraction are exact decimals.

        Raises: BadRequest, for a body that is not JSON.
        """
        return read_json(self.raw_body)

    def root(self, name: str, *, may_be_empty: bool = False) -> dict[str, Any]:
        """The object under the body's root key. `may_be_empty`: for a request that says itself what it lacks.

        Raises: BadRequest, when the key is missing, empty or no object.
        """
        body = self.json()
        value = body.get(name, {} if may_be_empty else None) if isinstance(body, dict) else None
        if not isinstance(value, dict) or not (value or may_be_empty):
            raise errors.BadRequest(f"param is missing or the value is empty or invalid: {name}")
        return value

    def optional_body(self) -> dict[str, Any]:
        """The body's object; an empty one where the request has no body, or one of another type."""
        body = self.json() if self.raw_body.strip() else {}
        return body if isinstance(body, dict) else {}

    def one(self, name: str) -> str | None:
        """The query parameter of this name: the last value of a repeated one, None for an absent or empty one."""
        values = self.query.get(name)
        return values[-1] if values and values[-1] != "" else None

    def many(self, *names: str) -> list[str]:
        """All values of these parameters that are not empty; `name` and `name[]` mean the same."""
        return [v for name in names for form in (name, f"{name}[]") for v in self.query.get(form, ()) if v != ""]


class Routes:
    """The routes of one resource, declared by the module of this name; their views take a `Call`."""

    def __init__(self, module: str, prefix: str = endpoints.PREFIX) -> None:
        self._module = module
        self._prefix = prefix

    def get(self, path: str, **how: Any) -> Callable[[View], View]:
        """A view that reads."""
        return self._route("GET", path, **how)

    def head(self, path: str, **how: Any) -> Callable[[View], View]:
        """A view that answers the headers of a read."""
        return self._route("HEAD", path, **how)

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
        """`key`: the kind of key that the route requires (`organization`, `admin`, `none`). `while_advancing`: the
        route also answers while the organization's test clock moves; others refuse anything but GET then."""

        def register(view: View) -> View:
            endpoints.declare(method, self._prefix + path, Declared(self._module, view, key, while_advancing))
            return view

        return register


def blueprint(routes: Sequence[Endpoint]) -> Blueprint:
    """The routes as Chalice takes them: each finds its view, and imports its module, at its first request."""
    made = Blueprint(__name__)
    for route in routes:
        name = f"{route.method} {route.path}"
        made.route(route.path, methods=[route.method], content_types=["*/*"], name=name)(_handler(made, route))
    return made


def _handler(made: Blueprint, route: Endpoint) -> Callable[..., Response]:
    def handle(**path_values: str) -> Response:
        request = made.current_request
        with log.about(request_id=id_of(request)), spans.span():
            return _answered(request, route, path_values)

    return handle


def _answered(request: Any, route: Endpoint, path: dict[str, str]) -> Response:
    try:
        if len(request.raw_body) > limits.BODY_BYTES_MAX:
            raise errors.TooLarge
        declared = route.load()
        result = declared.view(_call(request, path, declared.key, while_advancing=declared.while_advancing))
    except errors.BillingError as error:
        return answers.refusal(error)
    except (Cancelled, ConditionFailed) as error:
        if is_busy(error):
            return answers.too_busy(error)
        if isinstance(error, Cancelled) and not error.is_race:
            return answers.bug(request)
        return answers.refusal(errors.Conflict(ErrorCode.CHANGED_MEANWHILE))
    except Exception as error:  # noqa: BLE001  a bug is answered with a bare 500, and logged here, once
        return answers.too_busy(error) if is_busy(error) else answers.bug(request)
    answer = result if isinstance(result, Answer) else Answer(result)
    return answers.response(answer, request.headers.get("accept-encoding") or "")


def id_of(request: Any) -> str:
    """The request's id: API Gateway's, which clients see too; on one machine, the id of the function's invocation."""
    return str(request.context.get("requestId") or request.lambda_context.aws_request_id)


def _call(request: Any, path: dict[str, str], key: str, *, while_advancing: bool) -> Call:
    if key == "organization":
        organization = auth.identify(request.headers)
        log.note(organization=organization.id)
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
