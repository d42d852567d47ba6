"""Endpoints of webhooks: the list, one with its log, and making, changing, pausing and deleting them."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from chalicelib.console import forms
from chalicelib.console.forms import Form
from chalicelib.console.views import webhook_log
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.features.webhooks import failing, reading, serializer, service
from chalicelib.features.webhooks.records import Endpoint
from chalicelib.features.webhooks.types import TYPES
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import WebhookEndpointId

Shown = Mapping[str, Any]

# Of a longer name or URL headings show the beginning.
_NAME_MAX = 60


def index(visit: Visit) -> Page:
    """All endpoints; there are ten at most."""
    found, _ = failing.lately(visit.organization.ref.id, real_now=visit.real_now)
    return Page("webhooks/index.html", {"endpoints": webhook_log.endpoints(visit), "failing": found})


def found(visit: Visit) -> Shown:
    """The endpoint of the address, as the API shows it.

    Raises: NotFound.
    """
    answer: dict[str, Shown] = visit.api.get(path(visit))
    return answer["webhook_endpoint"]


def path(visit: Visit, *more: str) -> str:
    """The API's path of the endpoint of the address."""
    return path_of("webhook_endpoints", visit.path["endpoint"], *more)


def name_of(endpoint: Shown) -> str:
    """What an endpoint is called: its name, or the beginning of its URL."""
    name = str(endpoint["name"] or endpoint["webhook_url"])
    return name if len(name) <= _NAME_MAX else f"{name[:_NAME_MAX]}\N{HORIZONTAL ELLIPSIS}"


def show(visit: Visit) -> Page:
    """One endpoint, with the log of its messages."""
    endpoint = found(visit)
    values = webhook_log.gathered(visit, endpoint["lago_id"])
    return Page("webhooks/show.html", {"endpoint": endpoint, "name": name_of(endpoint), **values})


def grouped_types() -> Sequence[tuple[str, Sequence[str]]]:
    """All types of messages, by what they are about."""
    return [(about, list(types)) for about, types in groupby(sorted(TYPES), lambda each: each.partition(".")[0])]


def new(visit: Visit) -> Page | Redirect:
    """A new endpoint, and its secret, this once."""
    if visit.method == "GET":
        return _form(Form(values={"signature_algo": ["hmac"], "every": ["true"]}), None)
    form = forms.posted(visit)
    if not forms.asked_rows(visit, form, {}):
        body = _body(form)
        made = None if form.errors else forms.submit(form, lambda: _made(visit, body))
        if made is not None:
            return shown_once(visit, made)
    return _form(form, None)


def _made(visit: Visit, body: Mapping[str, Any]) -> Endpoint:
    visit.api.check_may_change()
    request_id = forms.request_id(visit) or visit.request_id
    return service.create_once(visit.organization.ref, body, request_id=request_id, now=visit.now)


def shown_once(visit: Visit, made: Endpoint) -> Page | Redirect:
    """The page of an endpoint's new secret. A form that is sent again long after shows no secret that was rotated since."""
    if made.previous_until is not None or made.deleted_at is not None:
        return Redirect(visit.link("webhooks"), said="It was created before")
    endpoint = serializer.endpoint(visit.organization.ref, made, with_secret=True)
    return Page("webhooks/made.html", {"endpoint": endpoint, "name": name_of(endpoint), "is_rotated": False})


def edit(visit: Visit) -> Page | Redirect:
    """Change an endpoint."""
    endpoint = found(visit)
    if visit.method == "GET":
        return _form(_filled(endpoint), endpoint)
    form = forms.posted(visit)
    if not forms.asked_rows(visit, form, {}):
        body = {"webhook_endpoint": _body(form)}
        if not form.errors and forms.submit(form, lambda: visit.api.put(path(visit), body)) is not None:
            return Redirect(visit.link("webhooks", endpoint["lago_id"]), said="Endpoint saved")
    return _form(form, endpoint)


def _form(form: Form, endpoint: Shown | None) -> Page:
    values = {
        "form": form,
        "endpoint": endpoint,
        "name": name_of(endpoint) if endpoint else "",
        "types": grouped_types(),
    }
    return Page("webhooks/form.html", values, form.status)


def _filled(endpoint: Shown) -> Form:
    shown = {name: endpoint[name] for name in ("webhook_url", "name", "signature_algo")}
    form = forms.filled({**shown, "every": endpoint["event_types"] is None})
    form.values["event_types"] = list(endpoint["event_types"] or [])
    return form


def _body(form: Form) -> dict[str, Any]:
    types = [each for each in form.all("event_types") if each]
    if not form.is_on("every") and not types:
        form.mark("event_types", ErrorCode.VALUE_IS_MANDATORY)
    return {
        "webhook_url": form.value("webhook_url").strip(),
        "name": form.value("name").strip() or None,
        "signature_algo": form.value("signature_algo"),
        "event_types": None if form.is_on("every") else types,
    }


def pause(visit: Visit) -> Page | Redirect:
    """Send an endpoint nothing for now."""
    endpoint, form = found(visit), Form()
    if visit.method == "POST" and forms.submit(form, lambda: visit.api.post(path(visit, "pause"))) is not None:
        return Redirect(visit.link("webhooks", endpoint["lago_id"]), said="Paused")
    return Page("webhooks/pause.html", {"form": form, "endpoint": endpoint, "name": name_of(endpoint)}, form.status)


def resume(visit: Visit) -> Redirect:
    """Let an endpoint catch up and go on."""
    visit.api.post(path(visit, "resume"))
    return Redirect(visit.link("webhooks", visit.path["endpoint"]), said="Resumed")


def delete(visit: Visit) -> Page | Redirect:
    """Delete an endpoint; says what is given up with it."""
    endpoint, form = found(visit), Form()
    if visit.method == "POST" and forms.submit(form, lambda: visit.api.delete(path(visit))) is not None:
        return Redirect(visit.link("webhooks"), said=f"Deleted {name_of(endpoint)}")
    waiting = reading.waiting(visit.organization.ref, WebhookEndpointId(endpoint["lago_id"]))
    values = {"form": form, "endpoint": endpoint, "name": name_of(endpoint), "waiting": waiting}
    return Page("webhooks/delete.html", values, form.status)
