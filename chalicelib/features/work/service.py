"""The tick and the worker."""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from chalicelib import limits
from chalicelib.features.test_clock import service as test_clock
from chalicelib.platform import agenda, clock, jobs, queues
from chalicelib.platform.agenda import Task
from chalicelib.platform.log import logger
from chalicelib.platform.settings import settings
from chalicelib.platform.table import ConditionFailed

# A queue this full is busy with what earlier ticks pushed; pushing the same again would only make it longer.
_BACKLOG_MAX = 50_000
_EARLY = timedelta(seconds=1)  # SQS delays to the second; what comes this little early is waited for by nobody.


def handle(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Carry out the messages of one batch one after the other, each isolated from the others; returns the ids of those to
    deliver again.

    A task's own failure is no reason to deliver again: the agenda tries it later.
    """
    return [str(record["messageId"]) for record in records if not _handled(record)]


def handle_at_once(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The same with a thread for each message, so that none waits for another."""
    with ThreadPoolExecutor(max(1, len(records))) as threads:
        done = list(threads.map(_handled, records))
    return [str(record["messageId"]) for record, well in zip(records, done, strict=True) if not well]


def _handled(record: Mapping[str, Any]) -> bool:
    try:
        _handle_one(json.loads(record["body"]))
    except Exception:  # noqa: BLE001  one part of a batch is isolated from the next
        logger.exception("message failed", extra={"message_id": record.get("messageId")})
        return False
    return True


def tick(*, real_now: datetime) -> int:
    """Look into each shard of the agenda once; a shard with something due until the next tick becomes one message."""
    until = real_now + limits.PUSH_AHEAD
    busy = [n for n in range(limits.DUE_SHARDS) if agenda.any_due(n, until=until)]
    if busy and queues.backlog(settings().jobs_queue) < _BACKLOG_MAX:
        queues.send_many(settings().jobs_queue, [({"shard": n}, 0) for n in busy])
    return len(busy)


def _handle_one(message: Mapping[str, Any]) -> None:
    if "shard" in message:
        _push_shard(int(message["shard"]), clock.utc_now() + limits.PUSH_AHEAD)
        return
    task = agenda.find((message["pk"], message["sk"]))
    if task is None or task.parked:
        return
    real_now = clock.utc_now()
    if task.in_clock:
        _handle_sandbox(task)
    elif task.run_at <= real_now + _EARLY:
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
        agenda.push(chunk)


def _chunks(tasks: Iterator[Task], size: int) -> Iterator[list[Task]]:
    chunk: list[Task] = []
    for task in tasks:
        chunk.append(task)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
