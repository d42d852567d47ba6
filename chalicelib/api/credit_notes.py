"""`/credit_notes`."""

from typing import Any

from chalicelib.domain.errors import BadRequest
from chalicelib.features.credit_notes import by_hand, listings, serializer, service
from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.customers import service as customers
from chalicelib.features.documents import orders
from chalicelib.features.sandbox import service as test_clock
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
    """Credit notes of one customer. Raises: NotFound, for an unknown customer."""
    customer = customers.find(call.organization.id, call.path["external_id"])
    found, meta = listings.page(call, customer.id)
    return {"credit_notes": service.show_many(call.organization.id, found), "meta": meta}


@routes.post("/credit_notes")
def create(call: Call) -> dict[str, Any]:
    """A note on a final invoice."""
    note, tasks = by_hand.create(call.organization, call.root("credit_note"), now=call.now)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return _answer(call, note)


@routes.post("/credit_notes/estimate")
def estimate(call: Call) -> dict[str, Any]:
    """The amounts that a note would have."""
    invoice, request, found = by_hand.estimate(call.organization.id, call.root("credit_note"), now=call.now)
    return {"estimated_credit_note": serializer.estimated(invoice, request.items, found)}


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
    """As `download`: the present name of the route."""
    return download(call)


@routes.post("/credit_notes/{lago_id}/metadata")
def replace_metadata(call: Call) -> dict[str, Any]:
    """These pairs in the place of all."""
    return _with_metadata(call, merge=False)


@routes.patch("/credit_notes/{lago_id}/metadata")
def merge_metadata(call: Call) -> dict[str, Any]:
    """These pairs beside the others."""
    return _with_metadata(call, merge=True)


@routes.delete("/credit_notes/{lago_id}/metadata")
def remove_metadata(call: Call) -> dict[str, Any]:
    """No pairs any more."""
    service.remove_metadata(call.organization.id, CreditNoteId(call.path["lago_id"]), now=call.now)
    return {"metadata": None}


@routes.delete("/credit_notes/{lago_id}/metadata/{key}")
def remove_pair(call: Call) -> dict[str, Any]:
    """One pair less."""
    note_id = CreditNoteId(call.path["lago_id"])
    return _metadata(service.remove_metadata(call.organization.id, note_id, call.path["key"], now=call.now))


def _with_metadata(call: Call, *, merge: bool) -> dict[str, Any]:
    note = service.find(call.organization.id, CreditNoteId(call.path["lago_id"]))
    pairs = call.optional_body().get("metadata")
    if not isinstance(pairs, dict):
        raise BadRequest("param is missing or the value is empty or invalid: metadata")
    return _metadata(service.replace_metadata(call.organization.id, note.id, pairs, now=call.now, merge=merge))


def _metadata(note: CreditNote) -> dict[str, Any]:
    return {"metadata": dict(note.metadata)}


def _answer(call: Call, note: CreditNote) -> dict[str, Any]:
    return {"credit_note": service.show(call.organization.id, note)}
