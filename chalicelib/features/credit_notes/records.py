"""Credit notes as they are kept. Amounts are whole cents of the note's currency unless a field says precise."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from chalicelib.features.invoices.parts import AppliedTaxPart, Part
from chalicelib.platform.collection import Record
from chalicelib.platform.ids import CreditNoteId, CustomerId, FeeId, InvoiceId

Reason = Literal[
    "duplicated_charge",
    "product_unsatisfactory",
    "order_change",
    "order_cancellation",
    "fraudulent_charge",
    "other",
]
CreditStatus = Literal["available", "consumed", "voided"]
RefundStatus = Literal["pending", "succeeded", "failed"]


class CreditNoteItem(Part):
    """The credit on one fee, before tax and coupons; `precise_amount_cents` is exact text."""

    id: str
    fee_id: FeeId
    amount_cents: int
    precise_amount_cents: str


class CreditNote(Record):
    """One credit note. `status` draft or finalized, as its invoice; `sequential_id` counts the invoice's notes. Precise
    amounts (cents) and `taxes_rate` (percent) are exact text. `customer_search`: the customer's names, by which lists
    find it; `refunded_at`: when its refund succeeded."""

    id: CreditNoteId
    invoice_id: InvoiceId
    invoice_number: str
    customer_id: CustomerId
    external_customer_id: str
    customer_search: str = ""
    number: str
    sequential_id: int
    status: Literal["draft", "finalized"]
    credit_status: CreditStatus | None
    refund_status: RefundStatus | None
    reason: Reason
    description: str | None = None
    currency: str
    issuing_date: date
    total_amount_cents: int
    taxes_amount_cents: int
    precise_taxes_amount_cents: str
    precise_total_amount_cents: str
    taxes_rate: str
    sub_total_excluding_taxes_amount_cents: int
    coupons_adjustment_amount_cents: int
    credit_amount_cents: int
    refund_amount_cents: int
    offset_amount_cents: int
    balance_amount_cents: int
    items: tuple[CreditNoteItem, ...]
    applied_taxes: tuple[AppliedTaxPart, ...]
    voided_at: datetime | None = None
    refunded_at: datetime | None = None
    file_key: str | None = None
    file_secret: str | None = None
    metadata: dict[str, str | None] = {}

    @property
    def visible(self) -> bool:
        """Whether reads and lists know it."""
        return self.status == "finalized"

    @property
    def open(self) -> bool:
        """Whether its balance can be used by invoices."""
        return self.visible and self.balance_amount_cents > 0


@dataclass(frozen=True, slots=True)
class OpenNote:
    """A balance that invoices of its currency may use, other than its own."""

    note_id: CreditNoteId
    currency: str
    balance_cents: int
    invoice_id: InvoiceId
