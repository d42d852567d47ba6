"""What people ask of messages and endpoints: send again, replay a range, pause, resume."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, create_model

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.webhooks import failing, lane_store, log, log_store, service, streams, times
from chalicelib.features.webhooks.records import Endpoint, Message, Replay, Stream
from chalicelib.features.webhooks.types import TYPES
from chalicelib.platform import agenda, clock, schema
from chalicelib.platform.agenda import Task, standing
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import WebhookEndpointId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit


def retry(organization: OrganizationRef, message_id: str) -> Message:
    """Send a message again now, whatever became of it; its planned attempt is replaced. Nothing is sent while the endpoint is
    paused, but by the probe that this brings forward.

    Raises: NotFound, for the message or its endpoint; ChangedMeanwhile.
    """

    def attempt() -> tuple[Message, Task]:
        message = log.find(organization.id, message_id)
        service.find(organization.id, message.endpoint_id)
        task = streams.find(organization, message.endpoint_id)
        now = clock.utc_now()
        asked = message.model_copy(
            update={
                "status": "retrying",
                "failures": 0,
                "next_attempt_at": now,
                "updated_at": max(now, message.updated_at + timedelta(microseconds=1)),
            }
        )
        Unit(
            log_store.replace(message, asked),
            lane_store.unplan(organization.id, message.endpoint_id, message.next_attempt_at, message.sequence),
            lane_store.plan(asked),
            failing.counted(message, asked),
            standing.wake(task, at=now, changes=streams.changes(retry_at=now, held_until=None)),
        ).commit()
        return asked, streams.task_at(task, now)

    asked, task = retrying(attempt, Resource.WEBHOOK)
    agenda.push([task])
    return asked


# The body of a replay: numbers or times, and perhaps types. (`from` cannot be written as an attribute.)
_NUMBER = Annotated[int, Field(ge=1, le=limits.INTEGER_MAX, strict=True)] | None
_TYPES = tuple[Annotated[str, schema.one_of(lambda: TYPES)], ...] | None
_FIELDS: dict[str, Any] = {
    "from_sequence": (_NUMBER, None),
    "to_sequence": (_NUMBER, None),
    "from": (schema.Instant | None, None),
    "to": (schema.Instant | None, None),
    "webhook_types": (_TYPES, None),
}
ReplayInput: Any = create_model("ReplayInput", __base__=schema.Request, __module__=__name__, **_FIELDS)


def replay(organization: OrganizationRef, endpoint_id: WebhookEndpointId, values: Mapping[str, Any]) -> Replay:
    """Send a range of an endpoint's messages again, in their order.

    Raises: NotFound; Invalid, also for no range, both kinds of it, or one that ends before it begins.
    """

    def attempt() -> tuple[Replay, Task]:
        made, task = _planned(organization, endpoint_id, values)
        wake = standing.wake(task, at=made.created_at, changes=streams.changes(replaying=True))
        Unit(lane_store.put_replay(organization.id, made), wake).commit()
        return made, streams.task_at(task, made.created_at)

    made, task = retrying(attempt, Resource.WEBHOOK_ENDPOINT)
    agenda.push([task])
    return made


def replayed(organization: OrganizationRef, endpoint_id: WebhookEndpointId, values: Mapping[str, Any]) -> int:
    """Number of messages that such a replay would send.

    Raises: as `replay`.
    """
    return _planned(organization, endpoint_id, values)[0].messages


def _planned(
    organization: OrganizationRef, endpoint_id: WebhookEndpointId, values: Mapping[str, Any]
) -> tuple[Replay, Task]:
    service.find(organization.id, endpoint_id)
    request: Any = schema.parse(ReplayInput, values)
    task = streams.find(organization, endpoint_id)
    stream = streams.of(task)
    first, last = _range(organization, endpoint_id, request, stream)
    types = tuple(dict.fromkeys(request.webhook_types or ())) or None
    number = log.number_of(organization.id, endpoint_id, first, last, types)
    planned = Replay(
        id=new_id(),
        endpoint_id=endpoint_id,
        first=first,
        last=last,
        webhook_types=types,
        position=first - 1,
        messages=number,
        status="pending" if number else "done",
        created_at=clock.utc_now(),
    )
    return planned, task


def _range(
    organization: OrganizationRef, endpoint_id: WebhookEndpointId, request: Any, stream: Stream
) -> tuple[int, int]:
    since, until = getattr(request, "from"), request.to
    by_number = request.from_sequence is not None or request.to_sequence is not None
    if by_number == (since is not None or until is not None):
        raise Invalid.field("base", ErrorCode.VALUE_IS_INVALID)
    if by_number:
        first, last = request.from_sequence or 1, request.to_sequence or stream.sequence
        if request.to_sequence is not None and last < first:
            raise Invalid.field("to_sequence", ErrorCode.VALUE_IS_INVALID)
        return max(first, times.first_kept(organization.id, endpoint_id, stream)), min(last, stream.sequence)
    if None not in (since, until) and until < since:
        raise Invalid.field("to", ErrorCode.VALUE_IS_INVALID)
    (found,) = times.spans(organization.id, [(endpoint_id, stream)], since, until)
    return found.first, found.last


def find_replay(organization: OrganizationRef, endpoint_id: WebhookEndpointId, replay_id: str) -> Replay:
    """A replay.

    Raises: NotFound.
    """
    service.find(organization.id, endpoint_id)
    found = lane_store.replay(organization.id, endpoint_id, replay_id)
    if found is None:
        raise NotFound(Resource.WEBHOOK_REPLAY)
    return found


def pause(organization: OrganizationRef, endpoint_id: WebhookEndpointId) -> Endpoint:
    """Send an endpoint nothing until it is resumed. Its messages get their numbers meanwhile. Idempotent.

    Raises: NotFound.
    """
    return _set(organization, endpoint_id, paused_at=clock.utc_now(), pause_reason="manual")


def resume(organization: OrganizationRef, endpoint_id: WebhookEndpointId) -> Endpoint:
    """Let an endpoint catch up, in order, and go on. Idempotent.

    Raises: NotFound.
    """
    return _set(organization, endpoint_id, paused_at=None, pause_reason=None)


def _set(
    organization: OrganizationRef,
    endpoint_id: WebhookEndpointId,
    *,
    paused_at: datetime | None,
    pause_reason: str | None,
) -> Endpoint:
    def attempt() -> tuple[Endpoint, list[Task]]:
        endpoint = service.find(organization.id, endpoint_id)
        task = streams.find(organization, endpoint_id)
        stream = streams.of(task)
        if (stream.pause_reason == "manual") if paused_at is not None else (stream.paused_at is None):
            return endpoint, []
        values: dict[str, Any] = {"paused_at": paused_at, "pause_reason": pause_reason}
        if paused_at is None:
            values |= {"catching_up": True, "failed_at": (), "held_until": None}
        now = clock.utc_now()
        Unit(standing.wake(task, at=now, changes=streams.changes(**values))).commit()
        return endpoint, [streams.task_at(task, now)]

    endpoint, tasks = retrying(attempt, Resource.WEBHOOK_ENDPOINT)
    agenda.push(tasks)
    return endpoint
