"""`/payment_requests`."""

from typing import Any

from chalicelib.features.customers import service as customers
from chalicelib.features.payments.requests import reading, service
from chalicelib.features.sandbox import service as test_clock
from chalicelib.platform.http import Answer, Call, Routes
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
    request = reading.find(call.organization.id, _id(call))
    return {"payment_request": reading.show(call.organization.id, request, now=call.now)}


@routes.post("/payment_requests/{lago_id}/retry_payment")
def retry_payment(call: Call) -> Answer:
    """Ask for the money again."""
    from chalicelib.features.payments.requests import again

    tasks = again.retry_payment(call.organization, _id(call), call.optional_body(), now=call.now)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return Answer(None)


@routes.post("/payment_requests/{lago_id}/payment_url")
def payment_url(call: Call) -> dict[str, Any]:
    """The link to a payment page."""
    from chalicelib.features.payments.requests import again

    return {"payment_request_payment_details": again.payment_url(call.organization, _id(call), now=call.now)}


def _id(call: Call) -> PaymentRequestId:
    return PaymentRequestId(call.path["lago_id"])
