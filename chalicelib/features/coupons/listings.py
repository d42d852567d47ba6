"""The list of applied coupons and its filters. Source: rules/invoices 5."""

from typing import get_args

from chalicelib.features.coupons import store
from chalicelib.features.coupons.records import AppliedCoupon, Status
from chalicelib.features.coupons.store import AppliedCouponRow
from chalicelib.features.customers import owned_lists
from chalicelib.platform import listing, parameters
from chalicelib.platform.http import Call
from chalicelib.platform.ids import CustomerId, key


def page(call: Call, customer_id: CustomerId | None = None) -> tuple[list[AppliedCoupon], dict[str, int | None]]:
    """One page of the applied coupons, active and ended, the newest first.

    Raises: Invalid, for an unknown status.
    """
    organization_id = call.organization.id
    chosen = listing.Filter()
    status = parameters.word(call, "status", get_args(Status))
    if status is not None:
        chosen.one_of("status", [status])
    codes = parameters.texts(call, "coupon_code")
    if codes:
        chosen.one_of("coupon_code", codes)
    owner_id = customer_id or owned_lists.owner_of(call, "external_customer_id")
    whole = listing.Listing(
        organization_id, AppliedCouponRow, key(organization_id, store.LIST), where=chosen.conditions
    )
    found, meta = owned_lists.page(call, whole, owner_id, store.owner_pk, counted=store.LIST)
    return [row.value for row in found], meta
