"""The list of subscriptions and its filters."""

from typing import Any

from chalicelib.features.customers import service as customers
from chalicelib.features.customers.items import customer_pk
from chalicelib.features.subscriptions import store
from chalicelib.features.subscriptions.records import Status, Subscription
from chalicelib.features.subscriptions.store import SubscriptionRow
from chalicelib.platform import counters, listing, parameters
from chalicelib.platform.http import Call
from chalicelib.platform.ids import OrganizationId, key


def statuses_of(call: Call) -> list[str]:
    """Statuses that a query names, by either parameter; empty where it names none.

    Raises: Invalid, for what is no status.
    """
    return parameters.words(call, ("status", "subscription_status"), tuple(Status))


def page(call: Call, external_customer_id: str | None = None) -> tuple[list[Subscription], dict[str, int | None]]:
    """One page, newest first. `external_customer_id`: of that customer, which must exist.

    Raises: NotFound; Invalid, for values outside the enumerations.
    """
    organization_id = call.organization.id
    statuses = statuses_of(call) or [Status.ACTIVE.value]
    chosen = _filters(call, statuses)
    plain = len(chosen.conditions) == 1
    place: dict[str, Any] = {"pk": key(organization_id, "subscription")}
    external_id = call.one("external_id")
    if external_id is not None:
        place = {"pk": store.external_pk(organization_id, external_id), "index": "owner"}
    if external_customer_id is not None:
        customers.find(organization_id, external_customer_id)
    external_customer_id = external_customer_id or call.one("external_customer_id")
    if external_customer_id is not None:
        chosen.one_of("external_customer_id", [external_customer_id])
        customer = customers.find_live(organization_id, external_customer_id)
        if customer is not None and external_id is None:  # The whole list tells of one that was deleted.
            pk = customer_pk(organization_id, customer.id)
            place = {"pk": pk, "index": None, "begins": SubscriptionRow.begins}
        plain = False

    def total() -> int:
        return sum(counters.total(organization_id, "subscription", f"status={status}") for status in statuses)

    wanted = listing.Listing(
        organization_id, SubscriptionRow, **place, where=chosen.conditions, total=total if plain else None
    )
    found, meta = listing.read(wanted, listing.wanted(call))
    return [row.value for row in found], meta


def totals(organization_id: OrganizationId) -> dict[str, int]:
    """The number of subscriptions of each status."""
    found = counters.totals(organization_id, "subscription")
    return {status.value: found.get(f"status={status.value}", 0) for status in Status}


def _filters(call: Call, statuses: list[str]) -> listing.Filter:
    chosen = listing.Filter()
    chosen.one_of("status", statuses)
    named = {"plan_code": call.one("plan_code"), "external_id": call.one("external_id")}
    for field, text in (named | {"currency": parameters.currency(call)}).items():
        if text is not None:
            chosen.one_of(field, [text])
    entities = call.many("billing_entity_codes")
    if entities and "default" not in entities:
        chosen.nothing()  # All are of the one default entity.
    chosen.words(call.one("search_term"))
    return chosen
