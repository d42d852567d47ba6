"""Payments: the list, and one payment with its receipt."""

from typing import Any

from chalicelib.console import lists
from chalicelib.console.lists import Filter
from chalicelib.console.visit import Page, Visit
from chalicelib.features.customers import service as customers
from chalicelib.features.payments import service as payments
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import CustomerId, PaymentId

_FILTERS = (
    Filter("Customer", ("external_customer_id",), placeholder="External ID"),
    Filter("Invoice", ("invoice_id",), placeholder="Invoice ID"),
)


def asked(visit: Visit) -> dict[str, Any]:
    """What a visit asks of the API's list of payments."""
    return lists.asked(visit, _FILTERS)


def index(visit: Visit) -> Page:
    """All payments, newest first."""
    listed = lists.gather(visit, "/payments", "payments", filters=_FILTERS)
    ids = list({CustomerId(row["lago_customer_id"]) for row in listed.rows})
    known = customers.get_many(visit.organization.id, ids) if ids else {}
    return Page("payments/index.html", {"listed": listed, "customers": known})


def show(visit: Visit) -> Page:
    """One payment."""
    payment = visit.api.get(path_of("payments", visit.path["id"]))["payment"]
    kept = payments.find(visit.organization.id, PaymentId(payment["lago_id"]))
    query: dict[str, str | int] = {"invoice_id": kept.invoice_id, "per_page": 100}
    receipts = visit.api.get("/payment_receipts", query)["payment_receipts"]
    values = {
        "payment": payment,
        "paid_at": kept.paid_at,
        "collection": kept.collection,
        "receipt": next((each for each in receipts if each["payment"]["lago_id"] == payment["lago_id"]), None),
        "customer": customers.get(visit.organization.id, CustomerId(payment["lago_customer_id"])),
    }
    return Page("payments/show.html", values)
