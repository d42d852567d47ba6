"""Pushing the due tasks of a shard of the agenda, fairly: an organization with many tasks delays no other.

A worker reads the shard once, and pushes the first tasks of each organization, in turns. Further tasks of an
organization are pushed by messages of its own group: each pushes some, and sends the next such message. So an
organization with a hundred thousand due tasks has some thousands of messages in the queue at any time, and all others'
tasks are pushed as soon as the shard was read.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib import limits
from chalicelib.platform import agenda, clock, queues
from chalicelib.platform.agenda import Position, Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.fairness import in_turns
from chalicelib.platform.ids import OrganizationId, new_id
from chalicelib.platform.queues import Outgoing
from chalicelib.platform.settings import settings
from chalicelib.tasks import pushing_store as store

# The message group of whole shards, which belong to no organization.
_AGENDA = "agenda"


def order(shards: Sequence[int]) -> None:
    """Send a message for each of these shards, which pushes its due tasks."""
    queues.send_many(settings().jobs_queue, [Outgoing({"shard": number}, _AGENDA) for number in shards])


def owner_of(message: Mapping[str, Any]) -> str:
    """The organization of a message; `agenda` for a whole shard."""
    if "shard" in message:
        return str(message.get("owner", _AGENDA))
    return str(message["pk"]).split("#")[0]


def send_again(message: Mapping[str, Any]) -> None:
    """Send a message about a shard, or the rest of it, again: it comes behind those of others."""
    owner = OrganizationRef(OrganizationId(owner_of(message)), bool(message.get("sandbox")))
    queues.send(agenda.jobs_queue(owner), message, group=owner.id)


def carry_out(message: Mapping[str, Any]) -> None:
    """Push the due tasks of a shard, or the rest of one organization's."""
    if "owner" in message:
        _push_rest(message)
    else:
        _push_shard(int(message["shard"]), message.get("after"))


def _push_shard(number: int, after: Position | None) -> None:
    until, end = clock.utc_now() + limits.PUSH_AHEAD, time.monotonic() + limits.PUSH_SECONDS
    taken = _Taken(number)
    while True:
        tasks, after = agenda.due_page(number, until=until, after=after)
        agenda.send(in_turns(taken.first_of(tasks), lambda task: task.organization.id))
        if after is None:
            return
        if time.monotonic() > end:
            send_again({"shard": number, "after": after})
            return


class _Taken:
    """The number of tasks pushed per organization on a walk through a shard."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._seen: Counter[str] = Counter()
        self._last: dict[str, Task] = {}

    def first_of(self, tasks: Iterable[Task]) -> list[Task]:
        """The tasks among the first of their organization. Where there are more, a message is sent that pushes the
        rest."""
        first = []
        for task in tasks:
            owner = task.organization.id
            self._seen[owner] += 1
            if self._seen[owner] <= limits.PUSHED_AT_FIRST:
                self._last[owner] = task
                first.append(task)
            elif self._seen[owner] == limits.PUSHED_AT_FIRST + 1:
                self._order_rest(self._last[owner])
        return first

    def _order_rest(self, last: Task) -> None:
        owner, token = last.organization, new_id()
        if store.begin(owner.id, self._number, token, real_now=clock.utc_now()):
            after = agenda.position_of(last)
            send_again(
                {"shard": self._number, "owner": owner.id, "sandbox": owner.sandbox, "token": token, "after": after}
            )


def _push_rest(message: Mapping[str, Any]) -> None:
    owner, number, after = str(message["owner"]), int(message["shard"]), message["after"]
    if not store.goes_on(OrganizationId(owner), number, message["token"], real_now=clock.utc_now()):
        return
    until, end = clock.utc_now() + limits.PUSH_AHEAD, time.monotonic() + limits.PUSH_SECONDS
    left = limits.PUSHED_PER_LINK
    while after is not None and left > 0 and time.monotonic() <= end:
        tasks, after = agenda.due_page(number, until=until, after=after, owner=owner)
        if len(tasks) > left:
            tasks, after = tasks[:left], agenda.position_of(tasks[left - 1])
        agenda.send(tasks)
        left -= len(tasks)
    if after is None:
        store.end(OrganizationId(owner), number)
    else:
        send_again({**message, "after": after})
