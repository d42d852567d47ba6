"""Types of request fields: each one says what it takes and, refused, which code the API gives.

Requests are pydantic models of these types; `parse` reports all wrong fields at once, each under its own bare name. A
key that is absent and one that is null differ: `model_fields_set` tells, and updates use it.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from chalicelib import limits
from chalicelib.domain.errors import Invalid
from chalicelib.domain.money import CURRENCIES

LOCALES = ("en", "fr", "de", "nb", "it", "es", "sv", "pt-BR", "zh-TW")


class Request(BaseModel):
    """Base of all request schemas: unknown keys are dropped, as the API does."""

    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)

    def given(self, *names: str) -> dict[str, Any]:
        """The fields among `names` (all, when none is named) that the request holds, null ones included."""
        return {
            name: getattr(self, name) for name in (names or type(self).model_fields) if name in self.model_fields_set
        }


R = TypeVar("R", bound=BaseModel)


def parse(model: type[R], values: Mapping[str, Any]) -> R:
    """The request as a validated object.

    Raises: Invalid, with all wrong fields.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise Invalid(findings(error)) from error


def examine(model: type[R], values: Mapping[str, Any]) -> tuple[R | None, dict[str, list[str]]]:
    """The request as an object, or None and all wrong fields: for who has more to check before refusing."""
    try:
        return model.model_validate(values), {}
    except ValidationError as error:
        return None, findings(error)


def findings(error: ValidationError) -> dict[str, list[str]]:
    """Wrong fields and their codes; a field of a nested object stands under its own bare name."""
    details: dict[str, list[str]] = {}
    for finding in error.errors(include_url=False, include_input=False):
        names = [part for part in finding["loc"] if isinstance(part, str)]
        context = finding.get("ctx", {})
        name = context.get("field") or (names[-1] if names else "base")
        code = finding["type"]
        if code == "missing":
            code = "value_is_mandatory"
        elif not context.get("ours"):
            code = "value_is_invalid"
        codes = details.setdefault(name, [])
        if code not in codes:
            codes.append(code)
    return details


def refuse(code: str, field: str | None = None) -> PydanticCustomError:
    """A finding of ours: the code that the API gives, under another name than the field's own where `field` says so."""
    return PydanticCustomError(code, code, {"ours": True, "field": field})


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise refuse("value_is_invalid")


def _mandatory(value: Any) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise refuse("value_is_mandatory")
    return _text(value)


def _up_to(length: int) -> Callable[[str | None], str | None]:
    def check(value: str | None) -> str | None:
        if value is not None and len(value) > length:
            raise refuse("value_is_too_long")
        return value

    return check


