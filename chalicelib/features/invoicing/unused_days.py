"""Credit notes for days that were paid in advance and not used. Source: rules/billing-periods 7.4."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from chalicelib.domain import periods
from chalicelib.domain.invoicing.credit_notes import CREDIT, unused_days_credit
from chalicelib.features.credit_notes import values as credit_notes
from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.credits.open_notes import NoteChange, OpenNote
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices import store as invoice_store
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.invoices.service import InvoiceChange
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.subscriptions.lifecycle import Outcome
from chalicelib.platform.ids import CreditNoteId, InvoiceId, derived_id


@dataclass(frozen=True, slots=True)
class UnusedDaysNote:
    """A credit note to be created, and the earlier invoice that it stands on, before and after."""

    note: CreditNote
    before: Invoice
    after: Invoice

    @property
    def change(self) -> NoteChange:
        """The note as the issue transaction creates it."""
        return NoteChange(None, self.note)

    @property
    def credit(self) -> OpenNote:
        """The note as a credit of the invoice that is issued with it."""
        return OpenNote(self.note, stored=False)


def notes_of(context: BillingContext, outcomes: Iterable[Outcome], *, now: datetime) -> list[UnusedDaysNote]:
    """The notes for the days that these outcomes leave unused."""
    read: dict[InvoiceId, Invoice] = {}
    found: list[UnusedDaysNote] = []
    for outcome in outcomes:
        note = _note_of(context, outcome, read, now=now)
        if note is not None:
            read[note.after.id] = note.after
            found.append(note)
    return found


def changes(context: BillingContext, notes: Sequence[UnusedDaysNote], *, now: datetime) -> list[InvoiceChange]:
    """The changes of the invoices that the notes stand on, one for each invoice."""
    first: dict[InvoiceId, Invoice] = {}
    last: dict[InvoiceId, Invoice] = {}
    for each in notes:
        first.setdefault(each.before.id, each.before)
        last[each.after.id] = each.after
    organization_id = context.organization.id
    return [invoices.changed(organization_id, first[place], after, now=now) for place, after in last.items()]


def _note_of(
    context: BillingContext, outcome: Outcome, read: Mapping[InvoiceId, Invoice], *, now: datetime
) -> UnusedDaysNote | None:
    last = outcome.after.last_fee
    if not outcome.unused_days or last is None:
        return None
    organization_id = context.organization.id
    invoice = read.get(last.invoice_id) or invoice_store.get(organization_id, last.invoice_id)
    if invoice is None or invoice.status not in ("draft", "finalized"):
        return None
    fee = next((fee for fee in invoice_store.fees_of(organization_id, invoice) if fee.id == last.fee_id), None)
    if fee is None:
        return None
    credit = unused_days_credit(
        last.plan_amount_cents,
        unused_days=outcome.unused_days,
        period_start=last.period_start,
        period_end=last.period_end,
        fee_cents=fee.amount_cents,
        credited_cents=Decimal(invoice.credited.get(fee.id, "0")),
        taxes_rate=Decimal(fee.taxes_rate),
        coupon_share_cents=fee.coupon_share,
        late_share_cents=fee.late_coupon_share,
    )
    if credit is None:
        return None
    note = credit_notes.draft_or_final(
        invoice,
        fee,
        credit.item_cents,
        mode=outcome.after.on_termination_credit_note or CREDIT,
        used_cents=credit.used_cents,
        note_id=CreditNoteId(derived_id(outcome.after.id, "unused")),
        customer_search=CUSTOMERS.search(context.customer),
        today=periods.local_date(now, context.zone),
        now=now,
    )
    if note.visible and note.total_amount_cents == 0:
        return None  # Coupons gave these days, or other notes all of the invoice: a note of nothing is none.
    return UnusedDaysNote(note, invoice, credit_notes.with_note(invoice, note, now=now))
