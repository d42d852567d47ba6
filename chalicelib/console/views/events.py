"""Events: what was received, newest first, with what is wrong about it; and one event."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from chalicelib.console import event_warnings, format, lists
from chalicelib.console.lists import Filter
from chalicelib.console.visit import Page, Visit
from chalicelib.domain.errors import NotFound
from chalicelib.features.customers import service as customers
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import CustomerId

# A page that nobody looks at any more asks for nothing.
_LIVE = timedelta(minutes=10)
_WARNINGS = (
    ("any", "Any warning"),
    ("unknown_code", event_warnings.LABELS["unknown_code"]),
    ("property_mismatch", event_warnings.LABELS["property_mismatch"]),
    ("dimension_mismatch", event_warnings.LABELS["dimension_mismatch"]),
)
_FILTERS = (
    Filter("Code", ("code",), placeholder="api_calls"),
    Filter("Subscription", ("external_subscription_id",), placeholder="External ID"),
    Filter("Transaction ID", ("transaction_id",), placeholder="Exact ID"),
    Filter("Warnings", ("warnings",), "choices", _WARNINGS),
)

Shown = Mapping[str, Any]


def index(visit: Visit) -> Page:
    """The events received lately, and beside them one that was chosen."""
    listed = lists.gather(visit, "/event_logs", "event_logs", filters=_FILTERS)
    since = format.stamp(visit.real_now)
    values = {"listed": listed, "is_live": is_live(visit), "since": since, "warning_labels": event_warnings.LABELS}
    return Page("events/index.html", values)


def is_live(visit: Visit) -> bool:
    """Whether the list asks anew by itself: where it is switched on, for ten minutes."""
    if visit.query.one("live") != "1":
        return False
    since = format.unstamp(visit.query.one("since"))
    return since is not None and visit.real_now - _LIVE <= since <= visit.real_now + _LIVE


def show(visit: Visit) -> Page:
    """One event, by its transaction id and the subscription that the query may name."""
    event = _event(visit)
    metrics = _known(visit, path_of("billable_metrics", event["code"]), "billable_metric")
    warnings = event_warnings.told(event, metrics)
    nearest = None
    if metrics is None:
        codes = visit.api.get("/billable_metrics", {"per_page": 100})["billable_metrics"]
        nearest = event_warnings.nearest(event["code"], [each["code"] for each in codes])
    return Page(
        "events/show.html",
        {
            "event": event,
            "metric": metrics,
            "warnings": warnings,
            "nearest": nearest,
            "counted": _counted(visit, event, metrics),
        },
    )


def _event(visit: Visit) -> Shown:
    """The event of the address, as the log shows it; one that has left the log as the list of events does.

    Raises: NotFound.
    """
    transaction_id, subscription = visit.path["id"], visit.query.one("external_subscription_id")
    logged = visit.api.get("/event_logs", {"transaction_id": transaction_id, "per_page": 100})["event_logs"]
    own = [each for each in logged if subscription in ("", each["external_subscription_id"])]
    if own:
        return dict(own[-1])  # The first received, where several subscriptions share it.
    query = {"external_subscription_id": subscription}
    stored = visit.api.get(path_of("events", transaction_id), query)["event"]
    names = ("transaction_id", "external_subscription_id", "code", "timestamp", "properties")
    return {
        **stored,
        "external_customer_id": None,
        "received_at": stored["created_at"],
        "source_ip": None,
        "api_client": None,
        "warnings": [],
        "payload": {name: stored[name] for name in names},
    }


def _known(visit: Visit, path: str, root: str) -> Any:
    try:
        return visit.api.get(path)[root]
    except NotFound:
        return None


def _counted(visit: Visit, event: Shown, metric: Shown | None) -> dict[str, Any]:
    """Whether an event counts, and in which period. `why`: a sentence; `period`: that of the subscription which has begun and
    not ended, where the event lies in it."""
    if metric is None:
        return {"counts": False, "why": "No billable metric has its code.", "period": None}
    path = path_of("subscriptions", event["external_subscription_id"])
    subscription = _known(visit, path, "subscription") if event["lago_subscription_id"] else None
    if subscription is None:
        return {"counts": False, "why": "No active subscription has this external ID.", "period": None}
    told: dict[str, Any] = {"counts": True, "why": "", "period": None, "subscription": subscription}
    at = format.instant_of(event["timestamp"])
    if not any(charge["billable_metric_code"] == metric["code"] for charge in subscription["plan"]["charges"]):
        return told | {"counts": False, "why": "The plan has no price for this metric."}
    start, end = (
        format.instant_of(subscription[name]) if subscription[name] else None
        for name in ("current_billing_period_started_at", "current_billing_period_ending_at")
    )
    started = subscription["started_at"]
    if not started or at < _whole(format.instant_of(started)):
        return told | {"counts": False, "why": "It happened before the subscription started."}
    if start is not None and end is not None and start <= at <= end:
        zone = _zone(visit, event)
        return told | {"why": "It counts in the current period.", "period": (start, end, zone)}
    if start is not None and at < start:
        return told | {"why": "It belongs to a past period. Where that was billed already, it changes no invoice."}
    return told | {"why": "It counts when its period begins."}


def _zone(visit: Visit, event: Shown) -> str:
    """Where periods of the event's customer begin and end."""
    owner = customers.get(visit.organization.id, CustomerId(event["lago_customer_id"]))
    own = visit.organization.timezone
    return own if owner is None else str(owner.zone(own))


def _whole(at: datetime) -> datetime:
    """Events of the second in which a subscription started are its own."""
    return at.replace(microsecond=0)
