"""The payment providers there are: the one place that names them. A module is imported when its provider is first asked for."""

import importlib

from chalicelib.features.payments.providers.base import Provider

_HERE = "chalicelib.features.payments.providers"

# By the name that `payment_provider` has in the API. Each module has a `PROVIDER`.
MODULES: dict[str, str] = {
    "stripe": f"{_HERE}.stripe",
    "gocardless": f"{_HERE}.gocardless",
}


def names() -> list[str]:
    """The names of all providers."""
    return list(MODULES)


def provider(name: str) -> Provider:
    """The provider of a name.

    Raises: KeyError, for a name that is not registered.
    """
    found: Provider = importlib.import_module(MODULES[name]).PROVIDER
    return found
