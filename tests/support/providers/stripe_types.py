"""What Stripe's official library knows: the fields that a request may have, and those that an object has.

The fake refuses a field that the library's own types do not know, so that it cannot be kinder than the provider.
"""

import builtins
import re
import sys
import types
import typing
from functools import cache
from typing import Any, Literal, get_args, get_origin
from urllib.parse import parse_qsl

from stripe._request_options import RequestOptions
from typing_extensions import is_typeddict

from tests.support.providers.frame import Answer, Problem

_INDEX = re.compile(r"\[([^\]]*)\]")
METADATA_KEYS, METADATA_KEY_CHARS, METADATA_CHARS = 50, 40, 500


def refused(
    message: str, *, code: str | None = None, param: str | None = None, status: int = 400, **more: Any
) -> Problem:
    """A call that is refused before it began."""
    error = {"type": "invalid_request_error", "message": message, "code": code, "param": param, **more}
    return Problem(Answer(status, {"error": {name: value for name, value in error.items() if value is not None}}))


def form(text: str) -> dict[str, Any]:
    """A form, or a query, as nested values: `a[b][0]=c` is `{"a": {"b": ["c"]}}`."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)):
        path = [name.partition("[")[0], *_INDEX.findall(name)]
        here = found
        for step in path[:-1]:
            here = here.setdefault(step, {})
        here[path[-1]] = value
    return typing.cast(dict[str, Any], _listed(found))


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(each) for name, each in value.items()}
    if inner and all(name.isdecimal() or name == "" for name in inner):
        return list(inner.values())
    return inner


class _Anything:
    """Stands for a name that exists for type checkers alone."""

    def __class_getitem__(cls, item: Any) -> type["_Anything"]:
        return cls


class _Names(dict[str, Any]):
    def __missing__(self, name: str) -> Any:
        places = (self["__module"], builtins, typing)
        return next((getattr(each, name) for each in places if hasattr(each, name)), _Anything)


@cache
def fields(params: Any) -> dict[str, Any]:
    """The fields of a request, with their types."""
    names = _Names({"__module": sys.modules[params.__module__]})
    found = typing.get_type_hints(params, globalns={}, localns=names, include_extras=False)
    return {name: kind for name, kind in found.items() if name not in RequestOptions.__annotations__}


def checked(params: Any, sent: dict[str, Any], place: str = "") -> dict[str, Any]:
    """What was sent, in the types of the library.

    Raises: Problem, for a field that it does not know, lacks, or has as another type.
    """
    known = fields(params)
    for name in sent:
        if name not in known:
            path = _path(place, name)
            raise refused(f"Received unknown parameter: {path}", code="parameter_unknown", param=path)
    for name in getattr(params, "__required_keys__", ()):
        if name in known and sent.get(name) in (None, ""):
            path = _path(place, name)
            raise refused(f"Missing required param: {path}.", code="parameter_missing", param=path)
    return {name: _value(known[name], value, _path(place, name)) for name, value in sent.items()}


def _path(place: str, name: str) -> str:
    return f"{place}[{name}]" if place else name


def _value(kind: Any, sent: Any, path: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (typing.NotRequired, typing.Required):
        return _value(inner[0], sent, path)
    if origin in (typing.Union, types.UnionType):
        return _one_of(inner, sent, path)
    if isinstance(sent, str):
        return _text(kind, sent, path)
    if origin is list and isinstance(sent, list):
        return [_value(inner[0], each, f"{path}[{n}]") for n, each in enumerate(sent)]
    if origin is dict and isinstance(sent, dict):
        return _metadata(sent, path)
    if is_typeddict(kind) and isinstance(sent, dict):
        return checked(kind, sent, path)
    raise _invalid(path)


def _text(kind: Any, sent: str, path: str) -> Any:
    if kind is str or (get_origin(kind) is Literal and sent in get_args(kind)):
        return sent
    if kind is bool and sent in ("true", "false"):
        return sent == "true"
    if kind is int and re.fullmatch(r"-?\d{1,18}", sent):
        return int(sent)
    raise _invalid(path)


def _invalid(path: str) -> Problem:
    return refused(f"Invalid value for {path}", code="parameter_invalid", param=path)


def _one_of(kinds: tuple[Any, ...], sent: Any, path: str) -> Any:
    """A value of any of these types. Values that are listed are the only ones, though the types let other text pass."""
    listed = [value for each in kinds if get_origin(each) is Literal for value in get_args(each)]
    if any(value != "" for value in listed):
        kinds = tuple(each for each in kinds if each is not str)
    for each in kinds:
        if each is _Anything or each is type(None):
            continue
        try:
            return _value(each, sent, path)
        except Problem as problem:
            last = problem
            if is_typeddict(each) and isinstance(sent, dict):
                raise
    raise last


def _metadata(sent: dict[str, Any], path: str) -> dict[str, Any]:
    for name, value in sent.items():
        if len(name) > METADATA_KEY_CHARS or not isinstance(value, str) or len(value) > METADATA_CHARS:
            raise refused("Metadata keys have 40 characters at most, values 500.", param=_path(path, name))
    if len(sent) > METADATA_KEYS:
        raise refused("Metadata can have up to 50 keys.", param=path)
    return sent


def made(kind: Any, **values: Any) -> dict[str, Any]:
    """An object of the library's class with all its fields, those that are not given being null.

    Raises: AssertionError, for a field that the class has not.
    """
    known = [name for name in kind.__annotations__ if name not in ("OBJECT_NAME", "deleted")]
    assert set(values) <= set(known), f"{kind.__name__} has no {sorted(set(values) - set(known))}"
    return {**dict.fromkeys(known), "object": kind.OBJECT_NAME, **values}
