"""The list of the subscriptions that have a plan, which their own transactions keep.

Items
    pk                              sk                                  what it is
    <org>#plan-subscriptions#<id>   <customer id>#<subscription id>     a subscription that has this plan

Access patterns
    1 subscribers(org, id)                      Query     consistent
    2 subscribed_action, unsubscribed_action    part of the subscription's transaction
"""

from collections.abc import Iterator

from chalicelib.platform.ids import (
    CustomerId,
    OrganizationId,
    PlanId,
    SubscriptionId,
    key,
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


def _subscriptions(organization_id: OrganizationId, plan_id: PlanId) -> str:
    return key(organization_id, "plan-subscriptions", plan_id)
