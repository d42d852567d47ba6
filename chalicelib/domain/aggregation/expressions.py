"""Formulas over one event, whose result stands for its property. Source: rules/usage 2 and the field's published
expression language.

    event.properties.<name>, event.timestamp (Unix seconds), event.code
    12, 12.5, 'text' (single quotes, nothing is escaped in it)
    + - * /, a minus before a value, parentheses
    round(x), ceil(x), floor(x), each with an optional number of decimals; least(x, y, ...), greatest(x, y, ...)
    concat(x, y, ...)

Names of functions are read in small or capital letters. A formula becomes steps on a stack, so that its length is no
depth; only what is nested counts, and that is bounded. All is exact to 60 digits; a result has 15 decimals at most, as
quantities have, unless it would be 0 then and is not.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Any

from chalicelib.domain.aggregation.rounding import rounded
from chalicelib.domain.money import CONTEXT

Value = Decimal | str

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>'[^']*')|(?P<name>[A-Za-z_][A-Za-z0-9_.]*)|(?P<sign>[-+*/(),]))",
    re.ASCII,
)
_SPACE = re.compile(r"\s*", re.ASCII)
_PROPERTY = re.compile(r"event\.properties\.([A-Za-z_][A-Za-z0-9_]*)", re.ASCII)
_NUMERIC = re.compile(r"-?\d+(\.\d+)?", re.ASCII)

_DEPTH_MAX = 40  # Parentheses and calls inside each other; no formula of a person comes near.
_DIGITS_MAX = 60  # Numbers from 10^60 on are refused, and those below 10^-60 are 0: no step can grow without end.
_TEXT_MAX = 10_000  # Characters of a result; an event has 16 KB.
_PLACES_MAX = 15
_STEP = Decimal(1).scaleb(-_PLACES_MAX)
_FEW_DIGITS = Context(prec=_PLACES_MAX)


class ExpressionError(Exception):
    """A formula that is none, or that an event gives no value."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Attributes of an event that a formula may read. `timestamp`: Unix seconds, UTC."""

    code: str = ""
    timestamp: Decimal = Decimal(0)
    properties: Mapping[str, Any] = field(default_factory=dict)


_Step = Callable[[list[Value], Facts], None]


def check(expression: str) -> None:
    """Raises: ExpressionError, when the text is no formula at all."""
    _compiled(expression)


def evaluate(expression: str, event: Facts) -> Value:
    """The formula's result for an event: an exact number, or a text.

    Raises: ExpressionError, also for a missing property, one that is no number where one is needed, and a division by
    0.
    """
    stack: list[Value] = []
    for step in _compiled(expression):
        try:
            step(stack, event)
        except ArithmeticError as error:  # Beyond all numbers.
            raise ExpressionError(str(error) or "no number") from error
    (result,) = stack
    if isinstance(result, Decimal):
        exponent = result.as_tuple().exponent
        if isinstance(exponent, int) and exponent < -_PLACES_MAX:
            # A value that would be rounded to 0 stays, so that it is reported as a fault and not counted as 0.
            result = result.quantize(_STEP, rounding=ROUND_HALF_UP, context=CONTEXT) or _FEW_DIGITS.plus(result)
    return result


@lru_cache(maxsize=256)
def _compiled(expression: str) -> tuple[_Step, ...]:
    return tuple(_Parser(list(_tokens(expression))).formula())


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    """(kind, text) of each word of a formula."""
    position = 0
    while found := _TOKEN.match(expression, position):
        position = found.end()
        kind = str(found.lastgroup)
        yield kind, found[kind]
    if _SPACE.fullmatch(expression, position) is None:
        raise ExpressionError(f"unexpected {expression[position:].strip()[:20]}")


