"""Rounding of aggregated units, before they are priced. Source: rules/usage 2."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from chalicelib.domain.money import CONTEXT

_MODES = {"round": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}


def rounded(units: Decimal, function: str | None, precision: int | None) -> Decimal:
    """`units` to `precision` decimals (0 when not given, negative for tens and hundreds) by the metric's function."""
    if function is None:
        return units
    step = Decimal(1).scaleb(-(precision or 0))
    whole = CONTEXT.divide(units, step).to_integral_value(rounding=_MODES[function])
    return CONTEXT.multiply(whole, step)
