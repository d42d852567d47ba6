"""What requests about billable metrics hold, and how one is shown. Source: catalog.md section 3, usage.md section 2."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from chalicelib.features.billable_metrics.store import Metric, MetricFilter
from chalicelib.platform import schema
from chalicelib.platform.timestamps import iso

# What is computed by now. The rest of the field's aggregations is refused rather than accepted and mispriced.
COMPUTED = ("count_agg", "sum_agg")
ROUNDING = ("round", "ceil", "floor")


def _filters(value: Any) -> tuple[MetricFilter, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise schema.refuse("value_is_invalid")
    filters: dict[str, MetricFilter] = {}
    for entry in value:
        name = entry.get("key") if isinstance(entry, dict) else None
        values = entry.get("values") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name.strip():
            raise schema.refuse("value_is_mandatory", "key")
        if not isinstance(values, list) or not values or not all(isinstance(v, str) and v for v in values):
            raise schema.refuse("value_is_mandatory", "values")
        known = filters[name].values if name in filters else ()
        filters[name] = MetricFilter(key=name, values=tuple(dict.fromkeys((*known, *values))))
    return tuple(filters.values())


def _precision(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not -15 <= value <= 15:
        raise schema.refuse("value_is_invalid")
    return value


class MetricInput(schema.Request):
    """The body of create and update. Defaults stand for what is absent; the service reports what is mandatory."""

    name: schema.Name
    code: schema.Code
    aggregation_type: schema.one_of(*COMPUTED)  # type: ignore[valid-type]
    description: schema.OptionalText = None
    field_name: schema.OptionalName = None
    recurring: schema.Boolean = False
    rounding_function: schema.optional_one_of(*ROUNDING) = None  # type: ignore[valid-type]
    rounding_precision: Annotated[int | None, BeforeValidator(_precision)] = None
    weighted_interval: schema.optional_one_of("seconds") = None  # type: ignore[valid-type]
    expression: schema.OptionalText = None
    filters: Annotated[tuple[MetricFilter, ...], BeforeValidator(_filters)] = ()

    @model_validator(mode="before")
    @classmethod
    def _report_missing(cls, values: Any) -> Any:
        # A missing aggregation is no valid one either: the API gives the same code for both.
        if isinstance(values, dict):
            values = {"aggregation_type": None, **values}
            if values.get("recurring") is None:
                values.pop("recurring", None)
        return values


def combination(metric: Mapping[str, Any]) -> dict[str, list[str]]:
    """Findings that need several fields of the whole metric, which may hold wrong ones."""
    found: dict[str, list[str]] = {}
    field_name = metric.get("field_name")
    if metric.get("aggregation_type") != "count_agg" and not (isinstance(field_name, str) and field_name.strip()):
        found["field_name"] = ["value_is_mandatory"]
    if metric.get("recurring") is True:
        not_computed_yet = metric.get("aggregation_type") == "sum_agg"
        found["recurring"] = ["value_is_invalid" if not_computed_yet else "not_compatible_with_aggregation_type"]
    if metric.get("expression"):
        found["expression"] = ["value_is_invalid"]  # Not evaluated yet, so not accepted.
    return found


def show(metric: Metric) -> dict[str, Any]:
    """A billable metric as the API shows it."""
    return {
        "lago_id": metric.id,
        "name": metric.name,
        "code": metric.code,
        "description": metric.description,
        "aggregation_type": metric.aggregation_type,
        "weighted_interval": metric.weighted_interval,
        "recurring": metric.recurring,
        "rounding_function": metric.rounding_function,
        "rounding_precision": metric.rounding_precision,
        "expression": metric.expression or "",
        "field_name": metric.field_name,
        "created_at": iso(metric.created_at),
        "filters": [{"key": f.key, "values": list(f.values)} for f in metric.filters],
        "active_subscriptions_count": 0,
        "draft_invoices_count": 0,
        "plans_count": 0,
    }
