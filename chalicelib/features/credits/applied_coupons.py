"""Applied coupons as credits: limited ones first, on the fees of their plans or metrics. Source: rules/invoices 5."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from chalicelib.domain.invoicing import coupons
from chalicelib.domain.invoicing.coupons import Limit
from chalicelib.domain.invoicing.steps import BEFORE_TAX, VERSION_NUMBERS, CreditKind
from chalicelib.features.coupons import applying, usage
from chalicelib.features.coupons import service as catalog
from chalicelib.features.coupons.records import AppliedCoupon, Coupon
from chalicelib.features.credits.credit import Taken
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.invoices.parts import CouponPart
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.platform.ids import AppliedCouponId, OrganizationId, derived_id
from chalicelib.platform.unit import Write

_DISCOUNTED = ("subscription", "progressive_billing")


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenCoupon(Taken):
    """An applied coupon before and after an invoice took of it."""

    before: AppliedCoupon
    after: AppliedCoupon


@dataclass(frozen=True, slots=True)
class UsableCoupon:
    """An active applied coupon, with its coupon, which says what it is limited to. `written`: its use is written on it,
    else on the invoice alone."""

    applied: AppliedCoupon
    coupon: Coupon
    written: bool = True
    kind: CreditKind = CreditKind.COUPON

    @property
    def limit(self) -> Limit:
        """The kind of its limitation."""
        if self.coupon.metric_ids:
            return Limit.METRICS
        return Limit.PLANS if self.coupon.plan_ids else Limit.NONE

    @property
    def for_ever(self) -> bool:
        """Whether invoices leave all of it."""
        return self.applied.frequency == "forever"

    def applies_to(self, invoice: Invoice, fee: Fee) -> bool:
        """A coupon lowers subscription invoices; an amount those of its currency; a limited one the fees of its plans, those
        that override them too, or of its metrics."""
        if invoice.invoice_type not in _DISCOUNTED:
            return False
        if self.applied.percentage_rate is None and self.applied.amount_currency != invoice.currency:
            return False
        if self.limit is Limit.METRICS:
            return fee.item_type == "BillableMetric" and fee.item_id in self.coupon.metric_ids
        if self.limit is Limit.PLANS:
            return any(
                {period.plan_id, period.parent_plan_id} & set(self.coupon.plan_ids)
                for period in invoice.periods
                if period.subscription_id == fee.subscription_id
            )
        return True

    def offer(self, invoice: Invoice, fees: Sequence[Fee]) -> coupons.Coupon:
        """The coupon as the computation of an invoice of these fees sees it."""
        covered = frozenset(index for index, fee in enumerate(fees) if self.applies_to(invoice, fee))
        limited = None if self.limit is Limit.NONE else covered
        applied = self.applied
        if applied.percentage_rate is not None:
            return coupons.Coupon(applied.id, rate=Decimal(applied.percentage_rate), fees=limited)
        left = applied.amount_cents if applied.amount_cents_remaining is None else applied.amount_cents_remaining
        return coupons.Coupon(applied.id, amount_cents=left, fees=limited)

    def take(self, invoice: Invoice, amount_cents: int, *, now: datetime) -> TakenCoupon:
        """The applied coupon with what the invoice left of it."""
        part = CouponPart(
            id=derived_id(invoice.id, "credit", self.applied.id),
            amount_cents=amount_cents,
            applied_coupon_id=self.applied.id,
            coupon_id=self.coupon.id,
            code=self.coupon.code,
            name=self.coupon.name,
            description=self.coupon.description,
            before_taxes=invoice.version_number == VERSION_NUMBERS[BEFORE_TAX],
        )
        used = usage.used(self.applied, invoice.id, amount_cents, now=now)
        after = used if self.written else self.applied
        return TakenCoupon(part=part, before=self.applied, after=after)


def open_of(organization_id: OrganizationId, items: CustomerItems) -> list[UsableCoupon]:
    """The customer's active coupons, the oldest application first; those of a deleted coupon end, and are not taken."""
    active = applying.active_of(items)
    known = catalog.by_ids(organization_id, [each.coupon_id for each in active]) if active else {}
    found = [UsableCoupon(each, known[each.coupon_id]) for each in active]
    return [each for each in found if each.coupon.deleted_at is None]


def in_order(
    found: Sequence[UsableCoupon], invoice: Invoice, fees: Sequence[Fee]
) -> list[tuple[UsableCoupon, coupons.Coupon]]:
    """Coupons in the order of use, each as the computation of an invoice of these fees sees it."""
    by_id = {each.applied.id: each for each in found}
    offers = ((each.limit, each.applied.created_at, each.offer(invoice, fees)) for each in found)
    return [(by_id[AppliedCouponId(each.id)], each) for each in coupons.in_order(offers)]


def actions(organization_id: OrganizationId, taken: Sequence[TakenCoupon]) -> list[Write]:
    """The writes of all applied coupons that one transaction takes of."""
    changed = [each for each in taken if each.after is not each.before]
    return [write for each in changed for write in applying.replace_actions(organization_id, each.before, each.after)]


def restore(organization_id: OrganizationId, invoice: Invoice, *, now: datetime) -> list[Write]:
    """The writes that give back what an invoice took of applied coupons; for the transaction that voids it. Refused if
    one of them changed meanwhile. Source: rules/invoices 1."""
    found = [
        (part, applying.find(organization_id, invoice.customer_id, part.applied_coupon_id)) for part in invoice.coupons
    ]
    known = catalog.by_ids(organization_id, [part.coupon_id for part in invoice.coupons])
    writes: list[Write] = []
    for part, applied in found:
        assert applied is not None, "applied coupons stay"
        if applied.frequency == "forever":
            continue  # Nothing was taken off it.
        restored = usage.given_back(applied, known[part.coupon_id], part.amount_cents, now=now)
        writes += applying.replace_actions(organization_id, applied, restored)
    return writes
