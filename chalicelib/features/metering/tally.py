"""The changes of rows that a group of events makes: sums in memory, before anything is written."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from chalicelib.domain.aggregation.numbers import quantity
from chalicelib.features.metering import dimensions
from chalicelib.features.metering.dimensions import Delta, EventSample, RollupDimension
from chalicelib.features.metering.event import Event, order_of
from chalicelib.features.metering.layout import COUNT, HAVING, NEGATIVE, SUM, UNCOVERED

# A row stays near 1 KB, one write unit: this many numeric properties are summed per event, with names up to this
# length. Other events count as not covered by the row, and are recounted by readers that need their properties.
FIELDS_PER_EVENT_MAX = 8
FIELD_NAME_MAX = 60
FIELDS_PER_ROW_MAX = 24
# The most combinations of values in a row: a request to DynamoDB names each, in 4 KB at most.
COMBINATIONS_PER_ROW_MAX = 40

RowKey = tuple[int, str]

HOUR_MS = 3_600_000


def tally(events: Iterable[tuple[Event, str]], dimensions_of: Mapping[str, RollupDimension]) -> dict[RowKey, Delta]:
    """The change of each (hour since 1970, code) that these events make. Events: each with the instant it was received;
    `dimensions_of`: the rollup dimensions of the codes that have one."""
    rows: dict[RowKey, Delta] = {}
    for event, received in events:
        place = (event.timestamp_ms // HOUR_MS, event.code)
        delta = rows.get(place)
        if delta is None:
            delta = rows[place] = {COUNT: 0}
        add(delta, event)
        dimension = dimensions_of.get(event.code)
        if dimension is not None:
            counted = counted_of(event, received)
            if dimension.can_keep(counted):
                dimension.add(delta, counted)
    for delta in rows.values():
        _bound(delta)
    return rows


def add(delta: Delta, event: Event) -> None:
    """Count one event into a row's change, as every row counts it."""
    dimensions.add(delta, COUNT, 1)
    numbers: list[tuple[str, Decimal]] = []
    for name, value in event.properties.items():
        number = quantity(value)
        if number is not None:
            if len(name) > FIELD_NAME_MAX or len(numbers) == FIELDS_PER_EVENT_MAX:
                dimensions.add(delta, UNCOVERED, 1)
                return
            numbers.append((name, number))
    for name, number in numbers:
        dimensions.add(delta, SUM + name, number)
        dimensions.add(delta, HAVING + name, 1)
        if number < 0:
            dimensions.add(delta, NEGATIVE + name, 1)


def counted_of(event: Event, received: str) -> EventSample:
    """The event as rollup dimensions see it."""
    precise = event.precise_total_amount_cents
    return EventSample(
        event.timestamp_ms,
        order_of(received, event.place, event.transaction_id),
        event.properties,
        None if precise is None else Decimal(precise),
    )


def _bound(delta: Delta) -> None:
    """Bound the size of a change. One with too many properties covers no property, one with too many combinations no
    rollup dimension: readers that need them recount its events."""
    fields = [name for name in delta if name.startswith(SUM)]
    if len(fields) > FIELDS_PER_ROW_MAX:
        uncover(delta)
    elif len(_combinations(delta)) > COMBINATIONS_PER_ROW_MAX:
        without_dimension(delta)


def _combinations(delta: Delta) -> set[str]:
    return {name[len(dimensions.prefix_of(name)) + 1 :] for name in delta if dimensions.what_of(name)}


def uncover(delta: Delta) -> None:
    """Turn a change into one that covers no property and no rollup dimension."""
    count = delta[COUNT]
    delta.clear()
    delta.update({COUNT: count, UNCOVERED: count})


def without_dimension(delta: Delta) -> None:
    """Turn a change into one that covers no rollup dimension."""
    for name in [name for name in delta if dimensions.what_of(name)]:
        del delta[name]
