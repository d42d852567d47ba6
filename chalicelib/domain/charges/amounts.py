"""Amounts as properties hold them and as results show them."""

import re
from decimal import Decimal
from typing import Any

from chalicelib.domain.money import CONTEXT

_DECIMAL = re.compile(r"\d{1,15}(\.\d{1,15})?", re.ASCII)
_SHOWN = Decimal("1E-15")
_WHOLE_MAX = 10**15  # As many digits as an amount has before its point.


def decimal_text(value: Any) -> Decimal | None:
    """An exact amount from its text; None for anything else, numbers included. Source: usage.md section 5."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        return None
    return Decimal(value)


def is_whole(value: Any) -> bool:
    """Whether a bound or a number of units is a whole number from 0 on, of at most 15 digits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _WHOLE_MAX


def amount_per_unit(amount: Decimal, units: Decimal) -> Decimal:
    """What one of these units came to, in currency units; 0 without units. Source: usage.md section 8.

    A quotient may have no end, so it is brought to 15 decimals: it is shown, never computed with.
    """
    if not units:
        return Decimal(0)
    return CONTEXT.quantize(CONTEXT.divide(amount, units), _SHOWN)
