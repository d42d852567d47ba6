"""`/invoices`."""

from collections.abc import Sequence
from typing import Any

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Forbidden, NotAllowed
from chalicelib.features.customers import service as customers
from chalicelib.features.documents import orders
from chalicelib.features.events import service as events
from chalicelib.features.invoices import collecting, listings, service, whole
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.organizations import service as organizations
from chalicelib.features.sandbox import service as test_clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.http import Answer, Call, Routes
from chalicelib.platform.ids import InvoiceId

routes = Routes(__name__)


@routes.post("/invoices")
def create(call: Call) -> dict[str, Any]:
    """A one-off invoice."""
    from chalicelib.features.invoicing import one_off

    invoice = one_off.create(call.organization, call.root("invoice"), now=call.now)
    test_clock.run_due(call.organization, now=call.now)
    return _answer(call, invoice)


@routes.post("/invoices/preview")
def preview(call: Call) -> dict[str, Any]:
    """The invoice that would be issued; nothing is stored. The body has no root."""
    from chalicelib.features.invoicing import preview as previews

    return {"invoice": previews.preview(call.organization, call.optional_body(), now=call.now)}


@routes.get("/invoices")
def index(call: Call) -> dict[str, Any]:
    """One page, newest issuing date first."""
    test_clock.run_pending_events(call.organization, now=call.now)
    found, meta = listings.page(call)
    return {"invoices": whole.show_many(call.organization.id, found, now=call.now), "meta": meta}


@routes.get("/customers/{external_id}/invoices")
def index_of_customer(call: Call) -> dict[str, Any]:
    """Invoices of one customer. Raises: NotFound, for an unknown customer."""
    test_clock.run_pending_events(call.organization, now=call.now)
    customer = customers.find(call.organization.id, call.path["external_id"])
    found, meta = listings.page(call, customer.id)
    return {"invoices": whole.show_many(call.organization.id, found, now=call.now), "meta": meta}


@routes.get("/invoices/{lago_id}")
def show(call: Call) -> dict[str, Any]:
    """One, with everything."""
    return _answer(call, service.find(call.organization.id, _id(call)))


@routes.put("/invoices/{lago_id}")
def update(call: Call) -> dict[str, Any]:
    """Payment status and metadata."""
    invoice, tasks = service.update(call.organization.id, _id(call), call.root("invoice"), now=call.now)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return _answer(call, invoice)


@routes.post("/invoices/{lago_id}/download")
def download(call: Call) -> Any:
    """The invoice with a link to its document, or an empty answer while it is being printed."""
    own = organizations.get(call.organization.id)
    invoice = service.download(own, _id(call))
    printed = orders.awaited(invoice, lambda: service.find(call.organization.id, invoice.id))
    return Answer(None) if printed is None else _answer(call, printed)


@routes.post("/invoices/{lago_id}/download_pdf")
def download_pdf(call: Call) -> Any:
    """As `download`: the present name of the route."""
    return download(call)


@routes.put("/invoices/{lago_id}/refresh")
def refresh(call: Call) -> dict[str, Any]:
    """Compute a draft again; any other status is returned unchanged."""
    invoice = service.find(call.organization.id, _id(call))
    if invoice.invoice_type != "subscription":
        raise Forbidden(ErrorCode.INVALID_TYPE_OR_STATUS)
    if invoice.status == "draft":
        from chalicelib.features.invoicing import drafts

        events.wait_for_events(call.organization)
        invoice = drafts.refresh(call.organization.id, invoice, now=call.now)
    return _answer(call, invoice)


@routes.put("/invoices/{lago_id}/finalize")
def finalize(call: Call) -> dict[str, Any]:
    """Make a draft final now."""
    from chalicelib.features.invoicing import finalize as finalizing

    tasks = finalizing.finalize_asked(call.organization, _id(call), now=call.now)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return _answer(call, service.find(call.organization.id, _id(call)))


@routes.delete("/invoices/{lago_id}")
def destroy(call: Call) -> dict[str, Any]:
    """Delete a draft."""
    from chalicelib.features.invoicing import drafts

    invoice, tasks = drafts.remove(call.organization, _id(call), now=call.now)
    return _changed(call, invoice, tasks)


@routes.post("/invoices/{lago_id}/void")
def void(call: Call) -> dict[str, Any]:
    """Void a final one; the options in the body have no root."""
    from chalicelib.features.invoicing import void as voiding

    invoice, tasks = voiding.void(call.organization, _id(call), call.optional_body(), now=call.now)
    return _changed(call, invoice, tasks)


@routes.post("/invoices/{lago_id}/lose_dispute")
def lose_dispute(call: Call) -> dict[str, Any]:
    """Keep that a dispute of its payment was lost."""
    invoice, tasks = collecting.lose_dispute(call.organization, _id(call), now=call.now)
    return _changed(call, invoice, tasks)


@routes.put("/invoices/{lago_id}/lose_dispute")
def put_lose_dispute(call: Call) -> dict[str, Any]:
    """As `lose_dispute`, by the method that one of the official clients uses."""
    invoice, tasks = collecting.lose_dispute(call.organization, _id(call), now=call.now)
    return _changed(call, invoice, tasks)


@routes.post("/invoices/{lago_id}/retry")
def retry(call: Call) -> dict[str, Any]:
    """Make a failed one again; none fails, as no external service computes taxes."""
    invoice = service.find(call.organization.id, _id(call))
    if invoice.status != "failed":
        raise NotAllowed(ErrorCode.INVALID_STATUS)
    return _answer(call, invoice)


@routes.post("/invoices/{lago_id}/retry_payment")
def retry_payment(call: Call) -> Answer:
    """Ask for the money again."""
    from chalicelib.features.payments.collection import again

    tasks = again.retry_payment(call.organization, _id(call), call.optional_body(), now=call.now)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return Answer(None)


@routes.post("/invoices/{lago_id}/payment_url")
def payment_url(call: Call) -> dict[str, Any]:
    """The link to a payment page."""
    from chalicelib.features.payments.collection import pages

    return {"invoice_payment_details": pages.payment_url(call.organization, _id(call), now=call.now)}


def _id(call: Call) -> InvoiceId:
    return InvoiceId(call.path["lago_id"])


def _changed(call: Call, invoice: Invoice, tasks: Sequence[Task]) -> dict[str, Any]:
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return _answer(call, invoice)


def _answer(call: Call, invoice: Invoice) -> dict[str, Any]:
    return {"invoice": whole.show(call.organization.id, invoice, now=call.now)}
