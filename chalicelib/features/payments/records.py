"""Payments and receipts as they are kept."""

from datetime import datetime
from typing import Literal

from chalicelib.platform.collection import Record
from chalicelib.platform.ids import CustomerId, InvoiceId, PaymentId, PaymentReceiptId

PaymentType = Literal["manual", "provider"]
PaymentStatus = Literal["pending", "processing", "succeeded", "failed"]


class Payment(Record):
    """One payment of an invoice, in whole cents of its currency. `reference`: the payer's or bank's words; `paid_at`: when it
    was made, which may be long before it is recorded."""

    id: PaymentId
    invoice_id: InvoiceId
    invoice_number: str
    customer_id: CustomerId
    external_customer_id: str
    amount_cents: int
    currency: str
    type: PaymentType
    payment_status: PaymentStatus
    reference: str
    paid_at: datetime


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
