"""What goes to a payment provider and comes back, in our words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

PayableType = Literal["Invoice", "PaymentRequest"]
# Where a payment stands once a provider knows of it; `pending` is a payment that no provider has answered for yet.
Status = Literal["processing", "succeeded", "failed"]
RefundStatus = Literal["pending", "succeeded", "failed"]
# `kept`: it exists and cannot be charged now; `forgotten`: it never can be again.
MethodState = Literal["usable", "kept", "forgotten"]
# The object of ours that the provider has no more, or not as a thing that can be charged.
Lost = Literal["customer", "method"]
EventKind = Literal["payment", "refund", "method", "customer", "page", "dispute", "other"]

# The code of the error of a payment that its payer took back, with every provider.
CHARGED_BACK = "charged_back"

_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Connection:
    """An organization's account with a provider. `secrets`: the provider's `secret_fields`; `sandbox`: whether the organization
    is one, which takes test keys only; `webhook_id`: the provider's id of the endpoint that `webhook_url` was registered as."""

    id: str
    code: str
    sandbox: bool
    secrets: Mapping[str, str] = field(repr=False)
    webhook_url: str = ""
    webhook_id: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def without_secrets(self, text: str) -> str:
        """A text in which a provider may have repeated what it was sent."""
        for secret in self.secrets.values():
            text = text.replace(secret, _HIDDEN) if secret else text
        return text


@dataclass(frozen=True, slots=True)
class Connected:
    """What connecting gives: the secret that signs the provider's events, to be kept sealed, and the id of the endpoint."""

    webhook_secret: str = field(repr=False)
    webhook_id: str | None = None


@dataclass(frozen=True, slots=True)
class CustomerDetails:
    """A customer as a provider is told of it. `id` is ours, `external_id` the organization's own."""

    id: str
    external_id: str
    name: str = ""
    firstname: str = ""
    lastname: str = ""
    email: str = ""
    phone: str = ""
    address_line1: str = ""
    address_line2: str = ""
    city: str = ""
    postal_code: str = ""
    state: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to pay that a customer left with the provider. `currency`: the only one it can be charged in, empty for any;
    `replaced_by`: the id of the method that took its place."""

    id: str
    type: str
    state: MethodState
    customer_id: str = ""
    currency: str = ""
    brand: str = ""
    last4: str = ""
    is_default: bool = False
    replaced_by: str | None = None


@dataclass(frozen=True, slots=True)
class SetupRequest:
    """A page on which a customer leaves a way to pay. `methods`: the types to offer, none for what the provider offers in
    the currency."""

    customer_id: str
    provider_customer_id: str
    currency: str
    success_url: str
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PayRequest:
    """A page on which a customer pays one amount, once."""

    customer_id: str
    payable_type: PayableType
    payable_id: str
    provider_customer_id: str
    amount_cents: int
    currency: str
    name: str
    description: str
    success_url: str
    expires_at: datetime
    methods: tuple[str, ...] = ()
    issuing_date: str = ""
    invoice_type: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A page of the provider. `expires_at`: None where it does not say."""

    id: str
    url: str = field(repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NotOffered:
    """The provider has no such page."""


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """All that a charge asks for. It is stored with the payment before the first call, and every further call under the same
    key sends the same. `on_session`: the customer is there and may be asked, at `return_url`, to authenticate."""

    payment_id: str
    customer_id: str
    payable_type: PayableType
    payable_id: str
    provider_customer_id: str
    method_id: str
    method_type: str
    amount_cents: int
    currency: str
    description: str
    issuing_date: str = ""
    invoice_type: str = ""
    on_session: bool = False
    return_url: str = ""
    retry_if_possible: bool = True


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """A refund of one payment for a credit note. `refund_id`: ours, which tells it from other refunds of the payment."""

    refund_id: str
    invoice_id: str
    provider_payment_id: str
    amount_cents: int
    currency: str
    reason: str = "other"


@dataclass(frozen=True, slots=True)
class ProviderError:
    """Why a provider refused, in its own words and code."""

    message: str
    error_code: str

    def shown(self) -> dict[str, str]:
        """The error as our messages carry it."""
        return {"message": self.message, "error_code": self.error_code}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a payment stands at the provider. `provider_id`: None where it refused before there was a payment; `known`: False
    for a status that is not in our table, which counts as processing and is worth an alarm; `retry_announced`: the provider
    said that it tries a failed payment again, which until then counts as processing; `metadata`: what we had put there."""

    provider_id: str | None
    provider_status: str
    status: Status
    amount_cents: int = 0
    currency: str = ""
    error: ProviderError | None = None
    next_action: Mapping[str, Any] = field(default_factory=dict, repr=False)
    retry_announced: bool = False
    charge_date: date | None = None
    known: bool = True
    lost: Lost | None = None
    method_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def payment_id(self) -> str | None:
        """Our id of the payment; None for one that was not charged by us."""
        return self.metadata.get("lago_payment_id")


@dataclass(frozen=True, slots=True)
class RefundOutcome:
    """Where a refund stands at the provider. `provider_id`: None where it refused before there was a refund."""

    provider_id: str | None
    provider_status: str
    status: RefundStatus
    amount_cents: int = 0
    error: ProviderError | None = None
    known: bool = True
    provider_payment_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Open:
    """A page on which nobody has paid yet, and somebody still can."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A page on which nobody has paid and nobody can any more."""


@dataclass(frozen=True, slots=True)
class Paid:
    """A page that was completed. `payment`: what came of it, which a slow way to pay leaves processing; None where the page
    was not for paying."""

    payment: Outcome | None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A payment that its payer contests. `lost`: the provider has taken the money back for good."""

    id: str
    provider_payment_id: str
    provider_status: str
    lost: bool


@dataclass(frozen=True, slots=True)
class Hint:
    """What an event says beside the object it is about. It explains, and decides nothing. `payment_id`: ours; `lost`: of a
    dispute."""

    payment_id: str | None = None
    provider_payment_id: str | None = None
    provider_customer_id: str | None = None
    replaced_by: str | None = None
    error: ProviderError | None = None
    retry_announced: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A verified event. `object_id`: the provider's id of the object it is about, empty for kind `other`; `action`: the
    provider's own name of what happened; `at`: when, by its clock."""

    id: str
    kind: EventKind
    object_id: str
    action: str
    at: datetime | None
    hint: Hint
