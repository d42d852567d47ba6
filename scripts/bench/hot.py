"""A hot subscription: 16 workers count its events at the same time, and meet.

No emulator refuses a transaction because another one in flight touches the same item, as DynamoDB does: so the client
does it here (tests/support/faults.py). A transaction is in flight for as long as ministack takes, and some
milliseconds more, as network and service would take.
"""

import random
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from chalicelib.features.metering import messages, queue_message
from chalicelib.features.metering.event import Event
from chalicelib.platform import aws, clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.settings import settings
from scripts.bench import flood
from scripts.bench.tables import Row, markdown
from tests.support.faults import Collisions, colliding
from tests.support.hot import Hot
from tests.support.usage import message

_ORGANIZATION, _BESIDE = OrganizationRef("hot", sandbox=False), OrganizationRef("beside", sandbox=False)
_WORKERS = 16
_MESSAGES_A_BATCH, _BATCHES_A_WORKER = 3, 4  # Messages of 100 events.
_USERS = 2_000
_SECONDS_MAX = (
    0.02  # Drawn between nothing and this: what passes before a request, and while a transaction is in flight.
)
_ROUNDS = 3  # Metering and plain puts take turns.

Batch = list[dict[str, Any]]


@dataclass(frozen=True)
class Found:
    """Results of the hot subscription. `at_first`: conflicts at rows in the first half; `rates`: events per second
    where transactions collide, where they do not, and of plain puts."""

    counted: int
    at_first: int
    failed: int
    wrong: Sequence[str]
    met: Collisions
    parts: int
    rates: tuple[float, float, float]

    @property
    def rows(self) -> list[Row]:
        """In the order of the page."""
        done, conflicts = self.met.transactions["done"], self.met.transactions["conflict"]
        later = self.met.places["usage"] - self.at_first
        repeated = self.met.events["conflict"]
        colliding_rate, rate, puts = self.rates
        work = f"{self.counted:,} events on one subscription, {_WORKERS} workers"
        return [
            Row(f"{work}: what is lost, doubled, or not as a recount has it", "faults", len(self.wrong), 0),
            Row("messages that went back to the queue", "messages", self.failed, 0),
            Row("transactions carried out", "transactions", done, None),
            Row("refused as they met another at a row, in the first half", "transactions", self.at_first, None),
            Row("refused as they met another at a row, in the second half", "transactions", later, None),
            Row("refused as they met another at a distinct value", "transactions", self.met.places["distinct"], None),
            Row("events written again per conflict", "events", repeated / max(1, conflicts), None),
            Row(
                "events in transactions per event counted", "times", sum(self.met.events.values()) / self.counted, None
            ),
            Row("write shards of rows and time index in use at the end", "parts", self.parts, _WORKERS),
            Row("events per second through `meter` against plain conditional puts", "times", rate / puts, None),
            Row("the same where transactions take longer, and collide", "times", colliding_rate / puts, None),
        ]


def section() -> tuple[list[Row], str]:
    """All rows, and the section of docs/benchmarks.md."""
    found = _find()
    hot, floods = found.rows, flood.rows()
    puts = f"{found.rates[2]:,.0f}"
    return [*hot, *floods], _SECTION.format(hot=markdown(hot), floods=markdown(floods), puts=puts)


def _find() -> Found:
    hour, chance = clock.utc_now().replace(minute=0, second=0, microsecond=0), random.Random(1)
    hot = Hot.begin(hour, "hot", _ORGANIZATION)
    number = _WORKERS * _BATCHES_A_WORKER * _MESSAGES_A_BATCH * 100
    sent = hot.events(number, chance, users=_USERS)
    batches = _batches(sent)
    halves = batches[: len(batches) // 2], batches[len(batches) // 2 :]
    together, calm, puts = [], [], []
    failed: list[str] = []
    with ThreadPoolExecutor(_WORKERS) as workers:
        list(workers.map(time.sleep, [0.01] * _WORKERS))  # All of them are there.
        with colliding(lambda: time.sleep(chance.random() * _SECONDS_MAX)) as met:
            together.append(_metered(halves[0], workers, failed))
            at_first = met.places["usage"]
            together.append(_metered(halves[1], workers, failed))
        for n in range(_ROUNDS):
            more = hot.events(number // _ROUNDS, chance, named=f"round-{n}-", users=_USERS)
            sent += more
            calm.append(_metered(_batches(more), workers, failed))
            puts.append(_put(hot.events(number // _ROUNDS // 4, chance, named=f"put-{n}-", users=_USERS), workers))
    rates = (max(together), max(calm), max(puts))
    return Found(number, at_first, len(failed), hot.wrong(sent), met, len(hot.parts()), rates)


def _batches(events: Sequence[Event], organization: OrganizationRef = _ORGANIZATION) -> list[Batch]:
    """As the queue brings them to workers."""
    now = clock.utc_now()
    messages = [message(events[n : n + 100], organization, received_at=now) for n in range(0, len(events), 100)]
    return [messages[n : n + _MESSAGES_A_BATCH] for n in range(0, len(messages), _MESSAGES_A_BATCH)]


def _metered(batches: Sequence[Batch], workers: Executor, failed: list[str]) -> float:
    """Events per second; what goes back is noted."""
    started = time.perf_counter()
    for ids in workers.map(messages.handle, batches):
        failed += ids
    return sum(map(len, batches)) * 100 / (time.perf_counter() - started)


def _put(events: Sequence[Event], workers: Executor) -> float:
    """Events per second, such items put one by one, on condition that they are not there."""
    items = [item for batch in _batches(events, _BESIDE) for record in batch for item in _prepared(record)]
    client, table = aws.client("dynamodb", "single"), settings().usage_table

    def put(item: dict[str, Any]) -> None:
        client.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(pk)")

    started = time.perf_counter()
    list(workers.map(put, items))
    return len(items) / (time.perf_counter() - started)


def _prepared(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The items in which the meter stores a message's events."""
    read = queue_message.read(record)
    preparer = messages._Preparer(read.organization.id, read.events[0].external_subscription_id, "log")
    return [dict(preparer.prepare(read, event).item) for event in read.events]


_SECTION = """
## Hot subscriptions and floods

All events on one subscription, in one hour, for four metrics: a sum and a maximum by filters, a last value, and
distinct values counted as they come in; 16 workers on ministack. No emulator refuses a transaction because another one
in flight touches the same item, as DynamoDB does: so it is done at the client, and transactions take up to 20 ms
longer than on ministack meanwhile. Who is refused repeats its transaction after a wait drawn by chance, at another
part of rows and time index: so workers that stay come to have a part each. Plain conditional puts are single requests
with such items, by 16 threads in the same run: {puts} a second.

{hot}

A flood: every other event is known already. Prices are those of what was asked of DynamoDB and SQS (Lambda's time
apart), refused transactions as if they had been carried out. Where both copies of all events are in the hands of two
workers at the same time, looking for what is known does not help at first.

{floods}
"""
