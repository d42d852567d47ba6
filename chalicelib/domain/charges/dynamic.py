"""Dynamic: each event brings its own price. Source: rules/usage 6.7."""

from dataclasses import dataclass
from decimal import Decimal

from chalicelib.domain.charges.amounts import amount_per_unit
from chalicelib.domain.charges.usage import ChargeUsage, Priced
from chalicelib.domain.money import CONTEXT


@dataclass(frozen=True, slots=True)
class DynamicProperties:
    """None: the price is in the events."""


def price(usage: ChargeUsage, _: DynamicProperties) -> Priced:
    """The sum of the events' amounts, a hundred cents to the currency unit; nothing without units."""
    if not usage.units:
        return Priced(Decimal(0), Decimal(0), {})
    assert usage.precise_total_cents is not None, "a dynamic charge is priced with the amounts of its events"
    amount = max(Decimal(0), usage.precise_total_cents.scaleb(-2, context=CONTEXT))
    return Priced(amount, amount_per_unit(amount, usage.units), {})
