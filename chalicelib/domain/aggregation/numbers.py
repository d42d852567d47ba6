"""Quantities: property values that count as numbers. Source: rules/usage 3; decisions/0017."""

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from chalicelib.domain.money import CONTEXT

_NUMERIC = re.compile(r"-?\d+(\.\d+)?", re.ASCII).fullmatch
_LIMIT = 10**23
_TEXT_MAX = 100  # Characters; a longer text has more digits than a quantity, or idle zeros.
_BOUND = Decimal(_LIMIT)
_STEP = Decimal("0.000000000000001")


def quantity(value: Any) -> Decimal | None:
    """Exact number in a property's value; None for a value that is not numeric.

    Texts and JSON numbers count alike. A quantity is below 10^23 and rounded to 15 decimals. So it has no more digits
    than a number of the database, and products with it stay exact. A larger value counts as not numeric.
    """
    if type(value) is int:  # By far the most frequent, with short texts: this runs for every property of every event.
        return Decimal(value) if -_LIMIT < value < _LIMIT else None
    if isinstance(value, str):
        if len(value) > _TEXT_MAX or not _NUMERIC(value):
            return None
        number = Decimal(value)
        if len(value) < 15:
            return number
    elif isinstance(value, bool) or not isinstance(value, Decimal):
        return None
    else:
        number = Decimal(value)
        if not number.is_finite():
            return None
    if number.copy_abs() >= _BOUND:  # `abs` would round to the default context first.
        return None
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -15:
        number = number.quantize(_STEP, rounding=ROUND_HALF_UP, context=CONTEXT)
    if not number:
        return Decimal(0)  # Whatever its exponent was: `0E+999999` would be a million digits.
    return number if number.copy_abs() < _BOUND else None  # It may have been rounded up.


def is_countable(value: Any) -> bool:
    """Whether a property's value counts in full. A value that is no quantity does not, nor one so small that it would
    count as 0."""
    number = quantity(value)
    return number is not None and (bool(number) or not Decimal(value))
