"""An event that a billable metric would count, ready to be sent."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from chalicelib.console.format import json_text
from chalicelib.console.forms import Form
from chalicelib.console.visit import Visit
from chalicelib.domain.errors import BillingError
from chalicelib.platform.settings import settings

_IN_FORMULA = re.compile(r"event\.properties\.([A-Za-z_]\w*)")
_VALUES: Mapping[str, Any] = {"unique_count_agg": "user-1", "recurring_count_agg": "seat-1"}


def of_metric(visit: Visit, metric: Mapping[str, Any]) -> dict[str, Any]:
    """The event of a metric as the API shows it."""
    return _sample(visit, metric, metric["filters"])


def of_form(visit: Visit, form: Form, dimensions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The event of a metric that is being typed, and what its formula makes of it."""
    names = ("code", "aggregation_type", "field_name", "expression")
    metric: dict[str, Any] = {name: form.value(name).strip() for name in names}
    sample = _sample(visit, {**metric, "recurring": form.is_on("recurring")}, dimensions)
    if sample["formula"]:
        sample["result"] = _result(visit, sample)
    return sample


def _sample(visit: Visit, metric: Mapping[str, Any], dimensions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    kind, formula = metric["aggregation_type"], metric["expression"] or ""
    counts = kind == "count_agg"
    properties: dict[str, Any] = {}
    if not counts and formula:
        properties |= dict.fromkeys(_IN_FORMULA.findall(formula), 2)
    elif not counts:
        properties[metric["field_name"] or "property"] = _VALUES.get(kind, 12)
    if kind == "recurring_count_agg" or (kind == "unique_count_agg" and metric["recurring"]):
        properties["operation_type"] = "add"
    for each in dimensions:
        if each["key"]:
            properties[each["key"]] = next(iter(each["values"]), "…")
    event = {
        "transaction_id": "a-new-id-for-each-event",
        "external_subscription_id": "your-subscription",
        "code": metric["code"] or "code",
        "timestamp": int(visit.now.timestamp()),
        "properties": properties,
    }
    shown = json_text({"event": event})
    return {
        "event": event,
        "json": shown,
        "address": f"{settings().public_url.rstrip('/')}/api/v1/events",
        "formula": "" if counts else formula,
        "result": None,
        "field_name": metric["field_name"],
    }


def _result(visit: Visit, sample: Mapping[str, Any]) -> str | None:
    """Result of the formula for the event; None where it has none yet."""
    event = {name: sample["event"][name] for name in ("code", "timestamp", "properties")}
    try:
        answer = visit.api.post(
            "/billable_metrics/evaluate_expression", {"expression": sample["formula"], "event": event}
        )
    except BillingError:
        return None
    value = answer["expression_result"]["value"]
    return format(value, "f") if isinstance(value, Decimal) else str(value)
