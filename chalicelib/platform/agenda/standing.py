"""Standing tasks: one task for one subject for good, with a state of its own in its `detail`.

Work for the subject wakes its task, in the transaction that brings the work; the task's handler ends by letting it rest or
sleep. A wake-up that comes while the handler runs moves the due time, so the handler's end is refused and it looks again:
no wake-up is lost, and none costs more than the change of one small item.
"""

from datetime import UTC, datetime
from typing import Any

from pynamodb.expressions.operand import Path

from chalicelib.platform import dynamodb
from chalicelib.platform.agenda.store import TaskRow, row_of
from chalicelib.platform.agenda.tasks import Task
from chalicelib.platform.unit import Write
from chalicelib.platform.values import to_attribute

Change = Any

# A resting task runs never: a stray message for it is dropped.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


def create(task: Task) -> Write:
    """Write a standing task, at rest; refused where it is there already."""
    return row_of(_timed(task, NEVER), indexed=False).create()


def wake(task: Task, *, at: datetime, changes: tuple[Change, ...] = (), condition: Any = None) -> Write:
    """Let a task run at `at`, whatever it was about to do; refused where it is gone."""
    due = row_of(_timed(task, at), indexed=True)
    exists = TaskRow.pk.exists()
    return TaskRow.change(
        task.key,
        TaskRow.due_at.set(at),
        TaskRow.run_at.set(at),
        TaskRow.due_pk.set(due.due_pk),
        TaskRow.parked.set(False),
        TaskRow.attempts.set(0),
        *changes,
        condition=exists if condition is None else exists & condition,
    )


def keep(task: Task, *changes: Change, condition: Any = None) -> Write:
    """Change a task's state and nothing about its time."""
    exists = TaskRow.pk.exists()
    return TaskRow.change(task.key, *changes, condition=exists if condition is None else exists & condition)


def changed(task: Task, *changes: Change, condition: Any = None) -> Task:
    """Change a task's state at once; the task as it stands now, with what others changed in it meanwhile.

    Raises: ConditionFailed.
    """
    answer = dynamodb.alone(keep(task, *changes, condition=condition).action, returned="ALL_NEW")
    return TaskRow.read(answer["Attributes"]).value


def sleep(task: Task, *changes: Change, until: datetime, condition: Any = None) -> Write:
    """Let the task run again at an instant; refused if it was woken since it was read."""
    due = row_of(_timed(task, until), indexed=True)
    times = (TaskRow.due_at.set(until), TaskRow.run_at.set(until), TaskRow.due_pk.set(due.due_pk))
    return TaskRow.change(task.key, *times, *changes, condition=_unwoken(task, condition))


def rest(task: Task, *changes: Change, condition: Any = None) -> Write:
    """Let the task rest until something wakes it; refused if that happened since it was read."""
    times = (TaskRow.due_at.set(NEVER), TaskRow.run_at.set(NEVER), TaskRow.due_pk.remove())
    return TaskRow.change(task.key, *times, *changes, condition=_unwoken(task, condition))


def state(name: str) -> Path:
    """A value of a task's state, for conditions and changes."""
    return Path(["detail", name])


def set_state(**values: Any) -> tuple[Change, ...]:
    """The changes that give values of a task's state."""
    return tuple(state(name).set(to_attribute(value)) for name, value in values.items())


def _unwoken(task: Task, condition: Any) -> Any:
    same = TaskRow.due_at == task.due_at
    return same if condition is None else same & condition


def _timed(task: Task, at: datetime) -> Task:
    return Task(task.kind, task.organization, task.subject, at, at, detail=task.detail)
