"""Secrets of connections: encrypted under the organization and the connection, so that no copy elsewhere can be read."""

import base64
from collections.abc import Mapping
from datetime import datetime

from chalicelib import limits
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.platform import secret
from chalicelib.platform.ids import OrganizationId, PaymentProviderId

_MASK = "••••"
_SHOWN = 4

# What this process has opened, by ciphertext and context: KMS would be asked for each call.
_opened: dict[tuple[str, str, str], str] = {}


def sealed(organization_id: OrganizationId, connection_id: PaymentProviderId, plain: str) -> str:
    """A secret as it is kept."""
    return base64.b64encode(secret.seal(plain, _context(organization_id, connection_id))).decode()


def opened(organization_id: OrganizationId, connection_id: PaymentProviderId, kept: str) -> str:
    """A secret that was kept."""
    place = kept, organization_id, connection_id
    if place not in _opened:
        if len(_opened) >= limits.PROVIDER_SECRETS_REMEMBERED:
            _opened.clear()
        _opened[place] = secret.unseal(base64.b64decode(kept), _context(organization_id, connection_id))
    return _opened[place]


def end_of(plain: str) -> str:
    """The part of a secret that may be shown: none of a short one."""
    return plain[-_SHOWN:] if len(plain) >= 4 * _SHOWN else ""


def masked(end: str) -> str:
    """A secret as it is shown later."""
    return f"{_MASK}{end}"


def webhook_secrets(organization_id: OrganizationId, connection: ProviderConnection, *, at: datetime) -> list[str]:
    """The secrets that sign a connection's events at a real instant, the newest first."""
    before = connection.previous_sealed_webhook_secret
    still = before if connection.previous_until is not None and at < connection.previous_until else None
    kept = [each for each in (connection.sealed_webhook_secret, still) if each]
    return [opened(organization_id, connection.id, each) for each in kept]


def _context(organization_id: OrganizationId, connection_id: PaymentProviderId) -> Mapping[str, str]:
    return {"purpose": "tollgate-payment-provider", "organization": organization_id, "connection": connection_id}
