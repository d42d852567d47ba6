"""`/customers`.

The modules that price usage are a tenth of the app: only the views that show usage import them, at their first request.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.customers import listings, provider, serializer, service
from chalicelib.features.customers.records import Customer
from chalicelib.features.organizations import service as organizations
from chalicelib.features.sandbox import service as test_clock
from chalicelib.platform import parameters
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.http import Call, Routes
from chalicelib.platform.ids import OrganizationId

routes = Routes(__name__)


@routes.post("/customers")
def upsert(call: Call) -> dict[str, Any]:
    """Create or change."""
    values = call.root("customer")
    check_provider(call.organization.id, values)
    customer, tasks = service.upsert(call.organization, values, now=call.now)
    if customer.billing_configuration.sync:
        customer = _synced(call, customer, tasks)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return _answer(call, customer)


def check_provider(organization_id: OrganizationId, values: Mapping[str, Any]) -> None:
    """Refuse a payment provider that a request names where no connection fits it, or several do.

    Raises: Invalid.
    """
    given = values.get("billing_configuration")
    name, code = (
        (given.get("payment_provider"), given.get("payment_provider_code")) if isinstance(given, dict) else ("", "")
    )
    if not name or not isinstance(name, str) or not isinstance(code, str | None):
        return
    from chalicelib.features.payments.connections import reading as connections

    connections.check_choice(name, code, connections.live(organization_id))


def _synced(call: Call, customer: Customer, tasks: Sequence[Task]) -> Customer:
    """The customer after its task at the payment provider, which the request waits for; what fails is tried again later."""
    for task in tasks:
        if task.kind == provider.SYNC:
            runner.run(task, now=task.due_at)
    return service.get(call.organization.id, customer.id) or customer


@routes.get("/customers")
def index(call: Call) -> dict[str, Any]:
    """One page, newest first."""
    customers, meta = listings.page(call)
    shown = serializer.show_all(organizations.get(call.organization.id), customers)
    return {"customers": shown, "meta": meta}


@routes.get("/customers/{external_id}")
def show(call: Call) -> dict[str, Any]:
    """One customer."""
    return _answer(call, service.find(call.organization.id, call.path["external_id"]))


@routes.delete("/customers/{external_id}")
def destroy(call: Call) -> dict[str, Any]:
    """Delete a customer; its active subscriptions end in the background."""
    shown = _answer(call, service.find(call.organization.id, call.path["external_id"]))
    _, tasks = service.remove(call.organization, call.path["external_id"], now=call.now)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return shown


@routes.get("/customers/{external_id}/current_usage")
def current_usage(call: Call) -> dict[str, Any]:
    """Usage of one subscription's open period, priced as its invoice would be."""
    from chalicelib.features.usage_views import current as usage

    customer = service.find(call.organization.id, call.path["external_id"])
    shown = usage.current(
        call.organization,
        customer,
        _subscription(call),
        usage.Selection.of(call),
        apply_taxes=_applies_taxes(call),
        now=call.now,
    )
    return {"customer_usage": shown}


@routes.get("/customers/{external_id}/projected_usage")
def projected(call: Call) -> dict[str, Any]:
    """Current usage, with its projection to the period's end."""
    from chalicelib.features.usage_views import projected as projected_usage

    customer = service.find(call.organization.id, call.path["external_id"])
    shown = projected_usage.projected(
        call.organization, customer, _subscription(call), apply_taxes=_applies_taxes(call), now=call.now
    )
    return {"customer_projected_usage": shown}


@routes.get("/customers/{external_id}/past_usage")
def past(call: Call) -> dict[str, Any]:
    """Usage billed by one subscription's invoices, by period."""
    from chalicelib.features.usage_views import past as past_usage

    customer = service.find(call.organization.id, call.path["external_id"])
    periods, meta = past_usage.page(call, customer)
    return {"usage_periods": periods, "meta": meta}


def _answer(call: Call, customer: Customer) -> dict[str, Any]:
    return {"customer": serializer.show_all(organizations.get(call.organization.id), [customer])[0]}


def _subscription(call: Call) -> str:
    """The external id whose usage is asked for.

    Raises: Invalid, without one.
    """
    external_id = call.one("external_subscription_id")
    if external_id is None:
        raise Invalid.field("external_subscription_id", ErrorCode.VALUE_IS_MANDATORY)
    return external_id


def _applies_taxes(call: Call) -> bool:
    return parameters.switch(call, "apply_taxes") is not False
