"""The law of usage: whatever is metered, in whatever pieces, order and number events are delivered, and wherever workers
and readers die meanwhile, usage is what a naive recount of the events gives. Source: rules/usage 1 to 4, 6."""

import contextlib
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chalicelib import limits, wiring
from chalicelib.features.audit.audit import audit
from chalicelib.features.metering import definitions, rows
from chalicelib.features.metering.event import Event
from chalicelib.platform import clock
from chalicelib.platform import settings as environment
from tests.support.examples import examples
from tests.support.faults import Killed, Plan, conflicting, failing, lagging
from tests.support.metered import Fault, World, deliver
from tests.support.quick_tables import State, go_back_to, state
from tests.support.story import Story, received, work
from tests.support.usage import message
from tests.support.worlds import DAY, HOUR, MINUTE, Usage, worlds

LAW = settings(
    max_examples=examples(30),
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)


class Wall:
    """The real clock, which decides what is late and what may be folded."""

    def __init__(self) -> None:
        self.now: datetime | None = None
        self._real = clock.utc_now

    def utc_now(self) -> datetime:
        return self.now or self._real()


@pytest.fixture
def wall(aws: None, monkeypatch: pytest.MonkeyPatch) -> Wall:
    found = Wall()
    monkeypatch.setattr(clock, "utc_now", found.utc_now)
    return found


KILLS = st.builds(
    lambda at, after, lost: partial(failing, Plan(at, after=after, lost_answer=lost)),
    st.integers(0, 6),
    st.booleans(),
    st.booleans(),
)
# Each with whether the meter gets over it by itself.
FAULTS: st.SearchStrategy[tuple[Fault, bool]] = st.one_of(
    st.just((nullcontext, True)),
    KILLS.map(lambda kill: (kill, False)),
    KILLS.map(lambda kill: (kill, False)),
    st.builds(lambda n: (partial(conflicting, n), True), st.integers(1, 3)),
)
READ_FAULTS: st.SearchStrategy[Fault] = st.one_of(
    st.just(nullcontext), st.just(nullcontext), st.builds(lambda n: partial(lagging, n), st.integers(1, 2)), KILLS
)


WAITS = st.sampled_from(
    [timedelta(0), timedelta(0), timedelta(seconds=40), timedelta(seconds=80), HOUR + MINUTE, 7 * HOUR, 2 * DAY]
)


def messages(data: st.DataObject, of: Usage) -> list[dict[str, Any]]:
    """All events, some of them several times, in any order and in messages of any size, of any times of reception."""
    again = data.draw(st.lists(st.sampled_from(of.events), max_size=10), label="sent again")
    left: list[Event] = data.draw(st.permutations([*of.events, *again]), label="in this order")
    made = []
    while left:
        size = data.draw(st.sampled_from([1, 3, 8, 30]), label="events of a message")
        received_at = of.begins + timedelta(seconds=data.draw(st.integers(0, 3), label="received"))
        made.append((left[:size], received_at))
        left = left[size:]
    return made


def test_usage_is_what_a_naive_recount_gives(wall, monkeypatch):
    monkeypatch.setattr(limits, "REGISTER_FROM_EVENTS", 1)  # So that distinct values are counted as they come in.
    story = Story.begin(at="2023-01-01T00:00:00Z")
    empty = state()

    @LAW
    @given(of=worlds(), sandbox=st.booleans(), data=st.data())
    def law(of: Usage, sandbox: bool, data: st.DataObject) -> None:
        wall.now = None
        begin_anew(empty)
        world = World(of, story, sandbox=sandbox)
        # Before most of the events happen, or when all of their days have ended.
        wall.now = of.begins + data.draw(st.sampled_from([-2 * DAY, 15 * DAY]), label="wall")
        waiting = [message(own, world.organization, received_at=at) for own, at in messages(data, of)]
        undone: list[Any] = [partial(world.describe, [each]) for each in of.meterings if each.late]
        undone += [partial(world.change, code, listed) for code, listed in of.changed.items()]
        undone.append(world.subscribe)
        while waiting or undone:
            if waiting:
                batch = waiting[: data.draw(st.integers(1, 3), label="messages")]
                fault, is_mild = data.draw(FAULTS, label="fault")
                done = deliver(batch, fault)
                assert not is_mild or done == {each["messageId"] for each in batch}
                if not data.draw(st.sampled_from([False, False, True]), label="delivered again"):
                    waiting = [each for each in waiting if each["messageId"] not in done]
                waiting = data.draw(st.permutations(waiting), label="next")
            if undone and (not waiting or data.draw(st.booleans(), label="describe")):
                undone.pop()()
            if data.draw(st.booleans(), label="read"):
                read(world, data)
            wall.now += data.draw(WAITS, label="wait")
            if data.draw(st.sampled_from([False, False, True]), label="tick"):
                work_off(data.draw(READ_FAULTS, label="fault"))
        for each in (of.week, of.week, *of.ranges):  # Again, as the first time may have folded days.
            world.assert_equals_recount(each)
        assert audit(now=wall.now, organization_id=world.organization.id, subscription="sub") == []
        wall.now = None
        world.assert_api_equals_recount()

    law()


def begin_anew(empty: State) -> None:
    """Leave nothing of the world before, neither stored nor remembered."""
    go_back_to(empty)
    definitions.forget()
    rows.forget()
    for queue in (environment.settings().jobs_queue, environment.settings().sandbox_queue):
        while received(queue):
            pass


def work_off(fault: Fault) -> None:
    """What is due by the real clock: registers of distinct values are filled."""
    with fault(), contextlib.suppress(Killed, EndpointConnectionError, AssertionError):
        wiring.tick()
        work()


def read(world: World, data: st.DataObject) -> None:
    """Read a range, so that days are folded before late events come; the reader may die, or read an index that lags."""
    of = data.draw(st.sampled_from([world.of.week, *world.of.ranges]), label="range")
    only = data.draw(st.sampled_from([None, None, None, {"cloud": "aws"}, {"user": "7", "region": "eu"}]), label="only")
    with data.draw(READ_FAULTS, label="fault")(), contextlib.suppress(Killed, EndpointConnectionError):
        world.assert_equals_recount(of, only)
