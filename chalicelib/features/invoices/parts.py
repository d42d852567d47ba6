"""The objects nested in invoices and fees, as they are kept: copies, which later changes of what they name do not touch."""

from datetime import date, datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from chalicelib.domain.invoicing.taxes import AppliedTax, TaxRate
from chalicelib.domain.money import round_half_up
from chalicelib.platform.ids import (
    AppliedCouponId,
    CouponId,
    CreditNoteId,
    PlanId,
    SubscriptionId,
    TaxId,
    WalletId,
    WalletTransactionId,
)


class Part(BaseModel):
    """Base of the objects nested in an invoice."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")


class AppliedTaxPart(Part):
    """A tax as it counted: a copy, which later changes of the tax do not touch. `rate` in percent, exact text."""

    id: str
    tax_id: TaxId | None
    code: str
    name: str
    rate: str
    description: str | None
    amount_cents: int
    base_cents: int

    @classmethod
    def of(cls, applied: AppliedTax, part_id: str) -> "AppliedTaxPart":
        """A tax's part as it is kept."""
        tax = applied.tax
        return cls(
            id=part_id,
            tax_id=tax.id,
            code=tax.code,
            name=tax.name,
            rate=format(tax.rate, "f"),
            description=tax.description,
            amount_cents=applied.amount_cents,
            base_cents=round_half_up(applied.base_cents),
        )

    @property
    def tax(self) -> TaxRate:
        """The tax itself."""
        return TaxRate(self.tax_id, self.code, self.name, Decimal(self.rate), self.description)


class DaysPart(Part):
    """Local days from `first` to `last`, both included, of a whole period [whole_start, whole_end); shown as
    instants."""

    start: datetime
    end: datetime
    first: date
    last: date
    whole_start: date
    whole_end: date


class PeriodPart(Part):
    """One subscription's boundaries on an invoice: half-open instants, and what is needed to compute its fees again.

    `parent_plan_id`: of the plan that the subscription's own one overrides; `charges_start` None: no usage belongs to
    the row. `fixed_paid_units`: units by fixed charge that were paid for before, where only what exceeds them is billed
    (`fixed_last_units`: as they were billed last); `fixed_deductions`: cents by add-on that an upgrade takes off;
    `kept_metric_ids`: recurring metrics that the next plan bills; `earlier_invoices`: those with other fees of the
    period whose commitment is settled here; `renewal`: the days of the usage period that begins, for which recurring
    units are paid in advance."""

    subscription_id: SubscriptionId
    external_subscription_id: str
    plan_id: PlanId
    parent_plan_id: PlanId | None = None
    reason: str
    start: datetime
    end: datetime
    charges_start: datetime | None
    charges_end: datetime | None
    bills_usage: bool
    exact_end: bool = False
    fee_start: datetime | None = None
    fee_end: datetime | None = None
    fee_days: int | None = None
    fee_of_days: int | None = None
    fee_period_start: date | None = None
    fee_period_end: date | None = None
    usage_days: DaysPart | None = None
    fixed_start: datetime | None = None
    fixed_end: datetime | None = None
    fixed_arrears: DaysPart | None = None
    fixed_advance: DaysPart | None = None
    fixed_paid_units: dict[str, str] | None = None
    fixed_last_units: dict[str, str] = {}
    fixed_deductions: dict[str, int] = {}
    commitment: DaysPart | None = None
    kept_metric_ids: tuple[str, ...] = ()
    earlier_invoices: tuple[str, ...] = ()
    renewal: DaysPart | None = None


class CreditPart(Part):
    """The part of a credit note that an invoice took."""

    id: str
    amount_cents: int
    note_id: CreditNoteId
    note_number: str
    note_invoice_number: str


class NoteSums(Part):
    """The sums of the credit notes on an invoice, drafts included, in cents: net and tax, and what was credited and refunded.
    What was offset stands on the invoice itself."""

    sub_total_cents: int = 0
    taxes_cents: int = 0
    credited_cents: int = 0
    refunded_cents: int = 0


class CouponPart(Part):
    """The discount that an invoice took of an applied coupon: a copy of the coupon's names, as they were then."""

    id: str
    amount_cents: int
    applied_coupon_id: AppliedCouponId
    coupon_id: CouponId
    code: str
    name: str
    description: str | None = None
    before_taxes: bool


class WalletPart(Part):
    """The part of an invoice that a wallet paid. `granted_cents`: of credits that were granted, not purchased."""

    wallet_id: WalletId
    transaction_id: WalletTransactionId
    amount_cents: int
    granted_cents: int


class PaymentPagePart(Part):
    """A page of a provider on which the invoice can be paid, or could. `request_id`: of the payment request that it is for,
    whose other invoices have it too; None for the invoice's own. `number`: in the order of the pages of either, which names the
    call that makes it; `page_id`, `url`: None until the provider has answered; `ends_at`: in real time."""

    request_id: str | None = None
    number: int
    connection_id: str
    amount_cents: int
    ends_at: datetime
    name: str
    description: str
    provider_customer_id: str
    success_url: str
    methods: tuple[str, ...] = ()
    page_id: str | None = None
    url: str | None = None


class MetadataPair(Part):
    """One pair of an invoice's metadata."""

    id: str
    key: str
    value: str
    created_at: datetime
