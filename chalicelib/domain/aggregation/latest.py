"""Latest value of a property. Source: rules/usage 3."""

from collections.abc import Sequence
from decimal import Decimal

from chalicelib.domain.aggregation.aggregated import Aggregated
from chalicelib.domain.aggregation.readings import Reading, numeric, precise_total


def aggregate(readings: Sequence[Reading], field_name: str) -> Aggregated:
    """The numeric value of the last of the ordered readings that has one; a negative one is 0."""
    seen = numeric(readings, field_name)
    units = max(Decimal(0), seen[-1][1]) if seen else Decimal(0)
    return Aggregated(
        units=units,
        events_count=len(seen),
        values=tuple(value for _, value in seen),
        total_aggregated_units=units,
        precise_total_cents=precise_total(reading for reading, _ in seen),
    )
