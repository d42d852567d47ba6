"""Credit notes as values, not yet written: made automatically or by hand, finalized, and entered on their invoice."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from chalicelib.domain import money
from chalicelib.domain.invoicing import credit_notes
from chalicelib.domain.invoicing.credit_notes import CREDIT, OFFSET, CreditAmounts, CreditItem, Split, share_of_item
from chalicelib.domain.invoicing.steps import AFTER_TAX, VERSION_NUMBERS
from chalicelib.features.credit_notes.records import CreditNote, CreditNoteItem, Reason
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices.parts import AppliedTaxPart, NoteSums
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.platform.ids import CreditNoteId, derived_id


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
    """The automatic note for unused days of a fee paid in advance.

    `item_cents` exact, before tax; `used_cents`: the part of the fee still owed, with tax and less coupons; `mode`: credit,
    refund or offset. It is a draft on a draft invoice, and final on any other. Never more is refunded than was paid, nor
    offset than is due. Source: rules/billing-periods 7.4; rules/invoices 7.1.
    """
    found = _automatic(invoice, [(fee, item_cents)])
    late_coupons = invoice.coupons_amount_cents if invoice.version_number == VERSION_NUMBERS[AFTER_TAX] else 0
    paid = credit_notes.paid_share_cents(
        invoice.total_paid_amount_cents,
        part_cents=money.round_half_up(_gross(fee) - Fraction(fee.late_coupon_share_cents)),
        whole_cents=invoice.sub_total_including_taxes_amount_cents - late_coupons,
    )
    parts = credit_notes.given_within(
        credit_notes.split(found.total_cents, mode=mode, paid_cents=paid, used_cents=used_cents),
        refundable_cents=invoice.total_paid_amount_cents - invoice.noted.refunded_cents,
        due_cents=invoice.due_amount_cents,
    )
    return made(
        invoice,
        found,
        parts,
        [(fee.id, item_cents)],
        note_id=note_id,
        reason="order_cancellation",
        customer_search=customer_search,
        today=today,
        now=now,
    )


def made(
    invoice: Invoice,
    found: CreditAmounts,
    parts: Split,
    items: Sequence[tuple[str, Decimal]],
    *,
    note_id: CreditNoteId,
    reason: Reason,
    customer_search: str,
    today: date,
    now: datetime,
    **fields: Any,
) -> CreditNote:
    """The next note of an invoice; the invoice's optimistic lock keeps its sequence without gaps."""
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
        reason=reason,
        currency=invoice.currency,
        issuing_date=today,
        items=tuple(
            CreditNoteItem(
                id=derived_id(note_id, "item", str(place), fee_id),
                fee_id=fee_id,
                amount_cents=money.round_half_up(cents),
                precise_amount_cents=format(cents, "f"),
            )
            for place, (fee_id, cents) in enumerate(items)
        ),
        **_given(parts),
        **_amounts(found, note_id),
        **fields,
    )


def finalized(
    note: CreditNote, invoice: Invoice, *, today: date, now: datetime, fees: Sequence[Fee] = ()
) -> CreditNote:
    """A draft note finalized with its invoice, whose number it takes. Its amounts are those of the fees as they are issued,
    with their coupons, and it offsets at most what is due. The invoice's sums are those of the notes finalized before."""
    by_id = {fee.id: fee for fee in fees}
    items = [(by_id[i.fee_id], Decimal(i.precise_amount_cents)) for i in note.items if i.fee_id in by_id]
    fields: dict[str, Any] = {}
    if invoice.status == "finalized" and any(_has_coupons(fee) for fee, _ in items):
        found = _automatic(invoice, items)
        mode = OFFSET if note.offset_amount_cents else CREDIT
        parts = credit_notes.split(found.total_cents, mode=mode, paid_cents=0, used_cents=0)
        fields = _given(parts) | _amounts(found, note.id)
        note = note.model_copy(update=fields)
    if invoice.status == "finalized":
        parts = Split(note.credit_amount_cents, note.refund_amount_cents, note.offset_amount_cents)
        refundable = note.refund_amount_cents
        fields |= _given(
            credit_notes.given_within(parts, refundable_cents=refundable, due_cents=invoice.due_amount_cents)
        )
    return note.model_copy(
        update={
            **fields,
            "status": "finalized",
            "number": credit_notes.number(invoice.number, note.sequential_id),
            "invoice_number": invoice.number,
            "issuing_date": today,
            "updated_at": now,
        }
    )


