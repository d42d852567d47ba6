"""Pairs of keys and values in forms: rows without any text do not count."""

from collections.abc import Mapping
from typing import Any

from chalicelib.console.forms import Form
from chalicelib.domain.error_codes import ErrorCode

BLANK: Mapping[str, str] = {"key": "", "value": ""}


def shown(values: Mapping[str, str | None] | None) -> list[dict[str, str]]:
    """An object of the API as the rows of a form."""
    return [{"key": name, "value": text or ""} for name, text in (values or {}).items()]


def read(form: Form, group: str) -> list[dict[str, str]]:
    """The rows of a group as a list of pairs."""
    found = [{name: form.value(f"{group}.{n}.{name}") for name in BLANK} for n in form.rows(group)]
    return [pair for pair in found if any(pair.values())]


def read_object(form: Form, group: str = "metadata") -> dict[str, Any]:
    """The rows of a group as one object; a key that stands there twice is refused at its second row."""
    found: dict[str, Any] = {}
    for n in form.rows(group):
        name, text = form.value(f"{group}.{n}.key"), form.value(f"{group}.{n}.value")
        if not name and text:
            form.mark(f"{group}.{n}.key", ErrorCode.VALUE_IS_MANDATORY)
        elif name in found:
            form.mark(f"{group}.{n}.key", ErrorCode.VALUE_ALREADY_EXIST)
        elif name:
            found[name] = text
    return found
