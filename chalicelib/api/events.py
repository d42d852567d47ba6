"""`/events`.

Nearly all requests bring events: what reads them back is imported at the first request that asks.
"""

from typing import Any

from chalicelib.features.events import schemas, service
from chalicelib.features.metering.event import Source
from chalicelib.platform.http import Call, Routes

routes = Routes(__name__)


@routes.post("/events")
def create(call: Call) -> dict[str, Any]:
    """Take in one event; a repeat is a success, and counted once."""
    events = service.accept(call.organization, [call.root("event")], indexed=False, now=call.now, source=_source(call))
    return {"event": service.show_accepted(call.organization.id, events, now=call.now)[0]}


@routes.post("/events/batch")
def create_batch(call: Call) -> dict[str, Any]:
    """Take in up to 100 events, all or none."""
    entries = schemas.batch_of(call.json())
    events = service.accept(call.organization, entries, indexed=True, now=call.now, source=_source(call))
    return {"events": service.show_accepted(call.organization.id, events, now=call.now)}


@routes.get("/events")
def index(call: Call) -> dict[str, Any]:
    """One page, newest first."""
    from chalicelib.features.events import listings

    shown, meta = listings.page(call)
    return {"events": shown, "meta": meta}


@routes.get("/events/{transaction_id}")
def show(call: Call) -> dict[str, Any]:
    """One event by its transaction id."""
    from chalicelib.features.events import lookup

    item = lookup.find(call.organization, call.path["transaction_id"], call.one("external_subscription_id"))
    return {"event": lookup.show_items(call.organization.id, [item])[0]}


@routes.get("/event_logs")
def logs(call: Call) -> dict[str, Any]:
    """Page of the events received lately, the newest first, with their faults."""
    from chalicelib.features.events import debugger

    shown, meta = debugger.page(call)
    return {"event_logs": shown, "meta": meta}


def _source(call: Call) -> Source:
    return Source.of(call.source_ip, call.headers.get("user-agent") or "")
