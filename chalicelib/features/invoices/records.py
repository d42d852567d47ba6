"""Invoices and fees as they are kept. Amounts are whole cents of the invoice's currency unless a field says exact."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from chalicelib.platform.collection import Record


class Part(BaseModel):
    """Base of what is nested in an invoice."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")


class AppliedTaxPart(Part):
    """A tax as it counted: a copy, which later changes of the tax do not touch. `rate` in percent, exact text."""

    id: str
    tax_id: str | None
    code: str
    name: str
    rate: str
    description: str | None
    amount_cents: int
    base_cents: int


class PeriodPart(Part):
    """One subscription's boundaries on an invoice: half-open instants, and what is needed to compute its fees again."""

    subscription_id: str
    external_subscription_id: str
    plan_id: str
    reason: str
    start: datetime
    end: datetime
    charges_start: datetime
    charges_end: datetime
    bills_usage: bool
    exact_end: bool = False
    fee_start: datetime | None = None
    fee_end: datetime | None = None
    fee_days: int | None = None
    fee_of_days: int | None = None
    fee_period_start: date | None = None
    fee_period_end: date | None = None


class MetadataPair(Part):
    """One pair of an invoice's metadata."""

    id: str
    key: str
    value: str
    created_at: datetime


class Fee(Part):
    """What is owed for one thing. `units`, `precise_amount_cents`, `unit_amount` (currency units) and rates are exact
    text; `start` and `end` are half-open."""

    id: str
    invoice_id: str | None
    customer_id: str
    external_customer_id: str
    subscription_id: str | None
    external_subscription_id: str | None
    charge_id: str | None
    type: str
    item_id: str
    item_type: str
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
    pay_in_advance: bool
    invoiceable: bool
    start: datetime
    end: datetime
    exact_end: bool = False
    created_at: datetime


class Invoice(Record):
    """One invoice. `build`: which set of fees counts; `timezone`: the customer's, as it was when billed;
    `customer_search`: the customer's names, by which lists find it."""

    customer_id: str
    external_customer_id: str
    invoice_type: str
    status: str
    payment_status: str
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
    payment_overdue: bool = False
    metadata: tuple[MetadataPair, ...] = ()
    file_key: str | None = None
    customer_search: str = ""

    @property
    def visible(self) -> bool:
        """Whether reads and lists know it."""
        return self.status in VISIBLE


VISIBLE = ("draft", "finalized", "voided", "failed", "pending")
