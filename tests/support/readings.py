"""The vocabulary of tests about units: readings on days of a month, and windows over it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.aggregation.rules import Aggregation, MetricRule
from chalicelib.domain.aggregation.window import Window
from chalicelib.domain.periods import Span

UTC_ZONE = ZoneInfo("UTC")
FIELD = "item"


def at(text: str) -> datetime:
    """An instant from `2024-09-10` or `2024-09-10T12:00`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def reading(on: str, value: Any = None, *, order: str = "", cents: str | None = None, **others: Any) -> Reading:
    """A reading with a value in the aggregated property, and other properties."""
    properties = others if value is None else {FIELD: value, **others}
    return Reading(at(on), order or on, properties, None if cents is None else Decimal(cents))


def add(on: str, value: str, **others: Any) -> Reading:
    """A value becomes active."""
    return reading(on, value, operation_type="add", **others)


def remove(on: str, value: str, **others: Any) -> Reading:
    """A value ceases to be."""
    return reading(on, value, operation_type="remove", **others)


def window(
    first: str, last: str, *, of_days: int | None = None, zone: ZoneInfo = UTC_ZONE, upgraded_at: str | None = None
) -> Window:
    """Whole local days from `first` to `last`, both included; or up to an upgrade at an instant of the last day."""
    days = date.fromisoformat(first), date.fromisoformat(last)
    end = at(upgraded_at) if upgraded_at else periods.start_of_day(days[1] + timedelta(days=1), zone)
    return Window(
        span=Span(periods.start_of_day(days[0], zone), end),
        zone=zone,
        of_days=of_days or (days[1] - days[0]).days + 1,
        first_day=days[0],
        last_day=days[1],
        upgraded=upgraded_at is not None,
    )


def rule(aggregation: str, *, recurring: bool = False) -> MetricRule:
    """A metric's rule, of the aggregated property where there is one."""
    kind = Aggregation(f"{aggregation}_agg")
    return MetricRule(kind, None if kind is Aggregation.COUNT else FIELD, recurring)
