"""The task that brings a changed customer in line at its payment provider. Source: rules/catalog 10.4.

The room of payments does that task; this one knows only when there is something to do.
"""

from chalicelib.features.customers.records import Customer, CustomerBillingConfiguration
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef

# Links, creates or tells a customer at its payment provider. In real time, also for organizations with a test clock.
SYNC = agenda.kind("sync_provider_customer", rank=96, real_time=True, queue="providers")


def tasks(organization: OrganizationRef, customer: Customer) -> list[Task]:
    """The task of a new or changed customer; none without a provider. The caller writes it with the change."""
    configuration = customer.billing_configuration
    asked = configuration.sync_with_provider or configuration.provider_customer_id
    if configuration.payment_provider is None or not asked:
        return []
    return [agenda.task(SYNC, organization, customer.id, clock.utc_now())]


def settled(
    old: CustomerBillingConfiguration, new: CustomerBillingConfiguration, given: frozenset[str]
) -> CustomerBillingConfiguration:
    """A changed configuration in which nothing of another provider or connection is left. `given`: the fields that the request
    names. Without a provider there is neither a connection nor a customer there."""
    if old.payment_provider is None or (old.payment_provider, old.payment_provider_code) == (
        new.payment_provider,
        new.payment_provider_code,
    ):
        return new
    gone: dict[str, None] = {}
    moved = new.payment_provider != old.payment_provider
    # The only connection, which needs no code, gets one: that names it, and moves nobody.
    if (moved or old.payment_provider_code) and "provider_customer_id" not in given:
        gone["provider_customer_id"] = None
    if moved and "payment_provider_code" not in given:
        gone["payment_provider_code"] = None
    if new.payment_provider is None:
        gone = {"provider_customer_id": None, "payment_provider_code": None}
    return new.model_copy(update=gone)
