"""E-mails of users: one address each, in lower case."""

from typing import Annotated

from pydantic import AfterValidator, Field

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.platform import schema

_EmailText = Annotated[
    schema.Text, Field(pattern=f"^{schema.ADDRESS}$"), schema.refused(ErrorCode.INVALID_EMAIL_FORMAT)
]


def _bounded(email: str) -> str:
    if len(email) > limits.EMAIL_CHARS_MAX:
        raise schema.refuse(ErrorCode.VALUE_IS_TOO_LONG)
    return email


class EmailInput(schema.Request):
    """The e-mail that names a user."""

    email: Annotated[_EmailText, AfterValidator(_bounded), schema.FILLED]


def checked(email: str) -> str:
    """The e-mail as it is kept.

    Raises: Invalid, where it is no single address.
    """
    return schema.parse(EmailInput, {"email": lowered(email)}).email


def lowered(email: str) -> str:
    """The e-mail as it would be kept, if it is one; what UTF-8 cannot say becomes `?`."""
    return email.strip().lower().encode("utf-8", "replace").decode()


def first_of(emails: str | None) -> str | None:
    """The first of an organization's e-mails."""
    return lowered(emails.split(",")[0]) if emails else None
