"""Customers: the list, and one customer with its tabs."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from chalicelib.console import choices, lists
from chalicelib.console.lists import Filter, Listed
from chalicelib.console.views import credit_notes, customer_overview, usage, wallets
from chalicelib.console.visit import Page, Visit
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.customers import serializer
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.figures import CustomerHead
from chalicelib.features.payments import listings as payments
from chalicelib.features.payments import serializer as payment_serializer
from chalicelib.features.payments.links import service as payment_methods
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import CustomerId

_INVOICE_FILTERS = (
    Filter("Status", ("status",), "choices", [(each, each.capitalize()) for each in ("draft", "finalized", "voided")]),
    Filter(
        "Payment status",
        ("payment_status",),
        "choices",
        [(each, each.capitalize()) for each in ("pending", "succeeded", "failed")],
    ),
    Filter("Issuing date", ("issuing_date_from", "issuing_date_to"), "days"),
)


def asked(visit: Visit) -> dict[str, Any]:
    """What a visit asks of the API's list of customers."""
    return _asked(visit, lists.asked(visit, _filters()))


def _filters() -> tuple[Filter, ...]:
    return (
        Filter("Currency", ("currencies",), "select", choices.currencies()),
        Filter("Country", ("countries",), "select", choices.countries()),
        Filter(
            "Overdue", ("has_overdue_invoices",), "choice", [("true", "Has overdue invoices"), ("false", "Has none")]
        ),
        Filter("Metadata", ("metadata_key", "metadata_value"), "pair"),
    )


def _asked(visit: Visit, query: Mapping[str, Any]) -> dict[str, Any]:
    """The query as the API takes it: metadata by key."""
    rest = {name: value for name, value in query.items() if name not in ("metadata_key", "metadata_value")}
    name = visit.query.one("metadata_key")
    return rest | ({f"metadata[{name}]": visit.query.one("metadata_value")} if name else {})


def index(visit: Visit) -> Page:
    """All customers, newest first."""

    def fetch(query: Mapping[str, Any]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = visit.api.get("/customers", _asked(visit, query))
        return found

    listed = lists.gather(visit, "/customers", "customers", filters=_filters(), fetch=fetch)
    heads = customers.heads(visit.organization.id, [CustomerId(row["lago_id"]) for row in listed.rows])
    return Page("customers/index.html", {"listed": listed, "figures": {i: head.figures for i, head in heads.items()}})


def show(visit: Visit) -> Page:
    """One customer: the overview, or another of its tabs."""
    tab = visit.path.get("tab", "overview")
    if tab == "overview" and visit.is_htmx and visit.query.one("part") == "estimate":
        return Page("customers/estimate.html", customer_overview.estimate(visit))
    if tab == "overview":
        return Page("customers/overview.html", customer_overview.gather(visit))
    gather = _TABS.get(tab)
    if gather is None:
        raise NotFound(Resource.CUSTOMER)
    return Page(f"customers/{tab}.html", gather(visit, head_of(visit)))


def head_of(visit: Visit) -> CustomerHead:
    """The customer of the address.

    Raises: NotFound, also of one that was deleted.
    """
    customer_id = CustomerId(visit.path["id"])
    head = customers.heads(visit.organization.id, [customer_id]).get(customer_id)
    if head is None or head.customer.deleted_at is not None:
        raise NotFound(Resource.CUSTOMER)
    return head


def framed(visit: Visit, head: CustomerHead) -> dict[str, Any]:
    """The head that every tab shows above its own contents."""
    return {
        "customer": serializer.base(visit.organization, head.customer),
        "figures": head.figures,
        "wallet_count": len(head.state.wallet_codes),
    }


def _usage(visit: Visit, head: CustomerHead) -> dict[str, Any]:
    """Usage is priced after the page is there: it may take as long as an invoice."""
    values = framed(visit, head)
    if visit.query.one("part") != "usage":
        return values | {"later": visit.same(part="usage")}
    return values | usage.of_customer(visit, values["customer"])


def _invoices(visit: Visit, head: CustomerHead) -> dict[str, Any]:
    return framed(visit, head) | {"listed": _listed(visit, head, "invoices", _INVOICE_FILTERS)}


def _wallets(visit: Visit, head: CustomerHead) -> dict[str, Any]:
    return framed(visit, head) | wallets.panel(visit, head.customer.id)


def _credit_notes(visit: Visit, head: CustomerHead) -> dict[str, Any]:
    path = path_of("customers", head.customer.external_id, "credit_notes")
    fetch = partial(credit_notes.heads, visit, customer_id=head.customer.id)
    return framed(visit, head) | {"listed": lists.gather(visit, path, "credit_notes", fetch=fetch)}


def _payments(visit: Visit, head: CustomerHead) -> dict[str, Any]:
    has_provider = head.customer.billing_configuration.payment_provider is not None
    methods = payment_methods.shown_of(visit.organization.ref, head.customer) if has_provider else []

    def fetch(query: Mapping[str, Any]) -> Mapping[str, Any]:
        found, meta = payments.payments(visit.api.asking(query), head.customer.id)
        return {"payments": [payment_serializer.show(each) for each in found], "meta": meta}

    listed = lists.gather(visit, visit.here, "payments", fetch=fetch)
    return framed(visit, head) | {"listed": listed, "methods": methods, "has_provider": has_provider}


def _information(visit: Visit, head: CustomerHead) -> dict[str, Any]:
    shown = visit.api.get(path_of("customers", head.customer.external_id))["customer"]
    return framed(visit, head) | {"customer": shown}


def _listed(visit: Visit, head: CustomerHead, root: str, filters: Sequence[Filter] = ()) -> Listed:
    """A list of the API for this customer."""
    return lists.gather(visit, path_of("customers", head.customer.external_id, root), root, filters=filters)


_TABS: Mapping[str, Callable[[Visit, CustomerHead], dict[str, Any]]] = {
    "usage": _usage,
    "invoices": _invoices,
    "wallets": _wallets,
    "credit_notes": _credit_notes,
    "payments": _payments,
    "information": _information,
}
