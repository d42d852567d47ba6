"""Storage of coupons and their applications. Applied coupons that billing reads stand under the customer's own key.

Items
    pk                                  sk                  what it is
    <org>#coupon#<id> ...               -                   the coupon (platform/collection.py)
    <org>#customer#<customer>           coupon#<id>         an applied coupon, while it is active
    <org>#applied_coupon#<id>           -                   an applied coupon that has ended
        index list:  <org>#applied_coupon                   <created_at>#<id>   both
        index owner: <org>#applied_coupon-of#<customer>     the same
    <org>#coupon-applications#<coupon>  <customer>#<id>     the coupon was applied to a customer
    <org>#coupon-applications#<coupon>  <customer>#once     the same for a coupon that is not reusable
    <org>#coupon-figures#<coupon>       -                   `applied`: how many such items there are, for showing only

Access patterns
    1 COUPONS.*                         platform/collection.py
    2 active_of(items)                  -           what customers.store.everything_of read
    3 find(org, customer, id)           GetItem     consistent, up to two: active or ended
    4 applications(org, coupon)         Query       consistent, in the order of customers
    5 has_been_applied(...)             GetItem     consistent
    6 create_actions, replace_actions   part of the application's, the removal's or the issue transaction
    7 applicable_action(coupon)         Update or check; part of the application's transaction
    8 listings.page(call)               Query       index list or owner
    9 applied(org, coupons)             BatchGet    consistent
"""

from collections.abc import Iterable, Iterator

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.coupons.records import AppliedCoupon, Coupon
from chalicelib.features.customers.items import CustomerItem, CustomerItems, customer_pk
from chalicelib.platform import counters, rows
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import CatalogRow, Collection, RecordRow
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import AppliedCouponId, CouponId, CustomerId, OrganizationId, key
from chalicelib.platform.rows import Listed, Owned, Row
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write

LIST = "applied_coupon"
_ONCE = "once"


class CouponRow(CatalogRow):
    """A coupon."""

    record = RecordAttribute(Coupon)


class AppliedCouponRow(RecordRow, CustomerItem, Listed, Owned):
    """An applied coupon: under its customer's key while it is active, under its own when it has ended."""

    begins = "coupon#"
    record = RecordAttribute(AppliedCoupon)


class ApplicationRow(Row):
    """An application of a coupon to a customer."""

    customer_id = UnicodeAttribute()
    applied_coupon_id = UnicodeAttribute()


COUPONS = Collection("coupon", Coupon, CouponRow, code=lambda c: c.code, search=lambda c: f"{c.name}\n{c.code}")


def active_of(items: CustomerItems) -> list[AppliedCoupon]:
    """The active applied coupons among a customer's items, the oldest application first."""
    found: list[AppliedCoupon] = [row.value for row in items.of(AppliedCouponRow)]
    return sorted(found, key=lambda applied: (applied.created_at, applied.id))


def find(organization_id: OrganizationId, customer_id: CustomerId, applied_id: AppliedCouponId) -> AppliedCoupon | None:
    """A customer's applied coupon, active or ended."""
    for place in (_active_key(organization_id, customer_id, applied_id), _ended_key(organization_id, applied_id)):
        found = AppliedCouponRow.find(*place)
        if found is not None:
            applied: AppliedCoupon = found.value
            return applied if applied.customer_id == customer_id else None
    return None


def applications(
    organization_id: OrganizationId, coupon_id: CouponId, *, after: str = ""
) -> Iterator[tuple[str, CustomerId, AppliedCouponId]]:
    """All applications of a coupon: place, customer and applied coupon, ended ones too. `after`: only those that follow a
    place."""
    within = ApplicationRow.sk.between(f"{after}\0" if after else "\0", "\U0010ffff")
    for row in ApplicationRow.select(_applications(organization_id, coupon_id), within=within):
        yield row.sk, CustomerId(row.customer_id), AppliedCouponId(row.applied_coupon_id)


def has_been_applied(organization_id: OrganizationId, coupon_id: CouponId, customer_id: CustomerId) -> bool:
    """Whether a coupon that is not reusable was applied to a customer, ever."""
    return ApplicationRow.find(_applications(organization_id, coupon_id), key(customer_id, _ONCE)) is not None


