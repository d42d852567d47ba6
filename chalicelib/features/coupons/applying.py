"""Applied coupons: applying a coupon to a customer, and ending what was applied."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotAllowed, NotFound, existing
from chalicelib.features.coupons import schemas, service, store
from chalicelib.features.coupons.records import AppliedCoupon, Coupon
from chalicelib.features.coupons.store import COUPONS
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.customers.records import Customer
from chalicelib.features.plans import service as plans
from chalicelib.platform import agenda, schema
from chalicelib.platform.agenda import Task, walk
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import AppliedCouponId, CouponId, CustomerId, OrganizationId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.timestamps import iso, iso_or_none
from chalicelib.platform.unit import Unit, Write


def apply(
    organization: OrganizationRef,
    values: Mapping[str, Any],
    *,
    now: datetime,
    applied_id: AppliedCouponId | None = None,
) -> tuple[AppliedCoupon, list[Task]]:
    """Apply a coupon to a customer. Its terms are the request's, else the coupon's, and stand whole on the application.
    `applied_id`: the id that it gets; where the customer has it already, this is a repeat, and nothing is done.

    Raises: Invalid; NotFound, for an unknown customer or a coupon that is unknown or has ended; NotAllowed, where an active
    one covers the same. Source: rules/invoices 5.
    """
    request = schema.parse(schemas.AppliedCouponInput, values)
    customer = customers.find(organization.id, request.external_customer_id or "")
    if applied_id is None:
        return _apply(organization, request, customer, AppliedCouponId(new_id()), now=now), []
    before = store.find(organization.id, customer.id, applied_id)
    if before is not None:
        return before, []
    try:
        return _apply(organization, request, customer, applied_id, now=now), []
    except (Invalid, NotAllowed):
        # A parallel request of the same id may be what it was refused for.
        before = store.find(organization.id, customer.id, applied_id)
        if before is None:
            raise
        return before, []


def remove(
    organization: OrganizationRef, external_customer_id: str, applied_id: AppliedCouponId, *, now: datetime
) -> AppliedCoupon:
    """End an applied coupon; one that has ended stays as it is.

    Raises: NotFound.
    """
    customer = customers.find(organization.id, external_customer_id)
    return existing(_end(organization.id, customer.id, applied_id, now=now), Resource.APPLIED_COUPON)


def end_applications(task: Task, now: datetime) -> None:
    """End the active applications of a deleted coupon, as many runs of the task as it takes."""
    organization_id = task.organization.id
    found = store.applications(organization_id, CouponId(task.subject), after=walk.place_of(task))
    pairs = ((place, (customer_id, applied_id)) for place, customer_id, applied_id in found)
    if walk.walk(task, pairs, lambda pair: _end(organization_id, *pair, now=now), now=now):
        agenda.done(task).alone()


def end_all_of(organization_id: OrganizationId, customer_id: CustomerId, *, now: datetime) -> None:
    """End all active applied coupons of a customer. Idempotent."""
    for applied in store.active_of(customers.items_of(organization_id, customer_id)):
        _end(organization_id, customer_id, applied.id, now=now)


def active_of(items: CustomerItems) -> list[AppliedCoupon]:
    """The active applied coupons among a customer's items, the oldest application first."""
    return store.active_of(items)


def find(organization_id: OrganizationId, customer_id: CustomerId, applied_id: AppliedCouponId) -> AppliedCoupon | None:
    """A customer's applied coupon, active or ended."""
    return store.find(organization_id, customer_id, applied_id)


def replace_actions(organization_id: OrganizationId, old: AppliedCoupon, new: AppliedCoupon) -> list[Write]:
    """Write `new` over `old`; refused if somebody else wrote in between."""
    return store.replace_actions(organization_id, old, new)


def show_all(organization_id: OrganizationId, applied: Sequence[AppliedCoupon]) -> list[dict[str, Any]]:
    """Several applied coupons as the API shows them; their coupons are read in one request."""
    known = service.by_ids(organization_id, [each.coupon_id for each in applied])
    return [_shown(each, known[each.coupon_id]) for each in applied]


