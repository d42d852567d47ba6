"""Subscriptions as other rooms read them."""

from collections.abc import Sequence

from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.subscriptions import store
from chalicelib.features.subscriptions.records import Live, Subscription
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import CustomerId, OrganizationId, SubscriptionId


def find_live(organization_id: OrganizationId, external_id: str) -> Live | None:
    """The live subscription of an external id, and its customer."""
    return store.find_live(organization_id, external_id)


def get(
    organization_id: OrganizationId, customer_id: CustomerId, subscription_id: SubscriptionId
) -> Subscription | None:
    """The subscription under an id, of any status, read consistently."""
    return store.get(organization_id, customer_id, subscription_id)


def of_id(
    organization_id: OrganizationId, subscription_id: SubscriptionId, customer_id: CustomerId | None
) -> Subscription:
    """The subscription under an id, of any status. `customer_id`: its customer, where that is known; without it the whole list
    of the organization is read.

    Raises: NotFound.
    """
    found = None if customer_id is None else store.get(organization_id, customer_id, subscription_id)
    found = found or store.find_anywhere(organization_id, subscription_id)
    if found is None:
        raise NotFound(Resource.SUBSCRIPTION)
    return found


def get_many(
    organization_id: OrganizationId, customer_id: CustomerId, ids: Sequence[SubscriptionId]
) -> list[Subscription]:
    """Those of a customer's subscriptions that exist, in the order of `ids`, read consistently in one request."""
    return store.get_many(organization_id, customer_id, ids)


def keys_of(organization_id: OrganizationId, customer_id: CustomerId, ids: Sequence[SubscriptionId]) -> list[Key]:
    """The keys of a customer's subscriptions, for who reads them together with other items."""
    return store.keys_of(organization_id, customer_id, ids)


def among(items: CustomerItems) -> list[Subscription]:
    """The subscriptions among a customer's items, of any status, by id."""
    return store.among(items)


def history(organization_id: OrganizationId, external_id: str) -> list[Subscription]:
    """All subscriptions that have or had an external id, newest first; from an index, which may lag."""
    return store.history(organization_id, external_id)


def external_ids(organization_id: OrganizationId) -> set[str]:
    """All external ids that subscriptions have or had; for walks over everything only."""
    return store.external_ids(organization_id)
