"""Finding and changing credit notes, and the announcement of their issue."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotAllowed, NotFound
from chalicelib.features.credit_notes import serializer, store
from chalicelib.features.credit_notes.records import CreditNote, RefundStatus
from chalicelib.features.credit_notes.schemas import METADATA_KEYS_MAX, CreditNoteMetadata, CreditNoteUpdate
from chalicelib.features.customers import serializer as customer_serializer
from chalicelib.features.customers import service as customer_service
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.documents import addresses, orders
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices import serializer as invoice_serializer
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.organizations import service as organizations
from chalicelib.platform import agenda, clock, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CreditNoteId, InvoiceId, OrganizationId
from chalicelib.platform.retry import retrying
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Unit, Write

# Announces an issue. In real time, also for organizations with a test clock.
ISSUED = agenda.kind("credit_note_issued", rank=86, real_time=True)
PRINT = agenda.kind("print_credit_note", rank=96, real_time=True, queue="documents")

# The invoices after a note among which its uses are looked for.
_USES_WITHIN = 100

# An invoice may have thousands of fees, but those that are credited mostly stand at its head.
_FEES_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class NoteUses:
    """The invoices that used a note, each with the cents that it took. `are_all`: whether no other can have used it."""

    found: Sequence[tuple[Invoice, int]]
    are_all: bool


# Notes as values: the issue transaction writes them.


def consumed(note: CreditNote, amount_cents: int, *, now: datetime) -> CreditNote:
    """A note of whose balance an invoice took `amount_cents`; at 0 it is consumed."""
    left = note.balance_amount_cents - amount_cents
    assert amount_cents > 0, "amount must be positive"
    assert left >= 0, "amount must not exceed the balance"
    status = "consumed" if left == 0 else note.credit_status
    return note.model_copy(update={"balance_amount_cents": left, "credit_status": status, "updated_at": now})


def given_back(note: CreditNote, amount_cents: int, *, now: datetime) -> CreditNote:
    """A note whose balance gets back `amount_cents`, which a void invoice had taken."""
    given: CreditNote = note.changed(
        now=now, balance_amount_cents=note.balance_amount_cents + amount_cents, credit_status="available"
    )
    return given


def voided(note: CreditNote, *, now: datetime) -> CreditNote:
    """A note without its balance."""
    gone: CreditNote = note.changed(now=now, balance_amount_cents=0, credit_status="voided", voided_at=now)
    return gone


def issued_task(organization: OrganizationRef, note: CreditNote, now: datetime) -> Task:
    """The task that announces a final note; the issue transaction writes it together with the note."""
    return agenda.task(ISSUED, organization, note.id, clock.utc_now(), {"issued_at": stamp(now)})


# Reading.


def find(organization_id: OrganizationId, note_id: CreditNoteId) -> CreditNote:
    """A final note.

    Raises: NotFound, also for drafts.
    """
    note = store.get(organization_id, note_id)
    if note is None or not note.visible:
        raise NotFound(Resource.CREDIT_NOTE)
    return note


def show(organization_id: OrganizationId, note: CreditNote) -> dict[str, Any]:
    """A note with everything, as single answers and messages have it."""
    return show_many(organization_id, [note])[0]


def show_many(organization_id: OrganizationId, notes: Sequence[CreditNote]) -> list[dict[str, Any]]:
    """Notes with everything: their customers and invoices are read in one request each, fees in one per invoice."""
    if not notes:
        return []
    own = organizations.get(organization_id)
    customers = customer_service.get_many(organization_id, list({note.customer_id for note in notes}))
    shown = {customer.id: customer_serializer.base(own, customer) for customer in customers.values()}
    found = _fees_of(organization_id, notes)
    fees = {fee.id: invoice_serializer.fee(fee, invoice.payment_status) for invoice, fee in found}
    return [serializer.show(note, shown[note.customer_id], fees, file_url=file_url(note)) for note in notes]


def show_heads(organization_id: OrganizationId, notes: Sequence[CreditNote]) -> list[dict[str, Any]]:
    """Notes without their items, for lists that show none: the fees of each would be read from its own invoice."""
    return show_many(organization_id, [note.model_copy(update={"items": ()}) for note in notes])


def uses(organization_id: OrganizationId, note: CreditNote) -> NoteUses:
    """The invoices that used a note's balance, the oldest first, among the customer's next ones; for showing only."""
    if not note.credit_amount_cents or note.balance_amount_cents == note.credit_amount_cents:
        return NoteUses((), are_all=True)
    after = invoices.issued_from(organization_id, note.customer_id, note.issuing_date, _USES_WITHIN)
    parts = [(each, part) for each in after if each.status != "voided" for part in each.credits]
    found = [(each, part.amount_cents) for each, part in parts if part.note_id == note.id]
    missing = note.credit_amount_cents - note.balance_amount_cents - sum(cents for _, cents in found)
    return NoteUses(found, are_all=len(after) < _USES_WITHIN or not missing)


def file_url(note: CreditNote) -> str | None:
    """The lasting address of the document, once it is printed."""
    return addresses.lasting(note)


def get_many(organization_id: OrganizationId, ids: Iterable[str]) -> dict[str, CreditNote]:
    """The credit notes under these ids, drafts too, read in one request."""
    return dict(store.get_many(organization_id, list(ids))) if ids else {}


def download(organization: OrganizationRef, note_id: CreditNoteId) -> CreditNote:
    """The final note whose document is wanted; one that is not there is printed at once.

    Raises: NotFound, also for drafts.
    """
    note = find(organization.id, note_id)
    if not orders.ready(note.file_key):
        orders.ask(PRINT, organization, note_id, lost=note.file_key is not None)
    return note


def get(organization_id: OrganizationId, note_id: CreditNoteId) -> CreditNote | None:
    """The credit note under an id, drafts too."""
    return store.get(organization_id, note_id)


def open_of(organization_id: OrganizationId, items: CustomerItems) -> list[CreditNote]:
    """The customer's notes with a balance, the oldest first, read in one request."""
    opened = store.open_of(items)
    known = store.get_many(organization_id, [each.note_id for each in opened]) if opened else {}
    return [known[each.note_id] for each in opened]


