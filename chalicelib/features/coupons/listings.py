"""The list of applied coupons and its filters. Source: rules/invoices 5."""

from collections.abc import Callable
from typing import get_args

from chalicelib.features.coupons import store
from chalicelib.features.coupons.records import AppliedCoupon, Status
from chalicelib.features.coupons.store import AppliedCouponRow
from chalicelib.features.customers import service as customers
from chalicelib.platform import counters, listing, parameters
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
    external_id = call.one("external_customer_id")
    if customer_id is None and external_id is not None:
        customer = customers.find_live(organization_id, external_id)
        if customer is None:
            return [], listing.meta(listing.wanted(call), 0)
        customer_id = customer.id
    total: Callable[[], int] | None = None
    if customer_id is None and not chosen.conditions:
        total = lambda: counters.total(organization_id, store.LIST)  # noqa: E731
    wanted = listing.Listing(
        organization_id,
        AppliedCouponRow,
        key(organization_id, store.LIST) if customer_id is None else store.owner_pk(organization_id, customer_id),
        index="list" if customer_id is None else "owner",
        where=chosen.conditions,
        total=total,
    )
    found, meta = listing.read(wanted, listing.wanted(call))
    return [row.value for row in found], meta
