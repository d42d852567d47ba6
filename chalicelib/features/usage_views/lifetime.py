"""Lifetime usage of a subscription: what it used before it came here, what was invoiced, and what is open.

Source: rules/usage 9.
"""

from datetime import datetime
from typing import Any

from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.subscriptions.records import Status, Subscription
from chalicelib.features.usage_views import current
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId, derived_id
from chalicelib.platform.timestamps import iso, iso_or_none


def show(organization: OrganizationRef, subscription: Subscription, *, now: datetime) -> dict[str, Any]:
    """Lifetime usage as the API shows it; thresholds are not kept. Amounts are without tax."""
    return {
        "lago_id": derived_id(subscription.id, "lifetime_usage"),
        "lago_subscription_id": subscription.id,
        "external_subscription_id": subscription.external_id,
        "external_historical_usage_amount_cents": subscription.external_historical_usage_cents,
        "invoiced_usage_amount_cents": _invoiced_cents(organization.id, subscription),
        "current_usage_amount_cents": _current_cents(organization, subscription, now=now),
        "from_datetime": iso_or_none(subscription.started_at),
        "to_datetime": iso(now),
        "usage_thresholds": [],
    }


def _invoiced_cents(organization_id: OrganizationId, subscription: Subscription) -> int:
    found = [i for i in invoices.of_customer(organization_id, subscription.customer_id) if _counts(i, subscription)]
    fees = (fee for invoice in found for fee in invoices.fees_of(organization_id, invoice))
    return sum(fee.amount_cents for fee in fees if fee.type == "charge" and fee.subscription_id == subscription.id)


def _counts(invoice: Invoice, subscription: Subscription) -> bool:
    return invoice.status in ("draft", "finalized") and any(
        period.subscription_id == subscription.id for period in invoice.periods
    )


def _current_cents(organization: OrganizationRef, subscription: Subscription, *, now: datetime) -> int:
    customer = customers.get(organization.id, subscription.customer_id)
    if customer is None or subscription.status != Status.ACTIVE:
        return 0
    used = current.open_usage(organization, customer, subscription.external_id, current.EVERYTHING, now=now)
    return sum(each.amount_cents for each in used.billed)