def _fees_of(organization_id: OrganizationId, notes: Iterable[CreditNote]) -> list[tuple[Invoice, Fee]]:
    """The fees that the items of these notes are of, each with its invoice as it is now."""
    wanted: dict[InvoiceId, set[str]] = {}
    for note in notes:
        wanted.setdefault(note.invoice_id, set()).update(item.fee_id for item in note.items)
    found: list[tuple[Invoice, Fee]] = []
    for invoice_id, invoice in invoices.get_many(organization_id, wanted).items():
        fees = invoices.fees_among(organization_id, invoice, wanted[invoice_id], at_once=_FEES_AT_ONCE)
        found += [(invoice, fee) for fee in fees]
    return found


# Changing.


def write_actions(
    organization_id: OrganizationId,
    *,
    created: Sequence[CreditNote],
    replaced: Sequence[tuple[CreditNote, CreditNote]],
) -> list[Write]:
    """All notes that one transaction writes: new ones, and others over what was read; refused if somebody else wrote."""
    return store.write_notes(organization_id, created=created, replaced=replaced)


def printed_actions(organization_id: OrganizationId, old: CreditNote, new: CreditNote) -> list[Write]:
    """Let a note name its document; refused if somebody else wrote in between."""
    return store.replace_actions(organization_id, old, new)


def refunded_actions(
    organization_id: OrganizationId, old: CreditNote, status: RefundStatus, *, now: datetime
) -> list[Write]:
    """Give a note's refund the status that its provider tells; refused if somebody else wrote in between."""
    return store.replace_actions(organization_id, old, _refunded(old, status, now=now))


def _refunded(old: CreditNote, status: RefundStatus | None, *, now: datetime) -> CreditNote:
    """A note with another refund status, and the instant at which its refund succeeded."""
    at = (old.refunded_at or now) if status == "succeeded" else None
    new: CreditNote = old.changed(now=now, refund_status=status, refunded_at=at)
    return new


def update(
    organization_id: OrganizationId, note_id: CreditNoteId, values: Mapping[str, Any], *, now: datetime
) -> CreditNote:
    """Set the refund's status, and merge metadata. Source: rules/invoices 7.3, 11.

    Raises: NotFound; Invalid; ChangedMeanwhile.
    """

    def attempt() -> CreditNote:
        old = find(organization_id, note_id)
        request = schema.parse(CreditNoteUpdate, values)
        metadata = {**old.metadata, **request.metadata}
        if len(metadata) > METADATA_KEYS_MAX:
            raise Invalid.field("metadata", ErrorCode.INVALID_COUNT)
        fields = request.given("refund_status")
        new = _refunded(old, request.refund_status, now=now) if fields else old
        return _replaced(organization_id, old, new.changed(now=now, metadata=metadata))

    return retrying(attempt, Resource.CREDIT_NOTE)


def replace_metadata(
    organization_id: OrganizationId, note_id: CreditNoteId, pairs: Mapping[str, Any], *, now: datetime, merge: bool
) -> CreditNote:
    """Put these pairs in the place of all metadata, or add them to it.

    Raises: NotFound; Invalid; ChangedMeanwhile.
    """

    def attempt() -> CreditNote:
        old = find(organization_id, note_id)
        given = schema.parse(CreditNoteMetadata, {"metadata": pairs}).metadata
        metadata = {**old.metadata, **given} if merge else given
        if len(metadata) > METADATA_KEYS_MAX:
            raise Invalid.field("metadata", ErrorCode.INVALID_COUNT)
        return _replaced(organization_id, old, old.changed(now=now, metadata=metadata))

    return retrying(attempt, Resource.CREDIT_NOTE)


def remove_metadata(
    organization_id: OrganizationId, note_id: CreditNoteId, name: str | None = None, *, now: datetime
) -> CreditNote:
    """Remove the pair of this key; all of them, when none is named.

    Raises: NotFound, also where there is nothing to remove; ChangedMeanwhile.
    """

    def attempt() -> CreditNote:
        old = find(organization_id, note_id)
        if not old.metadata or (name is not None and name not in old.metadata):
            raise NotFound(Resource.METADATA)
        left = {} if name is None else {key: value for key, value in old.metadata.items() if key != name}
        return _replaced(organization_id, old, old.changed(now=now, metadata=left))

    return retrying(attempt, Resource.CREDIT_NOTE)


def void(organization_id: OrganizationId, note_id: CreditNoteId, *, now: datetime) -> CreditNote:
    """Give up what is left of a note's balance.

    Raises: NotFound; NotAllowed, when nothing is left; ChangedMeanwhile.
    """

    def attempt() -> CreditNote:
        old = find(organization_id, note_id)
        if not old.open:
            raise NotAllowed(ErrorCode.NO_VOIDABLE_AMOUNT)
        return _replaced(organization_id, old, voided(old, now=now))

    return retrying(attempt, Resource.CREDIT_NOTE)


def _replaced(organization_id: OrganizationId, old: CreditNote, new: CreditNote) -> CreditNote:
    Unit(store.replace_actions(organization_id, old, new)).commit()
    return new.model_copy(update={"version": old.version + 1})
