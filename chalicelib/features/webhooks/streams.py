"""Streams: the state of each endpoint's messages, kept by a standing task that wakes whoever delivers them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from chalicelib import limits
from chalicelib.features.webhooks import lane_store
from chalicelib.features.webhooks.records import Stream, stream_in
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task, standing
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import WebhookEndpointId
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Unit, Write
from chalicelib.platform.values import to_attribute

ANNOUNCE = agenda.kind("announce", rank=80, real_time=True, queue="webhooks", in_order=True)
DELIVER = agenda.kind(
    "webhook_stream", rank=90, real_time=True, queue="webhooks", attempts_max=limits.WEBHOOK_ATTEMPTS_MAX + 3
)


def task_of(organization: OrganizationRef, endpoint_id: WebhookEndpointId) -> Task:
    """The standing task of an endpoint, as it begins."""
    return agenda.task(DELIVER, organization, endpoint_id, standing.NEVER, storable(Stream()))


def begin(organization: OrganizationRef, endpoint_id: WebhookEndpointId) -> list[Write]:
    """Part of the transaction that makes an endpoint."""
    return [
        standing.create(task_of(organization, endpoint_id)),
        lane_store.enter_stream(organization.id, endpoint_id),
    ]


def end(
    organization: OrganizationRef, endpoint_id: WebhookEndpointId, *, real_now: datetime
) -> tuple[list[Write], Task]:
    """Part of the transaction that deletes an endpoint, and the task to push then: what was not sent is given up."""
    task = task_of(organization, endpoint_id)
    wake = standing.wake(task, at=real_now, changes=changes(deleted_at=real_now))
    return [wake, lane_store.leave_stream(organization.id, endpoint_id, now=real_now)], task_at(task, real_now)


def find(organization: OrganizationRef, endpoint_id: WebhookEndpointId) -> Task:
    """The standing task of an endpoint as it stands; made where there is none yet."""
    fresh = task_of(organization, endpoint_id)
    found = agenda.find(fresh.key)
    if found is not None:
        return found
    Unit(begin(organization, endpoint_id)).commit()
    return fresh


def find_many(organization: OrganizationRef, endpoint_ids: Iterable[WebhookEndpointId]) -> dict[str, Task]:
    """The standing tasks of endpoints, those that there are."""
    keys = [task_of(organization, each).key for each in endpoint_ids]
    return {task.subject: task for task in agenda.find_many(keys)}


def task_at(task: Task, at: datetime) -> Task:
    """A standing task as a message for the queue that runs at an instant."""
    return Task(task.kind, task.organization, task.subject, at, at, detail=task.detail)


def changes(**values: Any) -> tuple[Any, ...]:
    """The changes that give a stream these values."""
    return standing.set_state(**storable(values))


def storable(values: Stream | Mapping[str, Any]) -> dict[str, Any]:
    """A stream's values as they are kept."""
    given = dict(values)
    return {name: _plain(value) for name, value in given.items()}


def kept(value: Any) -> dict[str, Any]:
    """A value as it is kept, for conditions."""
    return to_attribute(_plain(value))


def of(task: Task) -> Stream:
    """The stream of a standing task."""
    return stream_in(task.detail)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value
