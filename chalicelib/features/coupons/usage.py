"""An applied coupon after an invoice used it, and after the use was given back. Values only; nothing is written.

Source: rules/invoices 1, 5.
"""

from datetime import datetime
from typing import Any

from chalicelib import limits
from chalicelib.features.coupons.records import AppliedCoupon, Coupon
from chalicelib.platform.ids import InvoiceId


def used(applied: AppliedCoupon, invoice_id: InvoiceId, amount_cents: int, *, now: datetime) -> AppliedCoupon:
    """An applied coupon of which an invoice took `amount_cents`, above 0. It ends when nothing is left."""
    assert amount_cents > 0, "a discount of nothing is no use"
    latest = (*applied.invoice_ids, invoice_id)[-limits.APPLIED_COUPON_INVOICES_SHOWN :]
    values: dict[str, Any] = {"invoice_ids": latest}
    left: int | None = None
    if applied.frequency == "once":
        left = 0
        if applied.amount_cents_remaining is not None:
            left = values["amount_cents_remaining"] = applied.amount_cents_remaining - amount_cents
    elif applied.frequency_duration_remaining is not None:
        left = values["frequency_duration_remaining"] = applied.frequency_duration_remaining - 1
    assert left is None or left >= 0, "an invoice takes no more than there is"
    if left == 0:
        values |= {"status": "terminated", "terminated_at": now, "ending": "used"}
    changed: AppliedCoupon = applied.changed(now=now, **values)
    return changed


def given_back(applied: AppliedCoupon, coupon: Coupon, amount_cents: int, *, now: datetime) -> AppliedCoupon:
    """An applied coupon to which a void invoice gives back what it took. One that was used up is active again, unless its
    coupon has ended; one that was removed stays so."""
    values: dict[str, Any] = {}
    if applied.amount_cents_remaining is not None:
        values["amount_cents_remaining"] = applied.amount_cents_remaining + amount_cents
    if applied.frequency_duration_remaining is not None:
        values["frequency_duration_remaining"] = applied.frequency_duration_remaining + 1
    if applied.ending == "used" and coupon.usable(now):
        values |= {"status": "active", "terminated_at": None, "ending": None}
    changed: AppliedCoupon = applied.changed(now=now, **values)
    return changed
