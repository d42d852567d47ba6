"""Ways to pay of a customer, and the pages of a provider on which they are left and invoices are paid."""

from collections.abc import Callable

from chalicelib.console import format, forms
from chalicelib.console.forms import Form
from chalicelib.console.views import invoices
from chalicelib.console.views.customers import head_of
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.customers.records import Customer
from chalicelib.features.payments.links import service
from chalicelib.platform.http.inside import path_of


def new(visit: Visit) -> Page:
    """A page of the provider on which the customer leaves a way to pay."""
    customer = head_of(visit).customer
    path = path_of("customers", customer.external_id, "checkout_url")
    return _link(
        visit,
        lambda: visit.api.post(path)["customer"]["checkout_url"],
        heading=f"Ask {customer.name or customer.external_id} for a way to pay",
        text="The payment provider makes a page on which the customer leaves a card or a direct debit. Send its link to "
        "the customer; your webhook endpoints are told of it too.",
        back=_tab(visit, customer),
    )


def payment_url(visit: Visit) -> Page:
    """A page of the provider on which an invoice is paid."""
    shown = invoices.summary(visit, invoices.found(visit))
    path = path_of("invoices", shown["lago_id"], "payment_url")
    return _link(
        visit,
        lambda: visit.api.post(path)["invoice_payment_details"]["payment_url"],
        heading=f"Payment link of {shown['number']}",
        text="The payment provider makes a page on which the customer pays what is due of this invoice, once. While it is "
        "open and the amount holds, the same link is given again.",
        back=visit.link("invoices", shown["lago_id"]),
    )


def request_url(visit: Visit) -> Page:
    """A page of the provider on which all invoices of a payment request are paid at once."""
    path = path_of("payment_requests", visit.path["id"])
    shown = visit.api.get(path)["payment_request"]
    amount = format.money(shown["amount_cents"], shown["amount_currency"])
    return _link(
        visit,
        lambda: visit.api.post(f"{path}/payment_url")["payment_request_payment_details"]["payment_url"],
        heading=f"Payment link of the request of {amount}",
        text="The payment provider makes a page on which the customer pays all its invoices at once.",
        back=visit.link("payment_requests", shown["lago_id"]),
    )


def _link(visit: Visit, make: Callable[[], str], *, heading: str, text: str, back: str) -> Page:
    form, url = Form(), None
    if visit.method == "POST":
        url = forms.submit(form, make)
    values = {"form": form, "url": url, "title": heading, "text": text, "back": back}
    return Page("payment_methods/link.html", values, form.status)


def set_as_default(visit: Visit) -> Redirect:
    """Let a way to pay be charged from now on."""
    customer = head_of(visit).customer
    visit.api.put(_path(visit, customer, "set_as_default"))
    return Redirect(_tab(visit, customer), said="This one is charged from now on")


def delete(visit: Visit) -> Page | Redirect:
    """Take a way to pay from its customer, after its consequence was told."""
    customer, form = head_of(visit).customer, Form()
    known = service.shown_of(visit.organization.ref, customer)
    method = next((each for each in known if each["lago_id"] == visit.path["method"]), None)
    if method is None:
        raise NotFound(Resource.PAYMENT_METHOD)
    if visit.method == "POST" and forms.submit(form, lambda: visit.api.delete(_path(visit, customer))) is not None:
        return Redirect(_tab(visit, customer), said="Deleted the payment method")
    values = {
        "form": form,
        "customer": customer,
        "method": method,
        "others": len(known) - 1,
        "back": _tab(visit, customer),
    }
    return Page("payment_methods/delete.html", values, form.status)


def _tab(visit: Visit, customer: Customer) -> str:
    return visit.link("customers", customer.id, "payments")


def _path(visit: Visit, customer: Customer, *more: str) -> str:
    return path_of("customers", customer.external_id, "payment_methods", visit.path["method"], *more)
