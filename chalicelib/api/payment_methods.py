"""`/customers/:external_id/payment_methods` and the page on which customers leave them."""

from typing import Any

from chalicelib.features.customers import service as customers
from chalicelib.features.payments.links import pages, service, telling
from chalicelib.platform import agenda, listing
from chalicelib.platform.http import Call, Routes

routes = Routes(__name__)


@routes.post("/customers/{external_id}/checkout_url")
def checkout_url(call: Call) -> dict[str, Any]:
    """A new page for leaving a way to pay."""
    customer = customers.find(call.organization.id, call.path["external_id"])
    url, tasks = pages.url_of(call.organization, customer)
    agenda.push(tasks)
    return {"customer": telling.shown_page(customer, url)}


@routes.get("/customers/{external_id}/payment_methods")
def index(call: Call) -> dict[str, Any]:
    """A customer's ways to pay, the default first."""
    found = service.methods_of(call.organization, call.path["external_id"])
    wanted = listing.wanted(call)
    begin = (wanted.number - 1) * wanted.size
    return {"payment_methods": found[begin : begin + wanted.size], "meta": listing.meta(wanted, len(found))}


@routes.delete("/customers/{external_id}/payment_methods/{lago_id}")
def destroy(call: Call) -> dict[str, Any]:
    """Take a way to pay from its customer."""
    return {"payment_method": service.delete(call.organization, call.path["external_id"], call.path["lago_id"])}


@routes.put("/customers/{external_id}/payment_methods/{lago_id}/set_as_default")
def set_as_default(call: Call) -> dict[str, Any]:
    """Let a way to pay be charged from now on."""
    return {"payment_method": service.set_as_default(call.organization, call.path["external_id"], call.path["lago_id"])}
