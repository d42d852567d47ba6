"""The grammar of DynamoDB's expressions: texts to trees, once for each text.

A tree is a tuple that begins with its kind: ("path", root, *steps), ("value", name), ("size", path), ("compare", sign, one,
other), ("between", one, low, high), ("in", one, all), ("call", function, arguments), ("and" | "or", one, other),
("not", one); in updates ("plus" | "minus", one, other) and ("call", ...) too.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from tests.support.tables.values import Wrong

Tree = tuple[Any, ...]

_TOKEN = re.compile(r"\s*([:#][A-Za-z0-9_]+|[A-Za-z_][A-Za-z0-9_]*|<>|<=|>=|[=<>(),.+\-]|\[\d+\])")
_CONDITIONS = {"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2}
_VALUES = {"if_not_exists": 2, "list_append": 2}
_SECTIONS = ("SET", "REMOVE", "ADD", "DELETE")
_SIGNS = ("=", "<>", "<", "<=", ">", ">=")


class Parsed(NamedTuple):
    """An expression, and the placeholders that it uses. `tree`: of an update, [(section, path, value)]; of a projection,
    its paths."""

    tree: Any
    names: frozenset[str]
    values: frozenset[str]


@lru_cache(maxsize=20_000)
def condition(text: str) -> Parsed:
    """A condition, a filter or the condition of a key.

    Raises: Wrong.
    """
    reader = _Reader(text)
    return reader.finished(reader.either())


@lru_cache(maxsize=20_000)
def update(text: str) -> Parsed:
    """An update.

    Raises: Wrong.
    """
    reader = _Reader(text)
    return reader.finished(list(reader.sections()))


@lru_cache(maxsize=1_000)
def projection(text: str) -> Parsed:
    """A projection.

    Raises: Wrong.
    """
    reader = _Reader(text)
    return reader.finished(reader.several(reader.path))


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens, self._at = list(_tokens(text)), 0
        self._names: set[str] = set()
        self._values: set[str] = set()

    def finished(self, tree: Any) -> Parsed:
        if self._next is not None:
            raise Wrong(f"Invalid expression: Syntax error; token: {self._next!r}")
        return Parsed(tree, frozenset(self._names), frozenset(self._values))

    # Tokens.

    @property
    def _next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _is(self, *words: str) -> bool:
        return self._next is not None and self._next.upper() in words

    def _take(self) -> str:
        if self._next is None:
            raise Wrong("Invalid expression: Syntax error; it ends too soon")
        self._at += 1
        return self._tokens[self._at - 1]

    def _took(self, *words: str) -> bool:
        if not self._is(*words):
            return False
        self._at += 1
        return True

    def _must(self, word: str) -> None:
        if not self._took(word):
            raise Wrong(f"Invalid expression: Syntax error; {self._next!r} instead of {word!r}")

    def several(self, one: Any) -> list[Any]:
        found = [one()]
        while self._took(","):
            found.append(one())
        return found

    # Conditions.

    def either(self) -> Tree:
        found = self._both()
        while self._took("OR"):
            found = ("or", found, self._both())
        return found

    def _both(self) -> Tree:
        found = self._single()
        while self._took("AND"):
            found = ("and", found, self._single())
        return found

    def _single(self) -> Tree:
        if self._took("NOT"):
            return ("not", self._single())
        if self._took("("):
            found = self.either()
            self._must(")")
            return found
        if (word := self._next) in _CONDITIONS and word is not None:
            return self._call(_CONDITIONS, self._operand)
        one = self._operand()
        if self._took("BETWEEN"):
            low = self._operand()
            self._must("AND")
            return ("between", one, low, self._operand())
        if self._took("IN"):
            self._must("(")
            found = ("in", one, self.several(self._operand))
            self._must(")")
            return found
        sign = self._take()
        if sign not in _SIGNS:
            raise Wrong(f"Invalid expression: Syntax error; token: {sign!r}")
        return ("compare", sign, one, self._operand())

    def _call(self, known: dict[str, int], argument: Any) -> Tree:
        function = self._take()
        self._must("(")
        arguments = self.several(argument)
        self._must(")")
        if len(arguments) != known[function]:
            raise Wrong(f"Incorrect number of operands for operator or function; operator or function: {function}")
        return ("call", function, arguments)

    def _operand(self) -> Tree:
        if self._next == "size" and self._tokens[self._at + 1 : self._at + 2] == ["("]:
            self._at += 2
            found = ("size", self.path())
            self._must(")")
            return found
        if self._next is not None and self._next.startswith(":"):
            return self._value()
        return self.path()

    def _value(self) -> Tree:
        name = self._take()
        if not name.startswith(":"):
            raise Wrong(f"Invalid expression: Syntax error; token: {name!r}")
        self._values.add(name)
        return ("value", name)

    def path(self) -> Tree:
        found: list[str | int] = [self._part()]
        while self._next is not None and (self._next == "." or self._next.startswith("[")):
            token = self._take()
            found.append(self._part() if token == "." else int(token[1:-1]))
        return ("path", *found)

    def _part(self) -> str:
        name = self._take()
        if name.startswith("#"):
            self._names.add(name)
        elif not name[0].isalpha():
            raise Wrong(f"Invalid expression: Syntax error; token: {name!r}")
        elif name.upper() in ReservedKeywords.get_reserved_keywords():
            raise Wrong(f"Invalid expression: Attribute name is a reserved keyword; reserved keyword: {name}")
        return name

    # Updates.

    def sections(self) -> Iterator[tuple[str, Tree, Tree | None]]:
        seen: set[str] = set()
        while not seen or self._next is not None:
            section = self._take().upper()
            if section not in _SECTIONS or section in seen:
                raise Wrong(f"Invalid UpdateExpression: Syntax error; token: {section!r}")
            seen.add(section)
            yield from self.several(lambda section=section: self._change(section))

    def _change(self, section: str) -> tuple[str, Tree, Tree | None]:
        path = self.path()
        if section == "REMOVE":
            return section, path, None
        if section != "SET":
            return section, path, self._value()
        self._must("=")
        value = self._new()
        if self._is("+", "-"):
            value = ("plus" if self._take() == "+" else "minus", value, self._new())
        return section, path, value

    def _new(self) -> Tree:
        if self._took("("):
            found = self._new()
            self._must(")")
            return found
        if self._next in _VALUES:
            return self._call(_VALUES, self._new)
        return self._operand()


def _tokens(text: str) -> Iterator[str]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise Wrong(f"Invalid expression: Syntax error; token: {text[at:].strip()[:20]!r}")
        yield found[1]
        at = found.end()
    if not end:
        raise Wrong("Invalid expression: The expression can not be empty;")