def _optional(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else inner(value)


def _blank_is_none(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None or value == "" else inner(value)


def _one_of(values: frozenset[str], code: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in values:
            raise refuse(code)
        return value

    return check


def one_of(*values: str, code: str = "value_is_invalid") -> Any:
    """One of the given words, also when the field is missing (give it a default of None to report that)."""
    return Annotated[str, BeforeValidator(_one_of(frozenset(values), code))]


def words_of(known: Collection[str], code: str = "value_is_invalid") -> Callable[[Any], tuple[str, ...]]:
    """Reads a list of known words; null means none."""

    def check(value: Any) -> tuple[str, ...]:
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(entry, str) and entry in known for entry in value):
            raise refuse(code)
        return tuple(value)

    return check


def optional_one_of(*values: str, code: str = "value_is_invalid") -> Any:
    """One of the given words, or null."""
    return Annotated[str | None, BeforeValidator(_optional(_one_of(frozenset(values), code)))]


def _country(value: Any) -> str:
    if not isinstance(value, str) or value.upper() not in countries():
        raise refuse("not_a_valid_country_code")
    return value.upper()


@lru_cache(maxsize=1)
def countries() -> frozenset[str]:
    """ISO 3166 alpha-2 codes of all territories in use."""
    return frozenset(_ISO_3166.split())


def _timezone(value: Any) -> str:
    if not isinstance(value, str) or (value != "UTC" and value not in timezones()):
        raise refuse("invalid_timezone")
    return value


@lru_cache(maxsize=1)
def timezones() -> frozenset[str]:
    """Names of the time zone database that stand for a place."""
    return frozenset(name for name in available_timezones() if name != "localtime" and not name.startswith("posix"))


_EMAIL = re.compile(r"[^@\s,]+@[^@\s,]+\.[^@\s,.]+")


def _email(value: Any) -> str:
    parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else [""]
    if not all(_EMAIL.fullmatch(part) for part in parts):
        raise refuse("invalid_email_format")
    return str(value)


def url_checked(value: Any) -> str:
    """An http(s) address with a host."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        sound = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
        sound = sound and parts is not None and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or any(c.isspace() for c in value):
        raise refuse("url_is_invalid")
    return str(value)


def _integer(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        value = int(value)
    if isinstance(value, Decimal) and value == value.to_integral_value() and value.adjusted() < 18:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise refuse("value_is_invalid")
    if abs(value) > limits.INTEGER_MAX:
        raise refuse("value_is_out_of_range")
    return value


def _not_negative(value: Any) -> int:
    number = _integer(value)
    if number < 0:
        raise refuse("value_is_out_of_range")
    return number


def _mandatory_cents(value: Any) -> int:
    if value is None or value == "":
        raise refuse("value_is_mandatory")
    return _not_negative(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise refuse("value_is_invalid")
    return value


def exact(value: Any) -> Decimal | None:
    """A JSON number or numeric string as an exact decimal of bounded size; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        return None
    if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?", value.strip()):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or number.adjusted() > 15 or exponent < -limits.DECIMAL_DIGITS_MAX:
        return None
    return number


def _rate(value: Any) -> Decimal:
    if value is None or value == "":
        raise refuse("value_is_mandatory")
    number = exact(value)
    if number is None:
        raise refuse("value_is_invalid")
    if not 0 <= number <= 100:
        raise refuse("value_is_out_of_range")
    return number


def instant(value: Any) -> datetime | None:
    """An ISO 8601 text as aware UTC (a date is its midnight in UTC); None for anything else."""
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d", value):
        return None
    try:
        at = datetime.fromisoformat(value.strip().replace(" ", "T"))
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    try:
        return at.astimezone(UTC) if 1900 <= at.year <= 9000 else None
    except OverflowError:
        return None


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    at = instant(value)
    if at is None:
        raise refuse("invalid_date")
    return at


Name = Annotated[str, BeforeValidator(lambda value: _up_to(255)(_mandatory(value)))]
OptionalName = Annotated[str | None, BeforeValidator(lambda value: _up_to(255)(_optional(_text)(value)))]
Code = Annotated[str, BeforeValidator(lambda value: _up_to(255)(_mandatory(value)))]
OptionalText = Annotated[str | None, BeforeValidator(lambda value: _up_to(10_000)(_optional(_text)(value)))]
Currency = Annotated[str, BeforeValidator(_one_of(CURRENCIES, "value_is_invalid"))]
OptionalCurrency = Annotated[str | None, BeforeValidator(_blank_is_none(_one_of(CURRENCIES, "value_is_invalid")))]
OptionalCountry = Annotated[str | None, BeforeValidator(_blank_is_none(_country))]
Timezone = Annotated[str, BeforeValidator(_timezone)]
OptionalTimezone = Annotated[str | None, BeforeValidator(_blank_is_none(_timezone))]
OptionalEmail = Annotated[str | None, BeforeValidator(_blank_is_none(_email))]
Url = Annotated[str, BeforeValidator(url_checked)]
OptionalUrl = Annotated[str | None, BeforeValidator(_blank_is_none(url_checked))]
OptionalLocale = optional_one_of(*LOCALES, code="not_a_valid_language_code")
OptionalDays = Annotated[int | None, BeforeValidator(_optional(_not_negative))]
Cents = Annotated[int, BeforeValidator(_mandatory_cents)]
OptionalCents = Annotated[int | None, BeforeValidator(_optional(_not_negative))]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
OptionalBoolean = Annotated[bool | None, BeforeValidator(_optional(_boolean))]
Rate = Annotated[Decimal, BeforeValidator(_rate)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
OptionalInstant = Annotated[datetime | None, BeforeValidator(_blank_is_none(_instant))]


def text_list(code: str = "value_is_invalid") -> Any:
    """A list of texts; null means empty."""

    def check(value: Any) -> list[str]:
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise refuse(code)
        return value

    return Annotated[list[str], BeforeValidator(check)]


Codes = text_list()

_ISO_3166 = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD
CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF
GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI
SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
VN VU WF WS YE YT ZA ZM ZW
"""


def pair_findings(name: Any, value: Any, taken: set[str], *, value_max: int) -> dict[str, list[str]]:
    """What is wrong with one pair of metadata, texts or numbers, under the bare names `key` and `value`.

    Source: rules/invoices 11.
    """
    wrong: dict[str, list[str]] = {}
    for field, given, longest in (("key", name, 20), ("value", value, value_max)):
        if given is None or (isinstance(given, str) and not given.strip()):
            wrong[field] = ["value_is_mandatory"]
        elif isinstance(given, bool) or not isinstance(given, str | int | Decimal):
            wrong[field] = ["value_is_invalid"]
        elif len(str(given)) > longest:
            wrong[field] = ["value_is_too_long"]
    if "key" not in wrong and str(name) in taken:
        wrong["key"] = ["value_already_exist"]
    return wrong
