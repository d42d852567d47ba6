"""Payments and receipts as the API shows them."""

from typing import Any

from chalicelib.features.payments.records import Payment, PaymentReceipt
from chalicelib.platform.timestamps import iso


def show(payment: Payment) -> dict[str, Any]:
    """A payment; one by hand has nothing of a provider."""
    return {
        "lago_id": payment.id,
        "lago_customer_id": payment.customer_id,
        "external_customer_id": payment.external_customer_id,
        "invoice_ids": [payment.invoice_id],
        "invoice_numbers": [payment.invoice_number],
        "lago_payable_id": payment.invoice_id,
        "payable_type": "Invoice",
        "amount_cents": payment.amount_cents,
        "amount_currency": payment.currency,
        "status": payment.payment_status,
        "payment_status": payment.payment_status,
        "type": payment.type,
        "reference": payment.reference,
        "payment_provider_code": None,
        "payment_provider_type": None,
        "external_payment_id": None,
        "provider_payment_id": None,
        "provider_customer_id": None,
        "payment_method_id": None,
        "next_action": {},
        "created_at": iso(payment.created_at),
    }


def receipt(receipt: PaymentReceipt, payment: Payment, *, file_url: str | None = None) -> dict[str, Any]:
    """A receipt with its payment. `file_url`: a link to its document, once it is printed."""
    return {
        "lago_id": receipt.id,
        "number": receipt.number,
        "payment": show(payment),
        "file_url": file_url,
        "created_at": iso(receipt.created_at),
    }
