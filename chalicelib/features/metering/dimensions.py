"""Rollup dimensions: the usage of a code by the values of some properties, and the attributes of a row that hold it.

A row counts all events of a code. Under a rollup dimension it also holds the same events by the values of the
dimension's keys: for each combination of values, the numbers that the metric's aggregation needs. The digest versions
the definition, so that stale rollups are never misread. A row counts the events that each dimension covers; where
these are fewer than all, a reader recounts the hour from raw events. So a dimension may begin, change or end at any
time, without a rebuild (docs/decisions/0012).

    v:<digest>:g                    number of events that the dimension covers
    v:<digest>:<what><combination>  one value of one combination; combination: a JSON list, in order of keys

What: `n` number of events; of events with a quantity: `c` their number, `s` the sum, `-` the number below 0, `m` the
maximum,
`l` the last, after its place in time, `w` the sum of quantity times milliseconds since the UTC day's begin, `p` the
sum of their prices; `f` the place in time of the first event.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple

from chalicelib.domain.aggregation.numbers import quantity
from chalicelib.domain.aggregation.readings import text_of
from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.domain.aggregation.summaries import MS_PER_DAY, Summary, place_in_time
from chalicelib.domain.money import CONTEXT

Delta = dict[str, int | Decimal | str]
Combination = tuple[str | None, ...]


class EventSample(NamedTuple):
    """An event as rollup dimensions see it. `at_ms`: milliseconds since 1970; `order`: its place in the order of
    reception, as in
    `Reading`; `precise`: the price in cents that it carries."""

    at_ms: int
    order: str
    properties: Mapping[str, Any]
    precise: Decimal | None


_NUL = "\0"
# Longer values of keys are not covered and recounted by readers: a row stays near 1 KB.
_COMBINATION_MAX = 200
_ORDER_MAX = 200


@dataclass(frozen=True)
class RollupDimension:
    """A rollup dimension. `keys`: the properties that it distinguishes, sorted, each with the values that count (any
    other value is like none), or None where every value counts. `field_name`: the property that is aggregated."""

    aggregation: Aggregation
    field_name: str | None
    keys: tuple[tuple[str, frozenset[str] | None], ...] = ()
    _seen: dict[Any, str] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def digest(self) -> str:
        """The dimension's name in rows: a hash of its definition."""
        keys = [[key, None if values is None else sorted(values)] for key, values in self.keys]
        text = json.dumps([self.aggregation, self.field_name, keys])
        return sha256(text.encode()).hexdigest()[:10]

    @cached_property
    def prefix(self) -> str:
        """The beginning of the names of its attributes."""
        return f"v:{self.digest}:"

    @property
    def is_open(self) -> bool:
        """Whether every value of some key counts."""
        return any(values is None for _, values in self.keys)

    def combination(self, properties: Mapping[str, Any]) -> str:
        """The combination of values of an event, as the names of attributes have it."""
        values = tuple(
            text if listed is None or text in listed else None
            for key, listed in self.keys
            for text in (text_of(properties.get(key)),)
        )
        known = self._seen.get(values)
        if known is None:
            known = name_of_combination(values)
            if len(self._seen) < 10_000:
                self._seen[values] = known
        return known

    def needs_rows_before(self) -> bool:
        """Whether a change of a row depends on the row's present values."""
        return self.aggregation in (Aggregation.MAX, Aggregation.LATEST)

    def add(self, delta: Delta, counted: EventSample) -> None:
        """Add an event to a row, or to a change of one, under this dimension."""
        at_ms, order, properties, precise = counted
        combination, begin = self.combination(properties), self.prefix
        number = None if self.field_name is None else quantity(properties.get(self.field_name))
        add(delta, f"{begin}g", 1)
        if self.aggregation is Aggregation.COUNT or self.is_open:
            add(delta, f"{begin}n{combination}", 1)
        if self.is_open:
            least(delta, f"{begin}f{combination}", place_in_time(at_ms, order))
        if number is None:
            return
        add(delta, f"{begin}c{combination}", 1)
        match self.aggregation:
            case Aggregation.MAX:
                most(delta, f"{begin}m{combination}", number)
            case Aggregation.LATEST:
                text = f"{place_in_time(at_ms, order)}{_NUL}{number:f}"
                most(delta, f"{begin}l{combination}", text)
            case _:
                add(delta, f"{begin}s{combination}", number)
                if number < 0:
                    add(delta, f"{begin}-{combination}", 1)
                if precise is not None:
                    add(delta, f"{begin}p{combination}", precise)
                if self.aggregation is Aggregation.WEIGHTED_SUM:
                    moment = CONTEXT.multiply(number, Decimal(at_ms % MS_PER_DAY))
                    add(delta, f"{begin}w{combination}", moment)

    def can_keep(self, counted: EventSample) -> bool:
        """Whether a row can hold the event's values: attributes must stay small."""
        if len(self.combination(counted.properties)) > _COMBINATION_MAX:
            return False
        if self.aggregation is Aggregation.LATEST:
            return _NUL not in counted.order and len(counted.order) <= _ORDER_MAX
        return True

    def covers(self, row: Mapping[str, Any], events: int) -> bool:
        """Whether a row with so many events holds all of them under this dimension."""
        return int(row.get(f"{self.prefix}g", 0)) == events

    def summaries(self, rows: Iterable[tuple[int, Mapping[str, Any]]]) -> dict[Combination, Summary]:
        """The summaries of rows that the dimension covers, by combination. Rows: each with its UTC day in milliseconds
        since 1970."""
        found: dict[str, _Sums] = {}
        for day_ms, row in rows:
            shift = Decimal(day_ms)
            for name, value in row.items():
                if name.startswith(self.prefix) and name[len(self.prefix)] != "g":
                    what, combination = name[len(self.prefix)], name[len(self.prefix) + 1 :]
                    sums = found.setdefault(combination, _Sums())
                    sums.take(what, value)
                    if what == "s" and self.aggregation is Aggregation.WEIGHTED_SUM:
                        sums.take("w", CONTEXT.multiply(Decimal(value), shift))
        return {tuple(json.loads(combination)): sums.summary() for combination, sums in found.items()}

    def properties_of(self, combination: Combination) -> dict[str, str | None]:
        """Properties of an event with this combination."""
        return {key: value for (key, _), value in zip(self.keys, combination, strict=True)}


