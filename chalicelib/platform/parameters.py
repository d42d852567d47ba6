"""Query parameters: each value is parsed strictly, or refused with 422 under the parameter's name.

An absent or empty parameter has no value. The last value of a repeated parameter counts, and all of them must be valid.
"""

import re
from collections.abc import Callable, Collection
from datetime import datetime
from typing import TypeVar

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.domain.money import CURRENCIES
from chalicelib.platform import schema
from chalicelib.platform.http import Call

T = TypeVar("T")

# Some clients write Python's spelling of booleans.
_SWITCHES = {"true": True, "True": True, "false": False, "False": False}


def word(call: Call, name: str, known: Collection[str]) -> str | None:
    """One of the known words.

    Raises: Invalid, `value_is_invalid`.
    """
    return _last(call, name, lambda text: text if text in known else None, ErrorCode.VALUE_IS_INVALID)


def words(call: Call, names: Collection[str], known: Collection[str], field: str | None = None) -> list[str]:
    """All values of these parameters without repetition, each of them a known word. `field`: the name under which they
    are refused.

    Raises: Invalid, `value_is_invalid`.
    """
    found = texts(call, *names)
    if any(text not in known for text in found):
        raise Invalid.field(field or next(iter(names)), ErrorCode.VALUE_IS_INVALID)
    return found


def texts(call: Call, *names: str) -> list[str]:
    """All values of these parameters without repetition. Their number is bounded, as each becomes a term of a
    condition.

    Raises: Invalid, `invalid_count`.
    """
    found = list(dict.fromkeys(call.many(*names)))
    if len(found) > limits.QUERY_VALUES_MAX:
        raise Invalid.field(names[0], ErrorCode.INVALID_COUNT)
    return found


def nested(call: Call, name: str) -> dict[str, str]:
    """The values of parameters like `metadata[color]=red` by what stands in the brackets; an empty value counts as well.

    Raises: Invalid, `invalid_count`.
    """
    found = {
        parameter[len(name) + 1 : -1]: values[-1]
        for parameter, values in call.query.items()
        if parameter.startswith(f"{name}[") and parameter.endswith("]") and len(parameter) > len(name) + 2 and values
    }
    if len(found) > limits.METADATA_PAIRS_MAX:
        raise Invalid.field(name, ErrorCode.INVALID_COUNT)
    return found


def currency(call: Call, name: str = "currency") -> str | None:
    """A currency's code.

    Raises: Invalid, `value_is_invalid`.
    """
    return word(call, name, CURRENCIES)


def switch(call: Call, name: str) -> bool | None:
    """`true` or `false`.

    Raises: Invalid, `value_is_invalid`.
    """
    return _last(call, name, _SWITCHES.get, ErrorCode.VALUE_IS_INVALID)


def day(call: Call, name: str) -> str | None:
    """An ISO 8601 date; of an instant, the date as written.

    Raises: Invalid, `invalid_date`.
    """
    return _last(call, name, lambda text: text.strip()[:10] if schema.instant(text) else None, ErrorCode.INVALID_DATE)


def instant(call: Call, name: str) -> datetime | None:
    """An ISO 8601 instant; a date is its midnight in UTC.

    Raises: Invalid, `invalid_date`.
    """
    return _last(call, name, schema.instant, ErrorCode.INVALID_DATE)


def cents(call: Call, name: str) -> int | None:
    """A whole number of cents.

    Raises: Invalid, `value_is_invalid`.
    """
    return _last(
        call, name, lambda text: int(text) if re.fullmatch("-?[0-9]{1,15}", text) else None, ErrorCode.VALUE_IS_INVALID
    )


def count(call: Call, name: str) -> int | None:
    """A whole number that is not negative; one above `limits.INTEGER_MAX` is read as that limit.

    Raises: Invalid, `value_is_invalid`.
    """
    return _last(call, name, _whole, ErrorCode.VALUE_IS_INVALID)


def _whole(text: str) -> int | None:
    if re.fullmatch("[0-9]+", text) is None:
        return None
    digits = text.lstrip("0")
    return int(digits or "0") if len(digits) < len(str(limits.INTEGER_MAX)) else limits.INTEGER_MAX


def _last(call: Call, name: str, read: Callable[[str], T | None], code: str) -> T | None:
    found = [read(text) for text in call.query.get(name, ()) if text != ""]
    if any(value is None for value in found):
        raise Invalid.field(name, code)
    return found[-1] if found else None
