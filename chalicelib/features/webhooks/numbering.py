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
from chalicelib.features.webhooks import lane_store, log_store, store, streams
from chalicelib.features.webhooks.records import Endpoint, Message, News, Stream, message_id
from chalicelib.features.webhooks.types import subscribed
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task, standing
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write


def number(organization: OrganizationRef) -> None:
    """Number all that an organization announced, and wake the deliveries. Idempotent: what is numbered is gone."""
    while not lane_store.open_gate(organization.id, now=clock.utc_now()):
        if lane_store.knock(organization.id, now=clock.utc_now()):
            return
    give_up_at = time.monotonic() + limits.WEBHOOK_NUMBERING_SECONDS
    pushed: set[str] = set()
    woken_again: dict[str, Task] = {}
    while True:
        left, woken = retrying(lambda: _number_some(organization), Resource.WEBHOOK)
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


def _number_some(organization: OrganizationRef) -> tuple[list[Task], dict[str, Task]]:
    """Number as much as one transaction takes. Returns one of the announcements that are left, if there are any, and the
    deliveries that were woken, by endpoint."""
    announced = agenda.in_order(streams.ANNOUNCE, organization.id, at_most=limits.WEBHOOK_ACTIONS_MAX)
    if not announced:
        return [], {}
    lines = {line.endpoint.id: line for line in _lines(organization)}
    writes: list[Write] = []
    for count, task in enumerate(announced):
        made = list(_numbered(task, list(lines.values())))
        touched = sum(1 for line in lines.values() if line.messages)
        if len(writes) + 1 + len(made) + touched > limits.WEBHOOK_ACTIONS_MAX:
            rest = announced[count:]
            break
        writes += [agenda.done(task), *made]
        for line in lines.values():
            line.keep()
    else:
        # A full look may not have seen all.
        rest = announced[-1:] if len(announced) == limits.WEBHOOK_ACTIONS_MAX else []
    written = [line for line in lines.values() if line.kept]
    Unit(writes, [line.advanced() for line in written]).commit()
    return rest[:1], {line.endpoint.id: line.task_to_push() for line in written if line.stream.paused_at is None}


@dataclass(slots=True)
class _Line:
    """An endpoint and the messages that it is about to get."""

    organization: OrganizationRef
    endpoint: Endpoint
    task: Task
    now: datetime
    messages: list[Message] = field(default_factory=list)
    kept: int = 0

    @property
    def stream(self) -> Stream:
        """The stream as it was read."""
        return streams.of(self.task)

    def keep(self) -> None:
        """Let the messages made so far be part of the transaction."""
        self.kept = len(self.messages)

    def next_message(self, news: News) -> Message:
        """Make the endpoint's next message."""
        number = self.stream.sequence + len(self.messages) + 1
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
        same = standing.state("sequence") == {"N": str(self.stream.sequence)}
        first = {"first_at": self.now} if self.stream.sequence == 0 else {}
        changes = streams.changes(sequence=self.stream.sequence + self.kept, last_at=self.now, **first)
        if self.stream.paused_at is not None:
            return standing.keep(self.task, *changes, condition=same)
        return standing.wake(self.task, at=self.now, changes=changes, condition=same)

    def task_to_push(self) -> Task:
        """The task that delivers."""
        return streams.task_at(self.task, self.now)


def _lines(organization: OrganizationRef) -> Iterator[_Line]:
    """The endpoints with their streams. Times of an endpoint's messages never go back, whatever the clocks of workers say."""
    endpoints = store.live(organization.id)
    found = streams.find_many(organization, [endpoint.id for endpoint in endpoints])
    now = clock.utc_now()
    for endpoint in endpoints:
        task = found.get(endpoint.id) or streams.find(organization, endpoint.id)
        last = streams.of(task).last_at
        yield _Line(organization, endpoint, task, now if last is None else max(now, last))


def _numbered(task: Task, lines: Sequence[_Line]) -> Iterator[Write]:
    news = News.model_validate(task.detail)
    for line in lines:
        if subscribed(line.endpoint.event_types, news.webhook_type):
            yield log_store.create(line.next_message(news))
