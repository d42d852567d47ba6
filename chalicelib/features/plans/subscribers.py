"""The list of the subscriptions that have a plan, and the number of active ones, which their own transactions keep.

The list is of each plan, children apart; the number is for showing, of a plan with its children. One counter in every
transaction would make them conflict at the midnight at which many begin; a few can still be read together for a page of plans.

Items
    pk                              sk                                  what it is
    <org>#plan-subscriptions#<id>   <customer id>#<subscription id>     a subscription that has this plan
    <org>#plan-figures#<id>         <0..3>                              `active`: subscriptions, those of children too

Access patterns
    1 subscribers(org, id)                      Query     consistent
    2 subscribed_action, unsubscribed_action    part of the subscription's transaction
    3 counted_actions(org, ...)                 the same
    4 active(org, plans)                        BatchGet    consistent
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from chalicelib import limits
from chalicelib.features.plans.records import Plan
from chalicelib.platform import counters, rows
from chalicelib.platform.ids import (
    CustomerId,
    OrganizationId,
    PlanId,
    SubscriptionId,
    key,
    shard,
)
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Write


class SubscriberRow(Row):
    """A subscription that has a plan; its sort key names customer and subscription."""


def subscribed_action(
    organization_id: OrganizationId, plan_id: PlanId, customer_id: CustomerId, subscription_id: SubscriptionId
) -> Write:
    """Enter a subscription under its plan."""
    return SubscriberRow(pk=_subscriptions(organization_id, plan_id), sk=key(customer_id, subscription_id)).put()


def unsubscribed_action(
    organization_id: OrganizationId, plan_id: PlanId, customer_id: CustomerId, subscription_id: SubscriptionId
) -> Write:
    """Take a subscription out of its plan's list, whether it stands there or not."""
    return SubscriberRow.remove_key((_subscriptions(organization_id, plan_id), key(customer_id, subscription_id)))


def subscribers(
    organization_id: OrganizationId, plan_id: PlanId, *, after: str = ""
) -> Iterator[tuple[CustomerId, SubscriptionId]]:
    """(customer id, subscription id) of all subscriptions under a plan, read consistently, in the order of customers.
    `after`: only those that follow a `subscriber_key`."""
    within = SubscriberRow.sk.between(f"{after}\0" if after else "\0", "\U0010ffff")
    for row in SubscriberRow.select(_subscriptions(organization_id, plan_id), within=within):
        customer_id, subscription_id = row.sk.split("#")
        yield CustomerId(customer_id), SubscriptionId(subscription_id)


def subscriber_key(customer_id: CustomerId, subscription_id: SubscriptionId) -> str:
    """The sort key of a subscription in its plan's list."""
    return key(customer_id, subscription_id)


def counted_actions(
    organization_id: OrganizationId, subscription_id: SubscriptionId, changes: Mapping[PlanId, int]
) -> list[Write]:
    """Add to the numbers of active subscriptions of plans."""
    part = shard(subscription_id, limits.PLAN_FIGURES_SPREAD)
    places = {plan_id: (_figures(organization_id, plan_id), str(part)) for plan_id in changes}
    return [write for plan_id, n in changes.items() for write in counters.moved_at(places[plan_id], {"active": n})]


def active(organization_id: OrganizationId, plans: Iterable[Plan]) -> dict[PlanId, int]:
    """Active subscriptions of each of these plans, of which they were counted from the beginning."""
    counted = [plan.id for plan in plans if plan.counted and plan.parent_id is None]
    parts = range(limits.PLAN_FIGURES_SPREAD)
    found = rows.find_many_values([(_figures(organization_id, each), str(part)) for each in counted for part in parts])
    numbers = Counter[str]()
    for (pk, _), item in found.items():
        numbers[pk] += int(item.get("active", 0))
    return {each: numbers[_figures(organization_id, each)] for each in counted}


def _figures(organization_id: OrganizationId, plan_id: PlanId) -> str:
    return key(organization_id, "plan-figures", plan_id)


def _subscriptions(organization_id: OrganizationId, plan_id: PlanId) -> str:
    return key(organization_id, "plan-subscriptions", plan_id)
