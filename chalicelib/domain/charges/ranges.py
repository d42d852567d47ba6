"""Tiers of units, which graduated, volume and graduated_percentage have in common. Source: usage.md section 5."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.domain.charges.amounts import decimal_text, is_whole
from chalicelib.domain.money import CONTEXT


@dataclass(frozen=True, slots=True)
class Tier:
    """Units above `above` up to and including `to_value` (None: without end). Amounts in currency units.

    `from_value` is the lower bound as the properties have it: the upper one of the tier before, or the number after.
    """

    above: int
    from_value: int
    to_value: int | None
    per_unit_amount: Decimal
    flat_amount: Decimal

    def ends_before(self, units: Decimal) -> bool:
        """Whether so many units go beyond this tier."""
        return self.to_value is not None and units > self.to_value

    def between(self, low: Decimal, high: Decimal) -> Decimal:
        """How many of the units above `low` up to `high` fall in this tier."""
        first = max(low, Decimal(self.above))
        last = Decimal(self.to_value) if self.to_value is not None and self.ends_before(high) else high
        return max(Decimal(0), CONTEXT.subtract(last, first))


@dataclass(frozen=True, slots=True)
class TieredProperties:
    """Tiers from 0 upwards without a gap, the last one open."""

    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class PriceField:
    """Which field of a tier holds the price of its units, and the code for a wrong one."""

    name: str
    error: str


PER_UNIT_AMOUNT = PriceField("per_unit_amount", "invalid_amount")


def read(
    name: str, given: Any, *, may_share_bounds: bool, price_field: PriceField = PER_UNIT_AMOUNT
) -> tuple[TieredProperties | None, dict[str, list[str]]]:
    """The tiers of the property `name`, or None and everything wrong with them: field -> codes.

    `may_share_bounds`: a tier may also start at the very number where the one before ends.
    """
    if not given:
        return None, {name: [f"missing_{name}"]}
    if not isinstance(given, list) or not all(isinstance(entry, Mapping) for entry in given):
        return None, {name: [f"invalid_{name}"]}
    wrong: dict[str, list[str]] = {}
    if not _bounds_hold(given, gaps=(0, 1) if may_share_bounds else (1,)):
        wrong[name] = [f"invalid_{name}"]
    per_unit = [decimal_text(entry.get(price_field.name)) for entry in given]
    flat = [decimal_text(entry.get("flat_amount")) for entry in given]
    for field, error, amounts in (
        (price_field.name, price_field.error, per_unit),
        ("flat_amount", "invalid_amount", flat),
    ):
        if None in amounts:
            wrong[field] = [error]
    if wrong:
        return None, wrong
    above = [0, *(entry["to_value"] for entry in given[:-1])]
    tiers = tuple(
        Tier(below, entry["from_value"], entry.get("to_value"), price, once)
        for below, entry, price, once in zip(above, given, per_unit, flat, strict=True)
        if price is not None and once is not None  # Both are there by now, as the loop above found.
    )
    return TieredProperties(tiers), {}


def default(name: str, price_field: PriceField = PER_UNIT_AMOUNT) -> dict[str, Any]:
    """One open tier that costs nothing."""
    return {name: [{"from_value": 0, "to_value": None, price_field.name: "0", "flat_amount": "0"}]}


def _bounds_hold(entries: Sequence[Mapping[str, Any]], *, gaps: tuple[int, ...]) -> bool:
    """Whether the tiers start at 0, rise, follow each other at one of the `gaps`, and only the last is open."""
    lows: list[Any] = [entry.get("from_value") for entry in entries]
    highs: list[Any] = [entry.get("to_value") for entry in entries[:-1]]
    if entries[-1].get("to_value") is not None or not all(is_whole(bound) for bound in (*lows, *highs)):
        return False
    rising = all(low < high for low, high in zip(lows[:-1], highs, strict=True))
    joined = all(low - high in gaps for low, high in zip(lows[1:], highs, strict=True))
    return lows[0] == 0 and rising and joined
