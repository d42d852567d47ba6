"""Billable metrics: what is measured. The form shows an event that would be counted, as one types."""

from collections.abc import Mapping
from typing import Any

from chalicelib.console.forms import Form, blank_to_none, filled, nested
from chalicelib.console.views import catalog, metric_sample
from chalicelib.console.views.catalog import Kind
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.features.billable_metrics import service
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.plans import service as plans

# Plans named on a page; of more it says that there are more.
_PLANS_MOST = 100
_LAST_EVENTS = 10

_TEXTS = ("name", "code", "aggregation_type", "description", "field_name", "expression", "rounding_function")
# Value, name, what it does, with an example.
AGGREGATIONS = (
    ("count_agg", "Count", "Counts events. Example: API calls."),
    ("sum_agg", "Sum", "Adds up a property. Example: gigabytes sent."),
    ("max_agg", "Maximum", "Takes the highest value. Example: peak connections."),
    ("latest_agg", "Latest", "Takes the last value. Example: storage as last reported."),
    ("unique_count_agg", "Unique count", "Counts different values. Example: active users."),
    ("weighted_sum_agg", "Weighted sum", "Weighs a level by its time. Example: gigabytes kept, by the second."),
)
_SEED = ("recurring_count_agg", "Recurring count", "Counts resources that are added and removed. Example: seats.")
ROUNDINGS = (("", "No rounding"), ("round", "Round half up"), ("ceil", "Round up"), ("floor", "Round down"))


def _body(visit: Visit, form: Form, record: Metric | None) -> dict[str, Any]:
    """The body; dimensions only where the form changes them, since a field cannot hold every value that they may have."""
    body = blank_to_none({name: form.value(name).strip() for name in _TEXTS})
    kind = body["aggregation_type"]
    body |= {
        "recurring": form.is_on("recurring") and kind not in ("count_agg", "max_agg", "latest_agg"),
        "rounding_precision": catalog.whole(form, "rounding_precision"),
        "weighted_interval": "seconds" if kind == "weighted_sum_agg" else None,
    }
    if kind == "count_agg":  # It reads no property: what the hidden fields hold is not meant.
        body |= {"field_name": None, "expression": None}
    dimensions = _dimensions(form)
    if record is None or dimensions != _dimensions(_filters_form(record)):
        body["filters"] = dimensions
    return body


def _dimensions(form: Form) -> list[dict[str, Any]]:
    rows = nested({name: texts for name, texts in form.values.items() if name.startswith("filters.")})
    found = [row for row in rows.get("filters", []) if row.get("key", "").strip() or row.get("values", "").strip()]
    lines = [[line.strip() for line in row.get("values", "").split("\n")] for row in found]
    return [
        {"key": row.get("key", "").strip(), "values": [line for line in values if line]}
        for row, values in zip(found, lines, strict=True)
    ]


def _filters_form(record: Metric) -> Form:
    return filled({"filters": [{"key": each.key, "values": "\n".join(each.values)} for each in record.filters]})


def _fill(visit: Visit, metric: Mapping[str, Any]) -> Form:
    names = (*_TEXTS, "recurring", "rounding_precision")
    rows = [{"key": each["key"], "values": "\n".join(each["values"])} for each in metric["filters"]]
    return filled({**{name: metric[name] for name in names}, "filters": rows})


def _more(visit: Visit, form: Form, record: Metric | None) -> dict[str, Any]:
    used_by = [] if record is None else _plans(visit, record)
    is_seed = form.value("aggregation_type") == _SEED[0]
    return {
        "aggregations": (*AGGREGATIONS, *((_SEED,) if is_seed else ())),
        "roundings": ROUNDINGS,
        "used_by": used_by,
        "sample": metric_sample.of_form(visit, form, _dimensions(form)),
    }


def _names(form: Form) -> dict[str, str]:
    """The first row that lacks a key or values: the API does not say which one it means."""
    fields = {"key": "filters", "values": "filters"}
    for last in fields:
        other = "values" if last == "key" else "key"
        lacking = [
            f"filters.{n}.{last}"
            for n in form.rows("filters")
            if not form.value(f"filters.{n}.{last}").strip() and form.value(f"filters.{n}.{other}").strip()
        ]
        fields[last] = next(iter(lacking), "filters")
    return fields


_METRIC = Kind(
    "billable_metric",
    "billable_metrics",
    "billable metric",
    service.CATALOG,
    body=_body,
    fill=_fill,
    blank=lambda visit: {"aggregation_type": "count_agg", **{name: visit.query.one(name) for name in ("name", "code")}},
    more=_more,
    rows={"filters": {"key": "", "values": ""}},
    names=_names,
)


def index(visit: Visit) -> Page:
    """All billable metrics, newest first, with how many plans price each."""
    return catalog.index(visit, _METRIC, plans=plans.numbers_by_metric(visit.organization.id))


def new(visit: Visit) -> Page | Redirect:
    """A new billable metric; `name` and `code` of the query: what it begins with."""
    return catalog.new(visit, _METRIC)


def show(visit: Visit) -> Page:
    """One billable metric: the plans that use it; asked for alone, its last events."""
    record = catalog.found(visit, _METRIC)
    events = None
    if visit.query.one("part") == "events":
        answer = visit.api.get("/event_logs", {"code": record.code, "per_page": _LAST_EVENTS})
        events = answer["event_logs"]
        if visit.is_htmx:
            return Page("billable_metrics/events.html", {"metric": record, "events": events})
    metric = catalog.shown(visit, _METRIC, record)
    values: dict[str, Any] = {"metric": metric, "used_by": _plans(visit, record), "most": _PLANS_MOST, "events": events}
    values |= {"roundings": dict(ROUNDINGS), "sample": metric_sample.of_metric(visit, metric)}
    return Page("billable_metrics/show.html", values)


def edit(visit: Visit) -> Page | Redirect:
    """Change a billable metric."""
    return catalog.edit(visit, _METRIC)


def delete(visit: Visit) -> Page | Redirect:
    """Delete a billable metric: its charges leave the plans that use it."""
    return catalog.delete(
        visit, _METRIC, lambda record: {"used_by": _plans(visit, record), "most": _PLANS_MOST, "metric": record}
    )


def _plans(visit: Visit, record: Metric) -> list[Any]:
    """The plans that charge a metric, by name. Those of single subscriptions come last."""
    found = plans.using_metric(visit.organization.id, record.id, most=_PLANS_MOST)
    return sorted(found, key=lambda plan: (plan.parent_id is not None, plan.name.lower(), plan.id))
