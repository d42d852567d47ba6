"""Values that are added and removed: which are active when. Source: rules/usage 3.1, 3.2."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from chalicelib.domain.aggregation.readings import Reading, text_of
from chalicelib.domain.aggregation.window import Window

OPERATION = "operation_type"
ADD, REMOVE = "add", "remove"


@dataclass(frozen=True, slots=True)
class Move:
    """Effect of one reading on its value. `change`: +1 where the value becomes active, -1 where it ceases to be, 0
    where the reading repeats the operation before or removes a value that was never added."""

    reading: Reading
    value: str
    change: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time for which a value was active: the readings that began and ended it (None: it goes on), with their days."""

    value: str
    added: Reading
    added_on: date
    removed: Reading | None = None
    removed_on: date | None = None

    def days(self, window: Window) -> int:
        """Its days within the range; the days of adding and of removal both count."""
        return window.days(self.added_on, self.removed_on)


def walk(readings: Iterable[Reading], field_name: str) -> list[Move]:
    """Moves of the ordered readings. Readings without a value, or with an unknown operation, are left out."""
    active: set[str] = set()
    moves: list[Move] = []
    for reading in readings:
        value = text_of(reading.properties.get(field_name))
        operation = operation_of(reading)
        if value is None or operation is None:
            continue
        change = 0
        if operation == ADD and value not in active:
            active.add(value)
            change = 1
        elif operation == REMOVE and value in active:
            active.remove(value)
            change = -1
        moves.append(Move(reading, value, change))
    return moves


def operation_of(reading: Reading) -> str | None:
    """Operation of a reading: `add` (the default), `remove`, or None for any other."""
    return operation_of_properties(reading.properties)


def operation_of_properties(properties: Mapping[str, Any]) -> str | None:
    """Operation said by an event's properties: `add` (the default), `remove`, or None for any other."""
    said = properties.get(OPERATION)
    if said is None:
        return ADD
    return said if said in (ADD, REMOVE) else None


def stretches(readings: Iterable[Reading], field_name: str, window: Window) -> list[Stretch]:
    """Stretches that reach into the span, in the order in which they began.

    A value removed and added again on one day of the customer was never removed, unless the span begins in between: a
    value removed by then belongs to the range before.
    """
    finished: list[Stretch] = []
    latest: dict[str, Stretch] = {}
    for move in walk(readings, field_name):
        if not move.change:
            continue
        on = window.day_of(move.reading.at)
        known = latest.get(move.value)
        if move.change < 0:
            assert known is not None, "what is removed was added"
            latest[move.value] = Stretch(move.value, known.added, known.added_on, move.reading, on)
        elif known is not None and known.removed_on == on and not _parted(known, move.reading, window):
            latest[move.value] = Stretch(move.value, known.added, known.added_on)
        else:
            if known is not None:
                finished.append(known)
            latest[move.value] = Stretch(move.value, move.reading, on)
    found = [each for each in (*finished, *latest.values()) if not _is_over(each, window)]
    return sorted(found, key=lambda each: (each.added.at, each.added.order))


def _is_over(stretch: Stretch, window: Window) -> bool:
    return stretch.removed is not None and stretch.removed.at < window.span.start


def _parted(stretch: Stretch, again: Reading, window: Window) -> bool:
    return _is_over(stretch, window) and again.at >= window.span.start
