"""Readings: the parts of an event that an aggregation sees. Source: rules/usage 1.4, 3."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain.aggregation.numbers import quantity
from chalicelib.domain.money import total


@dataclass(frozen=True, slots=True)
class Reading:
    """One event. `at`: its own timestamp, aware UTC; `order`: its place in the order of reception, which decides
    between events of one instant. `precise_total_cents`: the price that it carries, for dynamic charges."""

    at: datetime
    order: str
    properties: Mapping[str, Any]
    precise_total_cents: Decimal | None = None


def ordered(readings: Iterable[Reading]) -> list[Reading]:
    """In order of time, and of reception within an instant, however they arrived."""
    return sorted(readings, key=lambda reading: (reading.at, reading.order))


def numeric(readings: Iterable[Reading], field_name: str) -> list[tuple[Reading, Decimal]]:
    """The readings with a quantity in a property; others are not seen by numeric aggregations."""
    found = ((reading, quantity(reading.properties.get(field_name))) for reading in readings)
    return [(reading, value) for reading, value in found if value is not None]


def precise_total(readings: Iterable[Reading]) -> Decimal:
    """The sum of the prices that events bring along, in cents."""
    return total(reading.precise_total_cents for reading in readings if reading.precise_total_cents is not None)


def text_of(value: Any) -> str | None:
    """Text of a property's value, by which values are compared: numbers with their digits, `true` and `false`.

    None for null, a list or an object. Source: rules/usage 4.2.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        # Plain digits, but not a million of them for a short `1E+999999`.
        return format(value, "f") if value.is_finite() and abs(value.adjusted()) < 100 else str(value)
    return None
