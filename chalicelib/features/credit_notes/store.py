"""Storage of credit notes. Open balances stand in the customer's item collection, as billing reads them consistently.

Items
    pk                            sk                     what it is
    <org>#credit_note#<id>        -                      the credit note
        index list:  <org>#credit_note                   <created_at>#<id>   final ones only (sparse)
        index owner: <org>#credit_note-of#<customer>     the same
    <org>#customer#<customer>     note#<created>#<id>    its open balance: only while it is final and above 0

Access patterns
    1 get(org, id)                 GetItem    consistent
    2 get_many(org, ids)           BatchGet   consistent
    3 open_of(items)               -          what customers.store.everything_of read
    4 create_actions / replace_actions / write_notes    part of the issuing transaction, with open balances and total
    5 listings.page(call)          Query      index list or owner
"""

from collections.abc import Sequence

from pynamodb.attributes import UnicodeAttribute

from chalicelib.features.credit_notes.records import CreditNote, OpenNote
from chalicelib.features.customers.items import CustomerItem, CustomerItems, customer_pk
from chalicelib.platform import counters, rows
from chalicelib.platform.attributes import RecordAttribute, WholeAttribute
from chalicelib.platform.collection import RecordRow
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import CreditNoteId, CustomerId, InvoiceId, OrganizationId, key
from chalicelib.platform.rows import Listed, Owned, Searched
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write

LIST = "credit_note"


class CreditNoteRow(RecordRow, Listed, Owned, Searched):
    """A credit note."""

    record = RecordAttribute(CreditNote)


class OpenNoteRow(CustomerItem):
    """The open balance of a credit note, under its customer's key; sorted by age."""

    begins = "note#"
    note_id = UnicodeAttribute()
    currency = UnicodeAttribute()
    balance_cents = WholeAttribute()
    invoice_id = UnicodeAttribute()


def get(organization_id: OrganizationId, note_id: CreditNoteId) -> CreditNote | None:
    """The credit note under an id, drafts too."""
    found = CreditNoteRow.find(*note_key(organization_id, note_id))
    return None if found is None else found.value


def get_many(organization_id: OrganizationId, ids: Sequence[str]) -> dict[str, CreditNote]:
    """The credit notes under these ids, drafts too."""
    found = CreditNoteRow.find_many([note_key(organization_id, CreditNoteId(each)) for each in ids])
    return {row.record.id: row.value for row in found.values()}


def open_of(items: CustomerItems) -> list[OpenNote]:
    """The open balances among a customer's items, the oldest note first."""
    return [
        OpenNote(CreditNoteId(row.note_id), row.currency, row.balance_cents, InvoiceId(row.invoice_id))
        for row in items.of(OpenNoteRow)
    ]


def create_actions(organization_id: OrganizationId, note: CreditNote) -> list[Write]:
    """Store a new note; refused where one of this id stands already."""
    return write_notes(organization_id, created=[note])


def replace_actions(organization_id: OrganizationId, old: CreditNote, new: CreditNote) -> list[Write]:
    """Replace `old` by `new`, with its open balance, under the optimistic lock."""
    return write_notes(organization_id, replaced=[(old, new)])


def write_notes(
    organization_id: OrganizationId,
    *,
    created: Sequence[CreditNote] = (),
    replaced: Sequence[tuple[CreditNote, CreditNote]] = (),
) -> list[Write]:
    """The writes of several notes in one transaction.

    A note that becomes visible moves the list's total. No transaction may touch one row of the counter twice, so notes
    that become visible together must be written together; using a balance never moves it.
    """
    writes = [_row(organization_id, note).create() for note in created]
    writes += [_row(organization_id, new).replace(old.version) for old, new in replaced]
    changes = [*((None, note) for note in created), *replaced]
    for before, after in changes:
        writes += _open_writes(organization_id, before, after)
    shown = sum(after.visible - (before is not None and before.visible) for before, after in changes)
    return [*writes, *counters.moved(organization_id, LIST, changes[0][1].id if changes else "", {"all": shown})]


def note_key(organization_id: OrganizationId, note_id: CreditNoteId) -> Key:
    """The key of a credit note."""
    return key(organization_id, "credit_note", note_id), "-"


def owner_pk(organization_id: OrganizationId, customer_id: CustomerId) -> str:
    """The key of the index owner under which a customer's notes stand."""
    return key(organization_id, "credit_note-of", customer_id)


def _open_writes(organization_id: OrganizationId, old: CreditNote | None, new: CreditNote) -> list[Write]:
    """The change of the open balance. It needs no condition of its own: the note's optimistic lock protects both."""
    before = old if old is not None and old.open else None
    after = new if new.open else None
    if after is not None:
        row = _open_row(organization_id, after)
        unchanged = before is not None and _open_row(organization_id, before).serialize() == row.serialize()
        return [] if unchanged else [row.put()]
    return [] if before is None else [_open_row(organization_id, before).remove()]


def _open_row(organization_id: OrganizationId, note: CreditNote) -> OpenNoteRow:
    return OpenNoteRow(
        pk=customer_pk(organization_id, note.customer_id),
        sk=f"{OpenNoteRow.begins}{stamp(note.created_at)}#{note.id}",
        note_id=note.id,
        currency=note.currency,
        balance_cents=note.balance_amount_cents,
        invoice_id=note.invoice_id,
    )


def _row(organization_id: OrganizationId, note: CreditNote) -> CreditNoteRow:
    pk, sk = note_key(organization_id, note.id)
    row = CreditNoteRow(pk=pk, sk=sk, version=note.version, record=note)
    if note.visible:
        row.list_pk = key(organization_id, LIST)
        row.owner_pk = owner_pk(organization_id, note.customer_id)
        row.list_sk = row.owner_sk = f"{stamp(note.created_at)}#{note.id}"
        row.words = rows.words_of(note.number, note.id, note.customer_search)
    return row
