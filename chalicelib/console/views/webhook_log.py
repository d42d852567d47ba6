"""The log of webhook messages: all of them or an endpoint's, one with its attempts, and sending again."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode
from zoneinfo import ZoneInfo

from chalicelib import limits
from chalicelib.console import format, forms, lists
from chalicelib.console.forms import Form
from chalicelib.console.lists import Filter
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain import errors
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.webhooks import service
from chalicelib.features.webhooks.records import Endpoint
from chalicelib.features.webhooks.types import TYPES
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import WebhookEndpointId

# As many as one page of the list has.
SELECTED_MAX = 100
# A list with messages on their way asks anew: eagerly for a minute after the last change, then slowly for ten.
_EAGER, _PATIENT = timedelta(minutes=1), timedelta(minutes=10)
_STATUSES = tuple((each, each.capitalize()) for each in ("pending", "retrying", "succeeded", "failed"))
_FILTERS = (
    Filter("Type", ("webhook_type",), "select", [(each, each) for each in sorted(TYPES)]),
    Filter("Status", ("status",), "choices", _STATUSES),
    Filter("HTTP status", ("http_status",), placeholder="500"),
    Filter("Date", ("from", "to"), "days"),
)
_KEPT = lists.names_of(_FILTERS) | {"webhook_endpoint_id", "page", "per_page"}
# Pages of objects that messages are about.
_PAGES = {
    "customer": "customers",
    "invoice": "invoices",
    "credit_note": "credit_notes",
    "plan": "plans",
    "billable_metric": "billable_metrics",
    "payment": "payments",
    "wallet": "wallets",
}

Shown = Mapping[str, Any]


def index(visit: Visit) -> Page:
    """Messages of all endpoints, newest first."""
    return Page("webhooks/log.html", gathered(visit))


def endpoints(visit: Visit) -> list[Shown]:
    """All endpoints."""
    found: dict[str, list[Shown]] = visit.api.get("/webhook_endpoints", {"per_page": 100})
    return found["webhook_endpoints"]


def gathered(visit: Visit, endpoint_id: str = "") -> dict[str, Any]:
    """A page of the log, of one endpoint or of all; how often it asks anew; and what leads back to it. `names`: of endpoints,
    where there may be several."""
    known = {} if endpoint_id else _names(visit)
    own = () if endpoint_id else (Filter("Endpoint", ("webhook_endpoint_id",), "select", list(known.items())),)
    fixed = {"webhook_endpoint_id": endpoint_id} if endpoint_id else {}
    listed = lists.gather(
        visit,
        "/webhooks",
        "webhooks",
        filters=(*own, *_FILTERS),
        fixed=fixed,
        fetch=lambda query: visit.api.get("/webhooks", _by_instants(visit, query)),
    )
    kept = {name: values for name, values in visit.query.items() if name in _KEPT}
    back = {"back": "endpoint" if endpoint_id else "log", "query": urlencode(kept, doseq=True)}
    return {"listed": listed, "names": known, "interval": _interval(visit, listed.rows), "back": back}


def _names(visit: Visit) -> dict[str, str]:
    """The endpoints to choose from, by id: their states, which the API's list has too, are not read."""
    found = service.CATALOG.newest(visit.organization.id, limits.WEBHOOK_ENDPOINTS_MAX)
    return {str(each.id): each.name or each.webhook_url for each in found}


def _interval(visit: Visit, rows: list[dict[str, Any]]) -> str:
    """How often rows that may change soon are asked for anew; never where nothing does."""
    moving = [row for row in rows if row["status"] in ("pending", "retrying")]
    latest = max((format.instant_of(row["updated_at"]) for row in moving), default=None)
    if latest is None or visit.real_now - latest > _PATIENT:
        return ""
    return "2s" if visit.real_now - latest < _EAGER else "10s"


def _by_instants(visit: Visit, query: Mapping[str, Any]) -> dict[str, Any]:
    """The same query with instants instead of days of the organization's zone."""
    found = dict(query)
    for name in ("from", "to"):
        found[name] = [_bound(text, visit.organization.timezone, is_end=name == "to") for text in found.get(name, [])]
    return found


