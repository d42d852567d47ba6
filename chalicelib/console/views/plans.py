"""Plans: the list, and one plan with its prices and subscriptions."""

from typing import Any

from chalicelib.console import lists
from chalicelib.console.visit import Page, Visit
from chalicelib.features.billable_metrics import service as metrics
from chalicelib.features.plans import serializer, service
from chalicelib.features.plans.records import Plan


def index(visit: Visit) -> Page:
    """All plans, newest first."""
    listed = lists.gather(visit, "/plans", "plans")
    active = service.active_subscriptions(visit.organization.ref.id, [each["lago_id"] for each in listed.rows])
    return Page("plans/index.html", {"listed": listed, "active": active})


def show(visit: Visit) -> Page:
    """One plan; its subscriptions stand on a tab of their own, as they are read one page at a time.

    Raises: NotFound.
    """
    plan = service.get(visit.organization.id, visit.path["id"])
    if visit.query.one("tab") == "subscriptions":
        fixed = {"plan_code": plan.code, "status[]": ["active", "pending"]}
        listed = lists.gather(visit, "/subscriptions", "subscriptions", fixed=fixed)
        return Page("plans/show.html", {"own": plan, "tab": "Subscriptions", "listed": listed})
    ids = [charge.metric_id for charge in plan.charges]
    names = {metric_id: each.name for metric_id, each in metrics.CATALOG.get_many(visit.organization.id, ids).items()}
    values = {"own": plan, "tab": "Overview", "plan": shown(visit, plan), "metric_names": names}
    return Page("plans/show.html", values)


def shown(visit: Visit, plan: Plan) -> dict[str, Any]:
    """A plan in the API's form, without reading again what was found by its id."""
    return serializer.show_all(visit.organization.id, [plan])[0]
