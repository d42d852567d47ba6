"""Announcements of changes of subscriptions."""

from datetime import datetime
from typing import Any

from chalicelib.features.customers import serializer as customer_serializer
from chalicelib.features.customers.records import Customer
from chalicelib.features.organizations.records import Organization
from chalicelib.features.plans import serializer as plan_serializer
from chalicelib.features.plans.records import Plan
from chalicelib.features.subscriptions import serializer
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform.agenda import Task


def tasks(
    organization: Organization, customer: Customer, subscription: Subscription, plan: Plan, name: str, *, now: datetime
) -> list[Task]:
    """Announcement of a change of a subscription, with its plan and customer."""

    def payload() -> dict[str, Any]:
        return serializer.show(subscription, plan, zone=customer.zone(organization.timezone), now=now) | {
            "plan": plan_serializer.show_all(organization.id, [plan])[0],
            "customer": customer_serializer.base(organization, customer),
            "applicable_usage_thresholds": [],
        }

    subject = f"{name}#{subscription.id}#{subscription.version}"
    return webhooks.announcement(organization.ref, name, "subscription", payload, subject=subject, now=now)
