"""A refund as it is kept."""

from datetime import datetime

from chalicelib.features.payments.providers.values import ProviderError, RefundRequest, RefundStatus
from chalicelib.platform.collection import Record
from chalicelib.platform.ids import CreditNoteId, InvoiceId, PaymentId


class Refund(Record):
    """What a credit note gives back of one payment; its id is that of the payment. `request`: all that is asked of the
    provider, frozen before the first call; `key`: makes the calls one. In real time: `sent_at`: the first call; `last_sent_at`:
    the last one not answered with a stored failure (`replayed`). `tries`: calls of which nobody knows what they did."""

    note_id: CreditNoteId
    payment_id: PaymentId
    invoice_id: InvoiceId
    connection_id: str
    amount_cents: int
    request: RefundRequest
    key: str
    status: RefundStatus = "pending"
    provider_refund_id: str | None = None
    provider_status: str = ""
    sent_at: datetime | None = None
    last_sent_at: datetime | None = None
    replayed: bool = False
    tries: int = 0
    error: ProviderError | None = None