class _Parser:
    """Turns words into steps, by recursive descent. Good for one formula."""

    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0
        self._steps: list[_Step] = []

    def formula(self) -> list[_Step]:
        """The steps of the whole formula.

        Raises: ExpressionError.
        """
        self._sum()
        if self._next < len(self._tokens):
            raise ExpressionError(f"unexpected {self._peek()[1]}")
        return self._steps

    def _sum(self) -> None:
        self._product()
        while self._peek() in (("sign", "+"), ("sign", "-")):
            step = _OPERATORS[self._take()[1]]
            self._product()
            self._steps.append(step)

    def _product(self) -> None:
        self._signed()
        while self._peek() in (("sign", "*"), ("sign", "/")):
            step = _OPERATORS[self._take()[1]]
            self._signed()
            self._steps.append(step)

    def _signed(self) -> None:
        minuses = 0
        while self._peek() == ("sign", "-"):
            self._take()
            minuses += 1
        self._value()
        self._steps += [_negate] * minuses

    def _value(self) -> None:
        kind, text = self._take()
        if kind == "number":
            self._steps.append(_constant(_bounded(CONTEXT.plus(Decimal(text)))))
        elif kind == "text":
            self._steps.append(_constant(text[1:-1]))
        elif kind == "name" and text.startswith("event."):
            self._steps.append(_attribute(text))
        elif kind == "name":
            self._call(text)
        elif text == "(":
            self._nested()
            self._expect(")")
        else:
            raise ExpressionError(f"unexpected {text or 'end'}")

    def _call(self, name: str) -> None:
        function = _FUNCTIONS.get(name.lower())
        if function is None:
            raise ExpressionError(f"unknown {name}")
        self._expect("(")
        self._nested()
        number = 1
        while self._peek() == ("sign", ","):
            self._take()
            self._nested()
            number += 1
        self._expect(")")
        if function.at_most is not None and number > function.at_most:
            raise ExpressionError(f"too many arguments of {name}")
        self._steps.append(_applied(function.apply, number))

    def _nested(self) -> None:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise ExpressionError("nested too deeply")
        self._sum()
        self._depth -= 1

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "")

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        self._next += 1
        return token

    def _expect(self, sign: str) -> None:
        if self._take() != ("sign", sign):
            raise ExpressionError(f"{sign} is missing")


# Steps.


def _constant(value: Value) -> _Step:
    return lambda stack, event: stack.append(value)


def _attribute(name: str) -> _Step:
    """Step that reads an attribute of the event. Raises: ExpressionError, for an attribute that events do not have."""
    if name == "event.code":
        return lambda stack, event: stack.append(event.code)
    if name == "event.timestamp":
        return lambda stack, event: stack.append(_bounded(CONTEXT.plus(event.timestamp)))
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
    return _bounded(CONTEXT.plus(Decimal(value)))


def _operator(operation: Callable[[Decimal, Decimal], Decimal]) -> _Step:
    def step(stack: list[Value], event: Facts) -> None:
        right, left = _number(stack.pop()), _number(stack.pop())
        stack.append(_bounded(operation(left, right)))

    return step


def _negate(stack: list[Value], event: Facts) -> None:
    stack.append(CONTEXT.minus(_number(stack.pop())))


def _applied(function: Callable[[list[Value]], Value], number: int) -> _Step:
    def step(stack: list[Value], event: Facts) -> None:
        values = stack[-number:]
        del stack[-number:]
        stack.append(function(values))

    return step


def _bounded(number: Decimal) -> Decimal:
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
    return _bounded(CONTEXT.plus(Decimal(value)))


def _text(value: Value) -> str:
    """A value as text: a number in plain digits, without idle zeros."""
    if isinstance(value, str):
        return value
    plain = format(value, "f")
    shown = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return "0" if shown == "-0" else shown


# Functions.


@dataclass(frozen=True, slots=True)
class _Function:
    apply: Callable[[list[Value]], Value]
    at_most: int | None = None


def _rounding(function: str) -> _Function:
    def apply(values: list[Value]) -> Value:
        places = _number(values[1]) if len(values) > 1 else Decimal(0)
        if abs(places) > _PLACES_MAX or places != places.to_integral_value():
            raise ExpressionError("no number of decimals")
        return _bounded(rounded(_number(values[0]), function, int(places)))

    return _Function(apply, at_most=2)


def _concat(values: list[Value]) -> Value:
    result = "".join(_text(value) for value in values)
    if len(result) > _TEXT_MAX:
        raise ExpressionError("too long a text")
    return result


def _divide(left: Decimal, right: Decimal) -> Decimal:
    if not right:
        raise ExpressionError("division by 0")
    return CONTEXT.divide(left, right)


_OPERATORS: dict[str, _Step] = {
    "+": _operator(CONTEXT.add),
    "-": _operator(CONTEXT.subtract),
    "*": _operator(CONTEXT.multiply),
    "/": _operator(_divide),
}
_FUNCTIONS: dict[str, _Function] = {
    "round": _rounding("round"),
    "ceil": _rounding("ceil"),
    "floor": _rounding("floor"),
    "least": _Function(lambda values: min(map(_number, values))),
    "greatest": _Function(lambda values: max(map(_number, values))),
    "concat": _Function(_concat),
}
