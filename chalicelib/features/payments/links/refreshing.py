"""Reading a customer's ways to pay from the provider."""

from chalicelib.domain.error_codes import Resource
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer
from chalicelib.features.payments.connections import reading as connections
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.links import losing, methods, store, sync
from chalicelib.features.payments.links.records import ProviderLink
from chalicelib.features.payments.providers.errors import Refused
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId, OrganizationId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit


def owners(organization_id: OrganizationId, connection: ProviderConnection, object_id: str) -> list[CustomerId]:
    """The customers of ours that a customer or a method of the provider belongs to, or once did."""
    return store.owners(organization_id, connection.id, object_id)


def refresh(
    organization: OrganizationRef,
    connection: ProviderConnection,
    customer_id: CustomerId,
    *,
    about: str | None = None,
    follow_default: bool = False,
) -> None:
    """Read a customer's methods from the provider. Where the method that the event is `about` can be charged, what the customer
    owes is submitted."""
    customer = customers.get(organization.id, customer_id)

    def attempt() -> list[Task]:
        link = store.get(organization.id, customer_id, connection.id)
        if link.provider_customer_id is None or customer is None or customer.deleted_at is not None:
            return []
        opened = connections.opened(organization, connection)
        found = connections.provider_of(connection).methods(opened, link.provider_customer_id)
        now = clock.now(organization)
        fresh = methods.refreshed(link, found, now=now, follow_default=follow_default)
        tasks = _submission(organization, customer, fresh, about)
        writes = [] if fresh == link else store.write(organization.id, link, fresh)
        Unit(writes, [agenda.put(each, now=now) for each in tasks]).commit()
        return tasks

    try:
        agenda.push(retrying(attempt, Resource.PAYMENT_METHOD))
    except Refused as refusal:
        if refusal.lost != "customer" or customer is None:
            raise
        losing.customer(organization, customer, connection.id, refusal.error)


def _submission(organization: OrganizationRef, customer: Customer, link: ProviderLink, about: str | None) -> list[Task]:
    method = None if about is None else link.method(about)
    if method is None or method.state != "usable":
        return []
    return [sync.submission(organization, customer.id, method_id=method.id)]
