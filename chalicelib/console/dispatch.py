"""The way of a request: find the page, ask who it is for, let its view answer, and say refusals as pages."""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from chalicelib import limits
from chalicelib.console import access, pages, router
from chalicelib.console.static_files import Served
from chalicelib.console.visit import Page, Redirect, Values, Visit, link, prefix
from chalicelib.domain import errors
from chalicelib.features.organizations import service as organizations
from chalicelib.platform import clock, dynamodb, log
from chalicelib.platform.busy import is_busy
from chalicelib.platform.dynamodb import Cancelled, ConditionFailed
from chalicelib.platform.http import Client, answers
from chalicelib.platform.http.answers import Response
from chalicelib.platform.http.call import id_of
from chalicelib.platform.log import logger

_FORM = "application/x-www-form-urlencoded"


def answer(request: Any, raw_segments: Sequence[str]) -> Response:
    """The answer to a request. `raw_segments`: of its path below `/console`, as they were sent."""
    segments = [unquote(each) for each in raw_segments]
    visit = _visit(request, raw_segments)
    reads = dynamodb.remembering() if visit.method == "GET" else contextlib.nullcontext()
    try:
        with reads:
            if len(request.raw_body) > limits.BODY_BYTES_MAX:
                raise errors.TooLarge
            visit, result = _answered(visit, segments)
            return _sent(visit, result)
    except errors.BillingError as error:
        return _sent(visit, pages.refusal(visit, error))
    except Exception as error:  # noqa: BLE001  a bug is a page too, and logged here, once
        busy = is_busy(error) or (isinstance(error, Cancelled | ConditionFailed) and getattr(error, "is_race", True))
        if not busy:
            logger.exception("bug", extra={"path": visit.here, "method": visit.method})
        return _sent(visit, pages.failure(visit, status=503 if busy else 500))


def to_invitation(token: str) -> Response:
    """The page of an invitation, whose links are shorter than its address."""
    return answers.lead(link("invitation", token), {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"})


def _visit(request: Any, raw_segments: Sequence[str]) -> Visit:
    parameters = request.query_params
    posted = request.method == "POST" and (request.headers.get("content-type") or "").split(";")[0] == _FORM
    form = parse_qsl(request.raw_body.decode("utf-8", "replace"), keep_blank_values=True) if posted else []
    fields = Values()
    for name, value in form:
        fields.setdefault(name, []).append(value.replace("\r\n", "\n"))
    path = "".join(f"/{quote(unquote(segment), safe='')}" for segment in raw_segments)
    return Visit(
        method=request.method,
        here=f"{prefix()}/console{path}",
        path={},
        query=Values({name: parameters.getlist(name) for name in parameters} if parameters else {}),
        form=fields,
        headers=request.headers,
        real_now=clock.utc_now(),
        request_id=id_of(request),
        ip=str(request.context.get("identity", {}).get("sourceIp", "")),
    )


def _answered(visit: Visit, segments: Sequence[str]) -> tuple[Visit, Any]:
    """The visit as far as it is known who asks, and what the view says."""
    found = router.find(visit.method, segments)
    route, path = found if found is not None else (None, _outside(segments))
    visit = dataclasses.replace(visit, path=path)
    if route is not None and route.view == "entry.static":
        return visit, route.load()(visit)
    visit = dataclasses.replace(visit, signed=access.signed_in(visit, path.get("org")))
    if visit.signed is None and (route is None or route.who != "anyone"):
        return visit, _to_login(visit)
    if visit.signed is not None and visit.signed.membership is not None:
        visit = _inside(visit)
    if route is None or (route.who == "member" and visit.organization_ is None):
        return visit, pages.not_found(visit)
    if visit.method == "POST":
        if not _is_theirs(visit, route.who):
            return visit, pages.forbidden(visit)
        result = route.load()(visit)
        _note(visit, route, result)
        return visit, result
    return visit, route.load()(visit)


def _outside(segments: Sequence[str]) -> Mapping[str, str]:
    """Where no page has the address, it may still lie in an organization, whose frame is shown around the answer."""
    return {"org": segments[0]} if segments else {}


def _inside(visit: Visit) -> Visit:
    """The visit of a member: the organization of the address and its clock."""
    assert visit.signed is not None
    assert visit.signed.membership is not None
    organization = organizations.get(visit.signed.membership.organization_id)
    log.note(organization=organization.id)
    state = clock.read(organization.ref)
    visit = dataclasses.replace(visit, organization_=organization, clock=state)
    return dataclasses.replace(visit, api_=Client(organization.ref, visit.now, state.advancing, visit.ip))


def _to_login(visit: Visit) -> Any:
    where = link("login", next=visit.here if visit.method == "GET" and not visit.is_htmx else None)
    if visit.is_htmx:
        return pages.Bare("", 401, {"HX-Redirect": where})
    return Redirect(where)


def _is_theirs(visit: Visit, who: str) -> bool:
    if not access.comes_from_here(visit.headers):
        return False
    return who == "anyone" or (visit.signed is not None and access.has_token(visit, visit.signed))


def _note(visit: Visit, route: router.Route, result: Any) -> None:
    """One line for each act; never what its form holds."""
    user = "" if visit.signed is None else visit.signed.user.id
    status = 303 if isinstance(result, Redirect) else getattr(result, "status", 200)
    logger.info("console", extra={"user": user, "pattern": route.pattern, "status": status})


def _sent(visit: Visit, result: Any) -> Response:
    accepted = visit.headers.get("accept-encoding") or ""
    if isinstance(result, Redirect):
        return _led(visit, result)
    if isinstance(result, Served):
        return answers.binary(result.body, result.headers)
    if isinstance(result, Page):
        result = pages.drawn(visit, result)
    return answers.text(result.text, result.status, {**pages.HEADERS, **result.headers}, accepted)


def _led(visit: Visit, result: Redirect) -> Response:
    cookies = [*result.cookies, *([access.said_cookie(quote(result.said))] if result.said else [])]
    headers: dict[str, Any] = {"Set-Cookie": cookies} if cookies else {}
    headers |= {"Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
    if visit.is_htmx:
        return answers.text("", 200, {**headers, "HX-Redirect": result.to}, "")
    return answers.lead(result.to, headers)
