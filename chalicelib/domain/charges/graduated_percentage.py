"""Graduated percentage: every unit of money at the rate of the tier it falls in. Source: rules/usage 6.6."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from chalicelib.domain.charges import ranges
from chalicelib.domain.charges.amounts import amount_per_unit
from chalicelib.domain.charges.graduated import Slice, slices
from chalicelib.domain.charges.ranges import PriceField, Tier, TieredProperties
from chalicelib.domain.charges.usage import ChargeUsage, Priced
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.money import CONTEXT, decimal_string, total

NAME = "graduated_percentage_ranges"
RATE = PriceField("rate", ErrorCode.INVALID_RATE)


def read(given: Mapping[str, Any]) -> tuple[TieredProperties | None, dict[str, list[str]]]:
    """The tiers, or None and everything wrong with them: field -> codes. A rate is percent: its hundredth is the price
    of a unit."""
    tiered, wrong = ranges.read(NAME, given.get(NAME), may_share_bounds=True, price_field=RATE)
    if tiered is None:
        return None, wrong
    tiers = (replace(tier, per_unit_amount=tier.per_unit_amount.scaleb(-2, context=CONTEXT)) for tier in tiered.tiers)
    return TieredProperties(tuple(tiers)), {}


def default() -> dict[str, Any]:
    """One open tier that costs nothing."""
    return ranges.default(NAME, RATE)


def price(usage: ChargeUsage, properties: TieredProperties) -> Priced:
    """Each tier's part of the units at its rate, and the flat amount of every tier reached."""
    reached = slices(usage.units, properties.tiers)
    amount = total(each.together for each in reached)
    return Priced(amount, amount_per_unit(amount, usage.units), {NAME: [_shown(each) for each in reached]})


def rate_of(tier: Tier) -> Decimal:
    """The tier's rate in percent, as its properties have it."""
    return tier.per_unit_amount.scaleb(2, context=CONTEXT)


def _shown(part: Slice) -> dict[str, Any]:
    return {
        "from_value": part.tier.from_value,
        "to_value": part.tier.to_value,
        "units": decimal_string(part.units),
        "rate": decimal_string(rate_of(part.tier)),
        "per_unit_total_amount": decimal_string(part.for_units),
        "flat_unit_amount": decimal_string(part.tier.flat_amount),
        "total_with_flat_amount": decimal_string(part.together),
    }
