"""A payment request as it is kept."""

from typing import Literal

from chalicelib.features.payments.records import Share
from chalicelib.platform.collection import Record
from chalicelib.platform.ids import CustomerId, PaymentRequestId

RequestStatus = Literal["pending", "succeeded", "failed"]


class PaymentRequest(Record):
    """One payment request. `shares`: what was due of each invoice when it was made; `amount_cents`: their sum;
    `pages`: so many pages for paying it were made."""

    id: PaymentRequestId
    customer_id: CustomerId
    external_customer_id: str
    email: str
    amount_cents: int
    currency: str
    payment_status: RequestStatus = "pending"
    shares: tuple[Share, ...]
    pages: int = 0
