"""AWS's own limits of what is stored and sent, which moto does not know: whoever breaks one fails."""

import contextlib
import re
from collections.abc import Callable, Iterator
from decimal import Context, Decimal, Inexact
from typing import Any

from tests.support import clients

_ITEM_BYTES_MAX = 400 * 1024
_DEPTH_MAX = 32
_KEY_BYTES_MAX = dict.fromkeys(("pk", "list_pk", "owner_pk", "due_pk", "time_pk"), 2048) | dict.fromkeys(
    ("sk", "list_sk", "owner_sk", "run_at", "time_sk"), 1024
)
_DIGITS = Context(prec=38, traps=[Inexact])
_OPERANDS_MAX, _EXPRESSION_BYTES_MAX = 100, 4096
_MESSAGE = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
_MESSAGE_BYTES_MAX = 256 * 1024


class Broken(AssertionError):
    """AWS would have refused this."""


@contextlib.contextmanager
def limits_kept() -> Iterator[None]:
    """All that the process asks of DynamoDB and SQS meanwhile is checked first."""

    def checked(_: str, request: dict[str, Any], call: Callable[..., Any]) -> Any:
        _check(request)
        return call(**request)

    with clients.watched(checked):
        yield


def _check(request: Any) -> None:
    """Everything inside a request, whatever its kind, by the names that AWS gives its parts."""
    for each in request if isinstance(request, list) else ():
        _check(each)
    for name, value in request.items() if isinstance(request, dict) else ():
        _CHECKS.get("Expression" if name.endswith("Expression") else name, _check)(value)


def _check_values(values: dict[str, Any]) -> None:
    for each in values.values():
        _check_attribute(each, 0)


def _check_item(item: dict[str, Any]) -> None:
    _check_keys(item)
    for value in item.values():
        _check_attribute(value, 1)
    size = sum(len(name.encode()) + _size(value) for name, value in item.items())
    if size > _ITEM_BYTES_MAX:
        raise Broken(f"an item of {size} bytes")


def _check_keys(item: dict[str, Any]) -> None:
    for name, longest in _KEY_BYTES_MAX.items():
        text = item.get(name, {}).get("S")
        if text is not None and not 1 <= len(text.encode()) <= longest:
            raise Broken(f"{name} of {len(text.encode())} bytes")


def _check_attribute(value: dict[str, Any], depth: int) -> None:
    ((kind, inner),) = value.items()
    if depth > _DEPTH_MAX:
        raise Broken("nested too deeply")
    if kind == "N":
        number = Decimal(inner)
        _DIGITS.create_decimal(number)
        if number and not -130 <= number.adjusted() <= 125:
            raise Broken(f"a number of this size: {inner[:50]}")
    elif kind == "M":
        for name, each in inner.items():
            if not name or len(name.encode()) > 65535:
                raise Broken("a map with a name that is empty or too long")
            _check_attribute(each, depth + 1)
    elif kind == "L":
        for each in inner:
            _check_attribute(each, depth + 1)


def _size(value: dict[str, Any]) -> int:
    ((kind, inner),) = value.items()
    if kind == "M":
        return 3 + sum(len(name.encode()) + 1 + _size(each) for name, each in inner.items())
    if kind == "L":
        return 3 + sum(1 + _size(each) for each in inner)
    return len(inner.encode()) if isinstance(inner, str) else len(inner) if isinstance(inner, bytes) else 1


def _check_expression(text: str) -> None:
    if len(text.encode()) > _EXPRESSION_BYTES_MAX:
        raise Broken(f"an expression of {len(text)} characters")
    for operands in re.findall(r" IN \(([^)]*)\)", text):
        if operands.count(",") >= _OPERANDS_MAX:
            raise Broken("IN with more than 100 operands")


def _check_message(text: str) -> None:
    if not _MESSAGE.fullmatch(text) or len(text.encode()) > _MESSAGE_BYTES_MAX:
        raise Broken(f"a message that SQS refuses: {text[:100]!r}")


_CHECKS = {
    "Item": _check_item,
    "Key": _check_keys,
    "ExclusiveStartKey": _check_keys,
    "ExpressionAttributeValues": _check_values,
    "Expression": _check_expression,
    "MessageBody": _check_message,
}
