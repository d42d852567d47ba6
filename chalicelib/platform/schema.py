"""Types of request fields: `model_json_schema()` describes the values of each; a refusal has one of the API's codes.

A key that is absent and one that is null differ: `model_fields_set` tells, and updates use it.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import pydantic
from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError, core_schema

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.domain.money import CURRENCIES

# Codes of pydantic's findings. The others (`string_type`, `literal_error`, `enum`, ...) are all `value_is_invalid`.
CODES = {
    "missing": ErrorCode.VALUE_IS_MANDATORY,
    "string_too_short": ErrorCode.VALUE_IS_MANDATORY,
    "string_too_long": ErrorCode.VALUE_IS_TOO_LONG,
    "greater_than_equal": ErrorCode.VALUE_IS_OUT_OF_RANGE,
    "less_than_equal": ErrorCode.VALUE_IS_OUT_OF_RANGE,
}
T = TypeVar("T")
R = TypeVar("R", bound=BaseModel)


class Request(BaseModel):
    """Base of all request schemas: unknown keys are dropped, as the API does."""

    model_config = pydantic.ConfigDict(defer_build=True, extra="ignore", frozen=True, regex_engine="python-re")

    def given(self, *names: str) -> dict[str, Any]:
        """The fields among `names` (all, when none is named) that the request holds, null ones included."""
        return {n: getattr(self, n) for n in (names or type(self).model_fields) if n in self.model_fields_set}


def parse(model: type[R], values: Mapping[str, Any]) -> R:
    """The request as a validated object.

    Raises: Invalid, with all wrong fields.
    """
    request, findings = examine(model, values)
    if request is None:
        raise Invalid(findings)
    return request


def examine(model: type[R], values: Mapping[str, Any]) -> tuple[R | None, dict[str, list[str]]]:
    """The request, or None and the codes of all wrong fields, those of nested objects under their own bare names."""
    try:
        return model.model_validate(values), {}
    except pydantic.ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    details: dict[str, list[str]] = {}
    for finding in found:
        kind, context = finding["type"], finding.get("ctx", {})
        name = context.get("field") or next((n for n in reversed(finding["loc"]) if isinstance(n, str)), "base")
        code = kind if context.get("ours") else CODES.get(kind, ErrorCode.VALUE_IS_INVALID)
        if code not in details.setdefault(name, []):
            details[name].append(code)
    return None, details


def require_understood(model: type[R], values: Mapping[str, Any], names: Collection[str]) -> None:
    """Refuse values of these fields that say nothing, where a change of them would be ignored.

    Raises: Invalid.
    """
    _, findings = examine(model, values)
    wrong = {name: codes for name, codes in findings.items() if name in names}
    if wrong:
        raise Invalid(wrong)


def refuse(code: str, field: str | None = None) -> PydanticCustomError:
    """A finding of ours: the code that the API gives, under another name than the field's own where `field` says so."""
    return PydanticCustomError(code, code, {"ours": True, "field": field})


def refused(code: ErrorCode) -> pydantic.GetPydanticSchema:
    """The code of whatever is wrong with a field, in the place of those in `CODES`."""
    how: Any = {"custom_error_type": code, "custom_error_message": code, "custom_error_context": {"ours": True}}
    return pydantic.GetPydanticSchema(lambda source, inner: core_schema.custom_error_schema(inner(source), **how))


def number(**bounds: int) -> Any:
    """The JSON schema of a number, or its text, that is kept as another type."""
    return pydantic.WithJsonSchema({"anyOf": [{"type": "number", **bounds}, {"type": "string"}]})


def one_of(words: Callable[[], Collection[str]]) -> pydantic.GetPydanticSchema:
    """A `Literal` of words that are read when they are needed."""

    def known(word: str) -> str:
        if word not in words():
            raise ValueError(word)
        return word

    text = core_schema.no_info_after_validator_function(known, core_schema.str_schema(strict=True))
    return pydantic.GetPydanticSchema(lambda *_: text, lambda *_: {"type": "string", "enum": sorted(words())})


@lru_cache(maxsize=1)
def countries() -> frozenset[str]:
    """ISO 3166 alpha-2 codes; CLDR's regions that are no country of ISO are left out."""
    from babel import Locale

    two = {code for code in Locale("en").territories if len(code) == 2 and code.isalpha()}
    return frozenset(
        two.difference(["AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"])
    )


@lru_cache(maxsize=1)
def timezones() -> frozenset[str]:
    """Names of the time zone database that stand for a place."""
    return frozenset(n for n in available_timezones() if n != "localtime" and not n.startswith("posix")) | {"UTC"}


def is_printed(text: str) -> bool:
    """Whether a text has no control characters but tab and newline."""
    return re.match(_PRINTED, text) is not None


def url_checked(value: str) -> str:
    """An http(s) address with a host."""
    parts, is_plain = urlsplit(value), is_printed(value) and not any(map(str.isspace, value))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0 or not is_plain:
        raise ValueError(value)
    return value


