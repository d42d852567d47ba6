"""A connection whose secret the provider does not take any more: marked, and told once. What needs it waits until then."""

from chalicelib.domain.error_codes import Resource
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.connections.store import CONNECTIONS
from chalicelib.features.payments.providers.errors import Misconfigured
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.retry import retrying


def mark(
    organization: OrganizationRef, connection: ProviderConnection, failure: Misconfigured, *, source: str, action: str
) -> None:
    """Mark a connection as misconfigured and announce it; idempotent, and nothing to do where the secret was changed since.
    `source`, `action`: what was about to be done, for the message."""

    def attempt() -> list[Task]:
        current = CONNECTIONS.get(organization.id, connection.id)
        if current is None or not current.live or current.state != "active" or current.sealed != connection.sealed:
            return []
        now = clock.now(organization)
        told = webhooks.announcement(
            organization,
            "payment_provider.error",
            "payment_provider_error",
            {
                "lago_payment_provider_id": current.id,
                "payment_provider_code": current.code,
                "payment_provider_name": current.name,
                "source": source,
                "action": action,
                "provider_error": failure.error.shown(),
            },
            subject=f"payment_provider.error#{current.id}#{current.version}",
            now=now,
        )
        extra = [agenda.put(task, now=now) for task in told]
        CONNECTIONS.replace(organization.id, current, current.changed(now=now, state="misconfigured"), extra)
        return told

    agenda.push(retrying(attempt, Resource.PAYMENT_PROVIDER))
