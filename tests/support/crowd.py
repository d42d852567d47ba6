"""Many organizations at the same queues, in simulated time: how long each one's messages wait.

What is simulated beyond tests/support/simulation.py: SQS hands messages out as a fair queue does, Lambda runs as many
batches of each function at once as the template allows, and each batch takes its time. What it does is done by the app.

Fair queues, as AWS describes them: a group is noisy while it has more than a tenth of the messages in flight and at least 30,
or more than a tenth of the time that consumers spent lately, and stays so while anything of it waits. Messages of quiet
groups come first, the oldest first; then those of the noisy group with the fewest in flight.
"""

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app import app
from chalicelib import wiring
from chalicelib.platform import queues
from infra.package import FUNCTIONS
from tests.support.capacity import counting
from tests.support.simulation import QUARTER, Message, Simulation

_NOISY_SHARE, _NOISY_MESSAGES = 0.1, 30
_LATELY = timedelta(minutes=1)
_REQUEST_SECONDS = 0.01

Records = Sequence[dict[str, Any]]


@dataclass
class Lane:
    """A queue with the function that consumes it. `seconds`: what a message takes beside its requests to AWS; `together`:
    the messages of a batch are carried out at the same time. `fair` False: the queue hands out what came first."""

    url: str
    batch: int
    at_once: int
    carry_out: Callable[[Records], dict[str, Any]]
    seconds: Callable[[Message], float]
    together: bool = False
    fair: bool = True
    running: int = 0
    handled: Counter[str] = field(default_factory=Counter)
    waits: dict[str, timedelta] = field(default_factory=dict)
    _waiting: dict[str, deque[Message]] = field(default_factory=dict)
    _in_flight: Counter[str] = field(default_factory=Counter)
    _noisy: set[str] = field(default_factory=set)
    _lately: deque[tuple[datetime, str, float]] = field(default_factory=deque)
    _spent: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, function: str, name: str, queue: str, seconds: Callable[[Message], float], **how: Any) -> "Lane":
        """The lane of a function, with the batches and the concurrency of the template."""
        (source,) = (source for source in app.event_sources if source.name == name)
        return cls(queues.url(queue), source.batch_size, FUNCTIONS[function][3] or 1, seconds=seconds, **how)

    def add(self, message: Message) -> None:
        """It can be handed out from now on."""
        self._waiting.setdefault(message.group or f"m-{message.number}", deque()).append(message)

    def hand_out(self, now: datetime) -> list[tuple[str, Message]]:
        """The next batch, with its groups."""
        batch: list[tuple[str, Message]] = []
        while self._waiting and len(batch) < self.batch:
            group = self._next(now)
            message = self._waiting[group].popleft()
            batch.append((group, message))
            self._in_flight[group] += 1
            self.waits[group] = max(self.waits.get(group, timedelta(0)), now - message.at)
            if not self._waiting[group]:
                del self._waiting[group]
                self._noisy.discard(group)
        return batch

    def take_back(self, batch: Sequence[tuple[str, Message]], now: datetime, seconds: float) -> None:
        """A batch is done."""
        for group, _ in batch:
            self._in_flight[group] -= 1
            self.handled[group] += 1
            self._lately.append((now, group, seconds / len(batch)))
            self._spent[group] += seconds / len(batch)

    def _next(self, now: datetime) -> str:
        oldest = min(self._waiting, key=lambda group: self._waiting[group][0])
        if not self.fair:
            return oldest
        self._judge(now)
        quiet = [group for group in self._waiting if group not in self._noisy]
        if quiet:
            return min(quiet, key=lambda group: self._waiting[group][0])
        return min(self._waiting, key=lambda group: (self._in_flight[group], self._waiting[group][0]))

    def _judge(self, now: datetime) -> None:
        while self._lately and self._lately[0][0] < now - _LATELY:
            _, group, seconds = self._lately.popleft()
            self._spent[group] -= seconds
        in_flight, spent = self._in_flight.total(), self._spent.total()
        for group in self._waiting:
            own = self._in_flight[group]
            by_number = own >= _NOISY_MESSAGES and own > _NOISY_SHARE * in_flight
            if by_number or self._spent[group] > _NOISY_SHARE * spent + 1e-6:
                self._noisy.add(group)


class Crowd:
    """The lanes at work."""

    def __init__(self, simulation: Simulation, *lanes: Lane) -> None:
        self.simulation = simulation
        self._lanes = {lane.url: lane for lane in lanes}
        self._running: list[tuple[datetime, int, Lane, list[tuple[str, Message]], float]] = []
        self._numbers = itertools.count()
        self._next_tick = simulation.now

    def work(self, done: Callable[[], bool], *, at_most: timedelta) -> timedelta | None:
        """Go on until something is done, with a tick every quarter-hour; how long that took, or None for longer than this."""
        begun = self.simulation.now
        while True:
            self._start_all()
            if done():
                return self.simulation.now - begun
            if self.simulation.now - begun > at_most:
                return None
            self._go_on()

    def _start_all(self) -> None:
        if self.simulation.now >= self._next_tick:
            wiring.tick()
            self._next_tick = self.simulation.now + QUARTER
        self._arrive()
        for lane in self._lanes.values():
            while lane.running < lane.at_once and self._start(lane):
                pass

    def _go_on(self) -> None:
        """To the next instant at which something happens."""
        upcoming = min([self._next_tick, *(message.at for message in self.simulation.waiting[:1])])
        if self._running and self._running[0][0] <= upcoming:
            self._finish()
        else:
            self.simulation.now = max(self.simulation.now, upcoming)

    def _arrive(self) -> None:
        waiting = self.simulation.waiting
        while waiting and waiting[0].at <= self.simulation.now:
            message = heapq.heappop(waiting)
            if message.queue in self._lanes:
                self._lanes[message.queue].add(message)

    def _start(self, lane: Lane) -> bool:
        """Run a batch. What it sends, and what it changed, counts from when it is done: that is when others see it."""
        now = self.simulation.now
        batch = lane.hand_out(now)
        if not batch:
            return False
        before, self.simulation.waiting = self.simulation.waiting, []
        with counting() as meter:
            assert lane.carry_out([message.record for _, message in batch]) == {"batchItemFailures": []}
        own = [lane.seconds(message) for _, message in batch]
        asked = meter.total * _REQUEST_SECONDS
        seconds = max(own) + asked / len(batch) if lane.together else sum(own) + asked
        sent, self.simulation.waiting = self.simulation.waiting, before
        for message in sent:
            message.at += timedelta(seconds=seconds)
            heapq.heappush(self.simulation.waiting, message)
        lane.running += 1
        end = now + timedelta(seconds=seconds)
        heapq.heappush(self._running, (end, next(self._numbers), lane, batch, seconds))
        return True

    def _finish(self) -> None:
        end, _, lane, batch, seconds = heapq.heappop(self._running)
        self.simulation.now = max(self.simulation.now, end)
        lane.running -= 1
        lane.take_back(batch, self.simulation.now, seconds)
