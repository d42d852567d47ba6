"""What a customer can be charged by."""

from chalicelib.features.customers.records import Customer
from chalicelib.features.payments.connections import reading as connections
from chalicelib.features.payments.links import store
from chalicelib.features.payments.links.records import Account
from chalicelib.platform.clock import OrganizationRef


def account_of(organization: OrganizationRef, customer: Customer) -> Account | None:
    """The account of a customer with the connection that it means; None where it is not linked there, or the provider has lost
    it. At most two requests; none for a customer without a provider."""
    configuration = customer.billing_configuration
    if configuration.payment_provider is None or configuration.provider_customer_id is None:
        return None
    links = [
        each
        for each in store.links_of(organization.id, customer.id)
        if each.provider_customer_id == configuration.provider_customer_id and not each.lost
    ]
    found = connections.get_many(organization.id, [each.connection_id for each in links]) if links else {}
    for link in links:
        connection = found.get(link.connection_id)
        if (
            connection is not None
            and connection.live
            and connection.payment_provider == configuration.payment_provider
            and configuration.payment_provider_code in (None, "", connection.code)
        ):
            return Account(connection, link, link.default)
    return None
