"""Sum of a property, metered or as a level that stays. Source: rules/usage 3, 3.3."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from chalicelib.domain.aggregation.aggregated import Aggregated, Changes, ceiling
from chalicelib.domain.aggregation.readings import Reading, numeric, precise_total
from chalicelib.domain.aggregation.window import Window
from chalicelib.domain.charges.prorated import Step, ratio
from chalicelib.domain.money import CONTEXT, total


def aggregate(readings: Sequence[Reading], field_name: str) -> Aggregated:
    """The sum of the numeric values; each event that has one counts, 0 and negative ones too."""
    seen = numeric(readings, field_name)
    units = total(value for _, value in seen)
    return Aggregated(
        units=units,
        events_count=len(seen),
        values=tuple(value for _, value in seen),
        total_aggregated_units=units,
        precise_total_cents=precise_total(reading for reading, _ in seen),
    )


def prorated(readings: Sequence[Reading], field_name: str, window: Window) -> Aggregated:
    """Level at the end, and for the price each part of it by its days: the level held before for all days of the range,
    each later value from its day on."""
    seen = numeric(readings, field_name)
    held = total(value for reading, value in seen if reading.at < window.span.start)
    changes = [(held, window.days_without_upgrade)]
    changes += [
        (value, window.days(window.day_of(reading.at), None))
        for reading, value in seen
        if reading.at >= window.span.start
    ]
    by_days = total(CONTEXT.multiply(value, Decimal(days)) for value, days in changes)
    return replace(
        aggregate(readings, field_name),
        prorated_units=ceiling(by_days, window.of_days, 5),
        changes=Changes(held, tuple(Step(v, ratio(days=days, of_days=window.of_days)) for v, days in changes)),
    )
