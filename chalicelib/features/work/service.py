"""The tick and the worker."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from chalicelib import limits
from chalicelib.features.test_clock import service as test_clock
from chalicelib.features.work.held import Holder
from chalicelib.platform import agenda, clock, jobs, queues
from chalicelib.platform.agenda import Task
from chalicelib.platform.busy import is_busy
from chalicelib.platform.log import logger
from chalicelib.platform.settings import settings
from chalicelib.platform.table import ConditionFailed

# A queue this full is busy with what earlier ticks pushed; pushing the same again would only make it longer.
_BACKLOG_MAX = 50_000
_EARLY = timedelta(seconds=1)  # SQS delays to the second; what comes this little early is waited for by nobody.


def handle(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Carry out the messages of one batch, each isolated from the others; returns the ids of those to deliver again.

    A task's own failure is no reason to deliver again: the agenda tries it later. Where AWS is too busy even for that, the
    message comes again a few times, and then goes: the tick finds the task.
    """
    failed: list[str] = []
    holder = Holder()
    for record in records:
        try:
            _handle_one(json.loads(record["body"]), holder)
        except Exception as error:  # noqa: BLE001  one part of a batch is isolated from the next
            logger.exception("message failed", extra={"message_id": record.get("messageId")})
            if not is_busy(error) or queues.receives(record) < limits.BUSY_RECEIVES_MAX:
                failed.append(str(record["messageId"]))
    holder.tell()
    return failed


def tick(*, real_now: datetime) -> int:
    """Look into each shard of the agenda once; a shard with something due until the next tick becomes one message."""
    until = real_now + limits.PUSH_AHEAD
    busy = [n for n in range(limits.DUE_SHARDS) if _any_due(n, until)]
    if busy and queues.backlog(settings().jobs_queue) < _BACKLOG_MAX:
        queues.send_many(settings().jobs_queue, [({"shard": n}, 0) for n in busy])
    return len(busy)


def _any_due(number: int, until: datetime) -> bool:
    """Whether a shard has anything to do; one that cannot be asked just now may have, and holds up no other."""
    try:
        return agenda.any_due(number, until=until)
    except Exception as error:
        if not is_busy(error):
            raise
        return True


def _handle_one(message: Mapping[str, Any], holder: Holder) -> None:
    if "shard" in message:
        _push_shard(int(message["shard"]), clock.utc_now() + limits.PUSH_AHEAD)
        return
    task = agenda.find((message["pk"], message["sk"]))
    if task is None or task.parked:
        return
    real_now = clock.utc_now()
    if task.in_clock:
        _handle_sandbox(task)
    elif task.run_at <= real_now + _EARLY and not holder.hold(task, real_now=real_now):
        jobs.run(task, now=task.due_at)


def _handle_sandbox(task: Task) -> None:
    state = clock.read(task.organization)
    now = state.now or clock.utc_now()
    if task.due_at <= now and not state.advancing:
        test_clock.settle(task.organization, now=now)
    elif task.due_at > now:
        try:
            agenda.unindex(task)  # The clock will come by; the tick would push it for ever.
        except ConditionFailed:
            return


def _push_shard(number: int, until: datetime) -> None:
    for chunk in _chunks(agenda.due(number, until=until), 100):
        agenda.send(chunk)


def _chunks(tasks: Iterator[Task], size: int) -> Iterator[list[Task]]:
    chunk: list[Task] = []
    for task in tasks:
        chunk.append(task)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
