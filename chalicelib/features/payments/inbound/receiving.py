"""Receiving events of providers: each is verified on the raw bytes, stored once with its task, and answered at once."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import BadRequest, NotFound
from chalicelib.features.organizations import service as organizations
from chalicelib.features.payments.connections import reading as connections
from chalicelib.features.payments.connections import sealing
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.inbound import store
from chalicelib.features.payments.providers.errors import NotVerified
from chalicelib.features.payments.providers.values import Event, Hint, ProviderError
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId, PaymentProviderId
from chalicelib.platform.retry import retrying
from chalicelib.platform.timestamps import iso
from chalicelib.platform.unit import Unit

# Applies an event by asking the provider. In real time, also for organizations with a test clock.
APPLY = agenda.kind("apply_provider_event", rank=95, real_time=True, queue="providers")


def receive(
    payment_provider: str,
    organization_id: OrganizationId,
    code: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    real_now: datetime,
) -> list[Task]:
    """Take a request of a provider in; the tasks to push. What was taken in before is dropped.

    Raises: NotFound, for an unknown connection; BadRequest, for a request that the provider did not sign.
    """
    organization = organizations.find(organization_id)
    connection = connections.find(organization_id, code) if organization is not None and code else None
    if organization is None or connection is None or connection.payment_provider != payment_provider:
        raise NotFound(Resource.PAYMENT_PROVIDER)
    secrets = sealing.webhook_secrets(organization_id, connection, at=real_now)
    try:
        events = connections.provider_of(connection).verify(headers, body, secrets, now=real_now)
    except NotVerified as problem:
        raise BadRequest(f"the request is not signed: {problem}") from None
    found = list({each.id: each for each in events if each.kind != "other"}.values())
    tasks: list[Task] = []
    for begin in range(0, len(found), limits.PROVIDER_EVENTS_AT_ONCE):
        some = found[begin : begin + limits.PROVIDER_EVENTS_AT_ONCE]
        tasks += _taken_in(organization.ref, connection, some, real_now=real_now)
    return tasks


def connection_id_of(task: Task) -> PaymentProviderId:
    """The connection that the event of a task came to."""
    return PaymentProviderId(str(task.detail["connection_id"]))


def event_of(task: Task) -> Event:
    """The event of a task."""
    kept: dict[str, Any] = dict(task.detail["event"])
    hint: dict[str, Any] = dict(kept.pop("hint"))
    error = hint.pop("error", None)
    at = kept.pop("at", None)
    return Event(
        **kept,
        at=None if at is None else datetime.fromisoformat(str(at)),
        hint=Hint(**hint, error=None if error is None else ProviderError(**error)),
    )


def _taken_in(
    organization: OrganizationRef, connection: ProviderConnection, events: Sequence[Event], *, real_now: datetime
) -> list[Task]:
    def attempt() -> list[Task]:
        new = set(store.unknown(organization.id, connection.id, [each.id for each in events]))
        fresh = [each for each in events if each.id in new]
        tasks = [_task(organization, connection, each, real_now) for each in fresh]
        noted = [store.receive(organization.id, connection.id, each.id, real_now) for each in fresh]
        Unit(noted, [agenda.put(task, now=real_now) for task in tasks]).commit()
        return tasks

    return retrying(attempt, Resource.PAYMENT_PROVIDER)


def _task(organization: OrganizationRef, connection: ProviderConnection, event: Event, real_now: datetime) -> Task:
    kept = asdict(event) | {"at": None if event.at is None else iso(event.at)}
    detail = {"connection_id": connection.id, "event": kept}
    return agenda.task(APPLY, organization, f"{connection.id}#{event.id}", real_now, detail)