def with_note(invoice: Invoice, note: CreditNote, *, now: datetime) -> Invoice:
    """The invoice with a new note on it. An offset lowers what is due; the offset of a draft does so when it is final."""
    credited = dict(invoice.credited)
    for item in note.items:
        before = Decimal(credited.get(item.fee_id, "0"))
        credited[item.fee_id] = format(money.total([before, Decimal(item.precise_amount_cents)]), "f")
    sums = noted([note], invoice.noted)
    after = invoice.model_copy(update={"note_ids": (*invoice.note_ids, note.id), "credited": credited, "noted": sums})
    if not note.visible or not note.offset_amount_cents:
        return after
    return invoices.settled(after, now=now, offset_amount_cents=after.offset_amount_cents + note.offset_amount_cents)


def without_balances(invoice: Invoice, notes: Iterable[CreditNote]) -> Invoice:
    """The invoice without the unused parts of these notes of it, which can be credited again."""
    credited, sums = dict(invoice.credited), invoice.noted
    for note in notes:
        if not note.open:
            continue
        part = Fraction(note.balance_amount_cents, note.total_amount_cents)
        for item in note.items:
            before, unused = (
                Decimal(credited[item.fee_id]),
                money.to_decimal(Fraction(item.precise_amount_cents) * part),
            )
            credited[item.fee_id] = format(money.CONTEXT.subtract(before, unused), "f")
        sums = NoteSums(
            sub_total_cents=sums.sub_total_cents
            - money.round_half_up(note.sub_total_excluding_taxes_amount_cents * part),
            taxes_cents=sums.taxes_cents - money.round_half_up(note.taxes_amount_cents * part),
            credited_cents=sums.credited_cents - note.balance_amount_cents,
            refunded_cents=sums.refunded_cents,
        )
    return invoice.model_copy(update={"credited": credited, "noted": sums})


def noted(notes: Iterable[CreditNote], before: NoteSums | None = None) -> NoteSums:
    """The sums of an invoice's notes, with these added to those before."""
    sums = before or NoteSums()
    for note in notes:
        sums = NoteSums(
            sub_total_cents=sums.sub_total_cents + note.sub_total_excluding_taxes_amount_cents,
            taxes_cents=sums.taxes_cents + note.taxes_amount_cents,
            credited_cents=sums.credited_cents + note.credit_amount_cents,
            refunded_cents=sums.refunded_cents + note.refund_amount_cents,
        )
    return sums


def early_share(fee: Fee) -> Fraction:
    """The fee's exact share of the coupons that were used before tax."""
    return Fraction(fee.coupon_share_cents)


def _automatic(invoice: Invoice, items: Sequence[tuple[Fee, Decimal]]) -> CreditAmounts:
    """The amounts of an automatic note: what coupons gave is not given back, and the notes of an invoice never exceed it."""
    found = credit_notes.amounts([_item(fee, cents) for fee, cents in items])
    noted = invoice.noted if invoice.status != "draft" else NoteSums()
    return credit_notes.within(
        found,
        sub_total_cents=invoice.sub_total_excluding_taxes_amount_cents - noted.sub_total_cents,
        taxes_cents=invoice.taxes_amount_cents - noted.taxes_cents,
    )


def _item(fee: Fee, cents: Decimal) -> CreditItem:
    early = share_of_item(early_share(fee), item_cents=cents, fee_cents=fee.amount_cents)
    late = share_of_item(Fraction(fee.late_coupon_share_cents), item_cents=cents, fee_cents=fee.amount_cents)
    return CreditItem(cents, early, tuple(part.tax for part in fee.applied_taxes), late)


def _has_coupons(fee: Fee) -> bool:
    return early_share(fee) != 0 or Fraction(fee.late_coupon_share_cents) != 0


def _gross(fee: Fee) -> Fraction:
    """A fee with tax, less its share of the coupons before tax, on which no tax was taken."""
    return fee.amount_cents - early_share(fee) + fee.taxes_amount_cents


def _given(parts: Split) -> dict[str, Any]:
    """The fields of a note that say how it is given: as credit, refund or offset."""
    return {
        "credit_amount_cents": parts.credit_cents,
        "refund_amount_cents": parts.refund_cents,
        "offset_amount_cents": parts.offset_cents,
        "balance_amount_cents": parts.credit_cents,
        "refund_status": "pending" if parts.refund_cents else None,
    }


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
