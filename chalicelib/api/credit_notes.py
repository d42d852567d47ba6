"""`/credit_notes`."""

from typing import Any

from chalicelib.features.credit_notes import listings, service
from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.customers import service as customers
from chalicelib.features.documents import orders
from chalicelib.platform.http import Answer, Call, Routes
from chalicelib.platform.ids import CreditNoteId

routes = Routes(__name__)


@routes.get("/credit_notes")
def index(call: Call) -> dict[str, Any]:
    """One page, newest first."""
    found, meta = listings.page(call)
    return {"credit_notes": service.show_many(call.organization.id, found), "meta": meta}


@routes.get("/customers/{external_id}/credit_notes")
def index_of_customer(call: Call) -> dict[str, Any]:
    """The same list for one customer, which must exist."""
    customer = customers.find(call.organization.id, call.path["external_id"])
    found, meta = listings.page(call, customer.id)
    return {"credit_notes": service.show_many(call.organization.id, found), "meta": meta}


@routes.get("/credit_notes/{lago_id}")
def show(call: Call) -> dict[str, Any]:
    """One."""
    return _answer(call, service.find(call.organization.id, CreditNoteId(call.path["lago_id"])))


@routes.put("/credit_notes/{lago_id}")
def update(call: Call) -> dict[str, Any]:
    """The refund's status, and metadata."""
    note = service.find(call.organization.id, CreditNoteId(call.path["lago_id"]))
    return _answer(call, service.update(call.organization.id, note.id, call.root("credit_note"), now=call.now))


@routes.put("/credit_notes/{lago_id}/void")
def void(call: Call) -> dict[str, Any]:
    """Give up what is left of the balance."""
    return _answer(call, service.void(call.organization.id, CreditNoteId(call.path["lago_id"]), now=call.now))


@routes.post("/credit_notes/{lago_id}/download")
def download(call: Call) -> Any:
    """The note with a link to its document, or an empty answer while it is being printed."""
    note = service.download(call.organization, CreditNoteId(call.path["lago_id"]))
    printed = orders.awaited(note, lambda: service.find(call.organization.id, note.id))
    return Answer(None) if printed is None else _answer(call, printed)


@routes.post("/credit_notes/{lago_id}/download_pdf")
def download_pdf(call: Call) -> Any:
    """The same under its newer name."""
    return download(call)


def _answer(call: Call, note: CreditNote) -> dict[str, Any]:
    return {"credit_note": service.show(call.organization.id, note)}
