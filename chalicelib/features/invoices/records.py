"""Invoices and fees as they are kept. Amounts are whole cents of the invoice's currency unless a field says exact."""

from datetime import date, datetime
from fractions import Fraction
from typing import Any, Literal
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.money import round_half_up
from chalicelib.features.invoices.parts import (
    AppliedTaxPart,
    CouponPart,
    CreditPart,
    MetadataPair,
    NoteSums,
    Part,
    PaymentPagePart,
    PeriodPart,
    WalletPart,
)
from chalicelib.platform.collection import Record
from chalicelib.platform.ids import (
    ChargeFilterId,
    ChargeId,
    CustomerId,
    FeeId,
    FixedChargeId,
    InvoiceId,
    PaymentId,
    SubscriptionId,
    WalletTransactionId,
)

InvoiceType = Literal["subscription", "add_on", "credit", "one_off", "advance_charges", "progressive_billing"]
InvoiceStatus = Literal["draft", "finalized", "voided", "failed", "pending", "closed", "open", "deleted"]
PaymentStatus = Literal["pending", "succeeded", "failed"]
FeeType = Literal["charge", "add_on", "subscription", "credit", "commitment", "fixed_charge"]
FeeItemType = Literal["Subscription", "BillableMetric", "AddOn", "WalletTransaction"]
FeePaymentStatus = Literal["pending", "succeeded", "failed", "refunded"]
# Statuses of invoices that reads and lists know.
VISIBLE: tuple[InvoiceStatus, ...] = ("draft", "finalized", "voided", "failed", "pending")


class Fee(Part):
    """The amount owed for one item. `units`, `precise_amount_cents`, `unit_amount` (currency units) and rates are exact
    text; `start` and `end` are half-open. `payment_status` and the fields after it are of a standalone fee; other fees have
    their invoice's. `coupon_share_cents`, `late_coupon_share_cents`: its share of the invoice's coupons before and after tax,
    as the text of a fraction ("125/17"), since most have no last digit; taxes are those of what the first one leaves."""

    id: FeeId
    invoice_id: InvoiceId | None
    customer_id: CustomerId
    external_customer_id: str
    subscription_id: SubscriptionId | None
    external_subscription_id: str | None
    charge_id: ChargeId | None
    charge_filter_id: ChargeFilterId | None = None
    filter_values: dict[str, tuple[str, ...]] | None = None
    filter_display_name: str | None = None
    group_id: str | None = None
    grouped_by: dict[str, str | None] = {}
    fixed_charge_id: FixedChargeId | None = None
    true_up_fee_id: str | None = None
    true_up_parent_id: str | None = None
    event_transaction_id: str | None = None
    type: FeeType
    item_id: str
    item_type: FeeItemType
    item_code: str
    item_name: str
    item_description: str | None
    display_name: str
    amount_cents: int
    precise_amount_cents: str
    currency: str
    units: str
    total_units: str
    unit_amount: str
    events_count: int | None
    details: dict[str, Any]
    taxes_amount_cents: int
    taxes_precise_cents: str
    taxes_rate: str
    applied_taxes: tuple[AppliedTaxPart, ...]
    coupon_share_cents: str = "0"
    late_coupon_share_cents: str = "0"
    pay_in_advance: bool
    invoiceable: bool
    start: datetime
    end: datetime
    exact_end: bool = False
    created_at: datetime
    payment_status: FeePaymentStatus = "pending"
    succeeded_at: datetime | None = None
    failed_at: datetime | None = None
    refunded_at: datetime | None = None

    @property
    def coupon_share(self) -> Fraction:
        """Its share of the coupons before tax, exact."""
        return Fraction(self.coupon_share_cents)

    @property
    def late_coupon_share(self) -> Fraction:
        """Its share of the coupons after tax, exact."""
        return Fraction(self.late_coupon_share_cents)

    @property
    def owed_cents(self) -> int:
        """The amount owed: with tax, less the fee's shares of coupons."""
        net = self.amount_cents - self.coupon_share
        return round_half_up(net - self.late_coupon_share) + self.taxes_amount_cents


