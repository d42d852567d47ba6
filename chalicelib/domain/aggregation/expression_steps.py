"""Steps of formulas: each takes values from a stack and leaves its result there. All is exact to 60 digits.

Source: rules/usage 2.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from chalicelib.domain.aggregation.rounding import rounded
from chalicelib.domain.money import CONTEXT

Value = Decimal | str

_PROPERTY = re.compile(r"event\.properties\.([A-Za-z_][A-Za-z0-9_]*)", re.ASCII)
_NUMERIC = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_DIGITS_MAX = 60  # Numbers from 10^60 on are refused, and those below 10^-60 are 0: no step can grow without end.
_TEXT_MAX = 10_000  # Characters of a result; an event has 16 KB.
PLACES_MAX = 15


class ExpressionError(Exception):
    """A formula that is none, or that an event gives no value."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Attributes of an event that a formula may read. `timestamp`: Unix seconds, UTC."""

    code: str = ""
    timestamp: Decimal = Decimal(0)
    properties: Mapping[str, Any] = field(default_factory=dict)


Step = Callable[[list[Value], Facts], None]


def constant(value: Value) -> Step:
    """A step that leaves the same value for every event."""
    return lambda stack, event: stack.append(value)


def attribute(name: str) -> Step:
    """Step that reads an attribute of the event. Raises: ExpressionError, for an attribute that events do not have."""
    if name == "event.code":
        return lambda stack, event: stack.append(event.code)
    if name == "event.timestamp":
        return lambda stack, event: stack.append(bounded(CONTEXT.plus(event.timestamp)))
    found = _PROPERTY.fullmatch(name)
    if found is None:
        raise ExpressionError(f"unknown {name}")
    own = found[1]
    return lambda stack, event: stack.append(_property(event, own))


def _property(event: Facts, name: str) -> Value:
    value = event.properties.get(name)
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ExpressionError(f"the property {name} is missing or no value")
    return bounded(CONTEXT.plus(Decimal(value)))


def _operator(operation: Callable[[Decimal, Decimal], Decimal]) -> Step:
    def step(stack: list[Value], event: Facts) -> None:
        right, left = _number(stack.pop()), _number(stack.pop())
        stack.append(bounded(operation(left, right)))

    return step


def negate(stack: list[Value], event: Facts) -> None:
    """Replace the number on top by its negative. Raises: ExpressionError, for a text that is no number."""
    stack.append(CONTEXT.minus(_number(stack.pop())))


def applied(function: Callable[[list[Value]], Value], number: int) -> Step:
    """A step that replaces the topmost `number` values by the function's result."""

    def step(stack: list[Value], event: Facts) -> None:
        values = stack[-number:]
        del stack[-number:]
        stack.append(function(values))

    return step


def bounded(number: Decimal) -> Decimal:
    """Number within bounds; a number too close to 0 becomes 0. Raises: ExpressionError, for a number too large."""
    if not number.is_finite() or (number and number.adjusted() >= _DIGITS_MAX):
        raise ExpressionError("too large a number")
    return Decimal(0) if number.adjusted() < -_DIGITS_MAX else number


def _number(value: Value) -> Decimal:
    """The number that a value is, or whose text it is.

    Raises: ExpressionError.
    """
    if isinstance(value, Decimal):
        return value
    if len(value) > 2 * _DIGITS_MAX or not _NUMERIC.fullmatch(value):
        raise ExpressionError(f"no number: {value[:20]}")
    return bounded(CONTEXT.plus(Decimal(value)))


def _text(value: Value) -> str:
    """A value as text: a number in plain digits, without idle zeros."""
    if isinstance(value, str):
        return value
    plain = format(value, "f")
    shown = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return "0" if shown == "-0" else shown


@dataclass(frozen=True, slots=True)
class Function:
    """A function of formulas. `at_most`: how many arguments it takes; None: any number."""

    apply: Callable[[list[Value]], Value]
    at_most: int | None = None


def _rounding(function: str) -> Function:
    def apply(values: list[Value]) -> Value:
        places = _number(values[1]) if len(values) > 1 else Decimal(0)
        if abs(places) > PLACES_MAX or places != places.to_integral_value():
            raise ExpressionError("no number of decimals")
        return bounded(rounded(_number(values[0]), function, int(places)))

    return Function(apply, at_most=2)


def _concat(values: list[Value]) -> Value:
    result = "".join(_text(value) for value in values)
    if len(result) > _TEXT_MAX:
        raise ExpressionError("too long a text")
    return result


def _divide(left: Decimal, right: Decimal) -> Decimal:
    if not right:
        raise ExpressionError("division by 0")
    return CONTEXT.divide(left, right)


OPERATORS: dict[str, Step] = {
    "+": _operator(CONTEXT.add),
    "-": _operator(CONTEXT.subtract),
    "*": _operator(CONTEXT.multiply),
    "/": _operator(_divide),
}
FUNCTIONS: dict[str, Function] = {
    "round": _rounding("round"),
    "ceil": _rounding("ceil"),
    "floor": _rounding("floor"),
    "least": Function(lambda values: min(map(_number, values))),
    "greatest": Function(lambda values: max(map(_number, values))),
    "concat": Function(_concat),
}
