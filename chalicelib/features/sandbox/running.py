"""Running the tasks that are due under a sandbox's clock, one after the other and each at its instant."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.errors import ChangedMeanwhile
from chalicelib.features.events import service as events
from chalicelib.platform import agenda, busy, clock, log
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.busy import is_busy
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import ConditionFailed

# Tries of a failing task while the clock stands at its instant, before it is parked.
_TRIES_AT_ONCE = 3
# Times that the same task may stand there again after it ran: parallel requests may write it anew, an endless instant
# always.
_REPEATS_MAX = 100
_POLL_SECONDS = 0.05
# Where AWS is busy the next task waits in its place, as no other may come before it (seconds).
_BUSY_FIRST, _BUSY_MOST = 0.2, 5.0


@dataclass(slots=True)
class Steps:
    """The budget of a runner: time until `give_up_at` (monotonic seconds), and `left` tasks (None: any number)."""

    give_up_at: float
    left: int | None = None

    def another(self) -> bool:
        """Take one task off the budget; returns whether it may run."""
        if self.left is not None:
            self.left -= 1
        return time.monotonic() <= self.give_up_at and (self.left is None or self.left >= 0)


def run_in_order(
    organization: OrganizationRef,
    until: datetime,
    steps: Steps,
    *,
    reach: Callable[[datetime], bool] = lambda at: True,
) -> bool:
    """Run the tasks due up to `until`; False when the budget was used up before. `reach`: brings the clock to an
    instant and returns whether the leap still leads there; where it does not, later tasks are left alone."""
    previous: Task | None = None
    repeats = 0
    waits = 0
    while True:
        task = next_task(organization, until)
        if task is None:
            return True
        if not steps.another():
            return False
        repeats = repeats + 1 if task == previous else 0
        if repeats > _REPEATS_MAX:
            raise AssertionError(f"task {task.kind.name} of {task.subject} did not finish")
        if not reach(task.due_at):
            return True
        with log.about(organization=organization.id, kind=task.kind.name):
            failure = runner.run(task, now=task.due_at)
        if isinstance(failure, ChangedMeanwhile):
            return False  # Parallel requests are in its way: the next runner goes on.
        if failure is None:
            previous, waits = task, 0
        elif is_busy(failure):
            time.sleep(busy.pause(waits, first=_BUSY_FIRST, most=_BUSY_MOST))
            waits += 1
        elif task.attempts + 1 >= _TRIES_AT_ONCE:
            _park(task)


def next_task(organization: OrganizationRef, until: datetime) -> Task | None:
    """The first task due up to an instant that has not failed too often."""
    return next((t for t in agenda.tasks_of_clock(organization, until=until) if not t.parked), None)


def failed_tasks(organization: OrganizationRef, until: datetime) -> list[Task]:
    """The tasks due up to an instant that failed too often."""
    return [task for task in agenda.tasks_of_clock(organization, until=until) if task.parked]


def _park(task: Task) -> None:
    current = agenda.find(task.key)
    while current is not None and not current.parked:
        with contextlib.suppress(ConditionFailed):  # A parallel request does the same.
            agenda.postpone(current, "did not succeed under the test clock", real_now=clock.utc_now())
        current = agenda.find(task.key)


def wait_for_events(
    organization: OrganizationRef,
    set_out: datetime | None,
    give_up_at: float,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Events accepted before the clock moves belong before it: wait until they are metered, but no longer than a minute
    after it set out; False when the time was up before."""
    end = (set_out or clock.utc_now()) + limits.CLOCK_EVENTS_WAIT
    while events.in_flight(organization) and clock.utc_now() < end:
        if time.monotonic() >= give_up_at:
            return False
        sleep(_POLL_SECONDS)
    return True
