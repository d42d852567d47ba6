"""Connections as the API shows them."""

from typing import Any

from chalicelib.features.payments.connections import reading, sealing
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.timestamps import iso


def show(
    organization_id: OrganizationId, connection: ProviderConnection, *, webhook_secret: str | None = None
) -> dict[str, Any]:
    """A connection, its secrets masked. `webhook_secret`: shown once, where it is to be entered at the provider."""
    shown = {
        "lago_id": connection.id,
        "code": connection.code,
        "name": connection.name,
        "payment_provider": connection.payment_provider,
        "state": connection.state,
        **{name: sealing.masked(end) for name, end in connection.ends.items()},
        "success_redirect_url": connection.success_redirect_url,
        "supports_3ds": connection.supports_3ds,
        "retry_if_possible": connection.retry_if_possible,
        "webhook_url": reading.webhook_url(organization_id, connection),
        "created_at": iso(connection.created_at),
    }
    return shown if webhook_secret is None else shown | {"webhook_secret": webhook_secret}
