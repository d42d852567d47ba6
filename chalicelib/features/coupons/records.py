"""Coupons and applied coupons as they are kept. Rates are exact text, in percent."""

from datetime import datetime
from typing import Literal

from chalicelib.platform.collection import Record
from chalicelib.platform.ids import AppliedCouponId, BillableMetricId, CouponId, CustomerId, InvoiceId, PlanId

CouponType = Literal["fixed_amount", "percentage"]
Frequency = Literal["once", "recurring", "forever"]
Expiration = Literal["no_expiration", "time_limit"]
Status = Literal["active", "terminated"]
# `used`: an invoice took the last of it. Only that is undone when the invoice is voided.
Ending = Literal["used", "removed"]


class Coupon(Record):
    """A coupon of the catalog. `expiration_at`: the first instant at which it cannot be applied to a customer any more;
    `applied`: it was applied to a customer at some time, which fixes its terms; `counted`: its applications were counted from
    the beginning."""

    id: CouponId
    name: str
    code: str
    description: str | None = None
    coupon_type: CouponType
    amount_cents: int | None = None
    amount_currency: str | None = None
    percentage_rate: str | None = None
    frequency: Frequency
    frequency_duration: int | None = None
    reusable: bool = True
    expiration: Expiration
    expiration_at: datetime | None = None
    plan_ids: tuple[PlanId, ...] = ()
    metric_ids: tuple[BillableMetricId, ...] = ()
    applied: bool = False
    counted: bool = False
    terminated_at: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether it has neither ended nor been deleted, as far as it was written."""
        return self.terminated_at is None and self.deleted_at is None

    def usable(self, now: datetime) -> bool:
        """Whether it can be applied to a customer at an instant."""
        return self.active and (self.expiration_at is None or now < self.expiration_at)


class AppliedCoupon(Record):
    """A coupon applied to a customer, with terms of its own. An amount or a rate; the currency is that of the amount.

    `amount_cents_remaining`: of an amount that is given once; `frequency_duration_remaining`: invoices left of a recurring
    one. `invoice_ids`: the latest invoices that took of it, for showing.
    """

    id: AppliedCouponId
    coupon_id: CouponId
    coupon_code: str
    customer_id: CustomerId
    external_customer_id: str
    status: Status = "active"
    amount_cents: int | None = None
    amount_cents_remaining: int | None = None
    amount_currency: str | None = None
    percentage_rate: str | None = None
    frequency: Frequency
    frequency_duration: int | None = None
    frequency_duration_remaining: int | None = None
    terminated_at: datetime | None = None
    ending: Ending | None = None
    invoice_ids: tuple[InvoiceId, ...] = ()

    @property
    def active(self) -> bool:
        """Whether invoices may take of it."""
        return self.status == "active"
