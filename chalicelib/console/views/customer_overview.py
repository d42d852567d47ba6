"""The overview of a customer, gathered from what billing reads: its item collection, in one request."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chalicelib.console.visit import Visit
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import BillingError, NotFound
from chalicelib.features.coupons import applying
from chalicelib.features.customers import figures, serializer
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.customers.records import Customer
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices import serializer as invoice_serializer
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.records import Plan
from chalicelib.features.subscriptions import reading as subscriptions
from chalicelib.features.subscriptions import schedule
from chalicelib.features.subscriptions import serializer as subscription_serializer
from chalicelib.features.subscriptions.records import Status, Subscription
from chalicelib.features.wallets import reading as wallet_reading
from chalicelib.features.wallets import serializer as wallet_serializer
from chalicelib.platform.ids import CustomerId

# Rows shown at most; the tabs and lists have the rest.
_SUBSCRIPTIONS, _INVOICES = 20, 5
_ORDER = (Status.ACTIVE, Status.PENDING, Status.TERMINATED, Status.CANCELED)


def gather(visit: Visit) -> dict[str, Any]:
    """The values of the page.

    Raises: NotFound, also of a customer that was deleted.
    """
    organization, now = visit.organization, visit.now
    items = customers.items_of(organization.id, CustomerId(visit.path["id"]))
    customer = items.customer
    if customer is None or customer.deleted_at is not None:
        raise NotFound(Resource.CUSTOMER)
    all_of_them = _ordered(subscriptions.among(items))
    known = plans.by_ids(organization.id, list({each.plan_id for each in all_of_them[:_SUBSCRIPTIONS]}))
    shown = serializer.base(organization, customer)
    latest = invoices.latest_of(organization.id, customer.id, _INVOICES)
    own = figures.among(items)
    return {
        "customer": shown,
        "figures": own,
        "wallet_count": len(items.state.wallet_codes),
        "invoiced": None if own is None else own.invoiced(now.astimezone(customer.zone(organization.timezone)).year),
        "wallet": _wallet(items, now),
        "next_invoice_at": _next_invoice_at(visit, customer, all_of_them[:_SUBSCRIPTIONS], known),
        "subscriptions": [_subscription(visit, customer, each, known) for each in all_of_them[:_SUBSCRIPTIONS]],
        "subscription_count": len(all_of_them),
        "coupons": applying.show_all(organization.id, applying.active_of(items)),
        "invoices": [invoice_serializer.summary(each, shown) for each in latest],
    }


def estimate(visit: Visit) -> dict[str, Any]:
    """What the customer's next invoice comes to as things stand: usage is priced for it, so it is asked for after the page."""
    items = customers.items_of(visit.organization.id, CustomerId(visit.path["id"]))
    active = [each.external_id for each in subscriptions.among(items) if each.status == Status.ACTIVE]
    if items.customer is None or not 0 < len(active) <= _SUBSCRIPTIONS:
        return {"invoice": None}
    body = {
        "customer": {"external_id": items.customer.external_id},
        "subscriptions": {"external_ids": list(dict.fromkeys(active))},
    }
    try:
        return {"invoice": visit.api.post("/invoices/preview", body)["invoice"]}
    except BillingError:  # Nothing will be billed, or the clock is moving.
        return {"invoice": None}


def wallets(visit: Visit, customer: Customer) -> list[dict[str, Any]]:
    """A customer's wallets, the active ones in their order of use, then those that have ended."""
    found = wallet_reading.among(customers.items_of(visit.organization.id, customer.id))
    found.sort(key=lambda each: (not each.usable(visit.now), each.priority, each.created_at, each.id))
    return [wallet_serializer.wallet(each, 0) for each in found]


def consequences(visit: Visit, customer: Customer) -> dict[str, Any]:
    """Objects that end with a customer."""
    items = customers.items_of(visit.organization.id, customer.id)
    live = [each for each in subscriptions.among(items) if each.status in (Status.ACTIVE, Status.PENDING)]
    own = figures.among(items)
    return {
        "active": sum(each.status == Status.ACTIVE for each in live),
        "pending": sum(each.status == Status.PENDING for each in live),
        "drafts": None if own is None else own.drafts,
        "coupons": len(applying.active_of(items)),
        "wallet": _wallet(items, visit.now),
    }


def _ordered(found: Sequence[Subscription]) -> list[Subscription]:
    """Those that live come first, then the newest."""
    newest = sorted(found, key=lambda each: (each.created_at, each.id), reverse=True)
    return sorted(newest, key=lambda each: _ORDER.index(each.status))


def _subscription(
    visit: Visit, customer: Customer, subscription: Subscription, known: dict[Any, Plan]
) -> dict[str, Any]:
    plan, zone = known[subscription.plan_id], customer.zone(visit.organization.timezone)
    return subscription_serializer.show(subscription, plan, zone=zone, now=visit.now) | {"plan_name": plan.name}


def _next_invoice_at(
    visit: Visit, customer: Customer, live: Sequence[Subscription], known: dict[Any, Plan]
) -> datetime | None:
    zone = customer.zone(visit.organization.timezone)
    found = (schedule.next_invoice_at(each, known[each.plan_id], zone=zone) for each in live)
    return min((at for at in found if at is not None), default=None)


def _wallet(items: CustomerItems, now: datetime) -> dict[str, Any] | None:
    """The balance of the usable wallets of a currency; None without one."""
    usable = wallet_reading.usable(items, now)
    if not usable:
        return None
    balance = wallet_reading.total_balance(items, usable[0].currency, now)
    return {"cents": balance.cents, "credits": balance.credits, "currency": usable[0].currency}
