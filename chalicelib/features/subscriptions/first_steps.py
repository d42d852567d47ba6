"""Existence of the first things that billing needs: for an organization's list of first steps, at few requests."""

from dataclasses import dataclass

from chalicelib.platform import rows
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.values import Item, from_item


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """Codes and ids of the newest objects, None where there are none. From indexes, for showing only."""

    metric_code: str | None
    plan_code: str | None
    customer_id: str | None
    external_subscription_id: str | None


def read(organization_id: OrganizationId, *, has_invoices: bool) -> FirstSteps:
    """The first steps done so far. A subscription proves that there was a plan and a customer, an invoice that there was a
    customer, so that these are not read."""
    subscription = _newest(organization_id, "subscription")
    metric = _newest(organization_id, "billable_metric")
    plan = subscription if subscription is not None else _newest(organization_id, "plan")
    customer = subscription
    if customer is None and not has_invoices:
        customer = _newest(organization_id, "customer")
    return FirstSteps(
        metric_code=None if metric is None else str(metric["code"]),
        plan_code=None if plan is None else str(plan.get("plan_code") or plan.get("code") or ""),
        customer_id="" if customer is None and has_invoices else _customer_id(customer),
        external_subscription_id=None if subscription is None else str(subscription["external_id"]),
    )


def _customer_id(found: Item | None) -> str | None:
    return None if found is None else str(found.get("customer_id") or found["id"])


def _newest(organization_id: OrganizationId, list_name: str) -> Item | None:
    """The record of the newest object of a list."""
    page = rows.page(key(organization_id, list_name), index="list", descending=True, limit=1)
    if not page.items:
        return None
    record = from_item(page.items[0])["record"]
    assert isinstance(record, dict)
    return record
