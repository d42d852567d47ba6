"""Credit notes for days that were paid in advance and not used. Source: rules/billing-periods 7.4."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from chalicelib.domain import periods
from chalicelib.domain.invoicing.credit_notes import CREDIT, unused_days_credit
from chalicelib.features.credit_notes import service as credit_notes
from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.credits.open_notes import NoteChange, OpenNote
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.features.invoices import store as invoice_store
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.subscriptions.lifecycle import Outcome
from chalicelib.platform.ids import CreditNoteId, derived_id
from chalicelib.platform.unit import Write


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
    found = (_note_of(context, outcome, now=now) for outcome in outcomes)
    return [each for each in found if each is not None]


def actions(context: BillingContext, notes: Iterable[UnusedDaysNote]) -> list[Write]:
    """The writes of the invoices that the notes stand on."""
    organization_id = context.organization.id
    return [a for each in notes for a in invoice_store.replace_actions(organization_id, each.before, each.after)]


def _note_of(context: BillingContext, outcome: Outcome, *, now: datetime) -> UnusedDaysNote | None:
    last = outcome.after.last_fee
    if not outcome.unused_days or last is None:
        return None
    organization_id = context.organization.id
    invoice = invoice_store.get(organization_id, last.invoice_id)
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
    after = invoice.model_copy(
        update={
            "note_ids": (*invoice.note_ids, note.id),
            "credited": {**invoice.credited, fee.id: format(credit.credited_cents, "f")},
            "offset_amount_cents": invoice.offset_amount_cents + (note.offset_amount_cents if note.visible else 0),
        }
    )
    return UnusedDaysNote(note, invoice, after)
