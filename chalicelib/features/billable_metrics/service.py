"""Creating, changing and deleting billable metrics, and trying a formula."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib import limits
from chalicelib.domain.aggregation import expressions
from chalicelib.domain.aggregation.expression_steps import ExpressionError, Facts
from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, existing, merge
from chalicelib.features.billable_metrics import changes, formulas, groups, schemas, store
from chalicelib.features.billable_metrics.groups import canonical
from chalicelib.features.billable_metrics.records import SEED_RECURRING_COUNT, Metric, MetricFilter
from chalicelib.features.billable_metrics.store import METRICS
from chalicelib.platform import agenda, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.attributes import dump
from chalicelib.platform.collection import Catalog
from chalicelib.platform.http import Call
from chalicelib.platform.ids import BillableMetricId, OrganizationId, PlanId, new_id
from chalicelib.platform.json import to_json
from chalicelib.platform.unit import Write

# The metrics, as other rooms read them: by id, by code, by pages.
CATALOG: Catalog[Metric] = METRICS

# Fields that decide a metric's units: fixed once a live plan uses it. Source: rules/catalog 2.
FIXED_WHEN_USED = frozenset(
    {
        "code",
        "aggregation_type",
        "field_name",
        "recurring",
        "rounding_function",
        "rounding_precision",
        "weighted_interval",
        "expression",
    }
)


def create(call: Call, values: dict[str, Any]) -> tuple[Metric, list[Task]]:
    """A new metric; returns it and the tasks to push.

    Raises: Invalid.
    """
    fields = _checked(values) | _dimensions(values, None)
    metric = Metric(id=new_id(), created_at=call.now, updated_at=call.now, **fields)
    _check_size(metric)
    tasks = [
        *changes.beginning(call.organization, None, metric, now=call.now),
        *changes.announcement(call.organization, metric, "billable_metric.created", now=call.now),
    ]
    asked = store.formula_actions(call.organization.id, None, metric)
    METRICS.create(call.organization.id, metric, [*asked, *(agenda.put(task, now=call.now) for task in tasks)])
    formulas.forget(call.organization.id)
    return metric, tasks


def update(call: Call, old: Metric, values: dict[str, Any]) -> tuple[Metric, list[Task]]:
    """Change a metric; changes of fields that are fixed by now are ignored silently. Returns it and the tasks to push.

    Raises: Invalid; ChangedMeanwhile.
    """
    before = old.model_dump(include=set(schemas.MetricInput.model_fields), mode="json")
    before["aggregation_type"] = old.declared_type
    if store.attached(call.organization.id, old.id):
        schema.require_understood(schemas.MetricInput, before | values, FIXED_WHEN_USED & set(values))
        values = {name: value for name, value in values.items() if name not in FIXED_WHEN_USED}
    fields = _checked(before | values) | _dimensions(values, old)
    new: Metric = old.changed(now=call.now, version=old.version + 1, **fields)
    _check_size(new)
    tasks = [
        *changes.beginning(call.organization, old, new, now=call.now),
        *changes.announcement(call.organization, new, "billable_metric.updated", now=call.now),
    ]
    asked = store.formula_actions(call.organization.id, old, new)
    METRICS.replace(call.organization.id, old, new, [*asked, *(agenda.put(task, now=call.now) for task in tasks)])
    formulas.forget(call.organization.id)
    return new, tasks


def remove(call: Call, old: Metric) -> tuple[Metric, list[Task]]:
    """Delete a metric: its code is free at once, and readers pass over its charges; plans, events and drafts follow in
    the background. Returns it and the tasks to push.

    Raises: ChangedMeanwhile.
    """
    actions, tasks = changes.end(call.organization, old, now=call.now)
    asked = store.formula_actions(call.organization.id, old, None)
    gone = METRICS.remove(call.organization.id, old, now=call.now, extra=[*asked, *actions])
    formulas.forget(call.organization.id)
    return gone, tasks


def find(organization_id: OrganizationId, code: str) -> Metric:
    """The live metric of a code.

    Raises: NotFound.
    """
    return existing(METRICS.find(organization_id, code), Resource.BILLABLE_METRIC)


def by_ids(organization_id: OrganizationId, ids: Sequence[str]) -> dict[str, Metric]:
    """Metrics by id, deleted ones too."""
    return METRICS.get_many(organization_id, list(dict.fromkeys(ids)))


def by_codes(organization_id: OrganizationId, codes: Sequence[str]) -> Mapping[str, Metric]:
    """Live metrics by code."""
    return METRICS.find_many(organization_id, codes)


def plans_of(organization_id: OrganizationId, metric_id: BillableMetricId, *, after: str = "") -> Iterator[str]:
    """The ids of the live plans that use a metric, in order. `after`: only those that follow an id."""
    return store.plans_of(organization_id, metric_id, after=after)


def usage_actions(
    organization_id: OrganizationId, plan_id: PlanId, *, before: Iterable[str], after: Iterable[str]
) -> list[Write]:
    """Bring the lists of the metrics in line with what a plan uses now; part of the plan's own transaction."""
    return store.usage_actions(organization_id, plan_id, before=before, after=after)


