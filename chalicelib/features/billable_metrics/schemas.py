"""Request schemas of billable metrics, and their form in the API. Source: rules/catalog 3; rules/usage 2 to 4."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from chalicelib.domain.aggregation import expressions
from chalicelib.domain.aggregation.dimensions import ALL_VALUES
from chalicelib.domain.aggregation.expression_steps import ExpressionError
from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.billable_metrics import groups
from chalicelib.features.billable_metrics.records import SEED_RECURRING_COUNT, Metric, MetricFilter, Rounding
from chalicelib.platform import schema
from chalicelib.platform.timestamps import iso

TYPES = frozenset({*Aggregation, SEED_RECURRING_COUNT})
_NEVER_RECURRING = frozenset(each for each in Aggregation if not each.may_recur)
_LONGEST = 255


def _filters(value: Any) -> tuple[MetricFilter, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise schema.refuse(ErrorCode.VALUE_IS_INVALID)
    filters: dict[str, MetricFilter] = {}
    for entry in value:
        name = entry.get("key") if isinstance(entry, Mapping) else None
        values = entry.get("values") if isinstance(entry, Mapping) else None
        if not isinstance(name, str) or not name.strip():
            raise schema.refuse(ErrorCode.VALUE_IS_MANDATORY, "key")
        if not isinstance(values, list) or not values or not all(isinstance(v, str) and v for v in values):
            raise schema.refuse(ErrorCode.VALUE_IS_MANDATORY, "values")
        if len(name) > _LONGEST or any(len(v) > _LONGEST for v in values):
            raise schema.refuse(ErrorCode.VALUE_IS_TOO_LONG, "key" if len(name) > _LONGEST else "values")
        if ALL_VALUES in values:  # It would name all the others as well.
            raise schema.refuse(ErrorCode.VALUE_IS_INVALID, "values")
        known = filters[name].values if name in filters else ()
        filters[name] = MetricFilter(key=name, values=tuple(dict.fromkeys((*known, *values))))
    return tuple(filters.values())


def _group(value: Any) -> dict[str, Any] | None:
    """A group as it was given, once it has proved to be one."""
    if value is None or value == {}:
        return None
    try:
        filters = groups.filters_of(value)
        _filters([{"key": each.key, "values": list(each.values)} for each in filters])
    except (Invalid, PydanticCustomError) as error:  # Wrong filters are a wrong group.
        raise schema.refuse(ErrorCode.VALUE_IS_INVALID) from error
    values = [
        v if isinstance(v, str) else {name: v[name] for name in ("name", "key", "values")} for v in value["values"]
    ]
    return {"key": value["key"], "values": values}


class DimensionsInput(schema.Request):
    """The two forms in which a metric's dimensions may be given."""

    filters: Annotated[tuple[MetricFilter, ...], BeforeValidator(_filters)] = ()
    group: Annotated[dict[str, Any] | None, BeforeValidator(_group)] = None


class MetricInput(DimensionsInput):
    """The body of create and update. Absent fields get defaults; the service reports missing mandatory ones."""

    name: schema.Name
    code: schema.Name
    aggregation_type: Annotated[str, schema.one_of(lambda: TYPES)]
    description: schema.OptionalText = None
    field_name: schema.OptionalName = None
    recurring: schema.Boolean = False
    rounding_function: Rounding | None = None
    rounding_precision: (
        Annotated[int, Field(strict=True, ge=-15, le=15), schema.refused(ErrorCode.VALUE_IS_INVALID)] | None
    ) = None
    weighted_interval: Literal["seconds"] | None = None
    expression: schema.OptionalText = None

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
    kind, field_name, expression = (metric.get(name) for name in ("aggregation_type", "field_name", "expression"))
    if kind != "count_agg" and not (isinstance(field_name, str) and field_name.strip()):
        found["field_name"] = [ErrorCode.VALUE_IS_MANDATORY]
    if isinstance(kind, str) and kind in _NEVER_RECURRING and metric.get("recurring") is True:
        found["recurring"] = [ErrorCode.NOT_COMPATIBLE_WITH_AGGREGATION_TYPE]
    if kind == "weighted_sum_agg" and metric.get("weighted_interval") is None:
        found["weighted_interval"] = [ErrorCode.VALUE_IS_INVALID]
    if isinstance(expression, str) and expression.strip() and kind != "count_agg":
        found |= _expression(expression)
    return found


def _expression(text: str) -> dict[str, list[str]]:
    try:
        expressions.check(text)
    except ExpressionError:
        return {"expression": [ErrorCode.INVALID_EXPRESSION]}
    return {}


def show(metric: Metric) -> dict[str, Any]:
    """A billable metric as the API shows it; `group` only where it was declared with one."""
    shown = {
        "lago_id": metric.id,
        "name": metric.name,
        "code": metric.code,
        "description": metric.description,
        "aggregation_type": metric.declared_type,
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
    return shown if metric.group is None else shown | {"group": metric.group}


# Trying a formula.


class SampleEvent(schema.Request):
    """The event to try a formula on. `timestamp`: Unix seconds."""

    code: schema.OptionalEventName = None
    timestamp: (
        Annotated[Decimal, Field(ge=0), BeforeValidator(schema.exact), schema.refused(ErrorCode.INVALID_FORMAT)] | None
    ) = None
    properties: schema.Object = {}


class EvaluationInput(schema.Request):
    """A formula and an event."""

    expression: Annotated[str, Field(strict=True, min_length=1, max_length=10_000), schema.FILLED]
    event: SampleEvent = Field(default_factory=SampleEvent)
