"""`/files`: lasting addresses of documents. Whoever has one needs no key, as people open them from mails and other systems."""

from collections.abc import Callable

from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.credit_notes import service as credit_notes
from chalicelib.features.documents import addresses
from chalicelib.features.documents.addresses import Printed
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.payments import service as payments
from chalicelib.platform import files
from chalicelib.platform.http import Answer, Call, Routes
from chalicelib.platform.ids import CreditNoteId, InvoiceId, OrganizationId, PaymentReceiptId

routes = Routes(__name__, prefix="/files")

# By the folder of their files.
_FOUND: dict[str, Callable[[OrganizationId, str], Printed | None]] = {
    "invoices": lambda organization_id, each: invoices.get(organization_id, InvoiceId(each)),
    "credit_notes": lambda organization_id, each: credit_notes.get(organization_id, CreditNoteId(each)),
    "payment_receipts": lambda organization_id, each: payments.get_receipt(organization_id, PaymentReceiptId(each)),
}


@routes.get("/{token}", key="none")
def show(call: Call) -> Answer:
    """A fresh link to the document as it is now."""
    return _led(call, head=False)


@routes.head("/{token}", key="none")
def head(call: Call) -> Answer:
    """The same for a request of its headers."""
    return _led(call, head=True)


def _led(call: Call, *, head: bool) -> Answer:
    printed = _printed(call.path["token"])
    headers = {
        "Location": str(addresses.link(printed, head=head)),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
    }
    return Answer(None, status=302, headers=headers)


def _printed(token: str) -> Printed:
    """The object whose document is meant.

    Raises: NotFound, the same for an address that was never given and for a file that is gone.
    """
    wanted = files.document_of(token)
    find = None if wanted is None else _FOUND.get(wanted.folder)
    found = None if wanted is None or find is None else find(wanted.organization_id, wanted.id)
    if wanted is None or found is None or found.file_key is None or not wanted.is_opened_by(found.file_secret):
        raise NotFound(Resource.FILE)
    if not files.exists(found.file_key):
        raise NotFound(Resource.FILE)
    return found
