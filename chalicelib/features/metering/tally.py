"""What a group of events adds to which rows: pure sums in memory, before anything is written."""

from collections.abc import Iterable
from decimal import Decimal

from chalicelib.domain.aggregation.numbers import quantity
from chalicelib.domain.money import CONTEXT
from chalicelib.features.events.event import Event
from chalicelib.features.metering.store import COUNT, HAVING, SUM, UNCOVERED

# A row stays near 1 KB, one write unit: this many numeric properties are summed per event, with names up to this length.
# Other events count as not covered by the row, and are recounted by readers that need their properties.
FIELDS_PER_EVENT_MAX = 8
FIELD_NAME_MAX = 60
FIELDS_PER_ROW_MAX = 24

RowKey = tuple[int, str]
Delta = dict[str, int | Decimal]

HOUR_MS = 3_600_000


def tally(events: Iterable[Event]) -> dict[RowKey, Delta]:
    """The change of each (hour since 1970, code) that these events make."""
    rows: dict[RowKey, Delta] = {}
    for event in events:
        place = (event.timestamp_ms // HOUR_MS, event.code)
        delta = rows.get(place)
        if delta is None:
            delta = rows[place] = {COUNT: 0}
        add(delta, event)
    for delta in rows.values():
        _bound(delta)
    return rows


def add(delta: Delta, event: Event) -> None:
    """Count one event into a row's change."""
    delta[COUNT] += 1
    numbers: list[tuple[str, Decimal]] = []
    for name, value in event.properties.items():
        number = quantity(value)
        if number is not None:
            if len(name) > FIELD_NAME_MAX or len(numbers) == FIELDS_PER_EVENT_MAX:
                delta[UNCOVERED] = delta.get(UNCOVERED, 0) + 1
                return
            numbers.append((name, number))
    for name, number in numbers:
        known = delta.get(SUM + name)
        delta[SUM + name] = number if known is None else CONTEXT.add(Decimal(known), number)
        delta[HAVING + name] = delta.get(HAVING + name, 0) + 1


def _bound(delta: Delta) -> None:
    """A change with too many properties covers none: all its events are recounted by who needs them."""
    fields = [name for name in delta if name.startswith(SUM)]
    if len(fields) > FIELDS_PER_ROW_MAX:
        uncover(delta)


def uncover(delta: Delta) -> None:
    """Turn a change into one that covers no property."""
    count = delta[COUNT]
    delta.clear()
    delta.update({COUNT: count, UNCOVERED: count})
