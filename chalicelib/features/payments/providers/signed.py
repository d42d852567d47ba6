"""What inbound events of all providers have in common: a header, an HMAC over the raw bytes, a JSON object."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

from chalicelib.features.payments.providers.errors import NotVerified

_ID = re.compile(r"[!-~]{1,255}")


def header(headers: Mapping[str, str], name: str) -> bytes:
    """The value of a header, whatever the case of its name.

    Raises: NotVerified, where it is missing, empty or not ASCII.
    """
    found = next((value for key, value in headers.items() if key.lower() == name.lower()), "")
    try:
        value = found.strip().encode("ascii")
    except UnicodeEncodeError:
        raise NotVerified("the signature is not ASCII") from None
    if not value:
        raise NotVerified("no signature")
    return value


def digest(secret: str, message: bytes) -> bytes:
    """The hexadecimal HMAC-SHA256 of a message."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest().encode()


def same(one: bytes, other: bytes) -> bool:
    """Whether two digests are equal, in a time that does not tell how far they are."""
    return hmac.compare_digest(one, other)


def read(body: bytes) -> dict[str, Any]:
    """The JSON object of a body that was verified.

    Raises: NotVerified, where it is none, as bytes that are not UTF-8.
    """
    try:
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise NotVerified("the body is no JSON") from None
    if not isinstance(found, dict):
        raise NotVerified("the body is no object")
    return found


def part(value: Any, *path: str) -> Any:
    """What stands at a path of nested objects; None where it breaks off."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text(value: Any, *path: str) -> str | None:
    """The text that stands at a path of nested objects; None where there is none."""
    found = part(value, *path)
    return found if isinstance(found, str) and found else None


def identifier(value: Any, *path: str) -> str | None:
    """The id that stands at a path of nested objects: printable ASCII, 255 characters at most; None where there is none."""
    found = text(value, *path)
    return found if found is not None and _ID.fullmatch(found) else None
