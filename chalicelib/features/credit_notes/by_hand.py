"""Credit notes by hand: made and estimated by the same rules (`domain/invoicing/creditable.py`).

The invoice's optimistic lock guards them: each note enters its sums and its number there, so that of two notes at once the
second is decided again, with the first among those before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain import periods
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotAllowed, NotFound
from chalicelib.domain.invoicing import creditable
from chalicelib.domain.invoicing.credit_notes import Split
from chalicelib.domain.invoicing.creditable import CreditableFee, CreditableInvoice, Estimate, NotesSoFar
from chalicelib.features.credit_notes import purchases, service, store, values
from chalicelib.features.credit_notes.purchases import PurchasedWallet
from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.credit_notes.schemas import METADATA_KEYS_MAX, CreditNoteInput, EstimateInput
from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import reading
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.organizations import service as organizations
from chalicelib.platform import agenda, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CreditNoteId, InvoiceId, OrganizationId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write


@dataclass(frozen=True, slots=True)
class CreditedInvoice:
    """The invoice that a note is to stand on, with its fees. `wallet`: where the invoice sold the credits in it."""

    invoice: Invoice
    fees: Sequence[Fee]
    wallet: PurchasedWallet | None

    @property
    def creditable(self) -> CreditableInvoice:
        """The invoice as its notes see it."""
        invoice = self.invoice
        notes = NotesSoFar(
            sub_total_cents=invoice.noted.sub_total_cents,
            taxes_cents=invoice.noted.taxes_cents,
            credited_cents=invoice.noted.credited_cents,
            refunded_cents=invoice.noted.refunded_cents,
            offset_cents=invoice.offset_amount_cents,
        )
        return CreditableInvoice(
            fees=tuple(_creditable_fee(invoice, fee) for fee in self.fees),
            notes=notes,
            paid_cents=invoice.total_paid_amount_cents,
            due_cents=invoice.due_amount_cents,
            wallet_cents=None if self.wallet is None else self.wallet.balance_cents,
        )


def create(
    organization: OrganizationRef, given: Mapping[str, Any], *, now: datetime, note_id: CreditNoteId | None = None
) -> tuple[CreditNote, list[Task]]:
    """Make a note; returns it and the tasks to push. An offset lowers what its invoice still has to be paid. `note_id`: the id
    to use, where the same request may come twice: the second finds the note of the first.

    Raises: NotFound; NotAllowed; Invalid; ChangedMeanwhile.
    """
    request = schema.parse(CreditNoteInput, given)
    if len(request.metadata) > METADATA_KEYS_MAX:
        raise Invalid.field("metadata", ErrorCode.INVALID_COUNT)
    own_id = note_id or CreditNoteId(new_id())

    def attempt() -> tuple[CreditNote, list[Task]]:
        made = store.get(organization.id, own_id) if note_id else None
        if made is not None:
            return made, []
        source = _source(organization.id, request.invoice_id, now=now)
        note = _note(organization.id, source, request, own_id, now=now)
        invoice = values.with_note(source.invoice, note, now=now)
        change = invoices.changed(organization.id, source.invoice, invoice, now=now)
        voided: list[Write] = []
        told: list[Task] = []
        if source.wallet is not None:
            voided, told = source.wallet.voided(note.refund_amount_cents, now=now)
        tasks = [service.issued_task(organization, note, now), *told, *change.tasks]
        Unit(
            change.actions,
            store.create_actions(organization.id, note),
            voided,
            [agenda.put(task, now=now) for task in tasks],
        ).commit()
        return note, tasks

    return retrying(attempt, Resource.CREDIT_NOTE)


def estimate(
    organization_id: OrganizationId, given: Mapping[str, Any], *, now: datetime
) -> tuple[Invoice, EstimateInput, Estimate]:
    """The amounts that a note of these items would have, with the invoice and the items.

    Raises: NotFound; NotAllowed; Invalid.
    """
    request = schema.parse(EstimateInput, given)
    source = _source(organization_id, request.invoice_id, now=now)
    return source.invoice, request, creditable.estimate(source.creditable, _items(request))


def offered(organization_id: OrganizationId, invoice_id: InvoiceId, *, now: datetime) -> CreditedInvoice:
    """The invoice that a note is to stand on, for who chooses among its fees.

    Raises: NotFound; NotAllowed.
    """
    return _source(organization_id, invoice_id, now=now)


def _source(organization_id: OrganizationId, invoice_id: str | None, *, now: datetime) -> CreditedInvoice:
    """The invoice, where its type and status allow a note.

    Raises: NotFound; NotAllowed.
    """
    if not invoice_id:
        raise NotFound(Resource.INVOICE)
    invoice = invoices.find(organization_id, InvoiceId(invoice_id))
    if invoice.status != "finalized":
        raise NotAllowed(ErrorCode.INVALID_TYPE_OR_STATUS)
    wallet: PurchasedWallet | None = None
    if invoice.invoice_type == "credit":
        wallet = (
            purchases.wallet_of(organization_id, invoice, now=now) if invoice.payment_status == "succeeded" else None
        )
        if wallet is None:
            raise NotAllowed(ErrorCode.INVALID_TYPE_OR_STATUS)
    return CreditedInvoice(invoice, reading.fees_of(organization_id, invoice), wallet)


def _note(
    organization_id: OrganizationId,
    source: CreditedInvoice,
    request: CreditNoteInput,
    note_id: CreditNoteId,
    *,
    now: datetime,
) -> CreditNote:
    sent = Split(request.credit_amount_cents or 0, request.refund_amount_cents or 0, request.offset_amount_cents or 0)
    items = _items(request)
    found, parts = creditable.note(source.creditable, items, sent)
    customer = customers.get(organization_id, source.invoice.customer_id)
    assert customer is not None, "an invoice has a customer, deleted or not"
    return values.made(
        source.invoice,
        found,
        parts,
        items,
        note_id=note_id,
        reason=request.reason or "other",
        customer_search=source.invoice.customer_search,
        today=periods.local_date(now, customer.zone(organizations.get(organization_id).timezone)),
        now=now,
        description=request.description,
        metadata=request.metadata,
    )


def _creditable_fee(invoice: Invoice, fee: Fee) -> CreditableFee:
    return CreditableFee(
        id=fee.id,
        amount_cents=fee.amount_cents,
        coupon_share_cents=values.early_share(fee),
        taxes=tuple(part.tax for part in fee.applied_taxes),
        credited_cents=Decimal(invoice.credited.get(fee.id, "0")),
    )


def _items(request: EstimateInput) -> list[tuple[str, Decimal]]:
    return [(item.fee_id or "", Decimal(item.amount_cents)) for item in request.items]
