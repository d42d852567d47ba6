"""A lease on an attempt: one of two workers makes the call, and one that dies in its call has made an attempt."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from pydantic import BaseModel

from chalicelib.features.webhooks.streams import DELIVER
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task, lease
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import ConditionFailed


class Died(BaseException):
    """A worker is killed."""


class Charge(BaseModel):
    """A charge of a card, under a version as payments are."""

    version: int = 1
    leased_until: datetime | None = None
    status: str = "pending"


@dataclass
class Till:
    """A table with one charge, and what its provider was asked."""

    stored: Charge = field(default_factory=Charge)
    calls: int = 0

    def write(self, old: Charge, new: Charge) -> Charge:
        if self.stored.version != old.version:
            raise ConditionFailed
        self.stored = new.model_copy(update={"version": old.version + 1})
        return self.stored

    def call(self) -> str:
        self.calls += 1
        return "succeeded"

    def note(self, charge: Charge, status: str) -> None:
        self.write(charge, charge.model_copy(update={"leased_until": None, "status": status}))


def attempt(till: Till, task: Task, read: Charge, call: Callable[[], str] | None = None) -> None:
    lease.attempt(
        task,
        read,
        lasts=timedelta(minutes=1),
        write=till.write,
        prepare=lambda: call or till.call,
        note=till.note,
        unfinished="failed",
    )


@pytest.fixture
def task(aws) -> Task:
    now = clock.utc_now()
    new = agenda.task(DELIVER, OrganizationRef("org", sandbox=False), "charge", now)
    agenda.put(new, now=now).alone()
    return new


def dying() -> str:
    raise Died


def test_of_two_workers_that_read_the_same_record_one_makes_the_call(task):
    till = Till()
    read = till.stored
    attempt(till, task, read)
    attempt(till, task, read)
    assert (till.calls, till.stored.status, till.stored.leased_until) == (1, "succeeded", None)


def test_while_a_lease_runs_the_task_waits_for_its_end_and_nobody_calls(task):
    till = Till()
    with pytest.raises(Died):
        attempt(till, task, till.stored, dying)
    attempt(till, task, till.stored)
    until = till.stored.leased_until
    assert until is not None
    assert (till.calls, till.stored.status) == (0, "pending")
    moved = agenda.find(task.key)
    assert moved is not None
    assert moved.due_at == moved.run_at == until


def test_a_lease_that_ran_out_is_an_unfinished_attempt_and_no_call(task, monkeypatch):
    till = Till()
    with pytest.raises(Died):
        attempt(till, task, till.stored, dying)
    after = clock.utc_now() + timedelta(minutes=2)
    monkeypatch.setattr(clock, "utc_now", lambda: after)
    attempt(till, task, till.stored)
    assert (till.calls, till.stored.status, till.stored.leased_until) == (0, "failed", None)


def test_what_fails_before_the_call_leaves_no_lease(task):
    till = Till()

    def unprepared() -> Callable[[], str]:
        raise RuntimeError("no key")

    with pytest.raises(RuntimeError):
        lease.attempt(
            task,
            till.stored,
            lasts=timedelta(minutes=1),
            write=till.write,
            prepare=unprepared,
            note=till.note,
            unfinished="failed",
        )
    assert till.stored == Charge()