def _bound(text: str, zone: str, *, is_end: bool) -> str:
    """The first or the last instant of a day; what is none stays as it is, for the API to refuse."""
    try:
        day = date.fromisoformat(text) + timedelta(days=is_end)
        at = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC) - timedelta(microseconds=is_end)
        return at.isoformat()
    except (ValueError, OverflowError):
        return text


def found(visit: Visit) -> Shown:
    """The message of the address, with payload and attempts.

    Raises: NotFound.
    """
    answer: dict[str, Shown] = visit.api.get(path_of("webhooks", visit.path["message"]))
    if answer["webhook"]["webhook_endpoint_id"] != visit.path["endpoint"]:
        raise NotFound(Resource.WEBHOOK)
    return answer["webhook"]


def show(visit: Visit) -> Page:
    """One message: what was sent, and what was answered to each attempt."""
    message = found(visit)
    interval = _interval(visit, [dict(message)])
    return Page(
        "webhooks/message.html",
        {"message": message, "endpoint": _endpoint(visit), "interval": interval, "about": _about(visit, message)},
    )


def _endpoint(visit: Visit) -> Endpoint | None:
    try:
        return service.find(visit.organization.id, WebhookEndpointId(visit.path["endpoint"]))
    except NotFound:
        return None


def _about(visit: Visit, message: Shown) -> str:
    """The address of the object's page; none where it has none, or none any more."""
    section = _PAGES.get(message["object_type"])
    if section is None or not message["object_id"] or message["webhook_type"].endswith(".deleted"):
        return ""
    return visit.link(section, message["object_id"])


def resend(visit: Visit) -> Page | Redirect:
    """Send a message again, one that succeeded too."""
    given = visit.query if visit.method == "GET" else visit.form
    form = Form(values={name: [given.one(name)] for name in ("back", "query")})
    if visit.method == "POST":
        sent = forms.submit(form, lambda: visit.api.post(path_of("webhooks", visit.path["message"], "retry")))
        if sent is not None:
            return Redirect(_back(visit), said=_said(visit, 1))
    return Page("webhooks/resend.html", {"form": form, "message": found(visit)}, form.status)


def _said(visit: Visit, number: int) -> str:
    """What is said of messages that are sent again; where their endpoint is paused it gets them later."""
    paused = any(
        each["status"] == "paused" for each in endpoints(visit) if each["lago_id"] == visit.path.get("endpoint")
    )
    sent = "Sent again" if number == 1 else f"{number} sent again"
    return "Its endpoint is paused: it goes out when that is resumed" if paused else sent


def _back(visit: Visit) -> str:
    """Where somebody came from: the log with its filters, else the message."""
    query = {name: values for name, values in parse_qs(visit.form.one("query")).items() if name in _KEPT}
    endpoint = visit.path.get("endpoint") or visit.form.one("endpoint")
    if visit.form.one("back") == "endpoint" and endpoint:
        return visit.link("webhooks", endpoint, **query)
    if visit.form.one("back") or "message" not in visit.path:
        return visit.link("webhooks", "log", **query)
    return visit.link("webhooks", endpoint, visit.path["message"])


def resend_selected(visit: Visit) -> Page | Redirect:
    """Send the messages that are ticked again; what was refused is told."""
    ids = list(dict.fromkeys(visit.form.get("ids", [])))
    refused: dict[str, str] = {}
    for each in ids[:SELECTED_MAX] if len(ids) <= SELECTED_MAX else []:
        try:
            visit.api.post(path_of("webhooks", each, "retry"))
        except errors.BillingError as error:
            refused[each] = error.code
    if not ids or len(ids) > SELECTED_MAX or refused:
        values = {"number": len(ids), "refused": refused, "most": SELECTED_MAX, "address": _back(visit)}
        return Page("webhooks/resent.html", values, 422)
    return Redirect(_back(visit), said=_said(visit, len(ids)))
