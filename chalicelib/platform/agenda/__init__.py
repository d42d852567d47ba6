"""The agenda: the one mechanism for all that happens later.

Whatever must happen at or after an instant is a task, an item of the core table. It is written in the same transaction
as the change that calls for it, and removed or moved on in the same transaction as its effect: never lost, its effect
once. `due_at` is the business instant, the job's now, and no retry changes it; `run_at` says when to try next.
"""

from chalicelib.platform.agenda.pushing import message, push, send
from chalicelib.platform.agenda.store import (
    PARKED,
    any_due,
    any_of,
    create,
    done,
    due,
    due_page,
    find,
    find_many,
    in_order,
    move,
    parked,
    position_of,
    postpone,
    put,
    rearm,
    remove,
    reschedule,
    tasks_of_clock,
    unindex,
    wait,
)
from chalicelib.platform.agenda.tasks import KINDS, Kind, Task, jobs_queue, kind, order_of, task
from chalicelib.platform.rows import Position

__all__ = [
    "KINDS",
    "PARKED",
    "Kind",
    "Position",
    "Task",
    "any_due",
    "any_of",
    "create",
    "done",
    "due",
    "due_page",
    "find",
    "find_many",
    "in_order",
    "jobs_queue",
    "kind",
    "message",
    "move",
    "order_of",
    "parked",
    "position_of",
    "postpone",
    "push",
    "put",
    "rearm",
    "remove",
    "reschedule",
    "send",
    "task",
    "tasks_of_clock",
    "unindex",
    "wait",
]
