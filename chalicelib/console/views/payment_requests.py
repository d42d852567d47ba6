"""Payment requests: the list, one of them, and asking a customer for several overdue invoices at once."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from chalicelib.console import acts, forms, lists
from chalicelib.console.forms import Form
from chalicelib.console.lists import Filter
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer
from chalicelib.features.payments.requests import service
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import CustomerId, PaymentRequestId, derived_id

Shown = Mapping[str, Any]

_STATES = ("pending", "succeeded", "failed")
_FILTERS = (
    Filter("Payment status", ("payment_status",), "choice", [(each, each.capitalize()) for each in _STATES]),
    Filter("Customer", ("external_customer_id",), placeholder="External ID"),
)


def index(visit: Visit) -> Page:
    """All payment requests, newest first."""
    listed = lists.gather(visit, "/payment_requests", "payment_requests", filters=_FILTERS)
    return Page("payment_requests/index.html", {"listed": listed})


def show(visit: Visit) -> Page:
    """One, with its invoices as they are now."""
    found = visit.api.get(path_of("payment_requests", visit.path["id"]))["payment_request"]
    return Page("payment_requests/show.html", {"request": found, "due": due_of(found)})


def due_of(request: Shown) -> Sequence[Shown]:
    """The invoices of a request that are still to be paid."""
    return [
        each
        for each in request["invoices"]
        if each["total_due_amount_cents"] > 0
        and each["status"] == "finalized"
        and each["payment_status"] != "succeeded"
        and not each["payment_dispute_lost_at"]
    ]


def new(visit: Visit) -> Page | Redirect:
    """Ask a customer for overdue invoices; without one, choose among those that have some."""
    customer_id = visit.query.one("customer") or visit.form.one("customer")
    if not customer_id:
        return Page("payment_requests/choose.html", {"owing": _owing(visit)})
    customer = customers.get(visit.organization.id, CustomerId(customer_id))
    if customer is None or customer.deleted_at is not None:
        raise NotFound(Resource.CUSTOMER)
    overdue = _overdue(visit, customer)
    if visit.method == "GET":
        ids = [each["lago_id"] for each in overdue]
        return _page(visit, Form(values={"lago_invoice_ids": ids, "email": [customer.email or ""]}), customer, overdue)
    form = forms.posted(visit)
    if forms.asked_rows(visit, form, {}):
        return _page(visit, form, customer, overdue)
    chosen = [each for each in form.all("lago_invoice_ids") if each]
    if not chosen:
        form.mark("lago_invoice_ids", ErrorCode.VALUE_IS_MANDATORY)
        return _page(visit, form, customer, overdue)
    body = {
        "external_customer_id": customer.external_id,
        "lago_invoice_ids": chosen,
        "email": form.value("email").strip() or None,
    }
    made = forms.submit(form, lambda: _made(visit, body))
    if made is None:
        return _page(visit, form, customer, overdue)
    return Redirect(visit.link("payment_requests", made), said="Asked for the payment")


def retry_payment(visit: Visit) -> Page | Redirect:
    """Collect a request once more, as one payment."""
    path = path_of("payment_requests", visit.path["id"])
    shown, form = visit.api.get(path)["payment_request"], Form()
    back = visit.link("payment_requests", shown["lago_id"])
    if visit.method == "POST":
        done = forms.submit(form, lambda: (visit.api.post(f"{path}/retry_payment"), True)[1])
        if done:
            return Redirect(back, said="Resent for collection")
    values = {"request": shown, "due": due_of(shown), "form": form, "back": back}
    return Page("payment_requests/retry.html", values, form.status)


def _made(visit: Visit, body: Mapping[str, Any]) -> PaymentRequestId:
    """The request, under an id that a second click has as well."""
    ref = visit.organization.ref
    mark = forms.request_id(visit) or visit.request_id
    own_id = PaymentRequestId(derived_id(ref.id, "payment-request-form", mark))
    return acts.carry_out(visit, lambda: service.create(ref, body, now=visit.now, own_id=own_id)).id


def _overdue(visit: Visit, customer: Customer) -> list[Shown]:
    query: dict[str, str | int] = {"payment_overdue": "true", "per_page": 100}
    found: list[Shown] = visit.api.get(path_of("customers", customer.external_id, "invoices"), query)["invoices"]
    return found


def _owing(visit: Visit) -> list[tuple[Shown, Sequence[Shown]]]:
    """Customers with overdue invoices, and these; of the hundred invoices that were issued last."""
    found: list[Shown] = visit.api.get("/invoices", {"payment_overdue": "true", "per_page": 100})["invoices"]
    ordered = sorted(found, key=lambda each: (each["customer"]["name"] or "", each["customer"]["lago_id"]))
    of_each = groupby(ordered, key=lambda each: each["customer"]["lago_id"])
    return [(group[0]["customer"], group) for group in (list(each) for _, each in of_each)]


def _page(visit: Visit, form: Form, customer: Customer, overdue: Sequence[Shown]) -> Page:
    chosen = [each for each in overdue if each["lago_id"] in form.all("lago_invoice_ids")]
    currencies = sorted({each["currency"] for each in chosen})
    values = {
        "form": form,
        "customer": customer,
        "overdue": overdue,
        "zone": customer.zone(visit.organization.timezone).key,
        "chosen": chosen,
        "totals": [
            (each, sum(one["total_due_amount_cents"] for one in chosen if one["currency"] == each))
            for each in currencies
        ],
        "provider": customer.billing_configuration.payment_provider,
    }
    return Page("payment_requests/new.html", values, form.status)
