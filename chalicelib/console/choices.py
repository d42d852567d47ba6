"""Choices of forms: the words that the API takes, with their names in English."""

from collections.abc import Sequence
from functools import lru_cache
from typing import get_args

from babel import Locale

from chalicelib.domain import payment_providers
from chalicelib.domain.money import CURRENCIES
from chalicelib.features.customers.records import PaymentMethod
from chalicelib.platform import schema

Choices = Sequence[tuple[str, str]]

LANGUAGES: Choices = (
    ("en", "English"),
    ("fr", "French"),
    ("de", "German"),
    ("nb", "Norwegian"),
    ("it", "Italian"),
    ("es", "Spanish"),
    ("sv", "Swedish"),
    ("pt-BR", "Portuguese (Brazil)"),
    ("zh-TW", "Chinese (Taiwan)"),
)
_PROVIDERS = {"stripe": "Stripe", "gocardless": "GoCardless"}


def provider(name: str) -> str:
    """What a payment provider is called."""
    return _PROVIDERS.get(name, name.replace("_", " ").capitalize())


PROVIDERS: Choices = tuple((each, provider(each)) for each in payment_providers.names())
_METHODS = {"sepa_debit": "SEPA debit", "us_bank_account": "US bank account", "bacs_debit": "Bacs debit"}
METHODS: Choices = tuple(
    (each, _METHODS.get(each, each.replace("_", " ").capitalize())) for each in get_args(PaymentMethod)
)


@lru_cache(maxsize=1)
def currencies() -> Choices:
    """All currencies, by code."""
    names = Locale("en").currencies
    return [(code, f"{code} · {names[code]}" if code in names else code) for code in sorted(CURRENCIES)]


@lru_cache(maxsize=1)
def countries() -> Choices:
    """All countries, by name."""
    names = Locale("en").territories
    return sorted(((code, str(names[code])) for code in schema.countries()), key=lambda each: each[1])


_CONTINENTS = ("Africa/", "America/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/")


@lru_cache(maxsize=1)
def timezones() -> Sequence[str]:
    """Time zones to choose from: each place once, by the name that it has today, and UTC. Older names are understood too."""
    offered = (each for each in schema.timezones() if each.startswith(_CONTINENTS) and each.count("/") == 1)
    return [*sorted(offered), "UTC"]


def or_organizations(choices: Choices, value: str | None) -> Choices:
    """The same choices after the organization's own, which holds where nothing is chosen."""
    name = dict(choices).get(value or "", value or "")
    return [("", f"As the organization: {name}" if name else "As the organization"), *choices]
