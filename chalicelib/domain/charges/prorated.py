"""Prices of units that were held for parts of a period, for recurring metrics. Source: rules/usage 6.9.

Full units are what is held at the end; prorated units, each counted for its share of the period, are what is priced.
Both may come in below 0, as a running level of a recurring metric is not floored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

from chalicelib.domain.charges import volume
from chalicelib.domain.charges.amounts import amount_per_unit
from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.charges.ranges import Tier, TieredProperties
from chalicelib.domain.charges.standard import StandardProperties
from chalicelib.domain.charges.usage import Priced
from chalicelib.domain.money import CONTEXT, total

_FIVE_PLACES = Decimal("0.00001")
# Shares without end are cut at 80 digits; this brings back what the cut took, far below any price of a unit.
_HEALED = Decimal("1E-25")


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the level, upwards or downwards, and the share of the period for which it is priced.

    A removal from a unique count has the share 0: it frees its place, and what it removes was counted to that day already.
    """

    units: Decimal
    ratio: Decimal


@dataclass(frozen=True, slots=True)
class ProratedUsage:
    """Full units at the end, prorated units, and for graduated the steps to them in order of time: first the level held
    before the period as one step, or for a unique count each value held with its own share."""

    full_units: Decimal
    units: Decimal
    steps: tuple[Step, ...] = ()


def price(model: ChargeModel, usage: ProratedUsage, properties: Any) -> Priced:
    """The exact price; the unit's is by full units. `properties` is what `properties.parse` gave for the same model."""
    if usage.full_units < 0:
        # A total below 0 owes nothing, flat amounts included. Source: rules/usage 3.
        return Priced(Decimal(0), Decimal(0), {})
    match model:
        case ChargeModel.STANDARD:
            return _standard(usage, properties)
        case ChargeModel.VOLUME:
            return _volume(usage, properties)
        case ChargeModel.GRADUATED:
            return _graduated(usage, properties)
        case _:
            raise AssertionError(f"{model} is not prorated")


def ratio(*, days: int, of_days: int) -> Decimal:
    """The share of a period of `of_days`, as exact as a decimal can be."""
    return CONTEXT.divide(Decimal(days), Decimal(of_days))


def prorated_units(units: Decimal, *, days: int, of_days: int) -> Decimal:
    """Units held for some days of a period, as one event or one value is priced: brought up to five decimals."""
    exact = CONTEXT.divide(CONTEXT.multiply(units, Decimal(days)), Decimal(of_days))
    return exact.quantize(_FIVE_PLACES, rounding=ROUND_CEILING, context=CONTEXT)


def _standard(usage: ProratedUsage, properties: StandardProperties) -> Priced:
    amount = CONTEXT.multiply(max(Decimal(0), usage.units), properties.amount)
    return Priced(amount, amount_per_unit(amount, usage.full_units), {})


def _volume(usage: ProratedUsage, properties: TieredProperties) -> Priced:
    tier = volume.tier_of(usage.full_units, properties)
    priced = volume.price_in(tier, max(Decimal(0), usage.units))
    return Priced(priced.amount, amount_per_unit(priced.amount, usage.full_units), priced.details)


def _graduated(usage: ProratedUsage, properties: TieredProperties) -> Priced:
    level = highest = Decimal(0)
    amounts: list[Decimal] = []
    for step in usage.steps:
        reached = CONTEXT.add(level, step.units)
        amounts.append(CONTEXT.multiply(_between(level, reached, properties.tiers), step.ratio))
        level, highest = reached, max(highest, reached)
    assert level == usage.full_units, "the steps lead to the full units"
    for_units = max(Decimal(0), total(amounts)).quantize(_HEALED, context=CONTEXT).normalize(context=CONTEXT)
    amount = CONTEXT.add(for_units, _flat_amounts(highest, properties.tiers))
    return Priced(amount, amount_per_unit(amount, usage.full_units), {})


def _between(before: Decimal, after: Decimal, tiers: Sequence[Tier]) -> Decimal:
    """Cost of the units from one level to another, each unit in its tier; negative on the way down. Units below 0 cost
    as in the first tier."""
    low, high = min(before, after), max(before, after)
    below = CONTEXT.subtract(min(high, Decimal(0)), min(low, Decimal(0)))
    parts = [CONTEXT.multiply(below, tiers[0].per_unit_amount)]
    parts += [CONTEXT.multiply(tier.between(low, high), tier.per_unit_amount) for tier in tiers]
    cost = total(parts)
    return cost if after >= before else cost.copy_negate()


def _flat_amounts(highest: Decimal, tiers: Sequence[Tier]) -> Decimal:
    """The flat amounts of all tiers that the highest level reached; the first is always reached."""
    return total(tier.flat_amount for n, tier in enumerate(tiers) if n == 0 or highest > tier.above)
