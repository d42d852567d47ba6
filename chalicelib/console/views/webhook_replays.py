"""Replays: a range of an endpoint's messages is sent again, in order."""

from typing import Any

from chalicelib.console import format, forms
from chalicelib.console.forms import Form
from chalicelib.console.views import webhooks
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.features.webhooks import asking
from chalicelib.platform.ids import WebhookEndpointId
from chalicelib.platform.json import to_json

_NUMBERS, _TIMES = ("from_sequence", "to_sequence"), ("from", "to")


def begin(visit: Visit) -> Page | Redirect:
    """Choose a range, see how many messages it has, then begin."""
    endpoint = webhooks.found(visit)
    form = forms.posted(visit) if visit.method == "POST" else Form(values={"by": ["numbers"], "to_sequence": [""]})
    number, asked = None, ""
    if visit.method == "POST" and not forms.asked_rows(visit, form, {}):
        body = _body(visit, form)
        if not form.errors:
            asked = to_json(body)
            number = forms.submit(form, lambda: _number(visit, endpoint["lago_id"], body))
        if number and form.value("confirmed") == asked:
            made = forms.submit(form, lambda: visit.api.post(webhooks.path(visit, "replay"), {"replay": body}))
            if made is not None:
                return Redirect(visit.link("webhooks", endpoint["lago_id"], "replays", made["replay"]["lago_id"]))
    name = webhooks.name_of(endpoint)
    values = {"form": form, "endpoint": endpoint, "name": name, "types": webhooks.grouped_types()}
    return Page("webhooks/replay.html", values | {"number": number, "asked": asked}, form.status)


def _number(visit: Visit, endpoint_id: str, body: dict[str, Any]) -> int:
    return asking.replayed(visit.organization.ref, WebhookEndpointId(endpoint_id), body)


def _body(visit: Visit, form: Form) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if form.value("by") == "times":
        for name in _TIMES:
            if form.value(name):
                body[name] = format.from_local(form.value(name), visit.organization.timezone)
    else:
        for name in _NUMBERS:
            text = form.value(name).strip()
            if text.isascii() and text.isdecimal() and len(text) < 16:
                body[name] = int(text)
            elif text:
                form.mark(name, ErrorCode.VALUE_IS_INVALID)
    types = [each for each in form.all("webhook_types") if each]
    return {**body, "webhook_types": types} if types else body


def show(visit: Visit) -> Page:
    """How far a replay is."""
    endpoint = webhooks.found(visit)
    replay = visit.api.get(webhooks.path(visit, "replays", visit.path["replay"]))["replay"]
    return Page("webhooks/replayed.html", {"endpoint": endpoint, "name": webhooks.name_of(endpoint), "replay": replay})
