"""Volume: all units at the price of the one tier that their number falls in. Source: usage.md section 6.5."""

from chalicelib.domain.charges.amounts import amount_per_unit
from chalicelib.domain.charges.models import ChargeUsage, Priced
from chalicelib.domain.charges.ranges import TieredProperties
from chalicelib.domain.money import CONTEXT, decimal_string


def price(usage: ChargeUsage, properties: TieredProperties) -> Priced:
    """units × per_unit_amount + flat_amount of the tier; without units the first tier's flat amount."""
    # Tiers follow each other by one, so the first that does not end before the units is also the one that begins at
    # or before the next whole number: 10.5 units belong to the tier from 11 on.
    tier = next(tier for tier in properties.tiers if not tier.ends_before(usage.units))
    for_units = CONTEXT.multiply(usage.units, tier.per_unit_amount)
    amount = CONTEXT.add(for_units, tier.flat_amount)
    details = {
        "per_unit_amount": decimal_string(tier.per_unit_amount),
        "per_unit_total_amount": decimal_string(for_units),
        "flat_unit_amount": decimal_string(tier.flat_amount),
    }
    return Priced(amount, amount_per_unit(amount, usage.units), details)
