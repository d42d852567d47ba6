"""Reading the log in two orders: of reception, and of the events' own times; the latest first.

A list is a sequence of days, each with its number of events, from rows of numbers. A page is found by these
numbers, and within its day by walking. The end of a page is kept, so that the next one begins there
(platform/positions.py).
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chalicelib import limits
from chalicelib.features.metering import erase, layout, log_items, log_numbers, reading
from chalicelib.features.metering.log_items import Reference, references_of
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.usage_table import usage
from chalicelib.platform.values import Item

# Sort keys begin with digits.
_FIRST, _LAST = "0", "A"
# A page needs few of them.
_ITEMS_AT_ONCE = 100

# A place in a list, comparable with others of the same list.
Place = tuple[Any, ...]


@dataclass(slots=True)
class Day:
    """A day of a list: how many events it has, how many were taken out of it, and the parts in which they stand."""

    name: str
    number: int = 0
    erased: int = 0
    shards: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Stream:
    """Items of a day in one write shard, in order of a sort key. `bound`: by an item's sort key, the greatest prefix of
    its events' places; `holds`: whether an item belongs to the stream."""

    pk: str
    index: str | None
    sk: str
    bound: Callable[[str], Any]
    holds: Callable[[Item], bool] = lambda item: True

    def items(self, start: str = _LAST, *, limit: int | None = None) -> Iterator[Item]:
        """Its items, the highest first, from one on."""
        found = usage.query(self.pk, index=self.index, between=(_FIRST, start), descending=True, limit=limit)
        return (item for item in found if self.holds(item))


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the log. `column`: which day of a row of numbers is meant; `place`: of an event of an item."""

    name: str
    column: int
    stream: Callable[[OrganizationId, str, str], Stream]
    place: Callable[[Item, Reference], Place]


def _batch(sk: str) -> str:
    return sk.rpartition("#")[0]


def _received(organization_id: OrganizationId, day: str, shard: str) -> Stream:
    return Stream(log_items.log_pk(organization_id, day, shard[0]), None, "sk", _batch)


def _timed(organization_id: OrganizationId, day: str, shard: str) -> Stream:
    if shard.endswith(log_items.DIRECT):
        pk = log_items.log_pk(organization_id, day, shard[0])
        return Stream(pk, None, "sk", log_items.instant_ms_of, lambda item: "time_pk" not in item)
    pk = log_items.time_pk(organization_id, day, shard)
    return Stream(pk, "time", "time_sk", lambda sk: int(sk.split("#")[0]))


# The items of a batch may lie on several days.
BY_RECEPTION = Order("reception", 0, _received, lambda item, each: (_batch(item["sk"]), each.place, item["sk"]))
# The last received of one instant comes first.
BY_TIME = Order("time", 1, _timed, lambda item, each: (each.timestamp_ms, _batch(item["sk"]), each.place, item["sk"]))


def days(organization: OrganizationRef, order: Order, real_now: datetime) -> list[Day]:
    """The days of a list, the latest first: as far back as events are kept, or the debugger looks."""
    kept = limits.EVENT_LOG_KEPT if order is BY_RECEPTION else limits.EVENT_RETENTION
    is_endless = organization.sandbox and order is BY_TIME
    first = _FIRST if is_endless else f"{real_now - kept:%Y-%m-%d}"
    found: dict[str, Day] = {}
    begins = first if order is BY_RECEPTION else _FIRST
    for row in log_numbers.rows(organization.id, (begins, _LAST), real_now):
        *names, shard = row["sk"].split("#")
        name = names[order.column]
        if name >= first:
            day = found.setdefault(name, Day(name))
            day.number += row["n"]
            day.erased += row["e"]
            day.shards.add(shard[0] if order is BY_RECEPTION else shard)
    return sorted(found.values(), key=lambda day: day.name, reverse=True)


@dataclass(slots=True)
class _Entry:
    """An event on its way out; of several the one with the highest place is the least."""

    place: Place
    reference: Reference
    item: "_Open"

    def __lt__(self, other: "_Entry") -> bool:
        return self.place > other.place


@dataclass(slots=True)
class _Open:
    """An item some of whose events are still to come."""

    sk: str
    left: int


class Walk:
    """The events of a day, the latest first. `after`: only those behind that place; `starts`: by part, from which item
    on to look for them, as `position` gave it."""

    def __init__(
        self,
        organization_id: OrganizationId,
        order: Order,
        day: Day,
        *,
        after: Place | None = None,
        starts: Mapping[str, str] | None = None,
    ) -> None:
        self._order, self._after = order, after
        self._streams = {shard: order.stream(organization_id, day.name, shard) for shard in sorted(day.shards)}
        self._items = {
            shard: stream.items((starts or {}).get(shard, _LAST), limit=_ITEMS_AT_ONCE)
            for shard, stream in self._streams.items()
        }
        self._next: dict[str, Item] = {}
        self._open: dict[str, list[_Open]] = {shard: [] for shard in self._items}
        self._heap: list[_Entry] = []
        self._place: Place | None = None
        for shard in list(self._items):
            self._advance(shard)

    def __iter__(self) -> Iterator[Reference]:
        while self._heap or self._next:
            # An event may come once no item that is still to be read can hold one before it.
            while self._next and (not self._heap or self._heap[0].place[0] <= self._highest()[0]):
                self._take(self._highest()[1])
            if self._heap:
                entry = heapq.heappop(self._heap)
                entry.item.left -= 1
                self._place = entry.place
                yield entry.reference

    def position(self) -> dict[str, Any]:
        """The position after the last event that was read."""
        starts = {}
        for shard, opened in self._open.items():
            waiting = next((item.sk for item in opened if item.left), None)
            following = self._next[shard][self._streams[shard].sk] if shard in self._next else _FIRST
            starts[shard] = waiting or following
        return {"after": list(self._place or ()), "starts": starts}

    def _highest(self) -> tuple[Any, str]:
        streams = self._streams
        return max((streams[shard].bound(item[streams[shard].sk]), shard) for shard, item in self._next.items())

    def _take(self, shard: str) -> None:
        item = self._next.pop(shard)
        opened = _Open(item[self._streams[shard].sk], 0)
        for reference in references_of(item):
            place = self._order.place(item, reference)
            if self._after is None or place < self._after:
                opened.left += 1
                heapq.heappush(self._heap, _Entry(place, reference, opened))
        self._open[shard] = [each for each in self._open[shard] if each.left] + [opened]
        self._advance(shard)

    def _advance(self, shard: str) -> None:
        item = next(self._items[shard], None)
        if item is not None:
            self._next[shard] = item


def count(organization_id: OrganizationId, order: Order, day: Day, keeps: Callable[[Reference], bool]) -> int:
    """Number of events of a day that a filter keeps. Reads all its items."""
    return sum(
        sum(map(keeps, references_of(item)))
        for shard in sorted(day.shards)
        for item in order.stream(organization_id, day.name, shard).items()
    )


# Other uses.


def items_between(organization_id: OrganizationId, start: datetime, end: datetime) -> Iterator[Item]:
    """The items that were written in a half-open range of real time, in that order."""
    low, high = stamp(start), stamp(end)
    shards: dict[str, set[str]] = {}
    for row in usage.query(layout.log_pk(organization_id), between=(low[:10], layout.after(high[:10]))):
        day, _, shard = row["sk"].split("#")
        shards.setdefault(day, set()).add(shard[0])
    for day in sorted(shards):
        found = [
            usage.query(log_items.log_pk(organization_id, day, shard), between=(low, high)) for shard in shards[day]
        ]
        yield from heapq.merge(*found, key=lambda item: str(item["sk"]))


def external_ids(organization_id: OrganizationId, real_now: datetime) -> set[str]:
    """All external ids that the log names of late, whether subscriptions have them or not."""
    items = items_between(organization_id, real_now - limits.EVENT_LOG_KEPT, real_now)
    return {external_id for item in items for external_id in log_items.subscriptions_of(item)}


def faulty_marks(organization_id: OrganizationId, hour: str) -> list[tuple[str, str]]:
    """The marks of an hour; the sort key of each is that of the log item which it stands for."""
    return [(item["pk"], item["sk"]) for item in usage.query(layout.faulty_pk(organization_id, hour))]


def marked(organization_id: OrganizationId, marks: Sequence[tuple[str, str]]) -> Iterator[Reference]:
    """References to events with faults, from the log items that these marks name, in order of reception."""
    for _, sk in marks:
        item = usage.get(log_items.pk_of(organization_id, sk), sk)
        if item is not None:
            yield from (reference for reference in references_of(item) if reference.faults)


def of_transaction(organization_id: OrganizationId, transaction_id: str, real_now: datetime) -> Iterator[Reference]:
    """Recent log references to the events of a transaction id, the last received first."""
    since = f"{real_now - limits.EVENT_LOG_KEPT:%Y-%m-%d}"
    stored = [item for item in reading.by_transaction(organization_id, transaction_id) if not erase.is_erased(item)]
    lately = [item for item in stored if item["log"] >= since]
    for event in sorted(lately, key=lambda item: str(item["log"]), reverse=True):
        pk = log_items.pk_of(organization_id, event["log"])
        for item in usage.query(pk, begins=f"{event['log']}#"):
            for reference in references_of(item):
                if reference[:2] == (transaction_id, event["subscription"]):
                    yield reference


def stored(organization_id: OrganizationId, references: Sequence[Reference]) -> list[tuple[Reference, Item]]:
    """These events with their stored items; erased ones are left out."""
    found = usage.get_many([reference.key(organization_id) for reference in references])
    pairs = [(reference, found.get(reference.key(organization_id))) for reference in references]
    return [(reference, item) for reference, item in pairs if item is not None and not erase.is_erased(item)]
