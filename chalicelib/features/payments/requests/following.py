"""What becomes of a payment request when something becomes of its payment. Source: rules/collection 6."""

from datetime import datetime

from chalicelib.features.customers.records import Customer
from chalicelib.features.payments.collection.messages import NO_PROVIDER
from chalicelib.features.payments.providers.values import ProviderError
from chalicelib.features.payments.records import Payment
from chalicelib.features.payments.requests import store
from chalicelib.features.payments.requests.records import PaymentRequest, RequestStatus
from chalicelib.features.payments.telling import Told
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import PaymentRequestId
from chalicelib.platform.unit import Write

_FAILURE = "payment_request.payment_failure"
_FAILURE_KIND = "payment_provider_payment_request_payment_error"


def followed(
    organization: OrganizationRef, payment: Payment, status: RequestStatus, *, now: datetime
) -> tuple[list[Write], list[Told]]:
    """The writes that give a payment's request a status, and the message of that."""
    old = store.get(organization.id, PaymentRequestId(payment.payable_id or ""))
    if old is None or old.payment_status == status:
        return [], []
    new: PaymentRequest = old.changed(now=now, payment_status=status)
    name, subject = "payment_request.payment_status_updated", f"{old.id}#{old.version}"
    return [store.replace(organization.id, old, new)], [Told(name, "payment_request", subject, object_id=old.id)]


def failed(payment: Payment, error: ProviderError) -> Told:
    """A provider refused the payment of a request, or took it back."""
    collection = payment.collected
    payload = {
        "lago_payment_request_id": payment.payable_id,
        "lago_invoice_ids": [part.invoice_id for part in payment.parts],
        "lago_customer_id": payment.customer_id,
        "external_customer_id": payment.external_customer_id,
        "provider_customer_id": collection.provider_customer_id,
        "payment_provider": collection.provider_type,
        "payment_provider_code": collection.provider_code,
        "provider_error": error.shown(),
        "error_details": {},
    }
    return Told(_FAILURE, _FAILURE_KIND, f"{payment.id}#{payment.version}", payload)


def nobody_collects(request: PaymentRequest, customer: Customer, *, subject: str) -> Told:
    """A payment of a request was asked for again, for a customer without a provider: clients collect from that message."""
    configuration = customer.billing_configuration
    payload = {
        "lago_payment_request_id": request.id,
        "lago_invoice_ids": [share.invoice_id for share in request.shares],
        "lago_customer_id": customer.id,
        "external_customer_id": customer.external_id,
        "provider_customer_id": configuration.provider_customer_id,
        "payment_provider": configuration.payment_provider,
        "payment_provider_code": configuration.payment_provider_code,
        "provider_error": NO_PROVIDER.shown(),
        "error_details": {},
    }
    return Told(_FAILURE, _FAILURE_KIND, f"{request.id}#{subject}", payload)
