"""Requests that connect a payment provider. Its secrets have names of its own and are read beside them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.payments.providers import registry
from chalicelib.features.payments.providers.base import Provider
from chalicelib.platform import schema

_SECRET_CHARS_MAX = 500
_REDIRECT = "redirect_uri"


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
    return _words(values, provider.secret_fields, mandatory=mandatory)


def code_of(provider: Provider, values: Mapping[str, Any]) -> tuple[str, str] | None:
    """The one-time code that a request brings instead of the secrets, and the address of the page where its owner got it; None
    where there is none.

    Raises: Invalid.
    """
    if provider.code_field is None or not values.get(provider.code_field) or values.get(provider.secret_fields[0]):
        return None
    found = _words(values, (provider.code_field, _REDIRECT), mandatory=True)
    return found[provider.code_field], found.get(_REDIRECT, "")


def _words(values: Mapping[str, Any], names: Sequence[str], *, mandatory: bool) -> dict[str, str]:
    """The words of a request under these names. `mandatory`: the first one must be there.

    Raises: Invalid.
    """
    found, findings = {}, {}
    for number, name in enumerate(names):
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
