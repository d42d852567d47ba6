"""Graduated: every unit at the price of the tier it falls in. Source: rules/usage 6.2."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.domain.charges.amounts import amount_per_unit
from chalicelib.domain.charges.ranges import Tier, TieredProperties
from chalicelib.domain.charges.usage import ChargeUsage, Priced
from chalicelib.domain.money import CONTEXT, decimal_string, total


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of the units that falls in a tier, and its price in currency units without and with the flat amount."""

    tier: Tier
    units: Decimal
    for_units: Decimal
    together: Decimal


def price(usage: ChargeUsage, properties: TieredProperties) -> Priced:
    """Each tier's part of the units at its price, and the flat amount of every tier reached."""
    reached = slices(usage.units, properties.tiers)
    amount = total(each.together for each in reached)
    return Priced(amount, amount_per_unit(amount, usage.units), {"graduated_ranges": [_shown(s) for s in reached]})


def slices(units: Decimal, tiers: Sequence[Tier]) -> list[Slice]:
    """The units by tier, up to the last tier reached.

    The first tier is always reached, also without units. Source: rules/usage 6.8.
    """
    found: list[Slice] = []
    for tier in tiers:
        inside = tier.between(Decimal(0), units)
        for_units = CONTEXT.multiply(inside, tier.per_unit_amount)
        found.append(Slice(tier, inside, for_units, CONTEXT.add(for_units, tier.flat_amount)))
        if not tier.ends_before(units):
            break
    return found


def _shown(part: Slice) -> dict[str, Any]:
    # A tier without units shows no price. Source: rules/usage 8.
    per_unit_amount = part.tier.per_unit_amount if part.units else Decimal(0)
    return {
        "from_value": part.tier.from_value,
        "to_value": part.tier.to_value,
        "units": decimal_string(part.units),
        "per_unit_amount": decimal_string(per_unit_amount),
        "per_unit_total_amount": decimal_string(part.for_units),
        "flat_unit_amount": decimal_string(part.tier.flat_amount),
        "total_with_flat_amount": decimal_string(part.together),
    }
