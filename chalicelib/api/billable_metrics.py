"""`/billable_metrics`, the groups of a metric, and trying a formula."""

from decimal import Decimal
from typing import Any

from chalicelib.api.resource import Resource
from chalicelib.features.billable_metrics import service
from chalicelib.features.billable_metrics.groups import groups_of
from chalicelib.platform import listing
from chalicelib.platform.http import Call, Routes

routes = Routes(__name__)

Resource(
    "billable_metric",
    "billable_metrics",
    service.CATALOG,
    service.create,
    service.update,
    service.remove,
    service.show_all,
).mount(routes)


@routes.post("/billable_metrics/evaluate_expression")
def evaluate(call: Call) -> dict[str, Any]:
    """Value of a formula for an event. Both stand in the body without a root, and neither is kept."""
    value = service.evaluated(call.optional_body(), now=call.now)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return {"expression_result": {"value": int(value)}}
    return {"expression_result": {"value": value}}


@routes.get("/billable_metrics/{code}/groups")
def groups(call: Call) -> dict[str, Any]:
    """The groups that a charge can price."""
    found = groups_of(service.find(call.organization.id, call.path["code"]))
    page = listing.wanted(call)
    first = (page.number - 1) * page.size
    shown = [group.show() for group in found[first : first + page.size]]
    return {"groups": shown, "meta": listing.meta(page, len(found))}
