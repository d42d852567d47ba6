"""Totals of a range of time, added up from rows: hour rows, day rows, or rows made of raw events on the spot."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from chalicelib.domain.aggregation.summaries import Summary
from chalicelib.features.metering import dimensions, layout, limbs, reading, tally
from chalicelib.features.metering.dimensions import Combination, Delta, RollupDimension
from chalicelib.platform.ids import key_part
from chalicelib.platform.values import Item

# By code as it stands in keys.
DimensionsByCode = Mapping[str, frozenset[RollupDimension]]


def merge(into: dict[str, Any], row: Mapping[str, Any]) -> None:
    """Add one row to another of the same UTC day; the table's key attributes are ignored."""
    for attribute, held in row.items():
        name, value = limbs.joined(attribute, held)
        what = dimensions.what_of(name)
        if what is not None:
            dimensions.MERGE[what](into, name, value)
        elif name in (layout.COUNT, layout.UNCOVERED) or name[:2] in (layout.SUM, layout.HAVING, layout.NEGATIVE):
            dimensions.add(into, name, value)


def take_event(row: Delta, item: Item, wanted: Iterable[RollupDimension]) -> None:
    """Count a raw event into a row in memory, under rollup dimensions too; no size limits apply."""
    event = reading.read(item)
    tally.add(row, event)
    counted = tally.counted_of(event, item["received"])
    for dimension in wanted:
        dimension.add(row, counted)


def without(row: Mapping[str, Any], unwanted: Callable[[str], bool]) -> dict[str, Any]:
    """A row without the rollup dimensions whose prefix is unwanted."""
    return {
        name: value
        for name, value in row.items()
        if not (dimensions.what_of(name) and unwanted(dimensions.prefix_of(name)))
    }


def covered_only(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without the rollup dimensions that do not cover all of its events."""
    events = row.get(layout.COUNT, 0)
    return without(row, lambda prefix: bool(row.get(f"{prefix}g", 0) != events))


@dataclass(slots=True)
class RollupTotals:
    """Totals of a range by code. Its rows must cover the rollup dimensions that are asked for: readers ensure it."""

    wanted: DimensionsByCode
    recount: Callable[[str, str], tuple[Decimal, int, int]]
    _plain: dict[str, dict[str, Any]] = field(default_factory=dict)
    _by_dimension: dict[str, list[tuple[int, Mapping[str, Any]]]] = field(default_factory=dict)

    def add(self, day_ms: int, code: str, row: Mapping[str, Any]) -> None:
        """Take in a row of a UTC day, which began so many milliseconds after 1970; `code` as in keys."""
        merge(self._plain.setdefault(code, {}), without(row, lambda prefix: True))
        if code in self.wanted:
            self._by_dimension.setdefault(code, []).append((day_ms, row))

    def events(self, code: str) -> int:
        """The number of events of a code."""
        return int(self._plain.get(key_part(code), {}).get(layout.COUNT, 0))

    def sum(self, code: str, field_name: str) -> Summary:
        """Sum of a property's numeric values, their number, and the number below 0."""
        row = self._plain.get(key_part(code), {})
        if row.get(layout.UNCOVERED):
            total, numeric, negative = self.recount(key_part(code), field_name)
        else:
            total = Decimal(row.get(layout.SUM + field_name, 0))
            numeric = int(row.get(layout.HAVING + field_name, 0))
            negative = int(row.get(layout.NEGATIVE + field_name, 0))
        return Summary(numeric=numeric, negative=negative, total=total)

    def summaries(self, code: str, dimension: RollupDimension) -> dict[Combination, Summary]:
        """The summaries of the events, by combination of the values of a rollup dimension's keys."""
        assert dimension in self.wanted.get(key_part(code), ()), "only what is asked for is read"
        return dimension.summaries(self._by_dimension.get(key_part(code), ()))
