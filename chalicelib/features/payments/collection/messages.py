"""The messages of what becomes of a payment. Source: rules/collection 1; rules/webhooks 4."""

from chalicelib.features.invoices.records import Invoice
from chalicelib.features.payments import serializer
from chalicelib.features.payments.providers.values import ProviderError
from chalicelib.features.payments.records import Payment, PaymentReceipt
from chalicelib.features.payments.telling import Told
from chalicelib.platform.ids import InvoiceId

NO_PROVIDER = ProviderError("The customer has no payment provider", "customer_must_have_payment_provider")


def succeeded(payment: Payment) -> Told:
    """A payment went through."""
    return _of_payment("payment.succeeded", payment)


def requires_action(payment: Payment) -> Told:
    """The customer has to confirm a payment."""
    return _of_payment("payment.requires_action", payment)


def receipt_made(receipt: PaymentReceipt, payment: Payment) -> Told:
    """A receipt was made."""
    shown = serializer.receipt(receipt, payment)
    return Told("payment_receipt.created", "payment_receipt", receipt.id, shown)


def status_changed(old: Invoice) -> Told:
    """An invoice has another payment status. `old`: as it was before."""
    return Told("invoice.payment_status_updated", "invoice", f"{old.id}#{old.version}", object_id=old.id)


def failed(payment: Payment, invoice_id: InvoiceId, error: ProviderError) -> Told:
    """A provider refused the payment of an invoice, or took it back."""
    collection = payment.collected
    payload = {
        "lago_invoice_id": invoice_id,
        "lago_customer_id": payment.customer_id,
        "external_customer_id": payment.external_customer_id,
        "provider_customer_id": collection.provider_customer_id,
        "payment_provider": collection.provider_type,
        "payment_provider_code": collection.provider_code,
        "provider_error": error.shown(),
        "error_details": {},
    }
    subject = f"{payment.id}#{payment.version}#{invoice_id}"
    return Told("invoice.payment_failure", "payment_provider_invoice_payment_error", subject, payload)


def _of_payment(name: str, payment: Payment) -> Told:
    return Told(name, "payment", f"{payment.id}#{payment.version}", serializer.show(payment))
