"""A stretch of simulated time on the app's real handlers: the clock, the tick, SQS, and workers.

Stood in for are only the clock, SQS (whose messages wait in simulated time, and may be lost or doubled) and the drawing
of PDFs, which costs no request. Everything else is asked of whatever endpoint is set.
"""

import contextlib
import functools
import heapq
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import simplejson

from chalicelib import limits, wiring
from chalicelib.features.audit import late
from chalicelib.features.documents import render
from chalicelib.platform import aws, clock, queues
from chalicelib.platform.settings import settings
from tests.support.capacity import Meter, counting

_NO_CALLS = ("exceptions", "meta", "generate_presigned_url")
# Messages that a worker takes at once: as many as Lambda hands it.
_BATCH = 10
# The pause between two ticks, and how many more of them lost messages may need.
QUARTER = limits.PUSH_AHEAD
_TICKS_AFTER = 60


@dataclass(order=True)
class Message:
    """One message of a queue, delivered from `at` on. `queue`: its address; `group`: whose it is."""

    at: datetime
    number: int
    body: str = field(compare=False)
    queue: str = field(compare=False, default="")
    group: str = field(compare=False, default="")

    @property
    def kind(self) -> str:
        """The kind of the task that it carries; "shard" for the order to push a shard."""
        content = simplejson.loads(self.body)
        return "shard" if "shard" in content else str(content["pk"].split("#")[2])

    @property
    def record(self) -> dict[str, Any]:
        """As Lambda gets it."""
        return {"messageId": f"m-{self.number}", "body": self.body}


@dataclass
class Costs:
    """Per kind of message (and for "tick", "idle tick"): how many there were, and what they asked of AWS."""

    number: Counter[str] = field(default_factory=Counter)
    meters: dict[str, Meter] = field(default_factory=dict)

    def add(self, kind: str, meter: Meter) -> None:
        """Count one more."""
        self.number[kind] += 1
        into = self.meters.setdefault(kind, Meter())
        into.requests.update(meter.requests)
        into.read_units += meter.read_units
        into.write_units += meter.write_units

    def of(self, *kinds: str) -> Meter:
        """Requests to AWS of these kinds together; of all kinds when none is named."""
        whole = Costs()
        for kind in kinds or self.meters:
            if kind in self.meters:
                whole.add("", self.meters[kind])
        return whole.meters.get("", Meter())


@dataclass
class Disturbance:
    """Faults to inject: shares of messages lost and doubled, and two workers at each, who interleave at every
    request."""

    chance: random.Random
    lost: float = 0.2
    doubled: float = 0.3


@dataclass
class Simulation:
    """Time, queues and counts. `lost`, `doubled`: messages; `refused`: transactions that lost a race."""

    now: datetime
    disturbance: Disturbance | None = None
    waiting: list[Message] = field(default_factory=list)
    costs: Costs = field(default_factory=Costs)
    sent: int = 0
    lost: int = 0
    doubled: int = 0
    refused: int = 0
    _turns: "Turns | None" = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, ticks: Iterable[datetime]) -> Costs:
        """Tick at these instants, and then on until nothing is left, with the workers working in between; what it
        cost."""
        costs = self.costs = Costs()
        previous: datetime | None = None
        for at in ticks:
            if previous is not None:
                self.deliver(until=at)
            self.now = previous = max(self.now, at)
            self._tick()
        for _ in range(_TICKS_AFTER):
            self.deliver(until=self.now + QUARTER)
            self.now += QUARTER
            if self._tick() == "idle tick" and not self.waiting:
                break
        else:
            raise AssertionError("what is due does not end")
        self.costs = Costs()
        return costs

    def deliver(self, *, until: datetime) -> None:
        """Hand out the messages that come by then, and those that these lead to."""
        while self.waiting and self.waiting[0].at <= until:
            self.now = max(self.now, self.waiting[0].at)
            if self.disturbance is None:
                self._handle(heapq.heappop(self.waiting))
            else:
                self._handle_in_two_workers(self.disturbance.chance)

    def _tick(self) -> str:
        chance = self.disturbance.chance if self.disturbance else None
        with counting() as meter:
            if chance and chance.random() < 0.3:
                self._in_parallel([wiring.tick, wiring.tick], chance)
            else:
                wiring.tick()
                if chance and chance.random() < 0.3:
                    wiring.tick()
        kind = "tick" if meter.requests["send_message_batch"] else "idle tick"
        self.costs.add(kind, meter)
        return kind

    def _handle(self, message: Message) -> None:
        with counting() as meter:
            _work([message])
        self.costs.add(message.kind, meter)

    def _handle_in_two_workers(self, chance: random.Random) -> None:
        """Messages waiting now, in two batches: a message that came twice goes to both, at the head of each."""
        found: dict[str, list[Message]] = {}
        while self.waiting and self.waiting[0].at <= self.now and len(found) < _BATCH:
            message = heapq.heappop(self.waiting)
            found.setdefault(message.body, []).append(message)
        twice = [messages for messages in found.values() if len(messages) > 1]
        batches = [[messages[0] for messages in twice], [messages[1] for messages in twice]]
        for (single,) in (messages for messages in found.values() if len(messages) == 1):
            chance.choice(batches).append(single)
        with counting() as meter:
            self._in_parallel([functools.partial(_work, batch) for batch in batches], chance)
        self.costs.add("disturbed", meter)

    def _in_parallel(self, works: Sequence[Callable[[], None]], chance: random.Random) -> None:
        self._turns = Turns(len(works), chance)
        try:
            self._turns.run(works)
        finally:
            self._turns = None

    # Calls of the stand-in clients.

    def pause(self) -> None:
        """Before each request: another worker may go on first."""
        if self._turns is not None:
            self._turns.pause()

    def take(self, body: str, delay: timedelta, *, queue: str = "", group: str = "") -> None:
        """A message was sent: kept once, twice or not at all."""
        copies = 1
        if self.disturbance is not None:
            drawn = self.disturbance.chance.random()
            copies = 0 if drawn < self.disturbance.lost else 2 if drawn > 1 - self.disturbance.doubled else 1
        self.lost += copies == 0
        self.doubled += copies == 2
        with self._lock:  # Workers of webhooks send from threads of their own.
            for _ in range(copies):
                self.sent += 1
                heapq.heappush(self.waiting, Message(self.now + delay, self.sent, body, queue, group))


