"""Payments and receipts as they are kept."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from chalicelib.features.payments.providers.values import ChargeRequest, PayableType, ProviderError
from chalicelib.platform.collection import Record
from chalicelib.platform.ids import CustomerId, InvoiceId, PaymentId, PaymentReceiptId

PaymentType = Literal["manual", "provider"]
PaymentStatus = Literal["pending", "processing", "succeeded", "failed"]


class Share(BaseModel):
    """The part of a payment that goes to one invoice, in cents."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    invoice_id: InvoiceId
    invoice_number: str
    amount_cents: int


class Collection(BaseModel):
    """The collection of a payment through a provider. `request`: all that a charge asks for, frozen before the first call;
    None of a payment that the customer made on a page. In real time: `sent_at`: the first call; `last_sent_at`: the last
    one that was not answered with a stored failure (`replayed`); `leased_until`: a worker's call is under way. `tries`:
    calls of which nobody knows what they did; `withdrawn`: nothing is to be collected any more; `announced`: a failure
    that the provider follows up by itself was told of; `heard_at`: the provider's time of the event that last explained it;
    `receipted`: it has a receipt; `stopped_at`: since then it waits for a secret that is good."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    connection_id: str
    provider_code: str
    provider_type: str
    provider_customer_id: str
    method_id: str | None = None
    provider_method_id: str | None = None
    request: ChargeRequest | None = None
    provider_payment_id: str | None = None
    provider_status: str = ""
    charge_date: date | None = None
    sent_at: datetime | None = None
    last_sent_at: datetime | None = None
    leased_until: datetime | None = None
    replayed: bool = False
    tries: int = 0
    withdrawn: bool = False
    announced: bool = False
    heard_at: datetime | None = None
    stopped_at: datetime | None = None
    receipted: bool = False
    next_action: dict[str, Any] = {}
    error: ProviderError | None = None

    def after(self, **values: Any) -> "Collection":
        """The collection with other values."""
        return self.model_copy(update=values)


class Payment(Record):
    """One payment of an invoice, or of the invoices of a payment request, in whole cents of its currency. `reference`: the
    payer's or bank's words; `paid_at`: when it was made, which may be long before it is recorded; of a payment that a provider
    collects: when that began. `invoice_id`: the first invoice; `shares`: all of them, where they are several."""

    id: PaymentId
    invoice_id: InvoiceId
    invoice_number: str
    customer_id: CustomerId
    external_customer_id: str
    amount_cents: int
    currency: str
    type: PaymentType
    payment_status: PaymentStatus
    reference: str = ""
    paid_at: datetime
    payable_type: PayableType = "Invoice"
    payable_id: str | None = None
    shares: tuple[Share, ...] = ()
    collection: Collection | None = None

    @property
    def parts(self) -> tuple[Share, ...]:
        """Its parts by invoice."""
        own = Share(invoice_id=self.invoice_id, invoice_number=self.invoice_number, amount_cents=self.amount_cents)
        return self.shares or (own,)

    @property
    def under_way(self) -> bool:
        """Whether it may still succeed by itself: while it does, nothing else of its invoices is collected."""
        return self.payment_status in ("pending", "processing")

    @property
    def collected(self) -> Collection:
        """The collection of a payment that is made through a provider."""
        assert self.collection is not None, "a payment through a provider"
        return self.collection


class PaymentReceipt(Record):
    """The receipt of a succeeded payment. `number`: in the invoice's own sequence; `file_key`: the name of its document;
    `file_secret`: of the document's lasting address."""

    id: PaymentReceiptId
    payment_id: PaymentId
    invoice_id: InvoiceId
    customer_id: CustomerId
    number: str
    file_key: str | None = None
    file_secret: str | None = None
