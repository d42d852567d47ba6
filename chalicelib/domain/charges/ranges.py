"""Tiers of units, which graduated, volume and graduated_percentage have in common. Source: rules/usage 5."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.domain.charges.amounts import bound, decimal_text
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.money import CONTEXT


@dataclass(frozen=True, slots=True)
class Tier:
    """Units above `above` up to and including `to_value` (None: without end). Amounts in currency units.

    `from_value` is the lower bound as the properties have it: the upper one of the tier before, or the number after.
    """

    above: int | Decimal
    from_value: int | Decimal
    to_value: int | Decimal | None
    per_unit_amount: Decimal
    flat_amount: Decimal

    def ends_before(self, units: Decimal) -> bool:
        """Whether so many units go beyond this tier."""
        return self.to_value is not None and units > self.to_value

    def between(self, low: Decimal, high: Decimal) -> Decimal:
        """Units above `low` up to `high` that fall in this tier."""
        first = max(low, Decimal(self.above))
        last = Decimal(self.to_value) if self.to_value is not None and self.ends_before(high) else high
        return max(Decimal(0), CONTEXT.subtract(last, first))


@dataclass(frozen=True, slots=True)
class TieredProperties:
    """Tiers from 0 upwards without a gap, the last one open."""

    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class PriceField:
    """Field of a tier that holds its price per unit, and the code for a wrong value."""

    name: str
    error: str


PER_UNIT_AMOUNT = PriceField("per_unit_amount", ErrorCode.INVALID_AMOUNT)


def read(
    name: str, given: Any, *, may_share_bounds: bool, price_field: PriceField = PER_UNIT_AMOUNT
) -> tuple[TieredProperties | None, dict[str, list[str]]]:
    """The tiers of the property `name`, or None and everything wrong with them: field -> codes.

    Each tier starts at the whole number after the one where the tier before ends, or at the very number: where bounds
    are fractions, or `may_share_bounds`.
    """
    if not given:
        return None, {name: [ErrorCode(f"missing_{name}")]}
    if not isinstance(given, list) or not all(isinstance(entry, Mapping) for entry in given):
        return None, {name: [ErrorCode(f"invalid_{name}")]}
    wrong: dict[str, list[str]] = {}
    lows, highs = _bounds(given)
    if given[-1].get("to_value") is not None or not _bounds_hold(lows, highs, may_share=may_share_bounds):
        wrong[name] = [ErrorCode(f"invalid_{name}")]
    per_unit = [decimal_text(entry.get(price_field.name)) for entry in given]
    flat = [decimal_text(entry.get("flat_amount")) for entry in given]
    for field, error, amounts in (
        (price_field.name, price_field.error, per_unit),
        ("flat_amount", ErrorCode.INVALID_AMOUNT, flat),
    ):
        if None in amounts:
            wrong[field] = [error]
    if wrong:
        return None, wrong
    shown = [None if number is None else _exact(number) for number in highs]
    tiers = tuple(
        Tier(below or 0, _exact(low), high, price, once)
        for below, low, high, price, once in zip([0, *shown[:-1]], lows, shown, per_unit, flat, strict=True)
        # All are there by now, as was found above.
        if low is not None and price is not None and once is not None
    )
    return TieredProperties(tiers), {}


def default(name: str, price_field: PriceField = PER_UNIT_AMOUNT) -> dict[str, Any]:
    """One open tier that costs nothing."""
    return {name: [{"from_value": 0, "to_value": None, price_field.name: "0", "flat_amount": "0"}]}


def kept(entry: Mapping[str, Any], price_field: PriceField = PER_UNIT_AMOUNT) -> dict[str, Any]:
    """Stored form of a valid tier: its known fields and no others, with fractional bounds as text."""
    known = ("from_value", "to_value", price_field.name, "flat_amount")
    numbers = {name: bound(entry.get(name)) for name in ("from_value", "to_value")}
    texts = {name: _text(number) for name, number in numbers.items() if number is not None}
    return {name: texts.get(name, entry[name]) for name in known if name in entry}


def numbered(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Kept properties, or `amount_details`, as they are shown: with all bounds of tiers as numbers."""
    return {
        name: list(map(_numbered, value)) if isinstance(value, list) else value for name, value in properties.items()
    }


def _numbered(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    fractions = {n: Decimal(entry[n]) for n in ("from_value", "to_value") if isinstance(entry.get(n), str | Decimal)}
    return {**entry, **fractions}


def _exact(number: Decimal) -> int | Decimal:
    return int(number) if number == number.to_integral_value() else number


def _text(number: Decimal) -> int | str:
    return int(number) if number == number.to_integral_value() else format(number, "f")


def _bounds(entries: Sequence[Mapping[str, Any]]) -> tuple[list[Decimal | None], list[Decimal | None]]:
    """Lower and upper bounds; None for an open one, and for a value that is no bound."""
    lows = [bound(entry.get("from_value")) for entry in entries]
    return lows, [bound(entry.get("to_value")) for entry in entries]


def _bounds_hold(lows: Sequence[Decimal | None], highs: Sequence[Decimal | None], *, may_share: bool) -> bool:
    """Whether the tiers start at 0, rise, follow each other, and none but the last is open."""
    firsts = [low for low in lows if low is not None]
    lasts = [high for high in highs if high is not None]
    if len(firsts) < len(lows) or len(lasts) != len(lows) - 1 or highs[-1] is not None or firsts[0] != 0:
        return False
    may_share = may_share or any(number != number.to_integral_value() for number in (*firsts, *lasts))
    rising = all(low < high for low, high in zip(firsts[:-1], lasts, strict=True))
    joined = all(_joined(high, low, may_share=may_share) for high, low in zip(lasts, firsts[1:], strict=True))
    return rising and joined


def _joined(high: Decimal, low: Decimal, *, may_share: bool) -> bool:
    if low == high:
        return may_share
    return low == high + 1 and low == low.to_integral_value()
