"""`/payment_requests`."""

from typing import Any

from chalicelib.features.customers import service as customers
from chalicelib.features.payments.requests import reading, service
from chalicelib.features.sandbox import service as test_clock
from chalicelib.platform.http import Call, Routes
from chalicelib.platform.ids import PaymentRequestId

routes = Routes(__name__)


@routes.post("/payment_requests")
def create(call: Call) -> dict[str, Any]:
    """Ask for the payment of overdue invoices."""
    request, tasks = service.create(call.organization, call.root("payment_request"), now=call.now)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return {"payment_request": reading.show(call.organization.id, request, now=call.now)}


@routes.get("/payment_requests")
def index(call: Call) -> dict[str, Any]:
    """One page, newest first."""
    found, meta = reading.page(call)
    return {"payment_requests": found, "meta": meta}


@routes.get("/customers/{external_id}/payment_requests")
def index_of_customer(call: Call) -> dict[str, Any]:
    """Payment requests of one customer. Raises: NotFound, for an unknown customer."""
    customer = customers.find(call.organization.id, call.path["external_id"])
    found, meta = reading.page(call, customer.id)
    return {"payment_requests": found, "meta": meta}


@routes.get("/payment_requests/{lago_id}")
def show(call: Call) -> dict[str, Any]:
    """One."""
    request = reading.find(call.organization.id, PaymentRequestId(call.path["lago_id"]))
    return {"payment_request": reading.show(call.organization.id, request, now=call.now)}
