"""Amounts, numbers, dates and countries in the language of a document: the only place where they become text."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.domain.money import CONTEXT, exponent, from_cents, to_cents
from chalicelib.features.documents.letters import isolated

_LOCALES: Mapping[str, str] = {"pt-BR": "pt_BR", "zh-TW": "zh_Hant_TW"}
_UNIT_DECIMALS_MAX = 6
_MINUS = "\N{MINUS SIGN}"
# Countries whose addresses have the postcode after the town and the state.
_POSTCODE_LAST = frozenset({"AU", "CA", "GB", "IE", "NZ", "US", "IN"})


class Formats:
    """Texts of values in a language, for a currency."""

    def __init__(self, locale: str, currency: str) -> None:
        self._name = _LOCALES.get(locale, locale)
        self._currency = currency

    @cached_property
    def _locale(self) -> Any:
        from babel import Locale

        return Locale.parse(self._name)

    def money(self, amount: Decimal) -> str:
        """An amount or a price in currency units. It has the decimals that it needs, and at least those of its currency:
        a price may need more."""
        from babel.numbers import format_currency, get_currency_symbol

        decimals = max(exponent(self._currency), _decimals(amount))
        pattern = self._locale.currency_formats["standard"].pattern.replace(".00", _places(decimals))
        if get_currency_symbol(self._currency, self._locale)[-1:].isalpha():
            pattern = pattern.replace("¤#", "¤\N{NO-BREAK SPACE}#")
        text = format_currency(amount, self._currency, format=pattern, locale=self._locale, currency_digits=False)
        return str(text).replace("-", _MINUS)

    def cents(self, cents: int) -> str:
        """An amount in minor units."""
        return self.money(from_cents(Decimal(cents), self._currency))

    def exact_cents(self, amount: Decimal) -> Decimal:
        """An amount in currency units as exact minor units."""
        return to_cents(amount, self._currency)

    def taken(self, cents: int) -> str:
        """An amount in minor units that lowers a total."""
        return self.cents(-cents)

    def number(self, value: Any) -> str:
        """A quantity, with six decimals at the most."""
        from babel.numbers import format_decimal

        number = round(Decimal(str(value)), _UNIT_DECIMALS_MAX)
        return str(format_decimal(number, format="#,##0" + _places(_decimals(number)), locale=self._locale))

    def rate(self, percent: Any) -> str:
        """A rate given in percent, no digit lost."""
        from babel.numbers import format_percent

        share = CONTEXT.scaleb(Decimal(str(percent)), -2)
        pattern = self._locale.percent_formats[None].pattern
        pattern = pattern.replace("#,##0", "#,##0" + _places(max(0, _decimals(share) - 2)))
        return str(format_percent(share, format=pattern, locale=self._locale))

    def day(self, text: str) -> str:
        """A stored day."""
        from babel.dates import format_skeleton

        return str(format_skeleton("yMMMd", date.fromisoformat(text[:10]), locale=self._locale))

    def local_day(self, text: str, timezone: str) -> str:
        """The day of an instant in a customer's zone."""
        return self.day(_local(text, timezone).isoformat())

    def days(self, first: str, last: str, timezone: str) -> str:
        """The days from one instant to another, in a customer's zone."""
        from babel.dates import format_interval

        start, end = _local(first, timezone), _local(last, timezone)
        return (
            self.day(end.isoformat())
            if end <= start
            else str(format_interval(start, end, "yMMMd", locale=self._locale))
        )

    def country(self, code: str) -> str:
        """A country's name."""
        return str(self._locale.territories.get(code, code))

    def address(self, party: Mapping[str, Any]) -> list[str]:
        """The lines of an address, the country by name."""
        country = party.get("country")
        state, town, postcode = (isolated(party.get(name) or "") for name in ("state", "city", "zipcode"))
        if country in _POSTCODE_LAST:
            place = ", ".join(filter(None, [town, " ".join(filter(None, [state, postcode]))]))
        else:
            place = ", ".join(filter(None, [" ".join(filter(None, [postcode, town])), state]))
        lines = [party.get("address_line1"), party.get("address_line2"), place, country and self.country(country)]
        return [line for line in lines if line]


def _local(text: str, timezone: str) -> date:
    return datetime.fromisoformat(text).astimezone(ZoneInfo(timezone)).date()


def _decimals(number: Decimal) -> int:
    return max(0, -int(CONTEXT.create_decimal(number).normalize(CONTEXT).as_tuple().exponent or 0))


def _places(decimals: int) -> str:
    return "." + "0" * decimals if decimals else ""
