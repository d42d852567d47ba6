"""Estimates of the fees that an event would owe: `/events/estimate_fees`."""

from typing import Any

from chalicelib.features.sandbox import service as test_clock
from chalicelib.platform.http import Call, Routes

routes = Routes(__name__)


@routes.post("/events/estimate_fees")
def estimate_fees(call: Call) -> dict[str, Any]:
    """The fees that an event would get now."""
    from chalicelib.features.usage_views import estimates  # Its imports are otherwise for tasks only.

    values = call.root("event")
    test_clock.run_pending_events(call.organization, now=call.now)
    return {"fees": estimates.fees_of(call.organization, values, now=call.now)}