def exact(value: Any) -> Decimal:
    """A JSON number or numeric string as an exact decimal of bounded size; anything else is refused."""
    is_text = isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,40}(\.[0-9]{1,40})?\s*", value)
    number = Decimal(value) if is_text or type(value) in (int, Decimal) else Decimal("NaN")
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or number.adjusted() > 15 or exponent < -limits.DECIMAL_DIGITS_MAX:
        raise refuse(ErrorCode.VALUE_IS_INVALID)
    return number


def instant(value: Any) -> datetime | None:
    """An ISO 8601 text as aware UTC (a date is its midnight in UTC); None for anything else."""
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d", value):
        return None
    try:
        at = datetime.fromisoformat(value.strip().replace(" ", "T"))
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return at.astimezone(UTC) if 1900 <= at.year <= 9000 else None
    except (ValueError, OverflowError):
        return None


def _given(value: Any) -> Any:
    if value is None or value == "":
        raise refuse(ErrorCode.VALUE_IS_MANDATORY)
    return value


def _text_as_integer(value: Any) -> Any:
    whole = isinstance(value, Decimal) and value == value.to_integral_value() and value.adjusted() < 18
    return int(value) if whole or (isinstance(value, str) and re.fullmatch("-?[0-9]{1,18}", value)) else value


FILLED = BeforeValidator(lambda value: _given(value.strip() and value if isinstance(value, str) else value))
_READ_TEXT = BeforeValidator(lambda value: str(value) if type(value) is int else value)
READ_INTEGER, GIVEN = BeforeValidator(_text_as_integer), BeforeValidator(_given)
_READ_INSTANT = BeforeValidator(lambda value: value if isinstance(value, datetime) else instant(value))
_UPPER = BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value)
_UNPRINTED = r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # Control characters but tab and newline.
_PRINTED = rf"^[^{_UNPRINTED}]*(\r\n[^{_UNPRINTED}]*)*$"
ADDRESS = rf"[^@\s,{_UNPRINTED}]+@[^@\s,{_UNPRINTED}]+\.[^@\s,.{_UNPRINTED}]+"
_EMAIL = rf"^\s*{ADDRESS}\s*(,\s*{ADDRESS}\s*)*$"
_LOCALES = Literal["en", "fr", "de", "nb", "it", "es", "sv", "pt-BR", "zh-TW"]
_URI = pydantic.WithJsonSchema({"type": "string", "format": "uri"})
NULL_AS_LIST = BeforeValidator(lambda value: [] if value is None else value)
NULL_AS_OBJECT = BeforeValidator(lambda value: {} if value is None else value)

NullOr = Annotated[T | None, BeforeValidator(lambda value: None if value == "" else value)]  # A blank text is null.
ListOf = Annotated[list[T], pydantic.FailFast(), NULL_AS_LIST]
Object = Annotated[dict[str, Any], NULL_AS_OBJECT]
Boolean = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(strict=True)]  # A word that is looked up: of what is kept, `Printed` is the base.
Printed = Annotated[str, Field(strict=True, pattern=_PRINTED)]  # Without control characters but tab and newline.
Name = Annotated[Printed, Field(min_length=1, max_length=255), _READ_TEXT, FILLED]
OptionalName = Annotated[Printed, Field(max_length=255), _READ_TEXT] | None
OptionalText = Annotated[Printed, Field(max_length=10_000), _READ_TEXT] | None
# Texts of events, which happened: none is refused for its characters.
EventName = Annotated[Text, Field(min_length=1, max_length=255), _READ_TEXT, FILLED]
OptionalEventName = Annotated[Text, Field(max_length=255), _READ_TEXT] | None
Count = Annotated[int, Field(strict=True, ge=0, le=limits.INTEGER_MAX), READ_INTEGER]
Cents = Annotated[int, Field(strict=True, ge=0, le=limits.INTEGER_MAX), READ_INTEGER, GIVEN]
Rate = Annotated[Decimal, Field(ge=0, le=100), BeforeValidator(exact), GIVEN]
Currency = Annotated[str, one_of(lambda: CURRENCIES)]
Country = Annotated[str, one_of(countries), _UPPER, refused(ErrorCode.NOT_A_VALID_COUNTRY_CODE)]
Timezone = Annotated[str, one_of(timezones), refused(ErrorCode.INVALID_TIMEZONE)]
Locale = Annotated[_LOCALES, refused(ErrorCode.NOT_A_VALID_LANGUAGE_CODE)]
Email = Annotated[Text, Field(pattern=_EMAIL), refused(ErrorCode.INVALID_EMAIL_FORMAT)]
Url = Annotated[Text, pydantic.AfterValidator(url_checked), _URI, refused(ErrorCode.URL_IS_INVALID)]
Instant = Annotated[datetime, _READ_INSTANT, refused(ErrorCode.INVALID_DATE)]
