"""`/fees`."""

import time
from typing import Any

from chalicelib.features.fees import listings, service
from chalicelib.features.sandbox import service as test_clock
from chalicelib.platform.http import Call, Routes
from chalicelib.platform.ids import FeeId

routes = Routes(__name__)

# Reads in a sandbox wait this long for invoices made just now, whose fees a task brings into the list.
_COPIES_WAIT_SECONDS = 2.0


@routes.get("/fees")
def index(call: Call) -> dict[str, Any]:
    """One page, newest first."""
    _run_pending_events(call)
    found, meta = listings.page(call)
    return {"fees": service.show_many(call.organization.id, found), "meta": meta}


@routes.get("/fees/{lago_id}")
def show(call: Call) -> dict[str, Any]:
    """One."""
    _run_pending_events(call)
    stored = service.find(call.organization.id, FeeId(call.path["lago_id"]))
    return {"fee": service.show_many(call.organization.id, [stored.fee])[0]}


@routes.put("/fees/{lago_id}")
def update(call: Call) -> dict[str, Any]:
    """The payment status of a fee without invoice."""
    service.find(call.organization.id, FeeId(call.path["lago_id"]))
    fee = service.update(call.organization.id, FeeId(call.path["lago_id"]), call.root("fee"), now=call.now)
    return {"fee": service.show_many(call.organization.id, [fee])[0]}


@routes.delete("/fees/{lago_id}")
def remove(call: Call) -> dict[str, Any]:
    """Delete a fee without invoice."""
    fee = service.remove(call.organization.id, FeeId(call.path["lago_id"]))
    return {"fee": service.show_many(call.organization.id, [fee])[0]}


def _run_pending_events(call: Call) -> None:
    """In a sandbox, wait for the fees of all events sent and tasks due before this read."""
    test_clock.run_pending_events(call.organization, now=call.now)
    end = time.monotonic() + _COPIES_WAIT_SECONDS
    while call.organization.sandbox and service.behind(call.organization) and time.monotonic() < end:
        time.sleep(0.05)
