"""JSON as requests bring it: strict, and exact in every digit."""

import json
from decimal import Decimal
from typing import Any

from chalicelib import limits
from chalicelib.domain import errors
from chalicelib.platform.json import to_json


def read_json(raw: bytes) -> Any:
    """Strict JSON: UTF-8, no NaN, no lone surrogates, of bounded depth; numbers with a fraction become `Decimal`.

    Raises: BadRequest.
    """
    try:
        value = json.loads(raw.decode("utf-8"), parse_float=Decimal, parse_constant=_no_constant)
        if b"\\u" in raw:
            to_json(value).encode("utf-8")
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise errors.BadRequest("malformed JSON") from error
    if raw.count(b"[") + raw.count(b"{") > limits.JSON_DEPTH_MAX and _is_deeper(value, limits.JSON_DEPTH_MAX):
        raise errors.BadRequest("JSON is nested too deeply")
    return value


def _is_deeper(value: Any, depth: int) -> bool:
    """Whether containers are nested in more levels than `depth`. Counted level by level: recursion could overflow."""
    level: list[Any] = [value]
    for _ in range(depth + 1):
        containers = [each for each in level if isinstance(each, dict | list)]
        level = [inner for each in containers for inner in (each.values() if isinstance(each, dict) else each)]
    return any(isinstance(each, dict | list) for each in level)


def _no_constant(name: str) -> Any:
    raise ValueError(name)
