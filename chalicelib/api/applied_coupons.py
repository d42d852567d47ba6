"""`/applied_coupons`."""

from typing import Any

from chalicelib.api.resource import carry_out
from chalicelib.domain.error_codes import Resource
from chalicelib.features.coupons import applying, listings
from chalicelib.features.coupons.records import AppliedCoupon
from chalicelib.features.credits import given
from chalicelib.features.customers import service as customers
from chalicelib.platform.http import Call, Routes
from chalicelib.platform.ids import AppliedCouponId, CustomerId

routes = Routes(__name__)


@routes.post("/applied_coupons")
def create(call: Call) -> dict[str, Any]:
    """Apply a coupon to a customer."""
    values = call.root("applied_coupon")
    applied = carry_out(call, Resource.APPLIED_COUPON, lambda: applying.apply(call.organization, values, now=call.now))
    return _answer(call, applied)


@routes.get("/applied_coupons")
def index(call: Call) -> dict[str, Any]:
    """One page, newest first."""
    return _page(call)


@routes.get("/customers/{external_id}/applied_coupons")
def index_of_customer(call: Call) -> dict[str, Any]:
    """Applied coupons of one customer. Raises: NotFound, for an unknown customer."""
    return _page(call, customers.find(call.organization.id, call.path["external_id"]).id)


@routes.delete("/customers/{external_id}/applied_coupons/{lago_id}")
def destroy(call: Call) -> dict[str, Any]:
    """End one: invoices take of it no more."""
    applied_id = AppliedCouponId(call.path["lago_id"])
    return _answer(call, applying.remove(call.organization, call.path["external_id"], applied_id, now=call.now))


def _page(call: Call, customer_id: CustomerId | None = None) -> dict[str, Any]:
    found, meta = listings.page(call, customer_id)
    shown = applying.show_all(call.organization.id, found)
    credits = given.credits_of(call.organization.id, found)
    return {"applied_coupons": [one | {"credits": credits[one["lago_id"]]} for one in shown], "meta": meta}


def _answer(call: Call, applied: AppliedCoupon) -> dict[str, Any]:
    return {"applied_coupon": applying.show_all(call.organization.id, [applied])[0]}
