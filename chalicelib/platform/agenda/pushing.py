"""Pushing tasks to their queues, after the commit that wrote them. A push only proposes: the item alone says what
holds."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from chalicelib import limits
from chalicelib.platform import clock, queues
from chalicelib.platform.agenda.tasks import Task
from chalicelib.platform.busy import is_busy
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.log import logger
from chalicelib.platform.queues import Outgoing


def push(tasks: Sequence[Task], *, queue: str | None = None) -> None:
    """Send the tasks that run within a quarter-hour to their queues (or to another), delayed to the second.

    A lost or doubled message changes nothing. So a message is dropped where SQS is busy: the tasks are committed, and
    the tick finds them.
    """
    try:
        send(tasks, queue=queue)
    except Exception as error:
        if not is_busy(error):
            raise
        logger.warning("tasks not pushed: SQS is busy", extra={"error": repr(error)})


def send(tasks: Sequence[Task], *, queue: str | None = None) -> None:
    """Send messages for these tasks; for callers that have to know whether they were sent.

    Raises: Busy, or what SQS says of that.
    """
    by_queue: dict[str, list[Outgoing]] = {}
    real_now = clock.utc_now()
    for each in tasks:
        wait = max(timedelta(0), each.run_at - real_now)
        if each.parked or wait >= limits.PUSH_AHEAD:
            continue
        delay = -(-wait // timedelta(seconds=1))  # Rounded up: a message that comes too early is dropped.
        by_queue.setdefault(queue or each.queue_name, []).append(
            Outgoing(message(each.key), each.organization.id, int(delay))
        )
    for name, messages in by_queue.items():
        queues.send_many(name, messages)


def message(task_key: Key) -> Mapping[str, str]:
    """Body of the message: the task's key only. The stored item alone decides."""
    return {"pk": task_key[0], "sk": task_key[1]}
