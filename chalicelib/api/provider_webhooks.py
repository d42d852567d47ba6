"""`/webhooks/:provider/:organization_id`: what payment providers tell. No key: each request is signed, on its raw bytes."""

from typing import Any

from chalicelib.features.payments.inbound import receiving
from chalicelib.platform import agenda
from chalicelib.platform.http import Call, Routes
from chalicelib.platform.ids import OrganizationId

routes = Routes(__name__, prefix="")


@routes.post("/webhooks/{provider}/{organization_id}", key="none")
def receive(call: Call) -> dict[str, Any]:
    """Take events in; they are applied later."""
    tasks = receiving.receive(
        call.path["provider"],
        OrganizationId(call.path["organization_id"]),
        call.one("code") or "",
        call.headers,
        call.raw_body,
        real_now=call.now,
    )
    agenda.push(tasks)
    return {"received": True}
