"""Payments and receipts as the API shows them."""

from typing import Any

from chalicelib.features.payments.records import Payment, PaymentReceipt
from chalicelib.platform.timestamps import iso


def show(payment: Payment) -> dict[str, Any]:
    """A payment; one by hand has nothing of a provider."""
    collection = payment.collection
    provider_payment_id = collection.provider_payment_id if collection else None
    return {
        "lago_id": payment.id,
        "lago_customer_id": payment.customer_id,
        "external_customer_id": payment.external_customer_id,
        "invoice_ids": [part.invoice_id for part in payment.parts],
        "invoice_numbers": [part.invoice_number for part in payment.parts],
        "lago_payable_id": payment.payable_id or payment.invoice_id,
        "payable_type": payment.payable_type,
        "amount_cents": payment.amount_cents,
        "amount_currency": payment.currency,
        "status": payment.payment_status,
        "payment_status": payment.payment_status,
        "type": payment.type,
        "reference": payment.reference,
        "payment_provider_code": collection.provider_code if collection else None,
        "payment_provider_type": collection.provider_type if collection else None,
        "external_payment_id": provider_payment_id,
        "provider_payment_id": provider_payment_id,
        "provider_customer_id": collection.provider_customer_id if collection else None,
        "payment_method_id": collection.method_id if collection else None,
        "next_action": dict(collection.next_action) if collection else {},
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
