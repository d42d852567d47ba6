"""Weighted sum: the average level over a period. Source: rules/usage 3.4."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from chalicelib.domain.aggregation.aggregated import Aggregated, ceiling
from chalicelib.domain.aggregation.readings import Reading, numeric, precise_total
from chalicelib.domain.aggregation.window import Window
from chalicelib.domain.money import CONTEXT, total

_TICK = timedelta(microseconds=1)
_TICKS_PER_DAY = 86_400_000_000


def aggregate(readings: Sequence[Reading], field_name: str, window: Window) -> Aggregated:
    """The levels, each by the time that it lasted, over the whole period of `of_days` days of 24 hours.

    Readings before the span are the level at its start (only recurring metrics have them); only later ones are counted
    as events, and each of their values is a change of the level.
    """
    seen = numeric(readings, field_name)
    inside = [(reading, value) for reading, value in seen if reading.at >= window.span.start]
    level = total(value for reading, value in seen if reading.at < window.span.start)
    since, weighed = window.span.start, Decimal(0)
    for reading, value in inside:
        weighed = CONTEXT.add(weighed, CONTEXT.multiply(level, Decimal((reading.at - since) // _TICK)))
        level, since = CONTEXT.add(level, value), reading.at
    weighed = CONTEXT.add(weighed, CONTEXT.multiply(level, Decimal((window.span.end - since) // _TICK)))
    return Aggregated(
        units=ceiling(weighed, window.of_days * _TICKS_PER_DAY, 20),
        events_count=len(inside),
        values=tuple(value for _, value in inside),
        total_aggregated_units=level,
        precise_total_cents=precise_total(reading for reading, _ in inside),
    )
