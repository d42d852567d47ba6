"""`/payment_providers`: connections with payment providers. Source: rules/catalog 10."""

from typing import Any

from chalicelib.features.payments.connections import reading, serializer, service
from chalicelib.platform import agenda, listing
from chalicelib.platform.http import Call, Routes

routes = Routes(__name__)


@routes.post("/payment_providers")
def create(call: Call) -> dict[str, Any]:
    """Connect a provider. What has to be entered there by hand is shown only here."""
    made, to_enter, tasks = service.create(call.organization, call.root("payment_provider"), now=call.now)
    agenda.push(tasks)
    return {"payment_provider": serializer.show(call.organization.id, made, webhook_secret=to_enter)}


@routes.get("/payment_providers")
def index(call: Call) -> dict[str, Any]:
    """All connections, a page at a time."""
    found, meta = reading.CATALOG.page(call.organization.id, listing.wanted(call))
    shown = [serializer.show(call.organization.id, each) for each in found]
    return {"payment_providers": shown, "meta": meta}


@routes.get("/payment_providers/{code}")
def show(call: Call) -> dict[str, Any]:
    """One connection."""
    found = reading.find(call.organization.id, call.path["code"])
    return {"payment_provider": serializer.show(call.organization.id, found)}


@routes.put("/payment_providers/{code}")
def update(call: Call) -> dict[str, Any]:
    """Change the connection's given fields; a new secret registers a new endpoint."""
    values = call.root("payment_provider")
    changed, tasks = service.update(call.organization, call.path["code"], values, now=call.now)
    agenda.push(tasks)
    return {"payment_provider": serializer.show(call.organization.id, changed)}


@routes.delete("/payment_providers/{code}")
def destroy(call: Call) -> dict[str, Any]:
    """Disconnect; the endpoint at the provider is removed."""
    gone, tasks = service.remove(call.organization, call.path["code"], now=call.now)
    agenda.push(tasks)
    return {"payment_provider": serializer.show(call.organization.id, gone)}


@routes.post("/payment_providers/{code}/rotate_webhook_secret")
def rotate_webhook_secret(call: Call) -> dict[str, Any]:
    """Have events signed with a new secret; the one before is good for a day."""
    changed, to_enter, tasks = service.rotate_webhook_secret(call.organization, call.path["code"], now=call.now)
    agenda.push(tasks)
    return {"payment_provider": serializer.show(call.organization.id, changed, webhook_secret=to_enter)}