def create_actions(organization_id: OrganizationId, applied: AppliedCoupon, coupon: Coupon) -> list[Write]:
    """Store a new applied coupon. Refused: a coupon that is not reusable and was applied to the customer before."""
    application = ApplicationRow(
        pk=_applications(organization_id, coupon.id),
        sk=key(applied.customer_id, applied.id if coupon.reusable else _ONCE),
        customer_id=applied.customer_id,
        applied_coupon_id=applied.id,
    )
    return [
        _row(organization_id, applied).create(),
        application.create(Invalid.field("coupon", ErrorCode.COUPON_IS_NOT_REUSABLE)),
        *counters.moved(organization_id, LIST, applied.id, {"all": 1}),
        # The coupon itself is in each such transaction: to spread its counter would make none of them meet less.
        *(counters.moved_at(_figures_key(organization_id, coupon.id), {"applied": 1}) if coupon.counted else ()),
    ]


def applied(organization_id: OrganizationId, coupons: Iterable[Coupon]) -> dict[str, int]:
    """How often each of these coupons was applied, of which that was counted from the beginning."""
    keys = {each.id: _figures_key(organization_id, each.id) for each in coupons if each.counted}
    found = rows.find_many_values(list(keys.values()))
    return {coupon_id: int(found.get(place, {}).get("applied", 0)) for coupon_id, place in keys.items()}


def _figures_key(organization_id: OrganizationId, coupon_id: CouponId) -> Key:
    return key(organization_id, "coupon-figures", coupon_id), "-"


def replace_actions(organization_id: OrganizationId, old: AppliedCoupon, new: AppliedCoupon) -> list[Write]:
    """Write `new` over `old`, at the place that its status calls for; refused if somebody else wrote in between."""
    row = _row(organization_id, new)
    place = _key(organization_id, old)
    if row.key == place:
        return [row.replace(old.version)]
    row.version = old.version + 1
    return [AppliedCouponRow.remove_key(place, AppliedCouponRow.version == old.version), row.create()]


def applicable_action(organization_id: OrganizationId, coupon: Coupon) -> Write:
    """Mark a coupon as applied, or refuse the transaction if it was deleted meanwhile."""
    place = COUPONS.key(organization_id, coupon.id)
    if coupon.applied:
        return CouponRow.check(place, rows.field("deleted_at").is_type("NULL"))
    return CouponRow.change(
        place,
        rows.field("applied").set(True),
        CouponRow.version.set(coupon.version + 1),
        condition=CouponRow.version == coupon.version,
    )


def owner_pk(organization_id: OrganizationId, customer_id: CustomerId) -> str:
    """The key of the index owner under which a customer's applied coupons stand."""
    return key(organization_id, "applied_coupon-of", customer_id)


def _row(organization_id: OrganizationId, applied: AppliedCoupon) -> AppliedCouponRow:
    pk, sk = _key(organization_id, applied)
    row = AppliedCouponRow(pk=pk, sk=sk, version=applied.version, record=applied)
    row.list_pk = key(organization_id, LIST)
    row.owner_pk = owner_pk(organization_id, applied.customer_id)
    row.list_sk = row.owner_sk = f"{stamp(applied.created_at)}#{applied.id}"
    return row


def _key(organization_id: OrganizationId, applied: AppliedCoupon) -> Key:
    if applied.active:
        return _active_key(organization_id, applied.customer_id, applied.id)
    return _ended_key(organization_id, applied.id)


def _active_key(organization_id: OrganizationId, customer_id: CustomerId, applied_id: AppliedCouponId) -> Key:
    return customer_pk(organization_id, customer_id), f"{AppliedCouponRow.begins}{key(applied_id)}"


def _ended_key(organization_id: OrganizationId, applied_id: AppliedCouponId) -> Key:
    return key(organization_id, LIST, applied_id), "-"


def _applications(organization_id: OrganizationId, coupon_id: CouponId) -> str:
    return key(organization_id, "coupon-applications", coupon_id)
