"""Values of attributes, checked and copied as DynamoDB takes them, and what it says to those it does not take."""

from collections.abc import Mapping
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

# An attribute's value in DynamoDB's form: {"S": "text"}. One that is kept is never changed.
Value = dict[str, Any]
Item = dict[str, Value]

_DIGITS, _LEAST, _MOST = 38, -130, 125
_SUMS, _EXACT = Context(prec=_DIGITS), Context(prec=2 * (_MOST - _LEAST), Emax=9999, Emin=-9999)
_DEPTH_MAX = 32


class Wrong(Exception):
    """DynamoDB takes no such request: a ValidationException."""


class Unfit(Wrong):
    """DynamoDB finds out only at the item that a change cannot be made: in a transaction, the reason of one action."""


def taken(value: Any, depth: int = 1) -> Value:
    """A copy of a value, its numbers as DynamoDB writes them.

    Raises: Wrong.
    """
    if len(value) != 1:
        raise Wrong("Supplied AttributeValue has more than one datatypes set, must contain exactly one")
    ((kind, inner),) = value.items()
    if kind == "S":
        return {kind: inner if type(inner) is str else str.__str__(inner)}
    if kind == "N":
        return {kind: number(inner)}
    if kind == "M":
        return {kind: {_name(name): taken(each, _deeper(depth)) for name, each in inner.items()}}
    if kind == "L":
        return {kind: [taken(each, _deeper(depth)) for each in inner]}
    if kind in ("BOOL", "NULL"):
        if inner is not True and (inner is not False or kind == "NULL"):
            raise Wrong(f"no value of the type {kind}: {inner!r}")
        return {kind: inner}
    if kind == "B":
        return {kind: bytes(inner)}
    return {kind: _set(kind, inner)}


def item_of(attributes: Mapping[str, Any]) -> Item:
    """A copy of a whole item.

    Raises: Wrong.
    """
    return {name: taken(value) for name, value in attributes.items()}


def _deeper(depth: int) -> int:
    if depth >= _DEPTH_MAX:
        raise Wrong("Nesting Levels have exceeded supported limits")
    return depth + 1


def _name(name: str) -> str:
    if not name:
        raise Wrong("Attribute name must not be empty")
    return name


def _set(kind: str, inner: Any) -> list[Any]:
    if kind not in ("SS", "NS", "BS"):
        raise Wrong(f"no type of values: {kind}")
    found = [number(each) if kind == "NS" else bytes(each) if kind == "BS" else str.__str__(each) for each in inner]
    if not found or len(set(found)) < len(found):
        raise Wrong("One or more parameter values were invalid: a set is empty or contains duplicates")
    return sorted(found)


def number(text: str) -> str:
    """A number as DynamoDB answers it: plain digits, no zeros that say nothing.

    Raises: Wrong.
    """
    if text.isdigit() and text.isascii() and len(text) <= _DIGITS and (text[0] != "0" or text == "0"):
        return text
    return _number(text)


@lru_cache(maxsize=10_000)
def _number(text: str) -> str:
    try:
        found = Decimal(text)
    except InvalidOperation as error:
        raise Wrong(f"The parameter cannot be converted to a numeric value: {text}") from error
    if not found.is_finite():
        raise Wrong(f"The parameter cannot be converted to a numeric value: {text}")
    return _written(found)


def _written(found: Decimal) -> str:
    if not found:
        return "0"
    if not _LEAST <= found.adjusted() <= _MOST:
        way = "overflow" if found.adjusted() > _MOST else "underflow"
        raise Wrong(f"Number {way}. Attempting to store a number with magnitude beyond the supported range")
    found = _EXACT.normalize(found)
    if len(found.as_tuple().digits) > _DIGITS:
        raise Wrong("Attempting to store more than 38 significant digits in a Number")
    return format(found, "f")


def total(one: Value, other: Value, sign: int = 1) -> Value:
    """A sum, or a difference.

    Raises: Unfit.
    """
    if "N" not in one or "N" not in other:
        raise Unfit("An operand in the update expression has an incorrect data type")
    return {"N": _written(_SUMS.add(Decimal(one["N"]), sign * Decimal(other["N"])))}


def compared(one: Value | None, other: Value | None) -> int | None:
    """-1, 0 or 1; None for what has no order among it."""
    if one is None or other is None:
        return None
    ((kind, left),), ((other_kind, right),) = one.items(), other.items()
    if kind != other_kind or kind not in ("S", "N", "B"):
        return None
    if kind == "N":
        left, right = Decimal(left), Decimal(right)
    return int((left > right) - (left < right))


def size_of(value: Value) -> int | None:
    """What the function `size` says; None for what has no size."""
    ((kind, inner),) = value.items()
    if kind in ("N", "BOOL", "NULL"):
        return None
    return len(inner.encode()) if kind == "S" else len(inner)
