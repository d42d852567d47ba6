"""Stripe's objects and ours, each as the other: what is sent, what comes back, what its events mean.

Source: rules/catalog 10.2.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib import limits
from chalicelib.features.payments.providers.errors import (
    NotVerified,
)
from chalicelib.features.payments.providers.signed import identifier, part, text
from chalicelib.features.payments.providers.values import (
    ChargeRequest,
    CustomerDetails,
    Event,
    EventKind,
    Hint,
    Link,
    Method,
    Outcome,
    PayRequest,
    ProviderError,
    RefundOutcome,
    RefundRequest,
    RefundStatus,
    SetupRequest,
    Status,
)

STATUSES: dict[str, Status] = {
    "succeeded": "succeeded",
    "processing": "processing",
    "requires_action": "processing",
    "requires_capture": "processing",
    "requires_confirmation": "processing",
    "requires_payment_method": "failed",
    "canceled": "failed",
}
REFUND_STATUSES: dict[str, RefundStatus] = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "failed",
}
# By type of event: the kind for us, and where in its object the id stands that we ask for.
EVENTS: dict[str, tuple[EventKind, str]] = {
    "setup_intent.succeeded": ("method", "payment_method"),
    "customer.updated": ("customer", "id"),
    "customer.deleted": ("customer", "id"),
    "payment_intent.succeeded": ("payment", "id"),
    "payment_intent.payment_failed": ("payment", "id"),
    "payment_intent.canceled": ("payment", "id"),
    "payment_intent.processing": ("payment", "id"),
    "payment_method.detached": ("method", "id"),
    "checkout.session.completed": ("page", "id"),
    "checkout.session.expired": ("page", "id"),
    "refund.updated": ("refund", "id"),
    "refund.failed": ("refund", "id"),
    "charge.refund.updated": ("refund", "id"),
    "charge.dispute.closed": ("dispute", "id"),
}
# Other reasons of credit notes have no counterpart, and none is sent.
_REASONS = {
    "duplicated_charge": "duplicate",
    "fraudulent_charge": "fraudulent",
    "product_unsatisfactory": "requested_by_customer",
    "order_change": "requested_by_customer",
    "order_cancellation": "requested_by_customer",
}
# Sent a hundredfold, though they have no minor unit.
_TIMES_HUNDRED = frozenset(["ISK", "UGX"])
_METADATA_CHARS = 500


def customer_body(customer: CustomerDetails) -> dict[str, Any]:
    """A customer; what is empty is sent as such, which empties it."""
    address = {
        "line1": customer.address_line1,
        "line2": customer.address_line2,
        "city": customer.city,
        "postal_code": customer.postal_code,
        "state": customer.state,
        "country": customer.country,
    }
    return {
        "email": customer.email,
        "name": customer.name or f"{customer.firstname} {customer.lastname}".strip(),
        "phone": customer.phone,
        "address": {name: value for name, value in address.items() if value} or "",
        "metadata": _metadata(lago_customer_id=customer.id, customer_id=customer.external_id),
    }


def setup_body(request: SetupRequest) -> dict[str, Any]:
    """A page that charges nothing. Without types it needs a currency, by which Stripe chooses them."""
    metadata = _metadata(lago_customer_id=request.customer_id)
    types: dict[str, Any] = {"allowed_payment_method_types": list(request.methods)}
    return {
        "mode": "setup",
        "customer": request.provider_customer_id,
        **(types if request.methods else {"currency": request.currency.lower()}),
        "success_url": request.success_url,
        "setup_intent_data": {"metadata": metadata},
        "metadata": metadata,
    }


def pay_body(request: PayRequest) -> dict[str, Any]:
    """A page for one amount."""
    price = {
        "currency": request.currency.lower(),
        "unit_amount": theirs(request.amount_cents, request.currency),
        "product_data": {"name": request.name},
    }
    types: dict[str, Any] = {"allowed_payment_method_types": list(request.methods)}
    return {
        "mode": "payment",
        "customer": request.provider_customer_id,
        **(types if request.methods else {}),
        "line_items": [{"quantity": 1, "price_data": price}],
        "payment_intent_data": {
            "description": request.description,
            "metadata": {**_payable(request), "payment_type": "one-time"},
        },
        "success_url": request.success_url,
        "expires_at": int(request.expires_at.timestamp()),
    }


def charge_body(request: ChargeRequest) -> dict[str, Any]:
    """An intent that is confirmed at once. Off session the customer is asked nothing: the bank accepts or refuses."""
    off_session = {"off_session": True, "error_on_requires_action": True}
    return {
        "amount": theirs(request.amount_cents, request.currency),
        "currency": request.currency.lower(),
        "customer": request.provider_customer_id,
        "payment_method": request.method_id,
        # Without it the dashboard decides, and may want a page to return to.
        "allowed_payment_method_types": [request.method_type],
        "confirm": True,
        **({"return_url": request.return_url} if request.on_session else off_session),
        "description": request.description,
        "metadata": {"lago_payment_id": request.payment_id, **_payable(request)},
    }


def refund_body(request: RefundRequest) -> dict[str, Any]:
    """A refund of an intent."""
    reason = _REASONS.get(request.reason)
    return {
        "payment_intent": request.provider_payment_id,
        "amount": theirs(request.amount_cents, request.currency),
        **({"reason": reason} if reason else {}),
        "metadata": _metadata(lago_credit_note_id=request.refund_id, lago_invoice_id=request.invoice_id),
    }


def outcome(intent: Mapping[str, Any]) -> Outcome:
    """Where an intent stands."""
    status, metadata = str(intent["status"]), intent.get("metadata") or {}
    ours = STATUSES.get(status, "processing")
    return Outcome(
        provider_id=intent["id"],
        provider_status=status,
        status=ours,
        amount_cents=ours_of(intent["amount"], intent["currency"]),
        currency=intent["currency"].upper(),
        error=_intent_error(intent, status) if ours == "failed" else None,
        next_action=(intent.get("next_action") or {}) if status == "requires_action" else {},
        known=status in STATUSES,
        method_id=_id_of(intent.get("payment_method")),
        metadata={str(name): str(value) for name, value in metadata.items()},
    )


def refund_outcome(refund: Mapping[str, Any]) -> RefundOutcome:
    """Where a refund stands."""
    status = str(refund["status"])
    ours = REFUND_STATUSES.get(status, "pending")
    reason = str(refund.get("failure_reason") or status)
    return RefundOutcome(
        provider_id=refund["id"],
        provider_status=status,
        status=ours,
        amount_cents=ours_of(refund["amount"], refund["currency"]),
        error=ProviderError(f"The refund is {status}.", reason) if ours == "failed" else None,
        known=status in REFUND_STATUSES,
        provider_payment_id=_id_of(refund.get("payment_intent")),
        metadata=refund.get("metadata") or {},
    )


def method(found: Mapping[str, Any], *, is_default: bool) -> Method:
    """A payment method. One without a customer was detached, and can never be attached again."""
    kind = str(found["type"])
    details = found.get(kind) or {}
    customer = _id_of(found.get("customer"))
    brand = details.get("brand") or details.get("bank_name") or details.get("bank_code") or ""
    return Method(
        id=found["id"],
        type=kind,
        state="usable" if customer else "forgotten",
        customer_id=customer or "",
        brand=str(brand),
        last4=str(details.get("last4") or ""),
        is_default=is_default,
    )


def link(session: Mapping[str, Any]) -> Link:
    """A page."""
    expires_at = session.get("expires_at")
    return Link(session["id"], session["url"], None if expires_at is None else datetime.fromtimestamp(expires_at, UTC))


def event(found: Mapping[str, Any]) -> Event:
    """An event that was verified.

    Raises: NotVerified, without an id.
    """
    event_id, action = identifier(found, "id"), text(found, "type") or ""
    if event_id is None:
        raise NotVerified("the event has no id")
    about = part(found, "data", "object")
    kind, place = EVENTS.get(action, ("other", ""))
    object_id = identifier(about, place) or ""
    created = found.get("created")
    customer = identifier(about, "id") if kind == "customer" else identifier(about, "customer")
    return Event(
        id=event_id,
        kind=kind if object_id else "other",
        object_id=object_id,
        action=action,
        at=datetime.fromtimestamp(created, UTC) if type(created) is int and 0 <= created < 10**11 else None,
        hint=Hint(
            payment_id=text(about, "metadata", "lago_payment_id"),
            provider_payment_id=object_id if kind == "payment" else identifier(about, "payment_intent"),
            provider_customer_id=customer,
            lost=kind == "dispute" and text(about, "status") == "lost",
        ),
    )


def theirs(amount_cents: int, currency: str) -> int:
    """Our minor units as Stripe counts them."""
    return amount_cents * 100 if currency.upper() in _TIMES_HUNDRED else amount_cents


def ours_of(amount: int, currency: str) -> int:
    """Stripe's amount in our minor units."""
    return amount // 100 if currency.upper() in _TIMES_HUNDRED else amount


def _intent_error(intent: Mapping[str, Any], status: str) -> ProviderError:
    told = intent.get("last_payment_error") or {}
    code = told.get("decline_code") or told.get("code") or intent.get("cancellation_reason") or status
    return ProviderError(
        str(told.get("message") or f"The payment is {status}.")[: limits.PROVIDER_MESSAGE_CHARS], str(code)
    )


def _id_of(value: Any) -> str | None:
    """The id of an object that stands as such or whole."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return None if found is None else str(found)


def _payable(request: ChargeRequest | PayRequest) -> dict[str, str]:
    name = "lago_invoice_id" if request.payable_type == "Invoice" else "lago_payment_request_id"
    return _metadata(
        **{name: request.payable_id},
        lago_customer_id=request.customer_id,
        invoice_issuing_date=request.issuing_date,
        invoice_type=request.invoice_type,
    )


def _metadata(**values: str) -> dict[str, str]:
    return {name: value[:_METADATA_CHARS] for name, value in values.items() if value}
