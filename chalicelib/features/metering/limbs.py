"""Sums of any size in numbers of 38 digits.

DynamoDB refuses to add what would need more than 38 digits, and what stands for it on one machine or in tests adds in
28, in silence. One quantity alone may have 38, and a sum has more. So what a transaction adds to a row is split at 10^9
wherever it is as large: `<name>` takes the rest, with its 15 decimals, and `^<name>` how often 10^9 goes into it, a
whole number. Each transaction then adds at most 24 digits to the one and 25 to the other, so that no number of
transactions that an hour has time for fills either (docs/decisions/0017). Readers put them together again: rows in
memory, and day rows, hold one number.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from chalicelib.domain.money import CONTEXT

_HIGH = "^"
_LIMB = 10**9


def split(name: str, number: int | Decimal) -> Iterator[tuple[str, int | Decimal]]:
    """The (attribute, number) pairs to add to a row so that the sum `name` grows by a number. Both parts have its
    sign."""
    if -_LIMB < number < _LIMB:
        yield name, number
        return
    high = int(CONTEXT.divide_int(Decimal(number), Decimal(_LIMB)))
    yield f"{_HIGH}{name}", high
    yield name, CONTEXT.subtract(Decimal(number), Decimal(high * _LIMB))


def joined(name: str, value: Any) -> tuple[str, Any]:
    """The sum that an attribute of a row belongs to, and the attribute's share of it."""
    if not name.startswith(_HIGH):
        return name, value
    return name[len(_HIGH) :], CONTEXT.multiply(Decimal(value), Decimal(_LIMB))


def row(sums: Mapping[str, Any], *, others: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a row that holds these sums, and what is not added up."""
    return {attribute: part for name, number in sums.items() for attribute, part in split(name, number)} | dict(others)
