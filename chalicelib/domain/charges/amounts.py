"""Amounts as properties hold them and as results show them."""

import re
from decimal import Decimal
from typing import Any

from chalicelib.domain.money import CONTEXT

_DECIMAL = re.compile(r"\d{1,15}(\.\d{1,15})?", re.ASCII)
_SHOWN = Decimal("1E-15")
_WHOLE_MAX = 10**15  # As many digits as an amount has before its point.


def decimal_text(value: Any) -> Decimal | None:
    """An exact amount from its text; None for anything else, numbers included. Source: rules/usage 5."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        return None
    return Decimal(value)


def bound(value: Any) -> Decimal | None:
    """A bound of a range, exact: a whole number from 0 on, or a fraction (also its text, as it is kept), of at most 15
    digits on either side of the point. None for anything else."""
    if is_whole(value):
        return Decimal(value)
    if isinstance(value, Decimal):
        # Not written out before its size is known: some numbers have a billion digits.
        value = format(value, "f") if value.is_finite() and -16 < value.adjusted() < 15 else None
    number = decimal_text(value)
    return None if number is None or number == number.to_integral_value() else number


def is_whole(value: Any) -> bool:
    """Whether a bound or a number of units is a whole number from 0 on, of at most 15 digits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _WHOLE_MAX


def amount_per_unit(amount: Decimal, units: Decimal) -> Decimal:
    """Amount per unit, in currency units; 0 without units. Source: rules/usage 8.

    A quotient may have endless decimals, so it is rounded to 15. It is shown, never computed with.
    """
    if not units:
        return Decimal(0)
    return CONTEXT.quantize(CONTEXT.divide(amount, units), _SHOWN)
