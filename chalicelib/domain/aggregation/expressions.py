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
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

from chalicelib.domain.aggregation.expression_steps import (
    FUNCTIONS,
    OPERATORS,
    PLACES_MAX,
    ExpressionError,
    Facts,
    Step,
    Value,
    applied,
    attribute,
    bounded,
    constant,
    negate,
)
from chalicelib.domain.money import CONTEXT

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>'[^']*')|(?P<name>[A-Za-z_][A-Za-z0-9_.]*)|(?P<sign>[-+*/(),]))",
    re.ASCII,
)
_SPACE = re.compile(r"\s*", re.ASCII)

_DEPTH_MAX = 40  # Parentheses and calls inside each other; no formula of a person comes near.
_STEP = Decimal(1).scaleb(-PLACES_MAX)
_FEW_DIGITS = Context(prec=PLACES_MAX)


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
        if isinstance(exponent, int) and exponent < -PLACES_MAX:
            # A value that would be rounded to 0 stays, so that it is reported as a fault and not counted as 0.
            result = result.quantize(_STEP, rounding=ROUND_HALF_UP, context=CONTEXT) or _FEW_DIGITS.plus(result)
    return result


@lru_cache(maxsize=256)
def _compiled(expression: str) -> tuple[Step, ...]:
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
        self._steps: list[Step] = []

    def formula(self) -> list[Step]:
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
            step = OPERATORS[self._take()[1]]
            self._product()
            self._steps.append(step)

    def _product(self) -> None:
        self._signed()
        while self._peek() in (("sign", "*"), ("sign", "/")):
            step = OPERATORS[self._take()[1]]
            self._signed()
            self._steps.append(step)

    def _signed(self) -> None:
        minuses = 0
        while self._peek() == ("sign", "-"):
            self._take()
            minuses += 1
        self._value()
        self._steps += [negate] * minuses

    def _value(self) -> None:
        kind, text = self._take()
        if kind == "number":
            self._steps.append(constant(bounded(CONTEXT.plus(Decimal(text)))))
        elif kind == "text":
            self._steps.append(constant(text[1:-1]))
        elif kind == "name" and text.startswith("event."):
            self._steps.append(attribute(text))
        elif kind == "name":
            self._call(text)
        elif text == "(":
            self._nested()
            self._expect(")")
        else:
            raise ExpressionError(f"unexpected {text or 'end'}")

    def _call(self, name: str) -> None:
        function = FUNCTIONS.get(name.lower())
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
        self._steps.append(applied(function.apply, number))

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
