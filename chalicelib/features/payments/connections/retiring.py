"""Endpoints that providers no longer need are removed there, by tasks that keep trying."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.features.payments.connections import reading, sealing
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.providers.errors import Misconfigured, Refused
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import PaymentProviderId
from chalicelib.platform.log import logger

# Removes an endpoint at a provider. In real time, also for organizations with a test clock.
RETIRE = agenda.kind("retire_provider_endpoint", rank=98, real_time=True, queue="providers")


def tasks(organization: OrganizationRef, connection: ProviderConnection) -> list[Task]:
    """The task that removes a connection's endpoint as it is now, with the secrets that it has now; none where there is no
    endpoint of ours."""
    if connection.webhook_id is None:
        return []
    detail = {"connection_id": connection.id, "webhook_id": connection.webhook_id, "sealed": dict(connection.sealed)}
    subject = f"{connection.id}#{connection.webhook_id}"
    return [agenda.task(RETIRE, organization, subject, clock.utc_now(), detail)]


def retire(task: Task) -> None:
    """Remove the endpoint. One whose secret is no good any more cannot be removed by us."""
    detail: Mapping[str, Any] = task.detail
    connection_id = PaymentProviderId(str(detail["connection_id"]))
    connection = reading.get(task.organization.id, connection_id)
    if connection is not None:
        plain = {
            name: sealing.opened(task.organization.id, connection_id, str(kept))
            for name, kept in detail["sealed"].items()
        }
        opened = replace(
            reading.opened(task.organization, connection), secrets=plain, webhook_id=str(detail["webhook_id"])
        )
        try:
            reading.provider_of(connection).disconnect(opened)
        except (Misconfigured, Refused) as failure:
            logger.warning("an endpoint stays at a provider", extra={"error_code": failure.error.error_code})
    agenda.done(task).alone()
