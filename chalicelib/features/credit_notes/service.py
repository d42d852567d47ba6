"""Making, finding and changing credit notes, and the announcement of their issue."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain import money
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotAllowed, NotFound
from chalicelib.domain.invoicing import credit_notes
from chalicelib.domain.invoicing.credit_notes import CreditAmounts, CreditItem
from chalicelib.features.credit_notes import serializer, store
from chalicelib.features.credit_notes.records import CreditNote, CreditNoteItem
from chalicelib.features.credit_notes.schemas import METADATA_KEYS_MAX, CreditNoteUpdate
from chalicelib.features.customers import serializer as customer_serializer
from chalicelib.features.customers import service as customer_service
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.documents import orders
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices import serializer as invoice_serializer
from chalicelib.features.invoices.records import AppliedTaxPart, Fee, Invoice
from chalicelib.features.organizations import service as organizations
from chalicelib.platform import agenda, clock, files, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CreditNoteId, InvoiceId, OrganizationId, derived_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Unit, Write

# Announces an issue. In real time whatever clock the organization has.
ISSUED = agenda.kind("credit_note_issued", rank=86, wall_clock=True)
PRINT = agenda.kind("print_credit_note", rank=96, wall_clock=True, queue="documents")

# An invoice may have thousands of fees, but those that are credited mostly stand at its head.
_FEES_AT_ONCE = 50


# Notes as values: the issue transaction writes them.


def draft_or_final(
    invoice: Invoice,
    fee: Fee,
    item_cents: Decimal,
    *,
    mode: str,
    used_cents: int,
    note_id: CreditNoteId,
    customer_search: str,
    today: date,
    now: datetime,
) -> CreditNote:
    """The automatic note for unused days of a fee paid in advance; not yet written.

    `item_cents` exact, before tax; `used_cents`: the part of the fee still owed, with tax; `mode`: credit, refund or offset.
    It is a draft on a draft invoice, and final on any other. Source: rules/billing-periods 7.4.
    """
    taxes = tuple(part.tax for part in fee.applied_taxes)
    found = credit_notes.amounts([CreditItem(item_cents, Decimal(0), taxes)])
    paid = credit_notes.paid_share_cents(
        invoice.total_paid_amount_cents,
        part_cents=fee.amount_cents + fee.taxes_amount_cents,
        whole_cents=invoice.sub_total_including_taxes_amount_cents,
    )
    parts = credit_notes.split(found.total_cents, mode=mode, paid_cents=paid, used_cents=used_cents)
    sequence = len(invoice.note_ids) + 1
    return CreditNote(
        id=note_id,
        created_at=now,
        updated_at=now,
        invoice_id=invoice.id,
        invoice_number=invoice.number,
        customer_id=invoice.customer_id,
        external_customer_id=invoice.external_customer_id,
        customer_search=customer_search,
        number=credit_notes.number(invoice.number, sequence),
        sequential_id=sequence,
        status="draft" if invoice.status == "draft" else "finalized",
        credit_status="available",
        refund_status="pending" if parts.refund_cents else None,
        reason="order_cancellation",
        currency=invoice.currency,
        issuing_date=today,
        credit_amount_cents=parts.credit_cents,
        refund_amount_cents=parts.refund_cents,
        offset_amount_cents=parts.offset_cents,
        balance_amount_cents=parts.credit_cents,
        items=(
            CreditNoteItem(
                id=derived_id(note_id, "item", fee.id),
                fee_id=fee.id,
                amount_cents=money.round_half_up(item_cents),
                precise_amount_cents=format(item_cents, "f"),
            ),
        ),
        **_amounts(found, note_id),
    )


def finalized(note: CreditNote, invoice: Invoice, *, today: date, now: datetime) -> CreditNote:
    """A draft note made final with its invoice, whose number it takes."""
    return note.model_copy(
        update={
            "status": "finalized",
            "number": credit_notes.number(invoice.number, note.sequential_id),
            "invoice_number": invoice.number,
            "issuing_date": today,
            "updated_at": now,
        }
    )


def consumed(note: CreditNote, amount_cents: int, *, now: datetime) -> CreditNote:
    """A note of whose balance an invoice took `amount_cents`; at 0 it is consumed."""
    left = note.balance_amount_cents - amount_cents
    assert amount_cents > 0, "amount must be positive"
    assert left >= 0, "amount must not exceed the balance"
    status = "consumed" if left == 0 else note.credit_status
    return note.model_copy(update={"balance_amount_cents": left, "credit_status": status, "updated_at": now})


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


def file_url(note: CreditNote) -> str | None:
    """A fresh link to the document, once it is printed."""
    return None if note.file_key is None else files.link(note.file_key, f"{note.number}.pdf")


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


def printed_actions(organization_id: OrganizationId, note: CreditNote, file_key: str) -> list[Write]:
    """Let a note name its document; refused if somebody else wrote in between."""
    return store.replace_actions(organization_id, note, note.model_copy(update={"file_key": file_key}))


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
        return _replaced(organization_id, old, old.changed(now=now, **fields, metadata=metadata))

    return retrying(attempt, Resource.CREDIT_NOTE)


def void(organization_id: OrganizationId, note_id: CreditNoteId, *, now: datetime) -> CreditNote:
    """Give up what is left of a note's balance.

    Raises: NotFound; NotAllowed, when nothing is left; ChangedMeanwhile.
    """

    def attempt() -> CreditNote:
        old = find(organization_id, note_id)
        if not old.open:
            raise NotAllowed(ErrorCode.NO_VOIDABLE_AMOUNT)
        gone = old.changed(now=now, balance_amount_cents=0, credit_status="voided", voided_at=now)
        return _replaced(organization_id, old, gone)

    return retrying(attempt, Resource.CREDIT_NOTE)


def _replaced(organization_id: OrganizationId, old: CreditNote, new: CreditNote) -> CreditNote:
    Unit(store.replace_actions(organization_id, old, new)).commit()
    return new.model_copy(update={"version": old.version + 1})


def _amounts(found: CreditAmounts, note_id: CreditNoteId) -> dict[str, Any]:
    """Amounts as a note keeps them."""
    return {
        "total_amount_cents": found.total_cents,
        "taxes_amount_cents": found.taxes_cents,
        "precise_taxes_amount_cents": format(found.precise_taxes_cents, "f"),
        "precise_total_amount_cents": format(found.precise_total_cents, "f"),
        "taxes_rate": format(found.taxes_rate.normalize(), "f"),
        "sub_total_excluding_taxes_amount_cents": found.sub_total_cents,
        "coupons_adjustment_amount_cents": found.coupons_adjustment_cents,
        "applied_taxes": tuple(
            AppliedTaxPart.of(each, derived_id(note_id, "tax", each.tax.id or each.tax.code)) for each in found.applied
        ),
    }
