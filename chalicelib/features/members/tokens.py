"""Tokens of sessions and links: random, shown once, kept as their SHA-256."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field

_LINK = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Token:
    """A new token with its hash."""

    text: str = field(repr=False)
    digest: str


def for_link() -> Token:
    """The token of a link: 40 hex digits."""
    return _made(20)


def for_session() -> Token:
    """The token of a session: 64 hex digits."""
    return _made(32)


def digest(text: str) -> str:
    """The SHA-256 of a token or another text, in hex."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def digest_of_link(text: str) -> str | None:
    """The hash of a link's token, None for what cannot be one."""
    return digest(text) if _LINK.fullmatch(text) else None


def _made(number: int) -> Token:
    text = secrets.token_hex(number)
    return Token(text, digest(text))
