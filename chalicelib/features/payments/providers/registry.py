"""The payment providers, by their names. A module is imported when its provider is first asked for."""

import importlib

from chalicelib.domain.payment_providers import MODULES
from chalicelib.features.payments.providers.base import Provider

__all__ = ["MODULES", "names", "provider"]


def names() -> list[str]:
    """The names of all providers that we speak to."""
    return list(MODULES)


def provider(name: str) -> Provider:
    """The provider of a name.

    Raises: KeyError, for a name that is not registered.
    """
    found: Provider = importlib.import_module(MODULES[name]).PROVIDER
    return found
