"""The one retry of changes: what it repeats, how long it waits, when it gives up."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.domain.errors import ChangedMeanwhile, Conflict, Invalid, NotFound, Overtaken
from chalicelib.features.organizations import store as organizations
from chalicelib.platform import agenda, dynamodb
from chalicelib.platform.agenda import Kind, runner
from chalicelib.platform.busy import Busy
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import Cancelled, ConditionFailed, Reason
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit
from tests.support.faults import in_flight
from tests.support.items import core

NOW = datetime(2024, 1, 1, tzinfo=UTC)
OK, RACED, COLLIDED = Reason("None"), Reason("ConditionalCheckFailed"), Reason("TransactionConflict")
BUSY, WRONG = Reason("ThrottlingError"), Reason("ValidationError")


class Waits:
    """Time that passes only in waits. `draw` answers the largest number that chance can give."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def how(self) -> dict[str, Callable[..., Any]]:
        return {"sleep": self.waits.append, "draw": lambda: 1.0, "elapsed": lambda: sum(self.waits)}


def failing_times(times: int, error: Exception) -> Callable[[], str]:
    left = [error] * times

    def attempt() -> str:
        if left:
            raise left.pop()
        return "done"

    return attempt


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Cancelled([OK, RACED]), id="a condition did not hold"),
        pytest.param(Cancelled([COLLIDED, OK]), id="a collision did not end"),
        pytest.param(Cancelled([RACED, BUSY]), id="a condition did not hold while the service was busy"),
        pytest.param(ConditionFailed(), id="the condition of a single write"),
        pytest.param(ChangedMeanwhile("plan"), id="a store's own word for it"),
    ],
)
def test_a_lost_race_is_repeated(error: Exception) -> None:
    assert retrying(failing_times(3, error), "plan", **Waits().how()) == "done"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Invalid.field("code", "value_already_exist"), id="a refusal"),
        pytest.param(NotFound("plan"), id="not found"),
        pytest.param(Conflict("test_clock_advancing"), id="another conflict"),
        pytest.param(Cancelled([RACED, WRONG]), id="something is wrong with the transaction"),
        pytest.param(Cancelled([BUSY, OK]), id="the service was merely busy"),
        pytest.param(Overtaken("raced"), id="the task of the change is gone"),
        pytest.param(RuntimeError(), id="a bug"),
    ],
)
def test_anything_else_passes_through_at_once(error: Exception) -> None:
    waits = Waits()
    with pytest.raises(type(error)) as raised:
        retrying(failing_times(1, error), "plan", **waits.how())
    assert (raised.value, waits.waits) == (error, [])


def test_the_bound_of_the_wait_doubles_up_to_a_limit() -> None:
    waits = Waits()
    retrying(failing_times(9, ConditionFailed()), "plan", **waits.how())
    assert waits.waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2, 2]


def test_full_jitter_may_wait_not_at_all() -> None:
    waits = Waits()
    retrying(failing_times(2, ConditionFailed()), "plan", sleep=waits.waits.append, draw=lambda: 0.0)
    assert waits.waits == [0, 0]


def test_races_without_end_are_a_conflict_in_time_for_an_answer() -> None:
    waits = Waits()
    with pytest.raises(ChangedMeanwhile) as refused:
        retrying(failing_times(10**6, Cancelled([RACED])), "plan", **waits.how())
    assert refused.value.code == "plan_changed_meanwhile"
    assert sum(waits.waits) == limits.CHANGE_RETRIED_FOR.total_seconds()
    assert isinstance(refused.value.__cause__, Cancelled)


def test_who_waits_for_a_turn_that_never_ends_goes_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repetition inside a repetition of the same resource must not wait for itself."""
    monkeypatch.setattr(limits, "CHANGE_PAUSE_MAX", limits.CHANGE_PAUSE / 10)
    outer, inner = failing_times(1, ConditionFailed()), failing_times(1, ConditionFailed())
    waits = Waits()

    def nested() -> str:
        outer()
        return retrying(inner, "plan", **waits.how())

    assert retrying(nested, "plan", **waits.how()) == "done"


def test_a_single_write_waits_out_a_transaction_in_flight(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_flight(3):
        core.create({"pk": "a", "sk": "-"}).alone()
    with in_flight(1):
        assert [organizations.next_number(OrganizationId("o"), "customers") for _ in range(2)] == [1, 2]
    monkeypatch.setattr(dynamodb, "_CONFLICT_ATTEMPTS", 2)
    with in_flight(2), pytest.raises(Busy):
        core.create({"pk": "b", "sk": "-"}).alone()
    assert core.get("b") is None


@pytest.mark.parametrize("moved", [False, True], ids=["still there", "moved meanwhile"])
def test_a_task_that_lost_its_race_is_run_again_if_it_still_stands(
    aws: None, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    kind = Kind("raced", rank=1)
    task = agenda.task(kind, OrganizationRef("org", sandbox=False), "subject", NOW)
    agenda.put(task, now=NOW).alone()
    runs: list[agenda.Task] = []

    def handler(given: agenda.Task, now: datetime) -> None:
        runs.append(given)
        if len(runs) == 1:
            if moved:
                Unit(agenda.move(task, NOW + timedelta(days=1), now=NOW)).commit()
            raise Cancelled([RACED])
        Unit(agenda.done(given)).commit()

    monkeypatch.setitem(agenda.KINDS, kind.name, kind)
    monkeypatch.setitem(runner._handlers, kind.name, handler)
    assert runner.run(task, now=NOW) is None
    assert len(runs) == (1 if moved else 2)
    assert (agenda.find(task.key) is None) is not moved


def test_a_task_whose_races_do_not_end_is_pushed_again_and_counts_no_attempt(
    aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = Kind("raced", rank=1)
    task = agenda.task(kind, OrganizationRef("org", sandbox=False), "subject", NOW)
    agenda.put(task, now=NOW).alone()
    pushed: list[agenda.Task] = []

    def handler(given: agenda.Task, now: datetime) -> None:
        raise Cancelled([RACED])

    monkeypatch.setitem(agenda.KINDS, kind.name, kind)
    monkeypatch.setitem(runner._handlers, kind.name, handler)
    monkeypatch.setattr(limits, "CHANGE_RETRIED_FOR", timedelta(0))
    monkeypatch.setattr(agenda, "push", pushed.extend)
    for _ in range(limits.TASK_ATTEMPTS_MAX + 1):
        assert isinstance(runner.run(agenda.find(task.key), now=NOW), ChangedMeanwhile)
    standing = agenda.find(task.key)
    assert (standing.attempts, standing.parked, standing.due_at) == (0, False, task.due_at)
    assert standing.busy_since is not None
    assert [each.key for each in pushed] == [task.key] * (limits.TASK_ATTEMPTS_MAX + 1)


def test_a_change_whose_task_is_gone_is_not_tried_again_for_nothing(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that repeats a part of its work cannot win against whoever ended its task."""
    kind = Kind("overtaken", rank=1)
    task = agenda.task(kind, OrganizationRef("org", sandbox=False), "subject", NOW)
    agenda.put(task, now=NOW).alone()
    commits: list[None] = []

    def handler(given: agenda.Task, now: datetime) -> None:
        def part() -> None:
            commits.append(agenda.done(task).alone() if not commits else Unit(agenda.done(task)).commit())

        part()
        retrying(part, "part")

    monkeypatch.setitem(runner._handlers, kind.name, handler)
    monkeypatch.setattr(limits, "CHANGE_RETRIED_FOR", timedelta(days=1))
    assert runner.run(task, now=NOW) is None
    assert len(commits) == 1
