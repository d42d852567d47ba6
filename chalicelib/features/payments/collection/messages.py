"""The messages of what becomes of a payment. Source: rules/collection 1; rules/webhooks 4."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.features.payments import serializer
from chalicelib.features.payments.providers.values import ProviderError
from chalicelib.features.payments.records import Payment, PaymentReceipt
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId


def succeeded(organization: OrganizationRef, payment: Payment, *, now: datetime) -> list[Task]:
    """A payment went through."""
    return _of_payment(organization, "payment.succeeded", payment, now=now)


def requires_action(organization: OrganizationRef, payment: Payment, *, now: datetime) -> list[Task]:
    """The customer has to confirm a payment."""
    return _of_payment(organization, "payment.requires_action", payment, now=now)


def receipt_made(
    organization: OrganizationRef, receipt: PaymentReceipt, payment: Payment, *, now: datetime
) -> list[Task]:
    """A receipt was made."""
    name = "payment_receipt.created"
    shown = lambda: serializer.receipt(receipt, payment)  # noqa: E731
    return webhooks.announcement(organization, name, "payment_receipt", shown, subject=f"{name}#{receipt.id}", now=now)


def failed(
    organization: OrganizationRef, payment: Payment, invoice_id: InvoiceId, error: ProviderError, *, now: datetime
) -> list[Task]:
    """A provider refused the payment of an invoice, or took it back."""
    collection = payment.collected
    payload: Mapping[str, Any] = {
        "lago_invoice_id": invoice_id,
        "lago_customer_id": payment.customer_id,
        "external_customer_id": payment.external_customer_id,
        "provider_customer_id": collection.provider_customer_id,
        "payment_provider": collection.provider_type,
        "payment_provider_code": collection.provider_code,
        "provider_error": error.shown(),
        "error_details": {},
    }
    name, kind = "invoice.payment_failure", "payment_provider_invoice_payment_error"
    subject = f"{name}#{payment.id}#{payment.version}#{invoice_id}"
    return webhooks.announcement(organization, name, kind, payload, subject=subject, now=now)


def _of_payment(organization: OrganizationRef, name: str, payment: Payment, *, now: datetime) -> list[Task]:
    shown = lambda: serializer.show(payment)  # noqa: E731
    subject = f"{name}#{payment.id}#{payment.version}"
    return webhooks.announcement(organization, name, "payment", shown, subject=subject, now=now)
