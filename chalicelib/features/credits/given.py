"""The credits that applied coupons gave, as lists show them."""

from collections.abc import Sequence
from typing import Any

from chalicelib.features.coupons.records import AppliedCoupon
from chalicelib.features.invoices import reading, serializer
from chalicelib.platform.ids import OrganizationId


def credits_of(organization_id: OrganizationId, applied: Sequence[AppliedCoupon]) -> dict[str, list[dict[str, Any]]]:
    """The credits of each applied coupon, by its id, in the order in which they were given; invoices are read together."""
    ids = {invoice_id for each in applied for invoice_id in each.invoice_ids}
    known = reading.get_many(organization_id, ids) if ids else {}
    return {
        each.id: [
            serializer.coupon_credit(part, known[invoice_id])
            for invoice_id in each.invoice_ids
            if invoice_id in known
            for part in known[invoice_id].coupons
            if part.applied_coupon_id == each.id
        ]
        for each in applied
    }
