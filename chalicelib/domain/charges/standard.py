"""Standard: every unit at the same price. Source: rules/usage 6.1."""

from dataclasses import dataclass
from decimal import Decimal

from chalicelib.domain.charges.usage import ChargeUsage, Priced
from chalicelib.domain.money import CONTEXT


@dataclass(frozen=True, slots=True)
class StandardProperties:
    """`amount`: the price of one unit, in currency units."""

    amount: Decimal


def price(usage: ChargeUsage, properties: StandardProperties) -> Priced:
    """units × amount."""
    amount = CONTEXT.multiply(usage.units, properties.amount)
    # Without units there is no price of one, as the API shows it. Source: rules/usage 8.
    unit_amount = properties.amount if usage.units else Decimal(0)
    return Priced(amount, unit_amount, {})
