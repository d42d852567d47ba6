"""`/customers`.

The modules that price usage are a tenth of the app: only the views that show usage import them, at their first request.
"""

from typing import Any

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.customers import listings, serializer, service
from chalicelib.features.customers.records import Customer
from chalicelib.features.organizations import service as organizations
from chalicelib.features.sandbox import service as test_clock
from chalicelib.platform import parameters
from chalicelib.platform.http import Call, Routes

routes = Routes(__name__)


@routes.post("/customers")
def upsert(call: Call) -> dict[str, Any]:
    """Create or change."""
    customer, tasks = service.upsert(call.organization, call.root("customer"), now=call.now)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return _answer(call, customer)


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
