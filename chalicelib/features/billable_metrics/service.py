"""Creating, changing and deleting billable metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.domain.errors import Invalid, merge
from chalicelib.features.billable_metrics import schemas, store
from chalicelib.features.billable_metrics.store import METRICS, Metric
from chalicelib.platform import schema
from chalicelib.platform.http import Call
from chalicelib.platform.ids import new_id

# What decides a metric's units: fixed once a live plan uses it. Source: catalog.md section 2.
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


def create(call: Call, values: dict[str, Any]) -> Metric:
    """A new metric.

    Raises: Invalid.
    """
    fields = _checked(values)
    metric = Metric(id=new_id(), created_at=call.now, updated_at=call.now, **fields)
    return METRICS.create(call.organization.id, metric)


def update(call: Call, old: Metric, values: dict[str, Any]) -> Metric:
    """Change a metric; what is fixed by now is ignored silently.

    Raises: Invalid; Conflict.
    """
    if store.attached(call.organization.id, old.id):
        values = {name: value for name, value in values.items() if name not in FIXED_WHEN_USED}
    before = old.model_dump(include=set(schemas.MetricInput.model_fields), mode="json")
    fields = _checked(before | values)
    return METRICS.replace(call.organization.id, old, old.changed(now=call.now, **fields))


def remove(call: Call, old: Metric) -> Metric:
    """Delete a metric. Charges that use it leave their plans with it: readers pass over charges of deleted metrics."""
    return METRICS.remove(call.organization.id, old, now=call.now)


def by_ids(organization_id: str, ids: Sequence[str]) -> dict[str, Metric]:
    """Metrics by id, deleted ones too."""
    return METRICS.get_many(organization_id, list(dict.fromkeys(ids)))


def by_codes(organization_id: str, codes: Sequence[str]) -> Mapping[str, Metric]:
    """Live metrics by code."""
    return METRICS.find_many(organization_id, codes)


def show_all(organization_id: str, metrics: Sequence[Metric]) -> list[dict[str, Any]]:
    """Several metrics as the API shows them."""
    return [schemas.show(metric) for metric in metrics]


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of a metric.

    Raises: Invalid, with all findings at once.
    """
    fields, findings = schema.examine(schemas.MetricInput, values)
    findings = merge(findings, schemas.combination(values))
    if fields is None or findings:
        raise Invalid(findings)
    return {**dict(fields), **({"field_name": None} if fields.aggregation_type == "count_agg" else {})}
