"""Refusals of requests, in billing words and stable codes.

A refusal is not a bug: it names what the caller can change. HTTP statuses live in `platform/http/answers.py` alone.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from chalicelib.domain.error_codes import ErrorCode

T = TypeVar("T")


class BillingError(Exception):
    """Base of all refusals."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class BadRequest(BillingError):
    """The request cannot be read at all: malformed JSON, or the root key is missing."""


class Unauthorized(BillingError):
    """No key, or an unknown or expired one. The answer has no code."""

    def __init__(self) -> None:
        super().__init__("unauthorized")


class Forbidden(BillingError):
    """The caller is known, but may not do this."""


class NotFound(BillingError):
    """`<resource>_not_found`: there is no such live object in this organization."""

    def __init__(self, resource: str) -> None:
        super().__init__(f"{resource}_not_found")


class NotAllowed(BillingError):
    """The object's state forbids the action (405 in the API)."""


class Conflict(BillingError):
    """Something else is going on that excludes this for the moment (409 in the API)."""


class ChangedMeanwhile(Conflict):
    """`<resource>_changed_meanwhile`: another writer changed what this change had read. Nothing is written, and the
    same change may succeed when it begins again from its reads (`platform/retry.py` does so)."""

    def __init__(self, resource: str) -> None:
        super().__init__(f"{resource}_changed_meanwhile")


class Overtaken(ChangedMeanwhile):
    """The task whose effect a change is was ended or moved by another: the change cannot succeed, however often it begins
    again, before somebody has looked at the task."""


class TooLarge(BillingError):
    """The body is over the limit (413 in the API)."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.REQUEST_TOO_LARGE)


class TooManyAttempts(BillingError):
    """Too many attempts to log in failed (429 in the API). `retry_after`: whole seconds until the next one counts."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(ErrorCode.TOO_MANY_ATTEMPTS)
        self.retry_after = retry_after


class Invalid(BillingError):
    """Fields with their codes, all wrong ones at once: `{"name": ["value_is_mandatory"]}`."""

    def __init__(self, details: Mapping[str, object]) -> None:
        super().__init__(ErrorCode.VALIDATION_ERRORS)
        self.details = dict(details)

    @classmethod
    def field(cls, name: str, *codes: str) -> "Invalid":
        """A refusal of one field."""
        return cls({name: list(codes)})


def merge(*details: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """All fields of several findings, codes in order, none twice."""
    merged: dict[str, list[str]] = {}
    for finding in details:
        for name, codes in finding.items():
            known = merged.setdefault(name, [])
            known.extend(code for code in codes if code not in known)
    return merged


def existing(value: T | None, resource: str) -> T:
    """The value that was read.

    Raises: NotFound, where there is none.
    """
    if value is None:
        raise NotFound(resource)
    return value
