"""`/subscriptions`."""

from collections.abc import Sequence
from typing import Any

from chalicelib.api import subscription_parts as part_routes
from chalicelib.features.customers import service as customers
from chalicelib.features.organizations import service as organizations
from chalicelib.features.plans import serializer as plan_serializer
from chalicelib.features.plans import service as plans
from chalicelib.features.sandbox import service as test_clock
from chalicelib.features.subscriptions import endings, listings, reading, schemas, serializer, service, updates
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.platform import schema
from chalicelib.platform.http import Call, Routes

routes = Routes(__name__)


@routes.post("/subscriptions")
def create(call: Call) -> dict[str, Any]:
    """Start, or change the plan."""
    subscription, tasks = service.create(call.organization, call.root("subscription"), now=call.now)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return _answer(call, subscription)


@routes.get("/subscriptions")
def index(call: Call) -> dict[str, Any]:
    """One page, newest first; active ones unless `status[]` names others."""
    found, meta = listings.page(call)
    return {"subscriptions": shown(call, found), "meta": meta}


@routes.get("/customers/{external_id}/subscriptions")
def index_of_customer(call: Call) -> dict[str, Any]:
    """Subscriptions of one customer. Raises: NotFound, for an unknown customer."""
    found, meta = listings.page(call, external_customer_id=call.path["external_id"])
    return {"subscriptions": shown(call, found), "meta": meta}


@routes.get("/subscriptions/{external_id}")
def show(call: Call) -> dict[str, Any]:
    """The active one, or that of `status`."""
    return _answer(call, service.find(call.organization.id, call.path["external_id"], listings.statuses_of(call)))


@routes.put("/subscriptions/{external_id}")
def update(call: Call) -> dict[str, Any]:
    """Change the subscription's given fields."""
    values = call.root("subscription")
    wanted = [*listings.statuses_of(call), *schema.parse(schemas.Which, call.json()).given_statuses]
    subscription, tasks = updates.update(
        call.organization, call.path["external_id"], values, statuses=wanted, now=call.now
    )
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return _answer(call, subscription)


@routes.delete("/subscriptions/{external_id}")
def terminate(call: Call) -> dict[str, Any]:
    """End it, or cancel a pending one."""
    body = call.optional_body()
    options = {**body, **{k: v for k in ("on_termination_credit_note", "on_termination_invoice") if (v := call.one(k))}}
    subscription, tasks = endings.terminate(
        call.organization,
        call.path["external_id"],
        options,
        statuses=listings.statuses_of(call),
        now=call.now,
    )
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return _answer(call, subscription)


@routes.get("/subscriptions/{external_id}/lifetime_usage")
def lifetime_usage(call: Call) -> dict[str, Any]:
    """Show the usage since the subscription began, and the usage recorded before it."""
    found = service.find(call.organization.id, call.path["external_id"], listings.statuses_of(call))
    return _lifetime(call, found)


@routes.put("/subscriptions/{external_id}/lifetime_usage")
def update_lifetime_usage(call: Call) -> dict[str, Any]:
    """Set what was used before."""
    values = call.root("lifetime_usage")
    return _lifetime(
        call, updates.set_historical_usage(call.organization.id, call.path["external_id"], values, now=call.now)
    )


def _lifetime(call: Call, subscription: Subscription) -> dict[str, Any]:
    from chalicelib.features.usage_views import lifetime  # Pricing of usage is a tenth of the app.

    return {"lifetime_usage": lifetime.show(call.organization, subscription, now=call.now)}


part_routes.mount(routes)


def shown(call: Call, subscriptions: Sequence[Subscription]) -> list[dict[str, Any]]:
    """Several subscriptions as the API shows them; customers and plans are read in one request each."""
    own = organizations.get(call.organization.id) if subscriptions else None
    owners = customers.get_many(call.organization.id, list({s.customer_id for s in subscriptions}))
    known = plans.by_ids(call.organization.id, [s.plan_id for s in subscriptions])
    return [
        serializer.show(s, known[s.plan_id], zone=owners[s.customer_id].zone(own.timezone), now=call.now)
        for s in subscriptions
        if own is not None
    ]


def _answer(call: Call, subscription: Subscription) -> dict[str, Any]:
    current = reading.get(call.organization.id, subscription.customer_id, subscription.id) or subscription
    plan = plans.by_ids(call.organization.id, [current.plan_id])[current.plan_id]
    return {
        "subscription": shown(call, [current])[0]
        | {"plan": plan_serializer.show_all(call.organization.id, [plan])[0], "applicable_usage_thresholds": []}
    }
