"""`/webhook_endpoints` and the public key."""

from typing import Any

from chalicelib.features.webhooks import secrets, serializer, service, signing
from chalicelib.platform import clock, listing
from chalicelib.platform.http import Answer, Call, Routes
from chalicelib.platform.ids import WebhookEndpointId

routes = Routes(__name__)


@routes.post("/webhook_endpoints")
def create(call: Call) -> dict[str, Any]:
    """A new endpoint, with its secret, which is shown only here."""
    endpoint = service.create(call.organization, call.root("webhook_endpoint"), now=call.now)
    return {"webhook_endpoint": serializer.endpoint(call.organization, endpoint, with_secret=True)}


@routes.get("/webhook_endpoints")
def index(call: Call) -> dict[str, Any]:
    """All of them, a page at a time."""
    endpoints, meta = service.CATALOG.page(call.organization.id, listing.wanted(call))
    return {"webhook_endpoints": serializer.endpoints(call.organization, endpoints), "meta": meta}


@routes.get("/webhook_endpoints/{lago_id}")
def show(call: Call) -> dict[str, Any]:
    """One."""
    endpoint = service.find(call.organization.id, WebhookEndpointId(call.path["lago_id"]))
    return {"webhook_endpoint": serializer.endpoint(call.organization, endpoint)}


@routes.put("/webhook_endpoints/{lago_id}")
def update(call: Call) -> dict[str, Any]:
    """Change the endpoint's given fields."""
    values = call.root("webhook_endpoint")
    endpoint = service.update(call.organization, WebhookEndpointId(call.path["lago_id"]), values, now=call.now)
    return {"webhook_endpoint": serializer.endpoint(call.organization, endpoint)}


@routes.delete("/webhook_endpoints/{lago_id}")
def destroy(call: Call) -> dict[str, Any]:
    """Remove the endpoint; messages on their way are given up."""
    endpoint = service.remove(call.organization, WebhookEndpointId(call.path["lago_id"]), now=call.now)
    return {"webhook_endpoint": serializer.endpoint(call.organization, endpoint)}


@routes.post("/webhook_endpoints/{lago_id}/rotate_secret")
def rotate_secret(call: Call) -> dict[str, Any]:
    """A new secret, which is shown only here; the one before signs too for a day."""
    endpoint_id = WebhookEndpointId(call.path["lago_id"])
    endpoint = secrets.rotate(call.organization, endpoint_id, now=call.now, real_now=clock.utc_now())
    return {"webhook_endpoint": serializer.endpoint(call.organization, endpoint, with_secret=True)}


@routes.get("/webhooks/json_public_key")
def json_public_key(call: Call) -> dict[str, Any]:
    """The key that verifies JWT signatures."""
    return {"webhook": {"public_key": signing.public_key_base64()}}


@routes.get("/webhooks/public_key")
def public_key(call: Call) -> Answer:
    """The key that verifies JWT signatures, as bare text."""
    return Answer(signing.public_key_base64(), content_type="text/plain")