def _work(messages: Sequence[Message]) -> None:
    assert wiring.work([message.record for message in messages]) == {"batchItemFailures": []}


class Turns:
    """Scheduler of several threads: one runs at a time, and at each request another one, drawn at random."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self._going = list(range(number))
        self._chance = chance
        self._turn = chance.choice(self._going)
        self._changed = threading.Condition()
        self._own = threading.local()
        self._failures: list[BaseException] = []

    def run(self, works: Sequence[Callable[[], None]]) -> None:
        """All of them to their ends.

        Raises: what the first of them raised.
        """
        threads = [threading.Thread(target=self._carry_out, args=(n, work)) for n, work in enumerate(works)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def pause(self) -> None:
        """Let chance say who goes on; returns when it is this thread's turn again."""
        with self._changed:
            self._pass_on()
            self._changed.wait_for(lambda: self._turn == self._own.number)

    def _carry_out(self, number: int, work: Callable[[], None]) -> None:
        self._own.number = number
        with self._changed:
            self._changed.wait_for(lambda: self._turn == number)
        try:
            work()
        except BaseException as error:  # noqa: BLE001  raised again by `run`
            self._failures.append(error)
        with self._changed:
            self._going.remove(number)
            self._pass_on()

    def _pass_on(self) -> None:
        if self._going:
            self._turn = self._chance.choice(self._going)
        self._changed.notify_all()


class _Client:
    """A client that lets the other worker go first now and then, and notes refused transactions."""

    def __init__(self, client: Any, simulation: Simulation) -> None:
        self._client, self._simulation = client, simulation

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name.startswith("_") or name in _NO_CALLS:
            return found

        def call(**request: Any) -> Any:
            self._simulation.pause()
            try:
                return found(**request)
            except self._client.exceptions.ClientError as error:
                self._simulation.refused += error.response["Error"]["Code"] == "TransactionCanceledException"
                raise

        return call


class _Queues(_Client):
    """SQS in simulated time."""

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
        self._simulation.pause()
        for entry in Entries:
            self._take(QueueUrl, entry)
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def send_message(self, *, QueueUrl: str, **message: Any) -> dict[str, Any]:
        self._simulation.pause()
        self._take(QueueUrl, message)
        return {"MessageId": f"m-{self._simulation.sent}"}

    def _take(self, queue: str, message: dict[str, Any]) -> None:
        delay = timedelta(seconds=message["DelaySeconds"])
        self._simulation.take(message["MessageBody"], delay, queue=queue, group=message.get("MessageGroupId", ""))

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: Sequence[str]) -> dict[str, Any]:
        if QueueUrl == queues.url(settings().events_queue):  # Only what tasks lead to is simulated.
            return dict(self._client.get_queue_attributes(QueueUrl=QueueUrl, AttributeNames=AttributeNames))
        return {"Attributes": {"ApproximateNumberOfMessages": str(len(self._simulation.waiting))}}


@contextlib.contextmanager
def simulated(start: datetime) -> Iterator[Simulation]:
    """Everything in this process lives in simulated time, from `start` on. The day's look at late events does not: it
    compares with ids, which hold real time."""
    simulation = Simulation(start)
    real_client, real_now, real_pdf, real_watch = aws.client, clock.utc_now, render.pdf, late.watch

    def client(service: str, use: str = "standard") -> Any:
        return (_Queues if service == "sqs" else _Client)(real_client(service, use), simulation)

    aws.client, clock.utc_now = client, lambda: simulation.now
    render.pdf = lambda page: b"%PDF-1.7"
    late.watch = lambda organization, now: None
    try:
        yield simulation
    finally:
        aws.client, clock.utc_now, render.pdf, late.watch = real_client, real_now, real_pdf, real_watch
