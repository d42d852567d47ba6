"""Numbering: announcements become messages, each with the next number of its endpoint.

One worker at a time numbers an organization's announcements, as many at once as fit into a transaction: the messages, the
endpoints' new last numbers and the end of the announcements become visible together, so numbers have no gap. Who finds the
turn taken knocks, and is done: whoever has the turn looks once more before giving it back.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import ChangedMeanwhile, Overtaken
from chalicelib.features.webhooks import lane_store, log_store, store, streams
from chalicelib.features.webhooks.records import Endpoint, Message, News, message_id
from chalicelib.features.webhooks.types import subscribed
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task, standing
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write

# Announcements that one look reads.
_LOOK = 100


def number(organization: OrganizationRef) -> None:
    """Number all that an organization announced, and wake the deliveries. Idempotent: what is numbered is gone."""
    while not lane_store.open_gate(organization.id, now=clock.utc_now()):
        if lane_store.knock(organization.id, now=clock.utc_now()):
            return
    give_up_at = time.monotonic() + limits.WEBHOOK_NUMBERING_SECONDS
    pushed: set[str] = set()
    woken_again: dict[str, Task] = {}
    while True:
        left, woken = retrying(lambda: _numbered(organization), Resource.WEBHOOK)
        agenda.push([task for endpoint_id, task in woken.items() if endpoint_id not in pushed])
        # A delivery that goes on sees what was added; one that has ended meanwhile has to be told.
        woken_again |= {endpoint_id: task for endpoint_id, task in woken.items() if endpoint_id in pushed}
        pushed |= set(woken)
        if left and time.monotonic() > give_up_at:
            lane_store.close_gate(organization.id)
            woken_again["rest"] = left[0]
            break
        if not left and lane_store.close_gate(organization.id):
            break
    agenda.push(list(woken_again.values()))


def _numbered(organization: OrganizationRef) -> tuple[list[Task], dict[str, Task]]:
    try:
        return _number_some(organization)
    except Overtaken as error:
        raise ChangedMeanwhile(Resource.WEBHOOK) from error  # What another numbered is not found again.


def _number_some(organization: OrganizationRef) -> tuple[list[Task], dict[str, Task]]:
    """Number as much as one look finds, in as few transactions as it takes. Returns one of the announcements that may be
    left, and the deliveries that were woken, by endpoint."""
    announced = agenda.in_order(streams.ANNOUNCE, organization.id, at_most=_LOOK)
    if not announced:
        return [], {}
    lines = list(_lines(organization))
    woken: dict[str, Task] = {}
    writes: list[Write] = []
    for task in announced:
        news = News.model_validate(task.detail)
        wanting = [line for line in lines if subscribed(line.endpoint.event_types, news.webhook_type)]
        touched = sum(1 for line in lines if line.messages or line in wanting)
        if len(writes) + 1 + len(wanting) + touched > limits.WEBHOOK_ACTIONS_MAX:
            woken |= _committed(writes, lines)
            writes = []
        writes += [agenda.done(task), *(log_store.create(line.next_message(news)) for line in wanting)]
    woken |= _committed(writes, lines)
    return (announced[-1:] if len(announced) == _LOOK else []), woken


def _committed(writes: Sequence[Write], lines: Sequence["_Line"]) -> dict[str, Task]:
    """Make messages visible, with the endpoints' new last numbers; the deliveries that this wakes."""
    grown = [line for line in lines if line.messages]
    Unit(writes, [line.advanced() for line in grown]).commit()
    for line in grown:
        line.sequence += len(line.messages)
        line.messages = []
    return {line.endpoint.id: streams.task_at(line.task, line.now) for line in grown if not line.is_paused}


@dataclass(slots=True, eq=False)
class _Line:
    """An endpoint, its last number, and the messages that it is about to get."""

    organization: OrganizationRef
    endpoint: Endpoint
    task: Task
    now: datetime
    sequence: int
    messages: list[Message] = field(default_factory=list)

    @property
    def is_paused(self) -> bool:
        """Whether nothing is delivered now."""
        return streams.of(self.task).paused_at is not None

    def next_message(self, news: News) -> Message:
        """Make the endpoint's next message."""
        number = self.sequence + len(self.messages) + 1
        made = Message(
            id=message_id(self.organization.id, self.endpoint.id, number),
            organization_id=self.organization.id,
            endpoint_id=self.endpoint.id,
            sequence=number,
            webhook_type=news.webhook_type,
            object_type=news.object_type,
            object_id=news.object_id,
            payload_key=news.payload_key,
            created_at=self.now,
            updated_at=self.now,
        )
        self.messages.append(made)
        return made

    def advanced(self) -> Write:
        """The write of the endpoint's new last number, which wakes its delivery unless that is paused; refused if another
        writer numbered meanwhile."""
        same = standing.state("sequence") == streams.kept(self.sequence)
        first = {"first_at": self.now} if self.sequence == 0 else {}
        changes = streams.changes(sequence=self.sequence + len(self.messages), last_at=self.now, **first)
        if self.is_paused:
            return standing.keep(self.task, *changes, condition=same)
        return standing.wake(self.task, at=self.now, changes=changes, condition=same)


def _lines(organization: OrganizationRef) -> Iterator[_Line]:
    """The endpoints with their streams. Times of an endpoint's messages never go back, whatever the clocks of workers say."""
    endpoints = store.live(organization.id)
    found = streams.find_many(organization, [endpoint.id for endpoint in endpoints])
    now = clock.utc_now()
    for endpoint in endpoints:
        task = found.get(endpoint.id) or streams.find(organization, endpoint.id)
        stream = streams.of(task)
        yield _Line(organization, endpoint, task, max(now, stream.last_at or now), stream.sequence)
