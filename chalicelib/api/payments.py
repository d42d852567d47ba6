"""`/payments` and `/payment_receipts`."""

from typing import Any

from chalicelib.features.customers import service as customers
from chalicelib.features.payments import listings, serializer, service
from chalicelib.features.payments.records import Payment
from chalicelib.features.sandbox import service as test_clock
from chalicelib.platform.http import Call, Routes
from chalicelib.platform.ids import PaymentId, PaymentReceiptId

routes = Routes(__name__)


@routes.post("/payments")
def create(call: Call) -> dict[str, Any]:
    """A payment made by hand."""
    payment, tasks = service.record(call.organization, call.root("payment"), now=call.now)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return {"payment": serializer.show(payment)}


@routes.get("/payments")
def index(call: Call) -> dict[str, Any]:
    """One page, newest first."""
    return _listed(*listings.payments(call))


@routes.get("/customers/{external_id}/payments")
def index_of_customer(call: Call) -> dict[str, Any]:
    """Payments of one customer. Raises: NotFound, for an unknown customer."""
    customer = customers.find(call.organization.id, call.path["external_id"])
    return _listed(*listings.payments(call, customer.id))


@routes.get("/payments/{lago_id}")
def show(call: Call) -> dict[str, Any]:
    """One."""
    return {"payment": serializer.show(service.find(call.organization.id, PaymentId(call.path["lago_id"])))}


@routes.get("/payment_receipts")
def index_receipts(call: Call) -> dict[str, Any]:
    """One page of receipts, newest first."""
    found, meta = listings.receipts(call)
    return {"payment_receipts": service.show_receipts(call.organization.id, found), "meta": meta}


@routes.get("/payment_receipts/{lago_id}")
def show_receipt(call: Call) -> dict[str, Any]:
    """One receipt."""
    receipt = service.find_receipt(call.organization.id, PaymentReceiptId(call.path["lago_id"]))
    return {"payment_receipt": service.show_receipts(call.organization.id, [receipt])[0]}


def _listed(found: list[Payment], meta: listings.Meta) -> dict[str, Any]:
    return {"payments": [serializer.show(payment) for payment in found], "meta": meta}