def show_all(organization_id: OrganizationId, metrics: Sequence[Metric]) -> list[dict[str, Any]]:
    """Several metrics as the API shows them."""
    return [schemas.show(metric) for metric in metrics]


def evaluated(values: Mapping[str, Any], *, now: datetime) -> Decimal | str:
    """Value of a formula for an event, neither of which is kept. `now`: used where the event has no timestamp.

    Raises: Invalid.
    """
    request = schema.parse(schemas.EvaluationInput, {name: v for name, v in values.items() if v is not None})
    sample = request.event
    seconds = Decimal(int(now.timestamp())) if sample.timestamp is None else sample.timestamp
    try:
        expressions.check(request.expression)
    except ExpressionError as error:
        raise Invalid.field("expression", ErrorCode.INVALID_EXPRESSION) from error
    try:
        return expressions.evaluate(request.expression, Facts(sample.code or "", seconds, sample.properties))
    except ExpressionError as error:
        raise Invalid.field("event", ErrorCode.INVALID_EVENT) from error


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of a metric but its dimensions.

    Raises: Invalid, with all findings at once.
    """
    request, findings = schema.examine(schemas.MetricInput, values)
    findings = merge(findings, schemas.combination(values))
    if request is None or findings:
        raise Invalid(findings)
    fields = {name: value for name, value in dict(request).items() if name not in ("filters", "group")}
    is_seed = request.aggregation_type == SEED_RECURRING_COUNT
    fields["aggregation_type"] = Aggregation.UNIQUE_COUNT if is_seed else Aggregation(request.aggregation_type)
    fields["seed_type"] = SEED_RECURRING_COUNT if is_seed else None
    if request.aggregation_type == "count_agg":  # It reads no property, so no formula stands for one.
        fields |= {"field_name": None, "expression": None}
    if is_seed:
        fields["recurring"] = True
    if not (request.expression or "").strip():
        fields["expression"] = None
    return fields


def _dimensions(values: Mapping[str, Any], old: Metric | None) -> dict[str, Any]:
    """Filters and group after a request that `_checked` has passed. Both are forms of the same dimensions: a group
    brings its filters, and is removed with them.

    Raises: Invalid, when both are given and say different things.
    """
    request = schemas.DimensionsInput.model_validate(values)
    kept = old.filters if old is not None else ()
    before = old.group if old is not None else None
    if request.group is not None:
        filters = groups.filters_of(request.group)
        if request.filters and not _alike(request.filters, filters):
            raise Invalid.field("group", ErrorCode.VALUE_IS_INVALID)
        return {"filters": filters, "group": request.group}
    if "filters" in values:
        still = before is not None and "group" not in values and _alike(request.filters, kept)
        return {"filters": request.filters, "group": before if still else None}
    if "group" in values:
        return {"filters": () if before is not None else kept, "group": None}
    return {"filters": kept, "group": before}


def _alike(one: Sequence[MetricFilter], other: Sequence[MetricFilter]) -> bool:
    return canonical({each.key: each.values for each in one}) == canonical({each.key: each.values for each in other})


def _check_size(metric: Metric) -> None:
    """A metric is one item.

    Raises: Invalid.
    """
    if len(to_json(dump(metric)).encode()) > limits.ITEM_BYTES_MAX:
        raise Invalid.field("base", ErrorCode.VALUE_IS_TOO_LONG)
