"""Result of an aggregation."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from chalicelib.domain.charges.prorated import Step
from chalicelib.domain.money import CONTEXT


@dataclass(frozen=True, slots=True)
class Changes:
    """Level changes of a span. `held_before`: the level before it. `steps`: all changes up to the level at its end,
    with their shares of the period, in the order of graduated pricing: first the level held before (a sum as one step;
    of a unique count each value by itself, as it may have been removed meanwhile), then the changes in order of
    time."""

    held_before: Decimal
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Aggregated:
    """Exact units, before the metric's rounding; a sum may be below 0, which is billed as 0 (rules/usage 3).

    `units` are full ones; `prorated_units` and `changes` come with proration only. `values`: the part of the units that
    each event makes, in order of time, for prices that look at single events: 1 of a count or a unique count, the value
    of a sum, the whole of the event that makes the maximum and 0 of the others; what `latest` and weighted sums read.
    `total_aggregated_units`: the units, of a weighted sum the level at the end. `precise_total_cents`: the sum of the
    prices that the aggregated events bring along. `only_grew`: it is known that no event made a count or a sum smaller.
    """

    units: Decimal
    events_count: int
    values: tuple[Decimal, ...]
    total_aggregated_units: Decimal
    precise_total_cents: Decimal
    prorated_units: Decimal | None = None
    changes: Changes | None = None
    only_grew: bool = False


def ceiling(numerator: Decimal, denominator: int, places: int) -> Decimal:
    """A quotient brought up to some decimals, from exact numbers so that no earlier cut can lift it by one."""
    quotient = CONTEXT.divide(numerator, Decimal(denominator))
    return quotient.quantize(Decimal(1).scaleb(-places), rounding=ROUND_CEILING, context=CONTEXT)
