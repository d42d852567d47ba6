"""Passwords: which ones are accepted, and their hashes (argon2id).

Neither library is imported with the app: few requests are about passwords.
"""

import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_HASH_BYTES, _SALT_BYTES = 32, 16


def check(password: str, *, near: Iterable[str]) -> None:
    """Refuse a new password that is too short, too long or easily guessed. `near`: texts that a guesser would try first, as
    the e-mail and the organization's name.

    Raises: Invalid, `value_is_too_short`, `value_is_too_long` or `password_too_weak` on the password.
    """
    if len(password) < limits.PASSWORD_CHARS_MIN:
        raise Invalid.field("password", ErrorCode.VALUE_IS_TOO_SHORT)
    if len(password) > limits.PASSWORD_CHARS_MAX:
        raise Invalid.field("password", ErrorCode.VALUE_IS_TOO_LONG)
    if _score(password, near) < limits.PASSWORD_SCORE_MIN:
        raise Invalid.field("password", ErrorCode.PASSWORD_TOO_WEAK)


def hashed(password: str) -> str:
    """The hash of a password, with its salt and parameters."""
    return _hasher().hash(_bytes_of(password))


def matches(password_hash: str | None, password: str) -> bool:
    """Whether a password is the one of a hash. None, for an unknown user, costs the same time and matches nothing."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(password_hash or _nobodys(), _bytes_of(password)) and password_hash is not None
    except (InvalidHashError, VerificationError):
        return False


def require(password_hash: str | None, password: str, *, field: str = "base") -> None:
    """Refuse any password but the one of a hash.

    Raises: Invalid, `incorrect_login_or_password`, whatever is wrong.
    """
    if not matches(password_hash, password):
        raise Invalid.field(field, ErrorCode.INCORRECT_LOGIN_OR_PASSWORD)


def is_outdated(password_hash: str) -> bool:
    """Whether new hashes are made with other parameters."""
    return _hasher().check_needs_rehash(password_hash)


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher, Type

    return PasswordHasher(
        time_cost=limits.ARGON2_PASSES,
        memory_cost=limits.ARGON2_KIB,
        parallelism=limits.ARGON2_LANES,
        hash_len=_HASH_BYTES,
        salt_len=_SALT_BYTES,
        type=Type.ID,
    )


def _nobodys() -> str:
    """A hash of the present parameters that no known password has: base64 of zeros only."""
    salt, value = "A" * -(-_SALT_BYTES * 8 // 6), "A" * -(-_HASH_BYTES * 8 // 6)
    cost = f"m={limits.ARGON2_KIB},t={limits.ARGON2_PASSES},p={limits.ARGON2_LANES}"
    return f"$argon2id$v=19${cost}${salt}${value}"


def _score(password: str, near: Iterable[str]) -> int:
    from zxcvbn import zxcvbn

    words = [word for text in near for word in (text, *text.replace("@", " ").replace(".", " ").split())]
    return int(zxcvbn(password, user_inputs=words, max_length=limits.PASSWORD_CHARS_MAX)["score"])


def _bytes_of(password: str) -> bytes:
    """The password as it is hashed: one form of Unicode, whichever the keyboard sent, and of bounded length."""
    bounded = password[: limits.PASSWORD_CHARS_MAX + 1]
    return unicodedata.normalize("NFKC", bounded).encode("utf-8", "surrogatepass")
