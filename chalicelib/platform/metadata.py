"""One pair of metadata of a customer or an invoice. Source: rules/invoices 11."""

from collections.abc import Collection
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.platform import schema

_AS_TEXT = BeforeValidator(lambda value: str(value) if type(value) in (int, Decimal) else value)


class Pair(schema.Request):
    """A pair of an invoice."""

    key: Annotated[schema.Printed, Field(min_length=1, max_length=20), _AS_TEXT, schema.FILLED]
    value: Annotated[schema.Printed, Field(min_length=1, max_length=140), _AS_TEXT, schema.FILLED]


class CustomerPair(Pair):
    """A pair of a customer."""

    value: Annotated[schema.Printed, Field(min_length=1, max_length=100), _AS_TEXT, schema.FILLED]


def findings(pair: type[Pair], name: Any, value: Any, taken: Collection[str]) -> dict[str, list[str]]:
    """Wrong fields of one pair, beside those with the keys `taken`."""
    _, wrong = schema.examine(pair, {"key": name, "value": value})
    if "key" not in wrong and str(name) in taken:
        wrong["key"] = [ErrorCode.VALUE_ALREADY_EXIST]
    return wrong