@dataclass(slots=True)
class _Sums:
    """The values of one combination, by their kind (`what`)."""

    held: dict[str, Any] = field(default_factory=dict)

    def take(self, what: str, value: Any) -> None:
        MERGE[what](self.held, what, value)

    def summary(self) -> Summary:
        latest = self.held.get("l")
        place, _, number = (latest or "").rpartition(_NUL)
        maximum = self.held.get("m")
        return Summary(
            events=int(self.held.get("n", 0)),
            numeric=int(self.held.get("c", 0)),
            negative=int(self.held.get("-", 0)),
            total=Decimal(self.held.get("s", 0)),
            maximum=None if maximum is None else Decimal(maximum),
            latest=(place, Decimal(number)) if latest else None,
            moment=Decimal(self.held.get("w", 0)),
            precise_total_cents=Decimal(self.held.get("p", 0)),
            first=self.held.get("f"),
        )


def add(into: dict[str, Any], name: str, value: int | Decimal) -> None:
    """Add to a value of a row, exactly."""
    known = into.get(name)
    if known is None:
        into[name] = value
    elif type(known) is int and type(value) is int:
        into[name] = known + value
    else:
        into[name] = CONTEXT.add(known, value)


def most(into: dict[str, Any], name: str, value: Any) -> None:
    """Keep the greater value."""
    if name not in into or into[name] < value:
        into[name] = value


def least(into: dict[str, Any], name: str, value: Any) -> None:
    """Keep the smaller value."""
    if name not in into or value < into[name]:
        into[name] = value


MERGE: Mapping[str, Callable[[dict[str, Any], str, Any], None]] = {
    **dict.fromkeys("gncs-wp", add),
    **dict.fromkeys("ml", most),
    "f": least,
}


def what_of(name: str) -> str | None:
    """The kind of value in an attribute of a dimension; None for other attributes."""
    return name[_WHAT] if name.startswith("v:") else None


def is_sum(name: str) -> bool:
    """Whether an attribute of a row is a sum; other attributes are a maximum or a minimum."""
    what = what_of(name)
    return what is None or MERGE[what] is add


def name_of_combination(values: Sequence[str | None]) -> str:
    """The combination of these values, as the names of attributes have it."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


def prefix_of(name: str) -> str:
    """The prefix of the dimension that an attribute belongs to."""
    return name[:_WHAT]


_WHAT = len("v:") + 10 + len(":")


def of_metric(
    aggregation: Aggregation,
    field_name: str | None,
    listed: Mapping[str, Sequence[str]],
    open_keys: Iterable[str] = (),
) -> RollupDimension | None:
    """The rollup dimension of a metric: by the values that it lists, and by all values of further properties. None
    where plain counts and sums are enough, or where units are not made of sums at all."""
    if aggregation is Aggregation.UNIQUE_COUNT:
        return None
    keys: dict[str, frozenset[str] | None] = {key: frozenset(values) for key, values in listed.items()}
    keys |= dict.fromkeys(open_keys)
    if not keys and aggregation in (Aggregation.COUNT, Aggregation.SUM):
        return None
    return RollupDimension(
        aggregation, None if aggregation is Aggregation.COUNT else field_name, tuple(sorted(keys.items()))
    )
