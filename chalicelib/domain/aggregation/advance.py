"""Running state of a period of a charge paid in advance, event by event. Source: rules/usage 3.1, 7.

A metered metric begins each period at 0. A recurring metric begins at the level held then, which its renewal pays.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from chalicelib.domain.aggregation.levels import walk
from chalicelib.domain.aggregation.readings import Reading, numeric, ordered
from chalicelib.domain.aggregation.rules import Aggregation, MetricRule
from chalicelib.domain.aggregation.summaries import Summary
from chalicelib.domain.charges.in_advance import Level
from chalicelib.domain.charges.percentage_tally import PercentageProperties, Tally
from chalicelib.domain.charges.usage import ChargeUsage
from chalicelib.domain.money import CONTEXT, total

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Change:
    """Effect of one event. `units`: signed, as for `Level.after`. `repeats`: the event changes nothing and does not
    count for the price (its value is active already, or was never added)."""

    reading: Reading
    units: Decimal
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Paid:
    """State of a period after some events. `level`: the running total and the highest level paid for. `tally`: the
    state that percentage prices keep of single events; None for other prices."""

    level: Level = field(default_factory=Level)
    events_count: int = 0
    tally: Tally | None = None
    precise_total_cents: Decimal = Decimal(0)

    @property
    def usage(self) -> ChargeUsage:
        """Usage to price: the units paid for and the number of events."""
        return ChargeUsage(
            self.level.paid, self.events_count, precise_total_cents=self.precise_total_cents, tally=self.tally
        )

    def after(self, change: Change, properties: PercentageProperties | None) -> "Paid":
        """State after one more event. `properties`: those of a percentage price, else None."""
        if change.repeats:
            return self
        tally = self.tally
        if tally is not None and properties is not None:
            tally = tally.after(change.units, properties)
        precise = CONTEXT.add(self.precise_total_cents, change.reading.precise_total_cents or Decimal(0))
        return Paid(self.level.after(change.units), self.events_count + 1, tally, precise)

    def opened(self) -> "Paid":
        """State at the begin of a period: the present level counts as paid for, and no earlier one."""
        return replace(self, level=Level(self.level.total, max(Decimal(0), self.level.total)))


def changes(rule: MetricRule, readings: Iterable[Reading]) -> list[Change]:
    """Changes made by the readings, in order of time. Readings without a usable value are left out. For a recurring
    metric, `readings` must be its whole history."""
    seen = ordered(readings)
    match rule.aggregation:
        case Aggregation.COUNT:
            return [Change(reading, _ONE) for reading in seen]
        case Aggregation.SUM:
            return [Change(reading, value) for reading, value in numeric(seen, rule.property_name)]
        case Aggregation.UNIQUE_COUNT:
            moves = walk(seen, rule.property_name)
            return [Change(move.reading, Decimal(move.change), repeats=not move.change) for move in moves]
        case _:
            raise AssertionError(f"{rule.aggregation} is not paid in advance")


def summary(rule: MetricRule, changes: Sequence[Change]) -> Summary:
    """Summary of the changes of a count or a sum."""
    precise = (change.reading.precise_total_cents for change in changes)
    return Summary(
        events=len(changes),
        numeric=0 if rule.aggregation is Aggregation.COUNT else len(changes),
        negative=sum(change.units < 0 for change in changes),
        total=total(change.units for change in changes),
        precise_total_cents=total(cents for cents in precise if cents is not None),
    )


def grown(rule: MetricRule, before: Summary) -> Paid:
    """State of a period of a count or a sum, from its summary alone. Requires that no event lowered it: then the level
    paid for is the total."""
    assert not before.negative, "what was greater before is known of single events only"
    if rule.aggregation is Aggregation.COUNT:
        units, events_count = Decimal(before.events), before.events
    else:
        units, events_count = before.total, before.numeric
    return Paid(Level(units, units), events_count, precise_total_cents=before.precise_total_cents)
