"""Subscriptions: the list, and one subscription with its tabs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.console import format, lists
from chalicelib.console.lists import Filter, Tab
from chalicelib.console.views import usage
from chalicelib.console.visit import Page, Visit
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.customers import serializer as customer_serializer
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer
from chalicelib.features.invoices import listings as invoice_listings
from chalicelib.features.invoices import whole
from chalicelib.features.plans import serializer as plan_serializer
from chalicelib.features.plans import service as plans
from chalicelib.features.subscriptions import listings, reading, serializer
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import CustomerId, SubscriptionId

# Fields of plans that every page of a subscription shows; the API calls them so too.
PLAN_FIELDS = {"name", "code", "interval", "amount_cents", "amount_currency", "pay_in_advance"}
_FILTERS = (Filter("Plan", ("plan_code",), placeholder="Code"), Filter("Currency", ("currency",), placeholder="EUR"))
_STATES = ("active", "pending", "terminated", "canceled")


@dataclass(frozen=True, slots=True)
class Found:
    """The subscription of an address. `shown`: in the API's form, with its plan; `customer`: whose it is."""

    record: Subscription
    shown: Mapping[str, Any]
    customer: Mapping[str, Any]

    @property
    def zone(self) -> str:
        """The zone that its periods are counted in."""
        return str(self.customer["applicable_timezone"])

    @property
    def name(self) -> str:
        """The name by which people know it."""
        return str(self.shown["name"] or self.shown["plan"]["name"])

    @property
    def path(self) -> str:
        """Its path in the API."""
        return path_of("subscriptions", self.record.external_id)


def asked(visit: Visit) -> dict[str, Any]:
    """What a visit asks of the API's list of subscriptions."""
    return _asked(lists.asked(visit, _FILTERS, [Tab("", {"state": "all"})]))


def _asked(query: Mapping[str, Any]) -> dict[str, Any]:
    """The query as the API takes it: its list has the states that it is asked for."""
    state = (query.get("state") or ["active"])[-1]
    rest = {name: value for name, value in query.items() if name != "state"}
    return rest | {"status": list(_STATES) if state == "all" else [state]}


def index(visit: Visit) -> Page:
    """All subscriptions, newest first; active ones where nothing else is asked for."""
    numbers = listings.totals(visit.organization.id)
    tabs = [Tab("Active", {}, numbers["active"])]
    tabs += [Tab(state.capitalize(), {"state": state}, numbers[state]) for state in _STATES[1:]]
    tabs.append(Tab("All", {"state": "all"}, sum(numbers.values())))

    def fetch(query: Mapping[str, Any]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = visit.api.get("/subscriptions", _asked(query))
        return found

    listed = lists.gather(visit, "/subscriptions", "subscriptions", tabs=tabs, filters=_FILTERS, fetch=fetch)
    return Page("subscriptions/index.html", {"listed": listed, "owners": owners_of(visit, listed.rows)})


def owners_of(visit: Visit, rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The customers of listed subscriptions, by id."""
    ids = list(dict.fromkeys(CustomerId(row["lago_customer_id"]) for row in rows))
    found = customers.get_many(visit.organization.id, ids)
    return {customer_id: _shown(visit, customer) for customer_id, customer in found.items()}


def show(visit: Visit) -> Page:
    """One subscription: the overview, or another of its tabs."""
    tab = visit.path.get("tab", "overview")
    gather = _TABS.get(tab)
    if gather is None:
        raise NotFound(Resource.SUBSCRIPTION)
    found = of_address(visit, with_charges=tab == "plan")
    return Page(f"subscriptions/{tab}.html", {"found": found, **gather(visit, found)})


def of_address(visit: Visit, *, with_charges: bool = False) -> Found:
    """The subscription of the address, whose customer the query may name. `with_charges`: with its whole plan, whose charges
    take more requests.

    Raises: NotFound.
    """
    customer = visit.query.one("customer") or None
    record = reading.of_id(
        visit.organization.id, SubscriptionId(visit.path["id"]), None if customer is None else CustomerId(customer)
    )
    owner = customers.get(visit.organization.id, record.customer_id)
    assert owner is not None, "a subscription has a customer"
    plan = plans.by_ids(visit.organization.id, [record.plan_id])[record.plan_id]
    zone = owner.zone(visit.organization.timezone)
    shown = serializer.show(record, plan, zone=zone, now=visit.now)
    if with_charges:
        (shown["plan"],) = plan_serializer.show_all(visit.organization.id, [plan])
    else:
        shown["plan"] = plan.model_dump(mode="json", include=PLAN_FIELDS)
    return Found(record, shown, _shown(visit, owner))


def _shown(visit: Visit, customer: Customer) -> Mapping[str, Any]:
    return customer_serializer.base(visit.organization, customer)


def _overview(visit: Visit, found: Found) -> dict[str, Any]:
    ends = found.shown["current_billing_period_ending_at"]
    return {"next_billing": None if ends is None else format.after(ends), **plans_beside(visit, found)}


def plans_beside(visit: Visit, found: Found) -> dict[str, str | None]:
    """The names of the plan before and of the one that follows, or the code of one that is gone."""
    record = found.record
    ids = [each for each in (record.previous_id, record.next_id) if each is not None]
    beside = reading.get_many(visit.organization.id, record.customer_id, ids) if ids else []
    known = plans.by_ids(visit.organization.id, [each.plan_id for each in beside]) if beside else {}
    names = {each.id: known[each.plan_id].name for each in beside if each.plan_id in known}
    return {
        "plan_before": names.get(record.previous_id or record.id, record.previous_plan_code),
        "plan_after": names.get(record.next_id or record.id, record.next_plan_code),
    }


def _plan(visit: Visit, found: Found) -> dict[str, Any]:
    return {}


def _usage(visit: Visit, found: Found) -> dict[str, Any]:
    """Usage is priced after the page is there: it may take as long as an invoice."""
    if visit.query.one("part") != "usage":
        return {"later": visit.same(part="usage")}
    return usage.panel(visit, found.customer, found.shown)


def _invoices(visit: Visit, found: Found) -> dict[str, Any]:
    customer_id = CustomerId(found.customer["lago_id"])

    def fetch(query: Mapping[str, Any]) -> Mapping[str, Any]:
        rows, meta = invoice_listings.page(visit.api.asking(query), customer_id)
        return {"invoices": whole.show_many(visit.organization.id, rows, now=visit.now), "meta": meta}

    fixed = {"invoice_type": "subscription"}
    return {"listed": lists.gather(visit, "/invoices", "invoices", fixed=fixed, fetch=fetch)}


_TABS = {"overview": _overview, "plan": _plan, "usage": _usage, "invoices": _invoices}
