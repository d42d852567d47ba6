"""Creating, changing and deleting plans."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import Invalid, NotFound, existing, merge
from chalicelib.features.billable_metrics import service as metrics
from chalicelib.features.plans import changes, schemas, store, subscribers
from chalicelib.features.plans.parts import charges, commitments, fixed_charges
from chalicelib.features.plans.records import Plan
from chalicelib.features.plans.store import PLANS
from chalicelib.features.taxes import service as taxes
from chalicelib.platform import agenda, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.collection import Catalog
from chalicelib.platform.http import Call
from chalicelib.platform.ids import BillableMetricId, OrganizationId, PlanId, new_id
from chalicelib.platform.unit import Write

# The plans, children too, as other rooms read them: by id, by code, by pages.
CATALOG: Catalog[Plan] = PLANS

# Fields that decide periods and the kind of amounts: fixed once a subscription has taken the plan. Source: rules/catalog 2.
FIXED_WHEN_TAKEN = frozenset(
    {
        "code",
        "interval",
        "pay_in_advance",
        "amount_currency",
        "trial_period",
        "bill_charges_monthly",
        "bill_fixed_charges_monthly",
    }
)
# A page shows figures over all plans where these are no more.
_READ_AT_ONCE = 100
_MONTHLY_PARTS = ("yearly", "semiannual")
_PARTS = frozenset({"charges", "fixed_charges", "minimum_commitment"})


def create(call: Call, values: dict[str, Any]) -> tuple[Plan, list[Task]]:
    """A new plan with its charges; returns it and the tasks to push.

    Raises: Invalid; NotFound for an unknown tax, metric or add-on.
    """
    request, parts = _checked(call, values, before=None)
    plan = Plan(
        id=new_id(),
        created_at=call.now,
        updated_at=call.now,
        tax_ids=tuple(taxes.ids_of(call.organization.id, request.tax_codes)),
        counted=True,
        **parts,
        **_own_fields(request),
    )
    changes.check_size(plan)
    told = changes.announcement(call.organization, plan, "plan.created", now=call.now)
    extra = [
        *changes.usage_actions(call.organization.id, None, plan),
        *(agenda.put(each, now=call.now) for each in told),
    ]
    return PLANS.create(call.organization.id, plan, extra), told


def update(call: Call, old: Plan, values: dict[str, Any]) -> tuple[Plan, list[Task]]:
    """Change a plan; changes of fields that are fixed by now are ignored silently. `charges` and `fixed_charges`
    replace the whole set, absent they stay; with `cascade_updates` the plan's children follow. Returns it and the tasks
    to push.

    Raises: Invalid; NotFound for an unknown tax, metric or add-on; ChangedMeanwhile.
    """
    before = old.model_dump(mode="json", include=set(schemas.PlanInput.model_fields) - _PARTS)
    if old.taken:
        schema.require_understood(schemas.PlanInput, {**before, **values}, FIXED_WHEN_TAKEN & set(values))
        values = {name: value for name, value in values.items() if name not in FIXED_WHEN_TAKEN}
    request, parts = _checked(call, {**before, **values}, before=old)
    fields = _own_fields(request) | {name: part for name, part in parts.items() if name in values}
    if "tax_codes" in values:
        fields["tax_ids"] = tuple(taxes.ids_of(call.organization.id, request.tax_codes))
    new: Plan = old.changed(now=call.now, **fields)
    return changes.replace(call.organization, old, new, cascade=bool(request.cascade_updates), now=call.now)


def remove(call: Call, old: Plan) -> tuple[Plan, list[Task]]:
    """Delete a plan: its code is free at once; its subscriptions end in the background."""
    used = changes.usage_actions(call.organization.id, old, None)
    tasks = [
        agenda.task(changes.DELETE, call.organization, old.id, call.now),
        *changes.announcement(call.organization, old, "plan.deleted", now=call.now),
    ]
    extra = [*used, *(agenda.put(each, now=call.now) for each in tasks)]
    return PLANS.remove(call.organization.id, old, now=call.now, extra=extra), tasks


def find(organization_id: OrganizationId, code: str) -> Plan:
    """The live plan of a code.

    Raises: NotFound.
    """
    return existing(PLANS.find(organization_id, code), Resource.PLAN)


def get(organization_id: OrganizationId, plan_id: str) -> Plan:
    """The live plan under an id; no child, which stands for a subscription and not for itself.

    Raises: NotFound.
    """
    plan = PLANS.get(organization_id, plan_id)
    if plan is None or plan.deleted_at is not None or plan.parent_id is not None:
        raise NotFound(Resource.PLAN)
    return plan


def by_ids(organization_id: OrganizationId, ids: Sequence[str]) -> dict[str, Plan]:
    """Plans by id, deleted ones and children too."""
    return PLANS.get_many(organization_id, list(dict.fromkeys(ids)))


def active_subscriptions(organization_id: OrganizationId, ids: Sequence[str]) -> dict[PlanId, int]:
    """Active subscriptions of each of these plans and its children, of which they were counted from the beginning."""
    return subscribers.active(organization_id, by_ids(organization_id, ids).values())


def using_metric(organization_id: OrganizationId, metric_id: BillableMetricId, *, most: int) -> list[Plan]:
    """Up to `most` of the live plans that charge a metric, those of single subscriptions too."""
    ids = list(islice(metrics.plans_of(organization_id, metric_id), most))
    found = PLANS.get_many(organization_id, ids) if ids else {}
    return [plan for plan in found.values() if plan.deleted_at is None]


def numbers_by_metric(organization_id: OrganizationId) -> Mapping[str, int] | None:
    """How many live plans charge each metric, without those of single subscriptions; None where the plans are too many to
    read at once."""
    found = store.first(organization_id, most=_READ_AT_ONCE)
    if found is None:
        return None
    return Counter(metric_id for plan in found for metric_id in {charge.metric_id for charge in plan.charges})


def taken_actions(organization_id: OrganizationId, plan: Plan) -> list[Write]:
    """Mark a plan as taken by a subscription; nothing to write when it is already. Refused if it is gone or has changed."""
    return store.taken_action(organization_id, plan)


def current_action(organization_id: OrganizationId, plan: Plan) -> Write:
    """Refuse the transaction if the plan has changed since it was read: for what copies it."""
    return store.current_action(organization_id, plan)


def _checked(call: Call, values: Mapping[str, Any], before: Plan | None) -> tuple[schemas.PlanInput, dict[str, Any]]:
    """The request, and the plan's parts that it describes.

    Raises: Invalid, with all findings; NotFound.
    """
    organization_id, now = call.organization.id, call.now
    taken = bool(before and before.taken)
    request, findings = schema.examine(schemas.PlanInput, values)
    own_charges, wrong_charges = charges.build(
        organization_id,
        _entries(values.get("charges")),
        before=before.charges if before else (),
        fixed=taken,
        now=now,
    )
    own_fixed, wrong_fixed = fixed_charges.build(
        organization_id,
        _entries(values.get("fixed_charges")),
        before=before.fixed_charges if before else (),
        fixed=taken,
        now=now,
    )
    raw = values.get("minimum_commitment")
    commitment, wrong_commitment = commitments.build(
        organization_id,
        raw if isinstance(raw, Mapping) else None,
        before=before.minimum_commitment if before else None,
        now=now,
    )
    findings = merge(findings, wrong_charges, wrong_fixed, wrong_commitment)
    if request is None or findings:
        raise Invalid(findings)
    return request, {"charges": own_charges, "fixed_charges": own_fixed, "minimum_commitment": commitment}


def _entries(raw: Any) -> list[Mapping[str, Any]]:
    """The entries of a list of parts; none where it is no such list, which the schema reports."""
    return raw if isinstance(raw, list) and all(isinstance(entry, Mapping) for entry in raw) else []


def _own_fields(request: schemas.PlanInput) -> dict[str, Any]:
    names = set(schemas.PlanInput.model_fields) & set(Plan.model_fields) - _PARTS
    fields = {name: getattr(request, name) for name in names}
    if request.interval not in _MONTHLY_PARTS:
        fields |= {"bill_charges_monthly": None, "bill_fixed_charges_monthly": None}
    return fields