class Invoice(Record):
    """One invoice. `build`: the fee revision that counts; `timezone`: the customer's, as it was when billed;
    `customer_search`: the customer's names, by which lists find it; `note_ids`: the credit notes on it, in their order;
    `credited`: exact cents given back so far by fee; `noted`: the sums of these notes; `credits`: the parts taken of other
    invoices' notes; `coupons`: of applied coupons; `payments`: how many payments were recorded; `paid_on`: the organization's
    day on which its payment succeeded; `in_months`: the figures of its month count it (`figures.py`); `purchase_id`: the
    purchase of credits that a credit invoice bills; `payment_under_way`: the payment through a provider that may still succeed:
    while there is one, no other is begun; `pages`: so many pages for paying it were made, and `payment_pages` may be open;
    `collected_payments`: those through providers that succeeded, the oldest first."""

    id: InvoiceId
    customer_id: CustomerId
    external_customer_id: str
    invoice_type: InvoiceType
    status: InvoiceStatus
    payment_status: PaymentStatus
    number: str
    sequential_id: int | None
    currency: str
    timezone: str
    issuing_date: date
    payment_due_date: date
    net_payment_term: int
    finalize_on: date
    fees_amount_cents: int
    coupons_amount_cents: int
    taxes_amount_cents: int
    taxes_rate: str
    sub_total_excluding_taxes_amount_cents: int
    sub_total_including_taxes_amount_cents: int
    credit_notes_amount_cents: int
    prepaid_credit_amount_cents: int
    total_amount_cents: int
    total_paid_amount_cents: int = 0
    version_number: int
    applied_taxes: tuple[AppliedTaxPart, ...]
    periods: tuple[PeriodPart, ...]
    build: str
    finalized_at: datetime | None = None
    voided_at: datetime | None = None
    paid_on: date | None = None
    in_months: bool = False
    payment_overdue: bool = False
    payment_dispute_lost_at: datetime | None = None
    metadata: tuple[MetadataPair, ...] = ()
    file_key: str | None = None
    file_secret: str | None = None
    customer_search: str = ""
    note_ids: tuple[str, ...] = ()
    credited: dict[str, str] = {}
    noted: NoteSums = NoteSums()
    offset_amount_cents: int = 0
    payments: int = 0
    credits: tuple[CreditPart, ...] = ()
    coupons: tuple[CouponPart, ...] = ()
    wallet_payments: tuple[WalletPart, ...] = ()
    purchase_id: WalletTransactionId | None = None
    payment_under_way: PaymentId | None = None
    collected_payments: tuple[PaymentId, ...] = ()
    payment_pages: tuple[PaymentPagePart, ...] = ()
    pages: int = 0

    @property
    def late_coupons_amount_cents(self) -> int:
        """The amount that coupons took off after tax, in cents."""
        return sum(part.amount_cents for part in self.coupons if not part.before_taxes)

    @property
    def visible(self) -> bool:
        """Whether reads and lists know it."""
        return self.status in VISIBLE

    @property
    def due_amount_cents(self) -> int:
        """The amount still to be paid; a voided invoice owes nothing, nor does one that was paid twice."""
        left = self.total_amount_cents - self.total_paid_amount_cents - self.offset_amount_cents
        return 0 if self.status == "voided" else max(0, left)

    @property
    def collectable(self) -> bool:
        """Whether its payment may be begun: it is owed, and none is under way."""
        is_owed = (
            self.status in ("finalized", "open") and self.payment_status != "succeeded" and self.due_amount_cents > 0
        )
        return is_owed and self.payment_under_way is None and self.payment_dispute_lost_at is None

    @property
    def creditable_cents(self) -> int:
        """The amount of a credit note on all that is left. A purchase of credits is refunded only."""
        if self.status != "finalized" or self.invoice_type == "credit":
            return 0
        return max(0, self.sub_total_including_taxes_amount_cents - self.noted.sub_total_cents - self.noted.taxes_cents)

    def refundable_cents(self, wallet_cents: int = 0) -> int:
        """The amount that such a note may refund: at most what was paid and is not refunded yet; of a purchase of
        credits, at most what its wallet still holds (`wallet_cents`). Source: rules/invoices 7.2."""
        most = self.creditable_cents
        if self.status == "finalized" and self.invoice_type == "credit":
            most = wallet_cents
        return min(most, max(0, self.total_paid_amount_cents - self.noted.refunded_cents))

    @property
    def billed_on(self) -> date:
        """The local day of the billing instant."""
        return periods.local_date(self.created_at, ZoneInfo(self.timezone))
