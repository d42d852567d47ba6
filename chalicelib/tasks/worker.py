"""The worker, which carries out messages of the queues of tasks, and the tick, which finds due tasks whose push was
lost."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from chalicelib import limits
from chalicelib.features.sandbox import service as test_clock
from chalicelib.platform import agenda, clock, log, queues
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.busy import is_busy
from chalicelib.platform.dynamodb import ConditionFailed, Key
from chalicelib.platform.fairness import in_turns
from chalicelib.platform.log import logger
from chalicelib.platform.queues import Record
from chalicelib.tasks import pushing
from chalicelib.tasks.held import Holder

_EARLY = timedelta(seconds=1)  # SQS delays to the second: a task that comes this little early runs at once.


def handle(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Carry out the messages of one batch one after the other, each isolated from the others; returns the ids of those
    to deliver again.

    Organizations take turns. Messages that a slow batch has no time for are sent again, behind others. A failed task
    is not delivered again: the agenda reschedules it. Where AWS is too busy even for that, the message is delivered
    again a few times and then dropped: the tick finds the task.
    """
    end = time.monotonic() + limits.WORK_BATCH_SECONDS
    holder = Holder()
    failed = []
    for record in in_turns(records, _owner):
        carry_out = _put_back if time.monotonic() > end else partial(_handle_one, holder=holder)
        if not _handled(record, carry_out):
            failed.append(str(record["messageId"]))
    holder.tell()
    return failed


def handle_at_once(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Carry out messages with a thread for each, so that none waits for another; the ids of those to deliver again. Messages of
    tasks that stand in one order are one piece of work, as one worker does all of those."""
    pieces: dict[str, list[Record]] = {}
    for record in records:
        pieces.setdefault(_order(record), []).append(record)
    with ThreadPoolExecutor(max(1, len(pieces))) as threads:
        carry_out = partial(_handle_one, holder=Holder())  # Deliveries read no usage: none is held.
        done = threads.map(partial(_piece_handled, carry_out=carry_out), pieces.values())
    return [str(record["messageId"]) for failed in done for record in failed]


def _piece_handled(piece: Sequence[Record], carry_out: Callable[[Mapping[str, Any]], None]) -> Sequence[Record]:
    """Carry out a piece of work; its messages where they are to be delivered again. One task that is there stands for all:
    they are looked for together."""
    record: Record | None = piece[0]
    if len(piece) > 1:
        keys = {_key_of(each): each for each in piece}
        found = agenda.find_many(list(keys))
        record = keys[found[0].key] if found else None
    return [] if record is None or _handled(record, carry_out) else piece


def _key_of(record: Mapping[str, Any]) -> Key:
    message = json.loads(record["body"])
    return str(message["pk"]), str(message["sk"])


def _handled(record: Mapping[str, Any], carry_out: Callable[[Mapping[str, Any]], None]) -> bool:
    with log.about(message_id=str(record["messageId"])):
        try:
            message = json.loads(record["body"])
            log.note(organization=pushing.owner_of(message))
            carry_out(message)
        except Exception as error:  # noqa: BLE001  one part of a batch is isolated from the next
            logger.exception("message failed")
            return is_busy(error) and queues.receives(record) >= limits.BUSY_RECEIVES_MAX
    return True


def tick(*, real_now: datetime) -> int:
    """Look into each shard of the agenda once; a shard with something due until the next tick becomes one message."""
    until = real_now + limits.PUSH_AHEAD
    busy = [n for n in range(limits.DUE_SHARDS) if _any_due(n, until)]
    pushing.order(busy)
    return len(busy)


def _any_due(number: int, until: datetime) -> bool:
    """Whether a shard has anything to do; one that cannot be asked just now may have, and holds up no other."""
    try:
        return agenda.any_due(number, until=until)
    except Exception as error:
        if not is_busy(error):
            raise
        return True


def _owner(record: Mapping[str, Any]) -> str:
    """The organization of a message; empty for a message that cannot be read."""
    try:
        return pushing.owner_of(json.loads(record["body"]))
    except (ValueError, TypeError, KeyError):
        return ""


def _put_back(message: Mapping[str, Any]) -> None:
    if "shard" in message:
        pushing.send_again(message)
    elif (task := agenda.find((message["pk"], message["sk"]))) is not None:
        agenda.push([task])


def _order(record: Mapping[str, Any]) -> str:
    """The order that the task of a message stands in; of any other message its own id."""
    try:
        return agenda.order_of(json.loads(record["body"])["pk"]) or str(record["messageId"])
    except (ValueError, TypeError, KeyError):
        return str(record["messageId"])


def _handle_one(message: Mapping[str, Any], holder: Holder) -> None:
    if "shard" in message:
        pushing.carry_out(message)
        return
    task = agenda.find((message["pk"], message["sk"]))
    if task is None or task.parked:
        return
    log.note(kind=task.kind.name)
    real_now = clock.utc_now()
    if task.in_clock:
        _handle_sandbox(task)
    elif task.run_at <= real_now + _EARLY and not holder.hold(task, real_now=real_now):
        runner.run(task, now=task.due_at)


def _handle_sandbox(task: Task) -> None:
    state = clock.read(task.organization)
    now = state.now or clock.utc_now()
    if task.due_at <= now and not state.advancing:
        test_clock.run_due(task.organization, now=now)
    elif task.due_at > now:
        try:
            agenda.unindex(task)  # The clock will run it; the tick would push it for ever.
        except ConditionFailed:
            return
