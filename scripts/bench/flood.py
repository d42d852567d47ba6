"""Floods of duplicates: what a new event costs where every other event is known already, against the same without
those."""

import contextlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.features.metering import messages
from chalicelib.features.metering.event import Event
from chalicelib.platform import clock
from chalicelib.platform.clock import OrganizationRef
from scripts.bench.tables import Row, dollars
from tests.support.capacity import Meter, counting
from tests.support.hot import Hot, meeting
from tests.support.usage import event, message

_ORGANIZATION = OrganizationRef("flood", sandbox=False)
_NEW = 100
_MEETINGS, _NEW_IN_BOTH = 5, 1000
# A message is sent once, and received and deleted with nine others; $0.40 a million requests.
_MESSAGE = 1.2 * 0.4e-6

Batch = list[dict[str, object]]


@dataclass(frozen=True)
class Shape:
    """Events by how they come. `per_message`, `per_batch`: events of a message, and messages of a batch."""

    name: str
    has_metrics: bool
    per_message: int = 100
    per_batch: int = 10


_SHAPES = (
    Shape("a 50 % duplicate flood", has_metrics=False),
    Shape("the same with filters, maxima, last and distinct values", has_metrics=True),
    Shape("the same, one event per message, in full batches", has_metrics=True, per_message=1, per_batch=100),
    Shape("the same, one event per message, in batches of 10", has_metrics=True, per_message=1),
)


def rows() -> list[Row]:
    """Prices per new event, against those without duplicates, counted on whatever endpoint is set; and what was
    refused."""
    refused: list[str] = []
    found = known(refused)
    at_once = _at_once(_this_hour(), refused)
    return [
        *found,
        Row("batches of 1,000 at the same time in two workers", "price per new event, ratio", at_once, None),
        Row("messages refused by all of these", "messages", len(refused), 0),
    ]


def known(refused: list[str]) -> list[Row]:
    """Those where the copies of known events come later; what is refused is noted."""
    hour = _this_hour()
    with _after(hour):
        return [Row(shape.name, "price per new event, ratio", _ratio(shape, hour, refused), 1.3) for shape in _SHAPES]


@contextlib.contextmanager
def _after(hour: datetime) -> Iterator[None]:
    """Events come when they have happened: at the end of the hour in which they did, whenever this runs."""
    real, then = clock.utc_now, hour + timedelta(hours=1) - timedelta(microseconds=1)
    clock.utc_now = lambda: max(real(), then)
    try:
        yield
    finally:
        clock.utc_now = real


def _this_hour() -> datetime:
    return clock.utc_now().replace(minute=0, second=0, microsecond=0)


def _ratio(shape: Shape, hour: datetime, refused: list[str]) -> float:
    chance = random.Random(1)
    known, new, others = (_events(shape, hour, chance, named) for named in ("known", "new", "other"))
    _metered(_batches(known, shape), refused)
    both = [*known, *new]
    chance.shuffle(both)
    return _metered(_batches(both, shape), refused) / _metered(_batches(others, shape), refused)


def _events(shape: Shape, hour: datetime, chance: random.Random, named: str) -> list[Event]:
    subscription = f"{_SHAPES.index(shape)}"
    if shape.has_metrics:
        return Hot.begin(hour, subscription, _ORGANIZATION).events(_NEW, chance, named=named)
    return [event(f"{named}{n}", hour, sub=subscription, value=n) for n in range(_NEW)]


def _batches(events: Sequence[Event], shape: Shape) -> list[Batch]:
    messages = [
        message(events[n : n + shape.per_message], _ORGANIZATION, received_at=clock.utc_now())
        for n in range(0, len(events), shape.per_message)
    ]
    return [messages[n : n + shape.per_batch] for n in range(0, len(messages), shape.per_batch)]


def _metered(batches: Sequence[Batch], refused: list[str]) -> float:
    """Cost by list price, SQS included, Lambda apart."""
    with counting() as meter:
        for batch in batches:
            refused += messages.handle(batch)
    return _price(meter, sum(map(len, batches)))


def _price(meter: Meter, messages: int) -> float:
    return dollars(meter.write_units, meter.read_units) + messages * _MESSAGE


def _at_once(hour: datetime, refused: list[str]) -> float:
    """Refused transactions are counted as if they had been carried out."""
    chance, shape = random.Random(1), _SHAPES[1]
    twice = once = 0.0
    for n in range(_MEETINGS):
        hot = Hot.begin(hour, f"at-once-{n}", _ORGANIZATION)
        _metered(_batches(hot.events(_NEW, chance, named="known"), shape), refused)
        (batch,) = _batches(hot.events(_NEW_IN_BOTH, chance, named="new"), shape)
        with counting() as meter:
            met = meeting([lambda own=batch: refused.extend(messages.handle(own))] * 2, chance)  # type: ignore[misc]
        for request in met.requests:
            meter.note("transact_write_items", request, {})
        twice += _price(meter, 2 * len(batch))
        once += _metered(_batches(hot.events(_NEW_IN_BOTH, chance, named="other"), shape), refused)
    return twice / once
