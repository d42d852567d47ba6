"""The legacy API's `group` of a metric, and how it maps to filters. Source: rules/usage 4.1, 4.3."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid


@dataclass(frozen=True, slots=True)
class Choice:
    """A group that a charge can price: a value, or the value of a second level under one of the first.

    `path`: (key, value) from the first level down.
    """

    path: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        """The key of its own level."""
        return self.path[-1][0]

    @property
    def value(self) -> str:
        """The value on its own level."""
        return self.path[-1][1]

    @property
    def display_name(self) -> str:
        """`AWS • Europe`."""
        return " • ".join(value for _, value in self.path)

    @property
    def filter_values(self) -> dict[str, list[str]]:
        """The charge filter that takes exactly the events of this group."""
        return {key: [value] for key, value in self.path}


def read(group: Any) -> tuple[Choice, ...]:
    """The choices of a metric's group, in its order, each once.

    Raises: Invalid, `group: value_is_invalid`, for another shape than the two of rules/usage 4.1.
    """
    key, values = _level(group)
    if all(isinstance(value, str) for value in values):
        return tuple(Choice(((key, value),)) for value in dict.fromkeys(values))
    found: dict[Choice, None] = {}
    for parent in values:
        child_key, names = _level(parent)
        name = parent.get("name")
        if not isinstance(name, str) or child_key == key or not all(isinstance(child, str) for child in names):
            raise _invalid()
        found.update(dict.fromkeys(Choice(((key, name), (child_key, child))) for child in names))
    return tuple(found)


def metric_filters(choices: Sequence[Choice]) -> dict[str, list[str]]:
    """The metric's filters: each key with its values, in order of appearance. The pairs that are allowed of two levels are
    the choices' paths."""
    filters: dict[str, dict[str, None]] = {}
    for choice in choices:
        for key, value in choice.path:
            filters.setdefault(key, {})[value] = None
    return {key: list(values) for key, values in filters.items()}


def _level(given: Any) -> tuple[str, list[Any]]:
    key, values = (given.get("key"), given.get("values")) if isinstance(given, dict) else (None, None)
    if isinstance(key, str) and isinstance(values, list) and values:
        return key, values
    raise _invalid()


def _invalid() -> Invalid:
    return Invalid.field("group", ErrorCode.VALUE_IS_INVALID)
