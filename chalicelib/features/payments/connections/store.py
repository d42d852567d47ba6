"""Storage of connections.

Items
    pk                                   sk    what it is
    <org>#payment_provider#<id> ...      -     a connection (platform/collection.py; uniqueness item: its code)

Access patterns
    1 CONNECTIONS.*     platform/collection.py
    2 listed(org)       Query    index list: all live ones
"""

from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import CatalogRow, Collection
from chalicelib.platform.ids import OrganizationId, key


class ConnectionRow(CatalogRow):
    """A connection."""

    record = RecordAttribute(ProviderConnection)


CONNECTIONS = Collection(
    "payment_provider",
    ProviderConnection,
    ConnectionRow,
    code=lambda connection: connection.code,
    listed=lambda connection: connection.state != "connecting",
)


def listed(organization_id: OrganizationId) -> list[ProviderConnection]:
    """All live connections, the oldest first; from an index, which may lag."""
    found = ConnectionRow.select(key(organization_id, CONNECTIONS.name), index="list")
    return [row.value for row in found]
