"""Storage of connections.

Items
    pk                                   sk    what it is
    <org>#payment_provider#<id> ...      -     a connection (platform/collection.py; uniqueness item: its code)
    <org>#payment-providers              <id>  a connection that is not disconnected, for who asks for all of them

Access patterns
    1 CONNECTIONS.*     platform/collection.py
    2 listed(org)       Query, BatchGet   consistent: all that are not disconnected, few
    3 enter(org, id), leave(org, id)      part of the transaction that begins or ends a connection
"""

from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import CatalogRow, Collection
from chalicelib.platform.ids import OrganizationId, PaymentProviderId, key
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Write


class ConnectionRow(CatalogRow):
    """A connection."""

    record = RecordAttribute(ProviderConnection)


class MemberRow(Row):
    """A connection that is not disconnected, whose id its sort key is."""


CONNECTIONS = Collection(
    "payment_provider",
    ProviderConnection,
    ConnectionRow,
    code=lambda connection: connection.code,
    listed=lambda connection: connection.state != "connecting",
)


def listed(organization_id: OrganizationId) -> list[ProviderConnection]:
    """All connections that are not disconnected, the oldest first."""
    members = [row.sk for row in MemberRow.select(_set_pk(organization_id))]
    found = CONNECTIONS.get_many(organization_id, members) if members else {}
    return sorted(found.values(), key=lambda each: (each.created_at, each.id))


def enter(organization_id: OrganizationId, connection_id: PaymentProviderId) -> Write:
    """Add a connection to all of them."""
    return MemberRow(pk=_set_pk(organization_id), sk=connection_id).put()


def leave(organization_id: OrganizationId, connection_id: PaymentProviderId) -> Write:
    """Take a connection from all of them."""
    return MemberRow.remove_key((_set_pk(organization_id), connection_id))


def _set_pk(organization_id: OrganizationId) -> str:
    return key(organization_id, "payment-providers")
