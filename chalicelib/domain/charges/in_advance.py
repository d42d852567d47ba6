"""Charges paid in advance: the cost of one event at once. Source: rules/usage 7, 8.

Each event owes the amount that it adds to the price of its period so far, by its place in time. Only units above the
highest level of the period are new; units paid for once stay paid. Where later events were charged first, an event owes
at most the price of all of them less their fees (decisions/0018).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from chalicelib.domain.charges import graduated_percentage, package, percentage
from chalicelib.domain.charges.amounts import amount_per_unit
from chalicelib.domain.charges.graduated import Slice, slices
from chalicelib.domain.charges.models import ChargeModel, price
from chalicelib.domain.charges.prorated import prorated_units
from chalicelib.domain.charges.ranges import TieredProperties
from chalicelib.domain.charges.standard import StandardProperties
from chalicelib.domain.charges.usage import ChargeUsage, Priced
from chalicelib.domain.money import CONTEXT, decimal_string

_TWO_PLACES = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Level:
    """The running total of a period, and the highest that it has been: so many units are paid for.

    A period of a recurring metric begins with both at the level held then, which its renewal pays.
    """

    total: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)

    def after(self, change: Decimal) -> "Level":
        """The level after an event: +1 for a counted one; the value summed up; for a unique count +1 where a value
        becomes active, -1 where it ceases to be, else 0."""
        moved = CONTEXT.add(self.total, change)
        return Level(moved, max(self.paid, moved))

    def growth(self, change: Decimal) -> Decimal:
        """New units of an event with this change: the units above the highest level."""
        return CONTEXT.subtract(self.after(change).paid, self.paid)


@dataclass(frozen=True, slots=True)
class EventFee:
    """The units that the fee of one event shows, and its price."""

    units: Decimal
    priced: Priced


def added(model: ChargeModel, properties: Any, *, change: Decimal, before: ChargeUsage, after: ChargeUsage) -> Decimal:
    """Amount that one event adds: the price of the period with it less the price without it, never below 0.

    `change`: the event's own units, as for `Level.after`. `before` and `after`: usage of the period (same filter and
    group) without and with the event, in units paid for (`Level.paid`). A duplicate value of a unique count is not an
    event there, so both are the same.
    """
    if change and after.units == before.units:
        # Its place is paid already, or it takes something away: it owes nothing, fixed amounts included.
        return Decimal(0)
    return max(Decimal(0), CONTEXT.subtract(owed(model, properties, after), owed(model, properties, before)))


def event_fee(
    model: ChargeModel,
    properties: Any,
    *,
    change: Decimal,
    before: ChargeUsage,
    after: ChargeUsage,
    at_most: Decimal | None = None,
) -> EventFee:
    """Fee of one event: the amount that it adds, capped at `at_most`. `change`, `before`, `after`: as for `added`.

    Its details show the amount that the event adds, even where the fee is capped.
    """
    amount = _within(added(model, properties, change=change, before=before, after=after), at_most)
    growth = CONTEXT.subtract(after.units, before.units)
    if change and not growth:
        before = after
    by = growth
    if isinstance(properties, package.PackageProperties):
        paid = package.paid_units(after.units, properties), package.paid_units(before.units, properties)
        by = CONTEXT.subtract(*paid)
    details = _details(model, properties, before=before, after=after)
    return EventFee(_shown(change, growth, amount), Priced(amount, amount_per_unit(amount, by), details))


def prorated_added(properties: StandardProperties, *, growth: Decimal, days: int, of_days: int) -> Decimal:
    """Amount that one event adds to a prorated charge: its new units, for the days from the event to the end of the
    period.

    `growth`: `Level.growth`.
    """
    return CONTEXT.multiply(prorated_units(growth, days=days, of_days=of_days), properties.amount)


def prorated_event_fee(
    properties: StandardProperties,
    *,
    change: Decimal,
    growth: Decimal,
    days: int,
    of_days: int,
    at_most: Decimal | None = None,
) -> EventFee:
    """Fee of one event of a prorated charge: the amount that it adds, capped at `at_most`.

    Units are shown in full, not prorated; the unit amount is for one full unit.
    """
    amount = _within(prorated_added(properties, growth=growth, days=days, of_days=of_days), at_most)
    return EventFee(_shown(change, growth, amount), Priced(amount, amount_per_unit(amount, growth), {}))


def owed(model: ChargeModel, properties: Any, usage: ChargeUsage) -> Decimal:
    """The price of a period's usage in advance. Flat amounts come with the first unit, not before it.

    Source: rules/usage 6.8.
    """
    if not usage.units:
        return Decimal(0)
    if model is ChargeModel.PERCENTAGE:
        return percentage.amount(usage, properties)
    return price(model, usage, properties).amount


def _within(amount: Decimal, at_most: Decimal | None) -> Decimal:
    return amount if at_most is None else max(Decimal(0), min(amount, at_most))


def _shown(change: Decimal, growth: Decimal, amount: Decimal) -> Decimal:
    """A fee that costs nothing shows what the event itself contributes, any other its new units."""
    return growth if amount else max(Decimal(0), change)


def _details(model: ChargeModel, properties: Any, *, before: ChargeUsage, after: ChargeUsage) -> dict[str, Any]:
    """`amount_details` of one event: for models by rates the difference that it makes, for others none."""
    if model is ChargeModel.PERCENTAGE:
        whole = percentage.parts(after, properties)
        own = whole.minus(percentage.parts(before, properties))
        return percentage.details(own, properties, paid_events=whole.paid_events)
    if model is ChargeModel.GRADUATED_PERCENTAGE:
        return {graduated_percentage.NAME: _tiers(_reached(before, properties), _reached(after, properties))}
    return {}


def _reached(usage: ChargeUsage, properties: TieredProperties) -> list[Slice]:
    return slices(usage.units, properties.tiers) if usage.units else []


def _tiers(before: Sequence[Slice], after: Sequence[Slice]) -> list[dict[str, Any]]:
    """The tiers reached, each with the difference to the same tier before."""
    return [_tier(each, before[n] if n < len(before) else None) for n, each in enumerate(after)]


def _tier(now: Slice, before: Slice | None) -> dict[str, Any]:
    units, flat, together = now.units, now.tier.flat_amount, now.together
    if before is not None:
        units, flat = CONTEXT.subtract(units, before.units), Decimal(0)
        together = CONTEXT.subtract(together, before.together)
    per_unit = CONTEXT.divide(together, units) if units else Decimal(0)
    return {
        "from_value": now.tier.from_value,
        "to_value": now.tier.to_value,
        "units": decimal_string(units),
        "rate": decimal_string(graduated_percentage.rate_of(now.tier)),
        "per_unit_total_amount": decimal_string(
            per_unit.quantize(_TWO_PLACES, rounding=ROUND_HALF_UP, context=CONTEXT)
        ),
        "flat_unit_amount": decimal_string(flat),
        "total_with_flat_amount": decimal_string(together),
    }
