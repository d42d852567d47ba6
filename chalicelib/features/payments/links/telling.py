"""Messages about customers at payment providers. Source: rules/webhooks 4."""

from chalicelib.features.customers import serializer as customer_serializer
from chalicelib.features.customers.records import Customer
from chalicelib.features.organizations import service as organizations
from chalicelib.features.payments.providers.values import ProviderError
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import new_id


def created(organization: OrganizationRef, customer: Customer) -> list[Task]:
    """The customer now exists at the provider."""
    own_id = customer.billing_configuration.provider_customer_id
    return webhooks.announcement(
        organization,
        "customer.payment_provider_created",
        "customer",
        lambda: customer_serializer.show_all(organizations.get(organization.id), [customer])[0],
        subject=f"customer.payment_provider_created#{customer.id}#{own_id}",
        now=clock.now(organization),
    )


def failed(organization: OrganizationRef, customer: Customer, error: ProviderError, *, subject: str) -> list[Task]:
    """The provider refused the customer, or has lost it. `subject`: names the occasion, so that it is told once."""
    return webhooks.announcement(
        organization,
        "customer.payment_provider_error",
        "payment_provider_customer_error",
        {**_named(customer), "provider_error": error.shown()},
        subject=f"customer.payment_provider_error#{customer.id}#{subject}",
        now=clock.now(organization),
    )


def page(organization: OrganizationRef, customer: Customer, url: str) -> list[Task]:
    """A page for leaving a way to pay was made."""
    return webhooks.announcement(
        organization,
        "customer.checkout_url_generated",
        "payment_provider_customer_checkout_url",
        shown_page(customer, url),
        subject=f"customer.checkout_url_generated#{new_id()}",
        now=clock.now(organization),
    )


def shown_page(customer: Customer, url: str) -> dict[str, str | None]:
    """A page as the API shows it."""
    return {**_named(customer), "checkout_url": url}


def _named(customer: Customer) -> dict[str, str | None]:
    configuration = customer.billing_configuration
    return {
        "lago_customer_id": customer.id,
        "external_customer_id": customer.external_id,
        "payment_provider": configuration.payment_provider,
        "payment_provider_code": configuration.payment_provider_code,
    }
