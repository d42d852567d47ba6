"""What the provider has no more: a customer, or a way to pay. Noted at whatever call shows it; idempotent."""

from chalicelib.domain.error_codes import Resource
from chalicelib.features.customers.records import Customer
from chalicelib.features.payments.links import methods, store, telling
from chalicelib.features.payments.providers.values import ProviderError
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId, PaymentProviderId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit


def customer(
    organization: OrganizationRef, customer: Customer, connection_id: PaymentProviderId, error: ProviderError
) -> None:
    """The provider has no such customer any more: the link is marked, and `customer.payment_provider_error` says why."""

    def attempt() -> list[Task]:
        link = store.get(organization.id, customer.id, connection_id)
        if link.provider_customer_id is None or link.lost:
            return []
        subject = f"lost#{connection_id}#{link.provider_customer_id}"
        told = telling.failed(organization, customer, error, subject=subject)
        now = clock.now(organization)
        writes = store.write(organization.id, link, methods.lost(link))
        Unit(writes, [agenda.put(each, now=now) for each in told]).commit()
        return told

    agenda.push(retrying(attempt, Resource.CUSTOMER))


def method(
    organization: OrganizationRef, customer_id: CustomerId, connection_id: PaymentProviderId, provider_method_id: str
) -> None:
    """The provider has no such way to pay any more: it is forgotten, and another one that can be charged is the default."""

    def attempt() -> None:
        link = store.get(organization.id, customer_id, connection_id)
        left = methods.without(link, provider_method_id)
        if left != link:
            Unit(store.write(organization.id, link, left)).commit()

    retrying(attempt, Resource.PAYMENT_METHOD)
