"""Applying an event: the provider is asked for the object that it is about, and that present state is what counts."""

from chalicelib.features.payments import waiting
from chalicelib.features.payments.collection import applying as collection
from chalicelib.features.payments.connections import reading as connections
from chalicelib.features.payments.connections import trouble
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.inbound.receiving import connection_id_of, event_of
from chalicelib.features.payments.links import refreshing
from chalicelib.features.payments.providers.errors import Misconfigured, Refused, Unknown
from chalicelib.features.payments.providers.values import Event
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.log import logger


def run(task: Task) -> None:
    """Apply the event of a task; while the provider gives no answer, or does not take the secret, it waits. Idempotent."""
    organization, event = task.organization, event_of(task)
    connection = connections.get(organization.id, connection_id_of(task))
    if connection is None:
        agenda.done(task).alone()
        return
    if connection.live and connection.state == "misconfigured":
        waiting.for_secret(task)
        return
    try:
        _apply(organization, connection, event)
    except Misconfigured as failure:
        trouble.mark(organization, connection, failure, source="event", action=event.action)
        if connection.live:
            waiting.for_secret(task)
            return
    except Unknown as failure:
        waiting.for_answer(task, failure)
        return
    except Refused as refusal:
        # What it is about is gone, or never was there for us.
        logger.warning("an event was not applied", extra={"error_code": refusal.error.error_code})
    agenda.done(task).alone()


def _apply(organization: OrganizationRef, connection: ProviderConnection, event: Event) -> None:
    if event.kind == "method":
        _method(organization, connection, event)
    elif event.kind == "customer":
        for customer_id in refreshing.owners(organization.id, connection, event.object_id):
            refreshing.refresh(organization, connection, customer_id, follow_default=True)
    else:
        collection.apply(organization, connection, event)


def _method(organization: OrganizationRef, connection: ProviderConnection, event: Event) -> None:
    """All methods of the customer are read: one that came or went may change the default."""
    own_id = event.hint.provider_customer_id
    known = refreshing.owners(organization.id, connection, event.object_id)
    if own_id is None and not known:
        opened = connections.opened(organization, connection)
        own_id = connections.provider_of(connection).ask_method(opened, event.object_id).customer_id or None
    if own_id is not None:
        known += refreshing.owners(organization.id, connection, own_id)
    for customer_id in dict.fromkeys(known):
        refreshing.refresh(organization, connection, customer_id, about=event.object_id)
