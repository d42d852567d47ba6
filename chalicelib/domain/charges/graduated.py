"""Graduated: every unit at the price of the tier it falls in. Source: usage.md section 6.2."""

from decimal import Decimal
from typing import Any

from chalicelib.domain.charges.amounts import amount_per_unit
from chalicelib.domain.charges.models import ChargeUsage, Priced
from chalicelib.domain.charges.ranges import Tier, TieredProperties
from chalicelib.domain.money import CONTEXT, decimal_string


def price(usage: ChargeUsage, properties: TieredProperties) -> Priced:
    """Each tier's part of the units at its price, and the flat amount of every tier reached.

    The first tier is always reached, also without units. Source: usage.md section 6.8.
    """
    amount = Decimal(0)
    shown: list[dict[str, Any]] = []
    for tier in properties.tiers:
        inside = _part(tier, usage.units)
        for_units = CONTEXT.multiply(inside, tier.per_unit_amount)
        together = CONTEXT.add(for_units, tier.flat_amount)
        amount = CONTEXT.add(amount, together)
        shown.append(_shown(tier, inside, for_units, together))
        if not tier.ends_before(usage.units):
            break
    return Priced(amount, amount_per_unit(amount, usage.units), {"graduated_ranges": shown})


def _part(tier: Tier, units: Decimal) -> Decimal:
    """How many of the units fall in a tier that they reach."""
    top = Decimal(tier.to_value) if tier.to_value is not None and tier.ends_before(units) else units
    return CONTEXT.subtract(top, Decimal(tier.above))


def _shown(tier: Tier, inside: Decimal, for_units: Decimal, together: Decimal) -> dict[str, Any]:
    # A tier without units shows no price. Source: usage.md section 8.
    per_unit_amount = tier.per_unit_amount if inside else Decimal(0)
    return {
        "from_value": tier.from_value,
        "to_value": tier.to_value,
        "units": decimal_string(inside),
        "per_unit_amount": decimal_string(per_unit_amount),
        "per_unit_total_amount": decimal_string(for_units),
        "flat_unit_amount": decimal_string(tier.flat_amount),
        "total_with_flat_amount": decimal_string(together),
    }
