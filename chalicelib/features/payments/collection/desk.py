"""A connection, opened for the calls of one payment."""

from dataclasses import dataclass

from chalicelib.features.payments.connections import reading as connections
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.providers import values
from chalicelib.features.payments.providers.base import Provider
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import PaymentProviderId


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a payment is collected. `opened`: the connection with its secrets."""

    connection: ProviderConnection
    provider: Provider
    opened: values.Connection


def desk(organization: OrganizationRef, connection: ProviderConnection) -> Desk:
    """The desk of a connection."""
    return Desk(connection, connections.provider_of(connection), connections.opened(organization, connection))


def desk_of(organization: OrganizationRef, connection_id: str) -> Desk:
    """The desk of a payment's connection. One that was disconnected still tells what became of payments."""
    connection = connections.get(organization.id, PaymentProviderId(connection_id))
    assert connection is not None, "connections are deleted softly"
    return desk(organization, connection)
