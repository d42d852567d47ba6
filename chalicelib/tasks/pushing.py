"""Pushing what is due in a shard of the agenda: nobody's many tasks stand before another's few.

A worker goes through the shard once, and pushes the first tasks of each organization, in turns. What an organization has
beyond them is pushed by messages of its own group: each pushes some, and sends the next one behind them. So whoever has a
hundred thousand tasks due has some thousands of messages in the queue at any time, and all others' tasks are pushed as
soon as the shard was read.
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

# The group of messages that are everybody's.
_AGENDA = "agenda"


def order(shards: Sequence[int]) -> None:
    """Have these shards pushed."""
    queues.send_many(settings().jobs_queue, [Outgoing({"shard": number}, _AGENDA) for number in shards])


def owner_of(message: Mapping[str, Any]) -> str:
    """Whose message this is."""
    if "shard" in message:
        return str(message.get("owner", _AGENDA))
    return str(message["pk"]).split("#")[0]


def send_again(message: Mapping[str, Any]) -> None:
    """Put an order to push a shard, or the rest of it, back behind the messages of others."""
    owner = OrganizationRef(OrganizationId(owner_of(message)), bool(message.get("sandbox")))
    queues.send(agenda.jobs_queue(owner), message, group=owner.id)


def carry_out(message: Mapping[str, Any]) -> None:
    """Push a shard, or the rest of what one organization has in it."""
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
    """How much of each organization was pushed on the way through a shard."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._seen: Counter[str] = Counter()
        self._last: dict[str, Task] = {}

    def first_of(self, tasks: Iterable[Task]) -> list[Task]:
        """Those that are among the first of their organization. Where there are more, their pushing is ordered."""
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
