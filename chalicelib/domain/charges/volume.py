"""Volume: all units at the price of the one tier that their number falls in. Source: rules/usage 6.5."""

from decimal import Decimal

from chalicelib.domain.charges.amounts import amount_per_unit
from chalicelib.domain.charges.ranges import Tier, TieredProperties
from chalicelib.domain.charges.usage import ChargeUsage, Priced
from chalicelib.domain.money import CONTEXT, decimal_string


def price(usage: ChargeUsage, properties: TieredProperties) -> Priced:
    """units × per_unit_amount + flat_amount of the tier; without units the first tier's flat amount."""
    return price_in(tier_of(usage.units, properties), usage.units)


def tier_of(units: Decimal, properties: TieredProperties) -> Tier:
    """The tier that so many units fall in."""
    # Tiers follow each other by one, so the first that does not end before the units is also the one that begins at
    # or before the next whole number: 10.5 units belong to the tier from 11 on.
    return next(tier for tier in properties.tiers if not tier.ends_before(units))


def price_in(tier: Tier, units: Decimal) -> Priced:
    """The price of units in a tier."""
    for_units = CONTEXT.multiply(units, tier.per_unit_amount)
    amount = CONTEXT.add(for_units, tier.flat_amount)
    details = {
        "per_unit_amount": decimal_string(tier.per_unit_amount),
        "per_unit_total_amount": decimal_string(for_units),
        "flat_unit_amount": decimal_string(tier.flat_amount),
    }
    return Priced(amount, amount_per_unit(amount, units), details)
