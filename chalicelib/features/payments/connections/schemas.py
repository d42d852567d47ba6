"""Requests that connect a payment provider. Its secrets have names of its own and are read beside them."""

from collections.abc import Mapping
from typing import Annotated, Any

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.payments.providers import registry
from chalicelib.features.payments.providers.base import Provider
from chalicelib.platform import schema

_SECRET_CHARS_MAX = 500


class OptionsInput(schema.Request):
    """What can be changed later."""

    name: schema.OptionalName = None
    success_redirect_url: schema.NullOr[schema.Url] = None
    supports_3ds: schema.Boolean | None = None
    retry_if_possible: schema.Boolean | None = None


class ConnectionInput(OptionsInput):
    """The body of `POST /payment_providers`."""

    code: schema.Name
    payment_provider: Annotated[str, schema.one_of(registry.names)]


def secrets_of(provider: Provider, values: Mapping[str, Any], *, mandatory: bool) -> dict[str, str]:
    """The secrets that a request brings. `mandatory`: that for calls must be there.

    Raises: Invalid.
    """
    found, findings = {}, {}
    for number, name in enumerate(provider.secret_fields):
        value = values.get(name)
        if value is None or value == "":
            if mandatory and number == 0:
                findings[name] = [ErrorCode.VALUE_IS_MANDATORY]
        elif not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
            findings[name] = [ErrorCode.VALUE_IS_INVALID]
        elif len(value) > _SECRET_CHARS_MAX:
            findings[name] = [ErrorCode.VALUE_IS_TOO_LONG]
        else:
            found[name] = value
    if findings:
        raise Invalid(findings)
    return found
