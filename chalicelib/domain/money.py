"""Exact amounts: one context, one rounding, the currencies and their minor units.

Python's default context rounds a product to 28 digits in silence; everything of ours is computed in `CONTEXT`.
Source: rules/usage 8; rules/invoices 4.2 (half away from zero).
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

# A sum of 10^10 quantities of 38 digits has 48, the price of a unit 30: their product is exact, and shares without end are cut
# far below any price.
CONTEXT = Context(prec=80, rounding=ROUND_HALF_UP)

CURRENCIES = frozenset(
    [
        "AED",
        "AFN",
        "ALL",
        "AMD",
        "ANG",
        "AOA",
        "ARS",
        "AUD",
        "AWG",
        "AZN",
        "BAM",
        "BBD",
        "BDT",
        "BGN",
        "BHD",
        "BIF",
        "BMD",
        "BND",
        "BOB",
        "BRL",
        "BSD",
        "BTN",
        "BWP",
        "BYN",
        "BZD",
        "CAD",
        "CDF",
        "CHF",
        "CLF",
        "CLP",
        "CNY",
        "COP",
        "CRC",
        "CUP",
        "CVE",
        "CZK",
        "DJF",
        "DKK",
        "DOP",
        "DZD",
        "EGP",
        "ERN",
        "ETB",
        "EUR",
        "FJD",
        "FKP",
        "GBP",
        "GEL",
        "GHS",
        "GIP",
        "GMD",
        "GNF",
        "GTQ",
        "GYD",
        "HKD",
        "HNL",
        "HRK",
        "HTG",
        "HUF",
        "IDR",
        "ILS",
        "INR",
        "IQD",
        "IRR",
        "ISK",
        "JMD",
        "JOD",
        "JPY",
        "KES",
        "KGS",
        "KHR",
        "KMF",
        "KRW",
        "KWD",
        "KYD",
        "KZT",
        "LAK",
        "LBP",
        "LKR",
        "LRD",
        "LSL",
        "LYD",
        "MAD",
        "MDL",
        "MGA",
        "MKD",
        "MMK",
        "MNT",
        "MOP",
        "MRO",
        "MRU",
        "MUR",
        "MVR",
        "MWK",
        "MXN",
        "MYR",
        "MZN",
        "NAD",
        "NGN",
        "NIO",
        "NOK",
        "NPR",
        "NZD",
        "OMR",
        "PAB",
        "PEN",
        "PGK",
        "PHP",
        "PKR",
        "PLN",
        "PYG",
        "QAR",
        "RON",
        "RSD",
        "RUB",
        "RWF",
        "SAR",
        "SBD",
        "SCR",
        "SDG",
        "SEK",
        "SGD",
        "SHP",
        "SLE",
        "SLL",
        "SOS",
        "SRD",
        "SSP",
        "STD",
        "STN",
        "SYP",
        "SZL",
        "THB",
        "TJS",
        "TMT",
        "TND",
        "TOP",
        "TRY",
        "TTD",
        "TWD",
        "TZS",
        "UAH",
        "UGX",
        "USD",
        "UYU",
        "UZS",
        "VES",
        "VND",
        "VUV",
        "WST",
        "XAF",
        "XCD",
        "XOF",
        "XPF",
        "YER",
        "ZAR",
        "ZMW",
        "ZWL",
    ]
)
# Minor units of ISO 4217, which CLDR's decimals are not; that of all other currencies is a hundredth.
_NO_MINOR_UNIT = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_THOUSANDTHS = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])
_TEN_THOUSANDTHS = frozenset(["CLF"])


def exponent(currency: str) -> int:
    """The number of decimals of the currency's minor unit: 0, 2, 3 or 4."""
    if currency in _NO_MINOR_UNIT:
        return 0
    if currency in _THOUSANDTHS:
        return 3
    return 4 if currency in _TEN_THOUSANDTHS else 2


def round_half_up(amount: Decimal | Fraction) -> int:
    """The whole number nearest to an exact amount, halves away from zero: the one rounding of the product."""
    if isinstance(amount, Decimal):
        return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP, context=CONTEXT))
    nearest = (2 * abs(amount.numerator) + amount.denominator) // (2 * amount.denominator)
    return nearest if amount >= 0 else -nearest


def to_decimal(amount: Fraction) -> Decimal:
    """An exact fraction as a decimal: every digit where they end, else as many as `CONTEXT` has."""
    return CONTEXT.divide(Decimal(amount.numerator), Decimal(amount.denominator))


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    result = Decimal(0)
    for amount in amounts:
        result = CONTEXT.add(result, amount)
    return result


def to_cents(amount: Decimal, currency: str) -> Decimal:
    """An amount in currency units as exact minor units."""
    return amount.scaleb(exponent(currency), context=CONTEXT)


def from_cents(cents: Decimal, currency: str) -> Decimal:
    """Exact minor units as an amount in currency units."""
    return cents.scaleb(-exponent(currency), context=CONTEXT)


def decimal_string(value: Decimal) -> str:
    """Plain digits with at least one decimal and no idle zeros: `0.0`, `3.0`, `12.5`."""
    text = format(value, "f")
    if "." not in text:
        text += ".0"
    whole, fraction = text.split(".")
    shown = f"{whole}.{fraction.rstrip('0') or '0'}"
    return "0.0" if shown == "-0.0" else shown
