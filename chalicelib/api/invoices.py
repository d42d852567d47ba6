"""`/invoices`."""

from typing import Any

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Forbidden, NotFound
from chalicelib.features.customers import service as customers
from chalicelib.features.documents import orders
from chalicelib.features.invoices import listings, service
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.organizations import service as organizations
from chalicelib.features.sandbox import service as test_clock
from chalicelib.platform.http import Answer, Call, Routes
from chalicelib.platform.ids import InvoiceId

routes = Routes(__name__)


@routes.get("/invoices")
def index(call: Call) -> dict[str, Any]:
    """One page, newest issuing date first."""
    test_clock.run_pending_events(call.organization, now=call.now)
    found, meta = listings.page(call)
    return {"invoices": service.show_many(call.organization.id, found), "meta": meta}


@routes.get("/customers/{external_id}/invoices")
def index_of_customer(call: Call) -> dict[str, Any]:
    """The same list for one customer, which must exist."""
    test_clock.run_pending_events(call.organization, now=call.now)
    customer = customers.find(call.organization.id, call.path["external_id"])
    found, meta = listings.page(call, customer.id)
    return {"invoices": service.show_many(call.organization.id, found), "meta": meta}


@routes.get("/invoices/{lago_id}")
def show(call: Call) -> dict[str, Any]:
    """One, with everything."""
    return _answer(call, service.find(call.organization.id, InvoiceId(call.path["lago_id"])))


@routes.put("/invoices/{lago_id}")
def update(call: Call) -> dict[str, Any]:
    """Payment status and metadata."""
    invoice, tasks = service.update(
        call.organization.id, InvoiceId(call.path["lago_id"]), call.root("invoice"), now=call.now
    )
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return _answer(call, invoice)


@routes.post("/invoices/{lago_id}/download")
def download(call: Call) -> Any:
    """The invoice with a link to its document, or an empty answer while it is being printed."""
    own = organizations.get(call.organization.id)
    invoice = service.download(own, InvoiceId(call.path["lago_id"]))
    printed = orders.awaited(invoice, lambda: service.find(call.organization.id, invoice.id))
    return Answer(None) if printed is None else _answer(call, printed)


@routes.post("/invoices/{lago_id}/download_pdf")
def download_pdf(call: Call) -> Any:
    """The same under its newer name."""
    return download(call)


@routes.put("/invoices/{lago_id}/refresh")
def refresh(call: Call) -> dict[str, Any]:
    """Compute a draft again; any other status is returned unchanged."""
    invoice = service.find(call.organization.id, InvoiceId(call.path["lago_id"]))
    if invoice.invoice_type != "subscription":
        raise Forbidden(ErrorCode.INVALID_TYPE_OR_STATUS)
    if invoice.status == "draft":
        from chalicelib.features.invoicing import drafts

        invoice = drafts.refresh(call.organization.id, invoice, now=call.now)
    return _answer(call, invoice)


@routes.put("/invoices/{lago_id}/finalize")
def finalize(call: Call) -> dict[str, Any]:
    """Make a draft final now."""
    invoice = service.find(call.organization.id, InvoiceId(call.path["lago_id"]))
    if invoice.status != "draft":
        raise NotFound(Resource.INVOICE)
    from chalicelib.features.invoicing import finalize as finalizing

    tasks = finalizing.finalize_now(call.organization, invoice, now=call.now)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return _answer(call, service.find(call.organization.id, invoice.id))


def _answer(call: Call, invoice: Invoice) -> dict[str, Any]:
    return {"invoice": service.show(call.organization.id, invoice, now=call.now)}