def _apply(
    organization: OrganizationRef,
    request: schemas.AppliedCouponInput,
    customer: Customer,
    applied_id: AppliedCouponId,
    *,
    now: datetime,
) -> AppliedCoupon:
    coupon = COUPONS.find(organization.id, request.coupon_code or "")
    if coupon is None or not coupon.usable(now):
        raise NotFound(Resource.COUPON)
    items = customers.items_of(organization.id, customer.id)
    if items.customer is None or items.customer.deleted_at is not None:
        raise NotFound(Resource.CUSTOMER)
    _check_overlap(organization.id, coupon, items)
    if not coupon.reusable and store.has_been_applied(organization.id, coupon.id, customer.id):
        raise Invalid.field("coupon", ErrorCode.COUPON_IS_NOT_REUSABLE)
    applied = AppliedCoupon(
        id=applied_id,
        created_at=now,
        updated_at=now,
        coupon_id=coupon.id,
        coupon_code=coupon.code,
        customer_id=customer.id,
        external_customer_id=customer.external_id,
        **_terms(coupon, request),
    )
    state, locking = items.state, list[Write]()
    if applied.amount_currency is not None:
        _, state, locking = customers.lock_currency(
            organization.id, items.customer, items.state, applied.amount_currency
        )
    Unit(
        store.create_actions(organization.id, applied, coupon),
        store.applicable_action(organization.id, coupon),
        locking,
        # Under the billing state's lock: parallel applications see each other.
        customers.billing_actions(organization, items.state, state, now=now),
    ).commit()
    return applied


def _end(
    organization_id: OrganizationId, customer_id: CustomerId, applied_id: AppliedCouponId, *, now: datetime
) -> AppliedCoupon | None:
    def attempt() -> AppliedCoupon | None:
        old = store.find(organization_id, customer_id, applied_id)
        if old is None or not old.active:
            return old
        new = old.changed(now=now, status="terminated", terminated_at=now, ending="removed")
        ended: AppliedCoupon = new
        Unit(store.replace_actions(organization_id, old, ended)).commit()
        return ended

    return retrying(attempt, Resource.APPLIED_COUPON)


def _check_overlap(organization_id: OrganizationId, coupon: Coupon, items: CustomerItems) -> None:
    """Refuse a coupon that covers a plan or metric of an active one, directly or because a metric is charged by a plan.

    Raises: NotAllowed.
    """
    if not coupon.plan_ids and not coupon.metric_ids:
        return
    others = service.by_ids(organization_id, [applied.coupon_id for applied in store.active_of(items)])
    of_plans = {plan_id for other in others.values() for plan_id in other.plan_ids}
    of_metrics = {metric_id for other in others.values() for metric_id in other.metric_ids}
    if (
        of_plans & set(coupon.plan_ids)
        or of_metrics & set(coupon.metric_ids)
        or (coupon.metric_ids and set(coupon.metric_ids) & _charged_by(organization_id, of_plans))
        or (of_metrics and of_metrics & _charged_by(organization_id, coupon.plan_ids))
    ):
        raise NotAllowed(ErrorCode.PLAN_OVERLAPPING)


def _charged_by(organization_id: OrganizationId, plan_ids: Iterable[str]) -> set[str]:
    """The ids of the metrics that plans charge."""
    found = plans.by_ids(organization_id, list(plan_ids))
    return {charge.metric_id for plan in found.values() for charge in plan.charges}


def _terms(coupon: Coupon, request: schemas.AppliedCouponInput) -> dict[str, Any]:
    """The terms of an application, whole.

    Raises: Invalid, for a recurring one without a duration.
    """
    frequency = request.frequency or coupon.frequency
    terms: dict[str, Any] = {"frequency": frequency}
    if coupon.coupon_type == "fixed_amount":
        terms["amount_cents"] = amount = request.amount_cents or coupon.amount_cents
        terms["amount_currency"] = request.amount_currency or coupon.amount_currency
        terms["amount_cents_remaining"] = amount if frequency == "once" else None
    else:
        terms["percentage_rate"] = request.percentage_rate or coupon.percentage_rate
    if frequency == "recurring":
        duration = request.frequency_duration or coupon.frequency_duration
        if duration is None:
            raise Invalid.field("frequency_duration", ErrorCode.VALUE_IS_MANDATORY)
        terms["frequency_duration"] = terms["frequency_duration_remaining"] = duration
    return terms


def _shown(applied: AppliedCoupon, coupon: Coupon) -> dict[str, Any]:
    return {
        "lago_id": applied.id,
        "lago_coupon_id": applied.coupon_id,
        "coupon_code": coupon.code,
        "coupon_name": coupon.name,
        "coupon_status": "active" if coupon.active else "terminated",
        "coupon_deleted_at": iso_or_none(coupon.deleted_at),
        "lago_customer_id": applied.customer_id,
        "external_customer_id": applied.external_customer_id,
        "status": applied.status,
        "amount_cents": applied.amount_cents,
        "amount_cents_remaining": applied.amount_cents_remaining,
        "amount_currency": applied.amount_currency,
        "percentage_rate": service.shown_rate(applied.percentage_rate),
        "frequency": applied.frequency,
        "frequency_duration": applied.frequency_duration,
        "frequency_duration_remaining": applied.frequency_duration_remaining,
        "expiration_at": iso_or_none(coupon.expiration_at),
        "created_at": iso(applied.created_at),
        "terminated_at": iso_or_none(applied.terminated_at),
    }
