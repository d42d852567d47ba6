"""Events of payments, refunds, pages and disputes, applied by asking the provider. Source: rules/catalog 10."""

from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.providers.values import Event
from chalicelib.platform.clock import OrganizationRef


def apply(organization: OrganizationRef, connection: ProviderConnection, event: Event) -> None:
    """Bring what an event is about in line with the provider's present state; idempotent.

    Raises: Unknown, Misconfigured, where the provider could not be asked: the event is applied later.
    """
