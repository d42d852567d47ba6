"""`GET`, `PUT` and `DELETE /api/v1/test_clock`."""

from typing import Any

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Forbidden
from chalicelib.features.sandbox import service
from chalicelib.platform import schema
from chalicelib.platform.http import Call, Routes

routes = Routes(__name__)


class ClockUpdate(schema.Request):
    """`now`: ISO 8601."""

    now: schema.Instant


@routes.get("/test_clock")
def show(call: Call) -> dict[str, Any]:
    """Show the clock."""
    return {"test_clock": service.show(call.organization)}


@routes.put("/test_clock")
def update(call: Call) -> dict[str, Any]:
    """Move the clock of a sandbox to a later instant; what is due on the way is carried out."""
    if not call.organization.sandbox:
        raise Forbidden(ErrorCode.TEST_CLOCK_NOT_ALLOWED)
    request = schema.parse(ClockUpdate, call.root("test_clock"))
    service.advance(call.organization, request.now)
    return {"test_clock": service.show(call.organization)}


@routes.delete("/test_clock", while_advancing=True)
def cancel(call: Call) -> dict[str, Any]:
    """End a leap at the instant reached."""
    service.cancel(call.organization)
    return {"test_clock": service.show(call.organization)}
