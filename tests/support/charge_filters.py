"""Charge filters, as requests have them and as they are kept; metrics and charges for them."""

from datetime import UTC, datetime
from typing import Any

from chalicelib.features.billable_metrics.records import Metric, MetricFilter
from chalicelib.features.plans.parts import charge_filters
from chalicelib.features.plans.records import Charge, ChargeFilter, Plan
from chalicelib.features.plans.schemas import ChargeInput
from chalicelib.features.plans.store import PLANS

NOW = datetime(2024, 1, 1, tzinfo=UTC)
CLOUDS = [{"key": "cloud", "values": ["aws", "gcp"]}, {"key": "region", "values": ["eu", "us"]}]
CLOUD = {"key": "cloud", "values": ["aws", "gcp"]}
REGIONS = {
    "key": "cloud",
    "values": [
        {"name": "aws", "key": "region", "values": ["eu", "us"]},
        {"name": "gcp", "key": "region", "values": ["eu"]},
    ],
}


def metric_with(filters: list[dict[str, Any]] = CLOUDS, **fields: Any) -> Metric:
    own = tuple(MetricFilter(key=f["key"], values=tuple(f["values"])) for f in filters)
    base = {"id": "metric", "created_at": NOW, "updated_at": NOW, "name": "m", "code": "m"}
    return Metric(**base, aggregation_type="count_agg", filters=own, **fields)


GROUPED = metric_with(group=REGIONS)


def priced(amount: str = "1", name: str | None = None, /, **values: Any) -> dict[str, Any]:
    """A filter as a request has it."""
    entry = {"properties": {"amount": amount}, "values": values}
    return entry if name is None else entry | {"invoice_display_name": name}


def built(metric: Metric, old: Charge | None = None, model: str = "standard", **fields: Any) -> Any:
    return charge_filters.build(ChargeInput(charge_model=model, **fields), metric, old)


def kept(*filters: ChargeFilter, **fields: Any) -> Charge:
    """A charge that has these filters."""
    base = {"id": "c", "code": "c", "metric_id": "metric", "charge_model": "standard", "created_at": NOW}
    return Charge(**{**base, "properties": {"amount": "1"}, "filters": filters, **fields})


def usage(metric: Any, **fields: Any) -> dict[str, Any]:
    properties = {"properties": {"amount": "10"}}
    return {"billable_metric_id": metric["lago_id"], "charge_model": "standard", **properties, **fields}


def charge_of(story, path: str = "/plans/plan/charges/calls") -> Any:
    return story.ok("GET", path)["charge"]


def stored(story, plan_id: str | None = None) -> Plan:
    organization_id = story.ok("GET", "/organizations")["organization"]["lago_id"]
    plan = PLANS.get(organization_id, plan_id) if plan_id else PLANS.find(organization_id, "plan")
    assert plan is not None
    return plan
