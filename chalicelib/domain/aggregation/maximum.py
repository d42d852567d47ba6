"""Maximum of a property. Source: rules/usage 3."""

from collections.abc import Sequence
from decimal import Decimal

from chalicelib.domain.aggregation.aggregated import Aggregated
from chalicelib.domain.aggregation.readings import Reading, numeric, precise_total


def aggregate(readings: Sequence[Reading], field_name: str) -> Aggregated:
    """The greatest numeric value, 0 without any. The first event that has it makes it, the others add nothing."""
    seen = numeric(readings, field_name)
    values = [value for _, value in seen]
    units = max(values, default=Decimal(0))
    made = [Decimal(0)] * len(values)
    if values:
        made[values.index(units)] = units
    return Aggregated(
        units=units,
        events_count=len(seen),
        values=tuple(made),
        total_aggregated_units=units,
        precise_total_cents=precise_total(reading for reading, _ in seen),
    )
