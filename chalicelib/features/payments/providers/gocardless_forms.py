"""GoCardless's objects and ours, each as the other: what is sent, what comes back, what its events mean.

Source: rules/catalog 10.3.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from chalicelib import limits
from chalicelib.features.payments.providers.errors import NotVerified
from chalicelib.features.payments.providers.signed import identifier, part, text
from chalicelib.features.payments.providers.values import (
    CHARGED_BACK,
    ChargeRequest,
    CustomerDetails,
    Event,
    EventKind,
    Hint,
    Method,
    MethodState,
    Outcome,
    ProviderError,
    RefundOutcome,
    RefundRequest,
    RefundStatus,
    SetupRequest,
    Status,
)

STATUSES: dict[str, Status] = {
    "pending_customer_approval": "processing",
    "pending_submission": "processing",
    "submitted": "processing",
    "confirmed": "processing",  # Collected, and may still be taken back.
    "paid_out": "succeeded",
    "failed": "failed",
    "cancelled": "failed",
    "customer_approval_denied": "failed",
    "charged_back": "failed",
}
REFUND_STATUSES: dict[str, RefundStatus] = {
    "created": "pending",
    "pending_submission": "pending",
    "submitted": "pending",
    "refund_settled": "pending",
    "paid": "succeeded",
    "failed": "failed",
    "cancelled": "failed",
    "bounced": "failed",
    "funds_returned": "failed",
}
MANDATE_STATES: dict[str, MethodState] = {
    "pending_customer_approval": "usable",
    "pending_submission": "usable",
    "submitted": "usable",
    "active": "usable",
    "suspended_by_payer": "kept",
    "blocked": "kept",
    "failed": "forgotten",
    "cancelled": "forgotten",
    "expired": "forgotten",
    "consumed": "forgotten",
}
# A mandate is for one currency: that of its scheme.
CURRENCIES = {
    "ach": "USD",
    "autogiro": "SEK",
    "bacs": "GBP",
    "becs": "AUD",
    "becs_nz": "NZD",
    "betalingsservice": "DKK",
    "faster_payments": "GBP",
    "pad": "CAD",
    "pay_to": "AUD",
    "sepa_core": "EUR",
    "sepa_cor1": "EUR",
}
CURRENCY_NOT_SUPPORTED = ProviderError("GoCardless does not collect in this currency.", "currency_not_supported")
_KINDS: dict[str, tuple[EventKind, tuple[str, ...]]] = {
    "payments": ("payment", ("payment",)),
    "refunds": ("refund", ("refund",)),
    "mandates": ("method", ("mandate",)),
    "billing_requests": ("method", ("mandate_request_mandate",)),
    "customers": ("customer", ("customer",)),
}
_METADATA_CHARS = 500
_DESCRIPTION_CHARS = 255


def customer_body(customer: CustomerDetails) -> dict[str, Any]:
    """A customer. It needs the name of a company or both names of a person, so there is always something to call it."""
    names = {"given_name": customer.firstname, "family_name": customer.lastname}
    only = customer.name or customer.firstname or customer.lastname or customer.email or customer.external_id
    body = {
        "email": customer.email,
        **({"company_name": only} if customer.name or not all(names.values()) else names),
        "address_line1": customer.address_line1,
        "address_line2": customer.address_line2,
        "city": customer.city,
        "postal_code": customer.postal_code,
        "country_code": customer.country,
    }
    metadata = _metadata(lago_customer_id=customer.id, customer_id=customer.external_id)
    return {**{name: value for name, value in body.items() if value}, "metadata": metadata}


def mandate_body(request: SetupRequest) -> dict[str, Any]:
    """The wish for a mandate. With a currency GoCardless chooses the scheme."""
    return {
        "mandate_request": {"currency": request.currency.upper()},
        "links": {"customer": request.provider_customer_id},
        "metadata": _metadata(lago_customer_id=request.customer_id),
    }


def charge_body(request: ChargeRequest) -> dict[str, Any]:
    """A payment, at the earliest day that the mandate allows."""
    return {
        "amount": request.amount_cents,
        "currency": request.currency.upper(),
        "description": request.description[:_DESCRIPTION_CHARS],
        "metadata": _metadata(
            lago_payment_id=request.payment_id,
            lago_payable_id=request.payable_id,
            lago_customer_id=request.customer_id,
        ),
        "retry_if_possible": request.retry_if_possible,
        "links": {"mandate": request.method_id},
    }


def refund_body(request: RefundRequest, *, refunded: int) -> dict[str, Any]:
    """A refund. `refunded`: what refunds took of the payment so far; the sum shows that both of us think the same."""
    return {
        "amount": request.amount_cents,
        "total_amount_confirmation": refunded + request.amount_cents,
        "metadata": _metadata(lago_credit_note_id=request.refund_id),
        "links": {"payment": request.provider_payment_id},
    }


def same_charge(there: Mapping[str, Any], request: ChargeRequest) -> bool:
    """Whether a payment is what was asked for."""
    about = (cents(there["amount"]), there["currency"], part(there, "metadata", "lago_payment_id"))
    return about == (request.amount_cents, request.currency.upper(), request.payment_id)


def same_refund(there: Mapping[str, Any], request: RefundRequest) -> bool:
    """Whether a refund is what was asked for."""
    about = (cents(there["amount"]), part(there, "metadata", "lago_credit_note_id"))
    return about == (request.amount_cents, request.refund_id)


def outcome(payment: Mapping[str, Any], why: Hint | None = None) -> Outcome:
    """Where a payment stands. `why`: what an event told of its failure; that another try is announced stands nowhere else."""
    status, day = str(payment["status"]), payment.get("charge_date")
    ours = STATUSES.get(status, "processing")
    retried = status == "failed" and why is not None and why.retry_announced
    error = (why.error if why else None) or ProviderError(f"The payment is {status}.", status)
    if status == CHARGED_BACK:
        error = ProviderError(error.message, CHARGED_BACK)
    return Outcome(
        provider_id=payment["id"],
        provider_status=status,
        status="processing" if retried else ours,
        amount_cents=cents(payment["amount"]),
        currency=str(payment["currency"]),
        error=error if ours == "failed" else None,
        retry_announced=retried,
        charge_date=None if day is None else date.fromisoformat(day),
        known=status in STATUSES,
        method_id=part(payment, "links", "mandate"),
        metadata=payment.get("metadata") or {},
    )


def refund_outcome(refund: Mapping[str, Any]) -> RefundOutcome:
    """Where a refund stands."""
    status = str(refund["status"])
    ours = REFUND_STATUSES.get(status, "pending")
    return RefundOutcome(
        provider_id=refund["id"],
        provider_status=status,
        status=ours,
        amount_cents=cents(refund["amount"]),
        error=ProviderError(f"The refund is {status}.", status) if ours == "failed" else None,
        known=status in REFUND_STATUSES,
        provider_payment_id=part(refund, "links", "payment"),
        metadata=refund.get("metadata") or {},
    )


def method(mandate: Mapping[str, Any], *, is_default: bool = False) -> Method:
    """A mandate. One of an unknown status is kept, and not charged."""
    scheme = str(mandate.get("scheme") or "")
    return Method(
        id=mandate["id"],
        type=scheme,
        state=MANDATE_STATES.get(str(mandate["status"]), "kept"),
        customer_id=text(mandate, "links", "customer") or "",
        currency=CURRENCIES.get(scheme, ""),
        brand=str(mandate.get("reference") or ""),
        is_default=is_default,
        replaced_by=text(mandate, "links", "new_mandate"),
    )


def events(body: Mapping[str, Any]) -> list[Event]:
    """The events of a batch that was verified.

    Raises: NotVerified, for one without an id.
    """
    found = body.get("events")
    if not isinstance(found, list):
        raise NotVerified("the body has no events")
    return [event(each) for each in found]


def event(found: Any) -> Event:
    """One event.

    Raises: NotVerified, without an id.
    """
    event_id, resource, action = (
        identifier(found, "id"),
        text(found, "resource_type") or "",
        text(found, "action") or "",
    )
    if event_id is None:
        raise NotVerified("an event has no id")
    kind, places = _KINDS.get(resource, ("other", ()))
    object_id = next((each for place in places if (each := identifier(found, "links", place))), "")
    return Event(
        id=event_id,
        kind=kind if object_id else "other",
        object_id=object_id,
        action=f"{resource}.{action}",
        at=_instant(found.get("created_at")),
        hint=hint(found),
    )


def hint(found: Mapping[str, Any]) -> Hint:
    """What an event explains: of a failure the cause, never the bank's own reason code."""
    cause, description = text(found, "details", "cause"), text(found, "details", "description")
    failed = "failed" in (STATUSES.get(str(found.get("action"))), REFUND_STATUSES.get(str(found.get("action"))))
    return Hint(
        payment_id=text(found, "resource_metadata", "lago_payment_id"),
        provider_payment_id=identifier(found, "links", "payment"),
        provider_customer_id=identifier(found, "links", "customer"),
        replaced_by=identifier(found, "links", "new_mandate"),
        error=ProviderError((description or cause)[: limits.PROVIDER_MESSAGE_CHARS], cause)
        if failed and cause
        else None,
        retry_announced=failed and part(found, "details", "will_attempt_retry") is True,
    )


def explaining(found: Iterable[Mapping[str, Any]], status: str) -> Hint | None:
    """What the newest of a payment's events with this status explains."""
    told = [each for each in found if each.get("action") == status]
    return hint(max(told, key=lambda each: str(each.get("created_at")))) if told else None


def cents(amount: Any) -> int:
    """An amount, which comes as a number or as digits in a string."""
    return int(amount)


def _instant(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo is not None else None


def _metadata(**values: str) -> dict[str, str]:
    return {name: value[:_METADATA_CHARS] for name, value in values.items() if value}
