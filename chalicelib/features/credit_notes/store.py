"""Where credit notes are kept. What billing must read consistently stands under the customer's own key.

Items
    pk                            sk                     what it is
    <org>#credit_note#<id>        -                      the credit note
        index list:  <org>#credit_note                   <created_at>#<id>   final ones only (sparse)
        index owner: <org>#credit_note-of#<customer>     the same
    <org>#customer#<customer>     note#<created>#<id>    its open balance: only while it is final and above 0

Access patterns
    1 get(org, id)                 GetItem    consistent
    2 get_many(org, ids)           BatchGet   consistent
    3 open_of(items)               -          what features/customers/store.py read under the customer's key
    4 create_actions / replace_actions / together    part of the issuing transaction, with open balances and total
    5 lists                        Query      index list or owner
    6 fees_of(org, notes)          BatchGet   consistent: the invoices; Query: of each its fees, until all are found
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.features.invoices import store as invoice_store
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.platform import counters
from chalicelib.platform.collection import dump
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import CreditNoteId, CustomerId, InvoiceId, OrganizationId, key
from chalicelib.platform.table import core
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write
from chalicelib.platform.values import Item

LIST = "credit_note"
OPEN = "note#"

# An invoice may have thousands of fees, but those that are credited mostly stand at its head.
_FEES_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class OpenNote:
    """A balance that invoices of its currency may use, other than its own."""

    note_id: CreditNoteId
    currency: str
    balance_cents: int
    invoice_id: InvoiceId


def get(organization_id: OrganizationId, note_id: CreditNoteId) -> CreditNote | None:
    """The credit note under an id, drafts too."""
    item = core.get(*note_key(organization_id, note_id))
    return None if item is None else read(item)


def get_many(organization_id: OrganizationId, ids: Sequence[str]) -> dict[str, CreditNote]:
    """The credit notes under these ids, drafts too."""
    found = core.get_many([note_key(organization_id, CreditNoteId(note_id)) for note_id in ids])
    return {note.id: note for note in map(read, found.values())}


def open_of(items: Sequence[Item]) -> list[OpenNote]:
    """The open balances among the items under a customer's key, the oldest note first."""
    found = sorted((item for item in items if item["sk"].startswith(OPEN)), key=lambda item: str(item["sk"]))
    return [OpenNote(item["note_id"], item["currency"], item["balance_cents"], item["invoice_id"]) for item in found]


def fees_of(organization_id: OrganizationId, notes: Iterable[CreditNote]) -> list[tuple[Invoice, Fee]]:
    """The fees that the items of these notes are of, each with its invoice as it is now."""
    wanted: dict[Key, set[str]] = {}
    for note in notes:
        ids = wanted.setdefault(invoice_store.invoice_key(organization_id, note.invoice_id), set())
        ids.update(item.fee_id for item in note.items)
    found: list[tuple[Invoice, Fee]] = []
    for place, item in core.get_many(list(wanted)).items():
        invoice = invoice_store.read(item)
        found += [(invoice, fee) for fee in _fees_among(place[0], invoice.build, wanted[place])]
    return found


def create_actions(organization_id: OrganizationId, note: CreditNote) -> list[Write]:
    """Store a new note; refused where one of this id stands already."""
    return write_notes(organization_id, created=[note])


def replace_actions(organization_id: OrganizationId, old: CreditNote, new: CreditNote) -> list[Write]:
    """Write `new` over `old`, its open balance with it; refused if somebody else wrote in between."""
    return write_notes(organization_id, replaced=[(old, new)])


def write_notes(
    organization_id: OrganizationId,
    *,
    created: Sequence[CreditNote] = (),
    replaced: Sequence[tuple[CreditNote, CreditNote]] = (),
) -> list[Write]:
    """The actions of several notes in one transaction.

    A note that becomes visible moves the list's total. No transaction may touch one row of the counter twice, so notes
    that become visible together must be written together; using a balance never moves it.
    """
    actions = [core.create(_item(organization_id, note)) for note in created]
    for old, new in replaced:
        written = new.model_copy(update={"version": old.version + 1})
        item = _item(organization_id, written)
        actions.append(core.put(item, condition="version = :version", values={":version": old.version}))
    changes = [*((None, note) for note in created), *replaced]
    for before, after in changes:
        actions += _open_actions(organization_id, before, after)
    shown = sum(after.visible - (before is not None and before.visible) for before, after in changes)
    return [*actions, *counters.moved(organization_id, LIST, changes[0][1].id if changes else "", {"all": shown})]


def note_key(organization_id: OrganizationId, note_id: CreditNoteId) -> Key:
    """Where a credit note stands."""
    return key(organization_id, "credit_note", note_id), "-"


def owner_pk(organization_id: OrganizationId, customer_id: CustomerId) -> str:
    """Under which key of the index owner a customer's notes stand."""
    return key(organization_id, "credit_note-of", customer_id)


def read(item: Item) -> CreditNote:
    """The credit note in an item."""
    return CreditNote.model_validate(item["record"] | {"version": item["version"]})


def _fees_among(invoice_pk: str, build: str, ids: set[str]) -> list[Fee]:
    found: list[Fee] = []
    for item in core.query(invoice_pk, begins=f"fee#{build}#", limit=_FEES_AT_ONCE):
        if item["record"]["id"] in ids:
            found.append(Fee.model_validate(item["record"]))
            if len(found) == len(ids):
                break
    return found


def _open_actions(organization_id: OrganizationId, old: CreditNote | None, new: CreditNote) -> list[Write]:
    """The change of the open balance. Needs no condition of its own: the note's version guards both."""
    before = _open_item(organization_id, old) if old is not None and old.open else None
    after = _open_item(organization_id, new) if new.open else None
    if after == before:
        return []
    if after is not None:
        return [core.put(after)]
    assert before is not None, "one of the two stands"
    return [core.delete((before["pk"], before["sk"]))]


def _open_item(organization_id: OrganizationId, note: CreditNote) -> Item:
    pk, _ = CUSTOMERS.key(organization_id, note.customer_id)
    return {
        "pk": pk,
        "sk": f"{OPEN}{stamp(note.created_at)}#{note.id}",
        "note_id": note.id,
        "currency": note.currency,
        "balance_cents": note.balance_amount_cents,
        "invoice_id": note.invoice_id,
    }


def _item(organization_id: OrganizationId, note: CreditNote) -> Item:
    pk, sk = note_key(organization_id, note.id)
    item: dict[str, Any] = {"pk": pk, "sk": sk, "version": note.version, "record": dump(note)}
    if note.visible:
        order = f"{stamp(note.created_at)}#{note.id}"
        item |= {
            "list_pk": key(organization_id, LIST),
            "list_sk": order,
            "owner_pk": owner_pk(organization_id, note.customer_id),
            "owner_sk": order,
            "words": f"{note.number}\n{note.id}\n{note.customer_search}".lower(),
        }
    return item
