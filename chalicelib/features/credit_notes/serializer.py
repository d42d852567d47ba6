"""Credit notes as the API shows them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from chalicelib.domain.invoicing.creditable import Estimate
from chalicelib.domain.money import decimal_string, round_half_up, to_decimal
from chalicelib.features.credit_notes.records import CreditNote, CreditNoteItem
from chalicelib.features.credit_notes.schemas import ItemInput
from chalicelib.features.invoices.parts import AppliedTaxPart
from chalicelib.features.invoices.records import Invoice
from chalicelib.platform.ids import FeeId
from chalicelib.platform.timestamps import iso


def show(
    note: CreditNote,
    customer: Mapping[str, Any],
    fees: Mapping[FeeId, Mapping[str, Any]],
    *,
    file_url: str | None = None,
) -> dict[str, Any]:
    """A credit note, in lists and alone. `fees`: the shown fees of its items, by id."""
    return {
        "lago_id": note.id,
        "billing_entity_code": "default",
        "sequential_id": note.sequential_id,
        "number": note.number,
        "lago_invoice_id": note.invoice_id,
        "invoice_number": note.invoice_number,
        "issuing_date": note.issuing_date.isoformat(),
        "credit_status": note.credit_status,
        "refund_status": note.refund_status,
        "reason": note.reason,
        "description": note.description,
        "currency": note.currency,
        "total_amount_cents": note.total_amount_cents,
        "precise_total_amount_cents": decimal_string(Decimal(note.precise_total_amount_cents)),
        "taxes_amount_cents": note.taxes_amount_cents,
        "precise_taxes_amount_cents": decimal_string(Decimal(note.precise_taxes_amount_cents)),
        "taxes_rate": Decimal(note.taxes_rate),
        "sub_total_excluding_taxes_amount_cents": note.sub_total_excluding_taxes_amount_cents,
        "coupons_adjustment_amount_cents": note.coupons_adjustment_amount_cents,
        "credit_amount_cents": note.credit_amount_cents,
        "refund_amount_cents": note.refund_amount_cents,
        "offset_amount_cents": note.offset_amount_cents,
        "balance_amount_cents": note.balance_amount_cents,
        "created_at": iso(note.created_at),
        "updated_at": iso(note.updated_at),
        "file_url": file_url,
        "xml_url": None,
        "self_billed": False,
        "customer": dict(customer),
        "items": [_item(note, item, fees[item.fee_id]) for item in note.items],
        "applied_taxes": [_tax(note, tax) for tax in note.applied_taxes],
        "error_details": [],
        "metadata": dict(note.metadata) or None,
    }


def estimated(invoice: Invoice, items: Sequence[ItemInput], found: Estimate) -> dict[str, Any]:
    """The amounts of a note that is not made."""
    amounts = found.amounts
    return {
        "lago_invoice_id": invoice.id,
        "invoice_number": invoice.number,
        "currency": invoice.currency,
        "taxes_amount_cents": amounts.taxes_cents,
        "precise_taxes_amount_cents": amounts.precise_taxes_cents,
        "taxes_rate": amounts.taxes_rate,
        "sub_total_excluding_taxes_amount_cents": amounts.sub_total_cents,
        "max_creditable_amount_cents": found.max_creditable_cents,
        "max_refundable_amount_cents": found.max_refundable_cents,
        "max_offsettable_amount_cents": found.max_offsettable_cents,
        "coupons_adjustment_amount_cents": amounts.coupons_adjustment_cents,
        "precise_coupons_adjustment_amount_cents": to_decimal(found.precise_coupons_cents),
        "items": [{"amount_cents": item.amount_cents, "lago_fee_id": item.fee_id} for item in items],
        "applied_taxes": [
            {
                "lago_tax_id": each.tax.id,
                "tax_name": each.tax.name,
                "tax_code": each.tax.code,
                "tax_rate": each.tax.rate,
                "tax_description": each.tax.description,
                "base_amount_cents": round_half_up(each.base_cents),
                "amount_cents": each.amount_cents,
                "amount_currency": invoice.currency,
            }
            for each in amounts.applied
        ],
    }


def _item(note: CreditNote, item: CreditNoteItem, fee: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "lago_id": item.id,
        "amount_cents": item.amount_cents,
        "precise_amount_cents": decimal_string(Decimal(item.precise_amount_cents)),
        "amount_currency": note.currency,
        "fee": dict(fee),
    }


def _tax(note: CreditNote, tax: AppliedTaxPart) -> dict[str, Any]:
    return {
        "lago_id": tax.id,
        "lago_credit_note_id": note.id,
        "lago_tax_id": tax.tax_id,
        "tax_name": tax.name,
        "tax_code": tax.code,
        "tax_rate": Decimal(tax.rate),
        "tax_description": tax.description,
        "base_amount_cents": tax.base_cents,
        "amount_cents": tax.amount_cents,
        "amount_currency": note.currency,
        "created_at": iso(note.created_at),
    }
