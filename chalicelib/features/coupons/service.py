"""Coupons of the catalog: creating, changing, ending and showing them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotAllowed, NotFound
from chalicelib.domain.money import decimal_string
from chalicelib.features.billable_metrics import service as metrics
from chalicelib.features.coupons import schemas, store
from chalicelib.features.coupons.records import Coupon
from chalicelib.features.coupons.store import COUPONS
from chalicelib.features.plans import service as plans
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.collection import Catalog
from chalicelib.platform.http import Call
from chalicelib.platform.ids import CouponId, OrganizationId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.timestamps import iso, iso_or_none
from chalicelib.platform.unit import Unit, Write

# The coupons, as other rooms read them: by id, by code, by pages.
CATALOG: Catalog[Coupon] = COUPONS

# Ranks: before billing, so that what ends at an instant has ended when its invoices are made.
EXPIRE = agenda.kind("expire_coupon", rank=4)
END_APPLICATIONS = agenda.kind("end_applied_coupons", rank=5)

# Fields that an application relies on: fixed once the coupon was applied. Source: rules/catalog 2.
FIXED_WHEN_APPLIED = frozenset(
    {
        "code",
        "coupon_type",
        "amount_cents",
        "amount_currency",
        "percentage_rate",
        "frequency",
        "frequency_duration",
        "reusable",
        "applies_to",
        "plan_codes",
    }
)


def create(call: Call, values: dict[str, Any]) -> tuple[Coupon, list[Task]]:
    """A new coupon.

    Raises: Invalid; NotFound for an unknown plan or metric; NotAllowed for limitations of both kinds.
    """
    request = schemas.coupon(values)
    _check_future(request.expiration_at, now=call.now)
    coupon = Coupon(
        id=CouponId(new_id()),
        created_at=call.now,
        updated_at=call.now,
        counted=True,
        **_terms(request),
        **_limitations(call.organization.id, request.limitations),
    )
    return COUPONS.create(call.organization.id, coupon, _planned(call.organization, None, coupon, now=call.now)), []


def update(call: Call, old: Coupon, values: dict[str, Any]) -> tuple[Coupon, list[Task]]:
    """Change a coupon; what is fixed by now is ignored silently. One that has expired stays terminated.

    Raises: Invalid; NotFound for an unknown plan or metric; NotAllowed; ChangedMeanwhile.
    """
    sent = {name: value for name, value in values.items() if not (old.applied and name in FIXED_WHEN_APPLIED)}
    request = schemas.coupon(old.model_dump(include=set(schemas.CouponInput.model_fields)) | sent)
    terms = _terms(request)
    if terms["expiration_at"] != old.expiration_at:
        _check_future(terms["expiration_at"], now=call.now)
    if {"applies_to", "plan_codes"} & set(sent):
        terms |= _limitations(call.organization.id, request.limitations)
    new = old.changed(now=call.now, **terms)
    extra = _planned(call.organization, old, new, now=call.now)
    return COUPONS.replace(call.organization.id, old, new, extra), []


def remove(call: Call, old: Coupon) -> tuple[Coupon, list[Task]]:
    """Delete a coupon: no invoice takes of it any more, and its applications end by a task, due now."""
    end = agenda.task(END_APPLICATIONS, call.organization, old.id, call.now)
    planned = _planned(call.organization, old, None, now=call.now)
    gone = COUPONS.remove(call.organization.id, old, now=call.now, extra=[*planned, agenda.put(end, now=call.now)])
    return gone, [end]


def terminate(organization: OrganizationRef, coupon_id: str, *, now: datetime) -> Coupon:
    """End a coupon before its time: it cannot be applied any more, and customers keep what was applied to them. One that has
    ended stays as it is.

    Raises: NotFound.
    """

    def attempt() -> Coupon:
        old = COUPONS.get(organization.id, coupon_id)
        if old is None or old.deleted_at is not None:
            raise NotFound(Resource.COUPON)
        if not old.active:
            return old
        new = old.changed(now=now, terminated_at=now)
        return COUPONS.replace(organization.id, old, new, _planned(organization, old, new, now=now))

    return retrying(attempt, Resource.COUPON)


def expire(task: Task, now: datetime) -> None:
    """Terminate a coupon whose time is over. Customers keep what was applied to them."""
    old = COUPONS.get(task.organization.id, task.subject)
    if old is None or not old.active or old.expiration_at != task.due_at:
        agenda.done(task).alone()
        return
    new = old.changed(now=now, terminated_at=task.due_at)
    Unit(COUPONS.replace_action(task.organization.id, old, new), agenda.done(task)).commit()


def by_ids(organization_id: OrganizationId, ids: Sequence[str]) -> dict[str, Coupon]:
    """Coupons by id, deleted ones too."""
    return COUPONS.get_many(organization_id, list(dict.fromkeys(ids)))


def applications(organization_id: OrganizationId, ids: Sequence[str]) -> dict[str, int]:
    """How often each of these coupons was applied to a customer, of which that was counted from the beginning."""
    return store.applied(organization_id, by_ids(organization_id, ids).values())


def show_all(organization_id: OrganizationId, coupons: Sequence[Coupon]) -> list[dict[str, Any]]:
    """Several coupons as the API shows them; what they are limited to is read together."""
    known_plans = plans.by_ids(organization_id, [each for coupon in coupons for each in coupon.plan_ids])
    known_metrics = metrics.by_ids(organization_id, [each for coupon in coupons for each in coupon.metric_ids])
    return [
        {
            "lago_id": coupon.id,
            "name": coupon.name,
            "code": coupon.code,
            "description": coupon.description,
            "coupon_type": coupon.coupon_type,
            "amount_cents": coupon.amount_cents,
            "amount_currency": coupon.amount_currency,
            "percentage_rate": shown_rate(coupon.percentage_rate),
            "frequency": coupon.frequency,
            "frequency_duration": coupon.frequency_duration,
            "reusable": coupon.reusable,
            "limited_plans": bool(coupon.plan_ids),
            "plan_codes": [known_plans[each].code for each in coupon.plan_ids if each in known_plans],
            "limited_billable_metrics": bool(coupon.metric_ids),
            "billable_metric_codes": [known_metrics[each].code for each in coupon.metric_ids if each in known_metrics],
            "expiration": coupon.expiration,
            "expiration_at": iso_or_none(coupon.expiration_at),
            "created_at": iso(coupon.created_at),
            "terminated_at": iso_or_none(coupon.terminated_at),
        }
        for coupon in coupons
    ]


def shown_rate(rate: str | None) -> str | None:
    """A rate as the API shows it."""
    return None if rate is None else decimal_string(Decimal(rate))


def _terms(request: schemas.CouponInput) -> dict[str, Any]:
    """The fields of a coupon, without those that its type, frequency or expiration has no use for."""
    terms = request.model_dump(exclude={"applies_to", "plan_codes"})
    unused = {
        "amount_cents": request.coupon_type == "percentage",
        "amount_currency": request.coupon_type == "percentage",
        "percentage_rate": request.coupon_type == "fixed_amount",
        "frequency_duration": request.frequency != "recurring",
        "expiration_at": request.expiration == "no_expiration",
    }
    return terms | {name: None for name, is_unused in unused.items() if is_unused}


def _limitations(organization_id: OrganizationId, wanted: schemas.Limitations) -> dict[str, Any]:
    if wanted.plan_codes and wanted.billable_metric_codes:
        raise NotAllowed(ErrorCode.ONLY_ONE_LIMITATION_TYPE_PER_COUPON_ALLOWED)
    return {
        "plan_ids": _ids(
            plans.CATALOG.find_many(organization_id, wanted.plan_codes), wanted.plan_codes, Resource.PLANS
        ),
        "metric_ids": _ids(
            metrics.by_codes(organization_id, wanted.billable_metric_codes),
            wanted.billable_metric_codes,
            Resource.BILLABLE_METRICS,
        ),
    }


def _ids(found: Mapping[str, Any], codes: Sequence[str], resource: Resource) -> tuple[str, ...]:
    if any(code not in found for code in codes):
        raise NotFound(resource)
    return tuple(found[code].id for code in dict.fromkeys(codes))


def _check_future(expiration_at: datetime | None, *, now: datetime) -> None:
    if expiration_at is not None and expiration_at <= now:
        raise Invalid.field("expiration_at", ErrorCode.INVALID_DATE)


def _planned(organization: OrganizationRef, old: Coupon | None, new: Coupon | None, *, now: datetime) -> list[Write]:
    """Bring the task that terminates a coupon in line with it before and after a change (None: it is not there)."""
    before, after = (each.expiration_at if each is not None and each.active else None for each in (old, new))
    subject = next(each.id for each in (old, new) if each is not None)
    if old is not None and before is not None and before <= now:
        before = None  # The task is due: it is running, or finds at once that nothing is to be done.
    return agenda.reschedule(EXPIRE, organization, subject, old_due_at=before, new_due_at=after, now=now)
