"""Open credit notes as credits: the oldest first, of the invoice's currency, on any fee. Source: rules/invoices 7.3."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.invoicing.steps import CreditKind
from chalicelib.features.credit_notes import service as credit_notes
from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.credits.credit import Taken
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.invoices.parts import CreditPart
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.platform.ids import OrganizationId, derived_id
from chalicelib.platform.unit import Write


@dataclass(frozen=True, slots=True)
class NoteChange:
    """A credit note before and after. `before` None: the note is created."""

    before: CreditNote | None
    after: CreditNote

    @property
    def shows(self) -> bool:
        """Whether the note becomes visible."""
        return self.after.visible and not (self.before is not None and self.before.visible)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenNote(Taken):
    """A credit note with the balance that an invoice left."""

    part: CreditPart
    change: NoteChange


@dataclass(frozen=True, slots=True)
class OpenNote:
    """A final credit note with a balance. `stored` False: the transaction that takes it creates it."""

    note: CreditNote
    stored: bool = True
    kind: CreditKind = CreditKind.CREDIT_NOTE

    def applies_to(self, invoice: Invoice, fee: Fee) -> bool:
        """A note is used by other invoices of its currency."""
        return self.note.currency == invoice.currency and self.note.invoice_id != invoice.id

    def offer(self) -> int:
        """The balance, in cents."""
        return self.note.balance_amount_cents

    def take(self, invoice: Invoice, amount_cents: int, *, now: datetime) -> TakenNote:
        """The note with a lower balance. Using a note is not announced."""
        part = CreditPart(
            id=derived_id(invoice.id, "credit", self.note.id),
            amount_cents=amount_cents,
            note_id=self.note.id,
            note_number=self.note.number,
            note_invoice_number=self.note.invoice_number,
        )
        after = credit_notes.consumed(self.note, amount_cents, now=now)
        return TakenNote(part=part, change=NoteChange(self.note if self.stored else None, after))


def open_of(organization_id: OrganizationId, items: CustomerItems) -> list[OpenNote]:
    """The customer's notes with a balance, the oldest first, read in one request."""
    return [OpenNote(note) for note in credit_notes.open_of(organization_id, items)]


def restored(organization_id: OrganizationId, invoice: Invoice, *, now: datetime) -> list[NoteChange]:
    """The notes that get back what a void invoice took of them; one that was voided since gets nothing."""
    taken = {credit.note_id: credit.amount_cents for credit in invoice.credits}
    found = credit_notes.get_many(organization_id, taken)
    return [
        NoteChange(note, credit_notes.given_back(note, taken[note.id], now=now))
        for note in found.values()
        if note.credit_status != "voided"
    ]


def actions(organization_id: OrganizationId, taken: Sequence[TakenNote], changes: Sequence[NoteChange]) -> list[Write]:
    """The writes of all notes that one transaction changes. A note of `changes` that is also taken is written once, as it
    was taken."""
    final = {each.after.id: each for each in changes} | {each.change.after.id: each.change for each in taken}
    created = [each.after for each in final.values() if each.before is None]
    replaced = [(each.before, each.after) for each in final.values() if each.before is not None]
    return credit_notes.write_actions(organization_id, created=created, replaced=replaced) if final else []
