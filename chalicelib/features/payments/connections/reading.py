"""Finding connections, and opening them for calls."""

from collections.abc import Sequence
from urllib.parse import quote

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.payments.connections import sealing, store
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.connections.store import CONNECTIONS
from chalicelib.features.payments.providers import registry, values
from chalicelib.features.payments.providers.base import Provider
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.collection import Catalog
from chalicelib.platform.ids import OrganizationId, PaymentProviderId
from chalicelib.platform.settings import settings

CATALOG: Catalog[ProviderConnection] = CONNECTIONS


def find(organization_id: OrganizationId, code: str) -> ProviderConnection:
    """The live connection of a code.

    Raises: NotFound.
    """
    found = CONNECTIONS.find(organization_id, code)
    if found is None or not found.live:
        raise NotFound(Resource.PAYMENT_PROVIDER)
    return found


def get(organization_id: OrganizationId, connection_id: PaymentProviderId) -> ProviderConnection | None:
    """The connection under an id, disconnected or not."""
    return CONNECTIONS.get(organization_id, connection_id)


def get_many(organization_id: OrganizationId, ids: Sequence[PaymentProviderId]) -> dict[str, ProviderConnection]:
    """The connections under these ids, disconnected or not, in one request."""
    return CONNECTIONS.get_many(organization_id, ids)


def live(organization_id: OrganizationId) -> list[ProviderConnection]:
    """All live connections, the oldest first."""
    return [each for each in store.listed(organization_id) if each.live]


def chosen(
    organization_id: OrganizationId, payment_provider: str, code: str | None
) -> tuple[ProviderConnection | None, list[ProviderConnection]]:
    """The connection that a customer means, and all of the provider where no code says which: None where that are several, or
    none. Source: rules/catalog 10.4."""
    if code:
        found = CONNECTIONS.find(organization_id, code)
        fits = found is not None and found.live and found.payment_provider == payment_provider
        return (found, []) if fits else (None, [])
    all_of_it = [each for each in live(organization_id) if each.payment_provider == payment_provider]
    return (all_of_it[0] if len(all_of_it) == 1 else None), all_of_it


def check_choice(payment_provider: str, code: str | None, known: Sequence[ProviderConnection]) -> None:
    """Refuse a choice of a customer that no connection fits, or several do. Without any connection all is done by hand, and any
    name is good.

    Raises: Invalid.
    """
    fitting = [each for each in known if each.payment_provider == payment_provider and code in (None, "", each.code)]
    if code and known and not fitting:
        raise Invalid.field("payment_provider_code", ErrorCode.PAYMENT_PROVIDER_NOT_FOUND)
    if not code and len(fitting) > 1:
        raise Invalid.field("payment_provider_code", ErrorCode.PAYMENT_PROVIDER_CODE_MISSING)


def opened(organization: OrganizationRef, connection: ProviderConnection) -> values.Connection:
    """A connection as the provider's calls take it, with its secrets."""
    return values.Connection(
        id=connection.id,
        code=connection.code,
        sandbox=organization.sandbox,
        secrets={
            name: sealing.opened(organization.id, connection.id, kept) for name, kept in connection.sealed.items()
        },
        webhook_url=webhook_url(organization.id, connection),
        webhook_id=connection.webhook_id,
        options=connection.options,
    )


def provider_of(connection: ProviderConnection) -> Provider:
    """The provider of a connection."""
    return registry.provider(connection.payment_provider)


def webhook_url(organization_id: OrganizationId, connection: ProviderConnection) -> str:
    """Where the provider sends events of a connection."""
    place = f"/webhooks/{connection.payment_provider}/{organization_id}?code={quote(connection.code, safe='')}"
    return settings().public_url.rstrip("/") + place
