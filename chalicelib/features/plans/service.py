"""Creating, changing and deleting plans."""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib import limits
from chalicelib.domain.errors import Invalid, NotFound, merge
from chalicelib.features.billable_metrics import service as metrics
from chalicelib.features.billable_metrics import store as metric_store
from chalicelib.features.billable_metrics.store import Metric
from chalicelib.features.plans import charges, schemas
from chalicelib.features.plans.store import PLANS, Charge, Plan
from chalicelib.features.taxes import service as taxes
from chalicelib.platform import schema
from chalicelib.platform.collection import dump
from chalicelib.platform.http import Call, to_json
from chalicelib.platform.ids import new_id

# What decides periods and the kind of amounts: fixed once a subscription has taken the plan. Source: catalog.md section 2.
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
_MONTHLY_PARTS = ("yearly", "semiannual")


def create(call: Call, values: dict[str, Any]) -> Plan:
    """A new plan with its charges.

    Raises: Invalid; NotFound for an unknown tax or metric.
    """
    request, built = _checked(call, values, before=None)
    plan = Plan(
        id=new_id(),
        created_at=call.now,
        updated_at=call.now,
        charges=built,
        tax_ids=tuple(taxes.ids_of(call.organization.id, request.tax_codes)),
        **_own_fields(request),
    )
    _check_size(plan)
    used = metric_store.usage_actions(call.organization.id, plan.id, before=(), after=_metric_ids(plan))
    return PLANS.create(call.organization.id, plan, used)


def update(call: Call, old: Plan, values: dict[str, Any]) -> Plan:
    """Change a plan; what is fixed by now is ignored silently. `charges` replaces the whole set, absent it stays.

    Raises: Invalid; NotFound for an unknown tax or metric; Conflict.
    """
    if old.taken:
        values = {name: value for name, value in values.items() if name not in FIXED_WHEN_TAKEN}
    before = old.model_dump(mode="json", include=set(schemas.PlanInput.model_fields) - {"charges"})
    request, built = _checked(call, {**before, **values}, before=old)
    fields = _own_fields(request)
    if "tax_codes" in values:
        fields["tax_ids"] = tuple(taxes.ids_of(call.organization.id, request.tax_codes))
    if "charges" in values:
        fields["charges"] = built
    new: Plan = old.changed(now=call.now, **fields)
    _check_size(new)
    used = metric_store.usage_actions(call.organization.id, old.id, before=_metric_ids(old), after=_metric_ids(new))
    return PLANS.replace(call.organization.id, old, new, used)


def remove(call: Call, old: Plan) -> Plan:
    """Delete a plan: its code is free at once; its subscriptions end in the background."""
    used = metric_store.usage_actions(call.organization.id, old.id, before=_metric_ids(old), after=())
    return PLANS.remove(call.organization.id, old, now=call.now, extra=used)


def find(organization_id: str, code: str) -> Plan:
    """The live plan of a code.

    Raises: NotFound.
    """
    plan = PLANS.find(organization_id, code)
    if plan is None:
        raise NotFound("plan")
    return plan


def by_ids(organization_id: str, ids: Sequence[str]) -> dict[str, Plan]:
    """Plans by id, deleted ones too."""
    return PLANS.get_many(organization_id, list(dict.fromkeys(ids)))


def live_charges(plan: Plan, known: Mapping[str, Metric]) -> list[tuple[Charge, Metric]]:
    """The charges that count, each with its metric: those of deleted metrics have left the plan."""
    pairs = [(charge, known.get(charge.metric_id)) for charge in plan.charges]
    return [(charge, metric) for charge, metric in pairs if metric is not None and metric.deleted_at is None]


def metrics_of(organization_id: str, plans: Sequence[Plan]) -> dict[str, Metric]:
    """The metrics of the plans' charges, in one request."""
    return metrics.by_ids(organization_id, [charge.metric_id for plan in plans for charge in plan.charges])


def _checked(
    call: Call, values: Mapping[str, Any], before: Plan | None
) -> tuple[schemas.PlanInput, tuple[Charge, ...]]:
    request, findings = schema.examine(schemas.PlanInput, values)
    raw = values.get("charges")
    built: tuple[Charge, ...] = ()
    if isinstance(raw, list) and all(isinstance(entry, Mapping) for entry in raw):
        known = before.charges if before else ()
        taken = bool(before and before.taken)
        built, wrong = charges.build(call, raw, before=known, fixed=taken)
        findings = merge(findings, wrong)
    if request is None or findings:
        raise Invalid(findings)
    return request, built


def _own_fields(request: schemas.PlanInput) -> dict[str, Any]:
    names = set(schemas.PlanInput.model_fields) & set(Plan.model_fields) - {"charges"}
    fields = {name: getattr(request, name) for name in names}
    if request.interval not in _MONTHLY_PARTS:
        fields |= {"bill_charges_monthly": None, "bill_fixed_charges_monthly": None}
    return fields


def _metric_ids(plan: Plan) -> set[str]:
    return {charge.metric_id for charge in plan.charges}


def _check_size(plan: Plan) -> None:
    if len(_metric_ids(plan)) > limits.METRICS_PER_PLAN_MAX or len(plan.charges) > limits.CHARGES_PER_PLAN_MAX:
        raise Invalid.field("charges", "invalid_count")
    if len(to_json(dump(plan)).encode()) > limits.ITEM_BYTES_MAX:
        raise Invalid.field("base", "value_is_too_long")
