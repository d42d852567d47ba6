"""Count: one unit per event. Source: rules/usage 3."""

from collections.abc import Sequence
from decimal import Decimal

from chalicelib.domain.aggregation.aggregated import Aggregated
from chalicelib.domain.aggregation.readings import Reading, precise_total


def aggregate(readings: Sequence[Reading]) -> Aggregated:
    """The number of readings, whatever their properties are."""
    units = Decimal(len(readings))
    return Aggregated(
        units=units,
        events_count=len(readings),
        values=(Decimal(1),) * len(readings),
        total_aggregated_units=units,
        precise_total_cents=precise_total(readings),
    )
