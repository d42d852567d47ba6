"""Values as people read them: pure, English, exact. Money is whole minor units or decimal text, never a float.

Instants and days come in as the API writes them (ISO 8601 text) or as values.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal, get_currency_symbol

from chalicelib.domain.money import exponent

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MINUS, _DASH = "\N{MINUS SIGN}", "\N{EN DASH}"


def money(cents: int | None, currency: str | None) -> str:
    """An amount in minor units: `€4,655.77`. A dash for none."""
    if cents is None or currency is None:
        return _DASH
    places = exponent(currency)
    return _currency(Decimal(cents).scaleb(-places), currency, places)


def price(amount: str | Decimal | None, currency: str | None) -> str:
    """A price for one unit, in currency units: all its digits, but no zeros at the end beyond the currency's own."""
    if amount is None or amount == "" or currency is None:
        return _DASH
    value = Decimal(str(amount))
    digits = max(exponent(currency), -int(value.normalize().as_tuple().exponent))
    return _currency(value, currency, digits)


def coded(amount: str | Decimal, currency: str) -> str:
    """The same with the currency's code behind: `1.00 EUR`, as exact texts say it."""
    value = Decimal(str(amount))
    digits = max(exponent(currency), -int(value.normalize().as_tuple().exponent))
    return f"{format_decimal(value, locale='en', decimal_quantization=False, format=_pattern(digits))} {currency}"


def _currency(value: Decimal, currency: str, places: int) -> str:
    digits = format_decimal(abs(value), locale="en", decimal_quantization=False, format=_pattern(places))
    sign = symbol(currency)
    between = "\N{NO-BREAK SPACE}" if sign[-1].isalpha() else ""
    return f"{_MINUS if value < 0 else ''}{sign}{between}{digits}"


@lru_cache(maxsize=64)
def _pattern(places: int) -> str:
    return "#,##0" + ("." + "0" * places if places else "")


@lru_cache(maxsize=256)
def symbol(currency: str) -> str:
    """A currency's sign, or its code where it has none."""
    return str(get_currency_symbol(currency, locale="en"))


def units(value: str | int | Decimal | None) -> str:
    """A quantity: thousands separated, all its digits, no zeros at the end."""
    if value is None or value == "":
        return _DASH
    number = Decimal(str(value))
    text = format_decimal(abs(number), locale="en", decimal_quantization=False, format="#,##0.###############")
    return f"{_MINUS}{text}" if number < 0 else text


def count(value: int) -> str:
    """A whole number with its thousands separated."""
    return f"{value:,}"


def percent(rate: str | int | Decimal | float | None) -> str:
    """A rate in percent, as given: `5.5%`."""
    if rate is None or rate == "":
        return _DASH
    number = Decimal(str(rate))
    text = format(number.normalize(), "f")
    return f"{text}%"


def shortened(identifier: str) -> str:
    """The beginning and the end of an id."""
    return identifier if len(identifier) <= 14 else f"{identifier[:8]}…{identifier[-4:]}"


def initials(email: str) -> str:
    """Two letters for a user without a picture."""
    words = email.partition("@")[0].replace("_", ".").replace("-", ".").split(".")
    letters = [word[0] for word in words if word]
    return ("".join(letters[:2]) if len(letters) > 1 else email[:2]).upper()


def instant_of(value: str | datetime) -> datetime:
    """An instant as the API writes it, aware UTC."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def day_of(value: str | date) -> date:
    """A day as the API writes it."""
    return date.fromisoformat(value[:10]) if isinstance(value, str) else value


def moment(value: str | datetime | None, zone: str, *, time: bool = False, seconds: bool = False) -> str:
    """An instant in a zone: `Oct 19, 2026`, with time `Oct 19, 2026, 16:20`."""
    if value is None:
        return _DASH
    local = instant_of(value).astimezone(ZoneInfo(zone))
    clock = local.strftime(", %H:%M:%S" if seconds else ", %H:%M") if time or seconds else ""
    return day(local.date()) + clock


def day(value: str | date | None) -> str:
    """A day: `Oct 19, 2026`."""
    if value is None:
        return _DASH
    found = day_of(value)
    return f"{_MONTHS[found.month - 1]} {found.day}, {found.year}"


def ago(value: str | datetime, now: datetime) -> str:
    """How long ago an instant was, in the largest unit that it fills: `5 min ago`."""
    seconds = max(0, int((now - instant_of(value)).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def last_day(value: str | datetime, zone: str) -> str:
    """The last day of a period that ends at or right before an instant, in a zone."""
    instant = instant_of(value)
    local = instant.astimezone(ZoneInfo(zone))
    is_start = (local.hour, local.minute, local.second) == (0, 0, 0)
    return day((local - timedelta(seconds=1) if is_start else local).date())


def after(value: str | datetime) -> datetime:
    """The instant at which the next period begins, of one whose last second is told."""
    return instant_of(value) + timedelta(seconds=1)


def day_after(value: str | datetime | None, zone: str) -> str:
    """The day on which the next period begins, of one whose last second is told."""
    return moment(None if value is None else after(value), zone)


def tip(value: str | datetime, organization_zone: str, customer_zone: str | None = None) -> str:
    """Lines of a tooltip: `name|instant`, to the second, in UTC and the zones of the two."""
    lines = [f"UTC|{moment(value, 'UTC', seconds=True)}"]
    lines.append(f"Organization|{moment(value, organization_zone, seconds=True)} · {organization_zone}")
    if customer_zone:
        lines.append(f"Customer|{moment(value, customer_zone, seconds=True)} · {customer_zone}")
    return "\n".join(lines)


def day_tip(value: str | date, zone: str) -> str:
    """The same of a pure day: whose calendar it belongs to, and when it begins in UTC."""
    found = day_of(value)
    begins = datetime(found.year, found.month, found.day, tzinfo=ZoneInfo(zone))
    return f"Calendar|{zone}\nBegins|{moment(begins, 'UTC', seconds=True)} UTC"


def local_text(value: str | datetime | None, zone: str) -> str:
    """An instant as a field for date and time shows it, in a zone: `2026-10-19T16:20`."""
    return "" if not value else instant_of(value).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")


def from_local(text: str, zone: str) -> str:
    """The instant that somebody chose in a zone, as the API takes it; what is none stays as it is, for the API to refuse."""
    try:
        local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
        return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return text


def as_minor(text: str, currency: str) -> int | None:
    """Minor units of an amount that somebody typed ("12.50"); None where it is no amount of this currency."""
    try:
        value = Decimal(text.strip().replace(",", "")) if text.strip() else None
    except ArithmeticError:
        return None
    if value is None or not value.is_finite():
        return None
    scaled = value.scaleb(exponent(currency))
    return int(scaled) if scaled == scaled.to_integral_value() and abs(scaled) < 10**18 else None


def as_typed(cents: int | None, currency: str) -> str:
    """The same amount as a field shows it: `12.50`."""
    if cents is None:
        return ""
    places = exponent(currency)
    return f"{Decimal(cents).scaleb(-places):.{places}f}"


def stamp(at: datetime) -> str:
    """An instant as addresses have it: seconds since 1970."""
    return str(int(at.timestamp()))


def unstamp(text: str) -> datetime | None:
    """The instant that an address has; None for what is none."""
    return datetime.fromtimestamp(int(text), UTC) if text.isascii() and text.isdecimal() and len(text) < 11 else None


def json_text(value: Any) -> str:
    """JSON as people read it."""
    import simplejson

    return str(simplejson.dumps(value, indent=2, use_decimal=True, ensure_ascii=False))
