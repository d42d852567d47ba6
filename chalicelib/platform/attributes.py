"""Attributes of rows: the kinds of value that the core table holds beside PynamoDB's own texts and truth values.

Numbers are exact: PynamoDB's own number attribute reads fractions as floats, so it is not used.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from pynamodb.attributes import Attribute
from pynamodb.constants import LIST, MAP, NUMBER, STRING

from chalicelib.platform.timestamps import stamp, unstamp
from chalicelib.platform.values import from_attribute, to_attribute

R = TypeVar("R", bound=BaseModel)


class RecordAttribute(Attribute[R], Generic[R]):
    """A frozen pydantic record as one map. Instants and exact numbers stand in it as text, so that nothing is rounded; its
    version stands beside it, in the row."""

    attr_type = MAP

    def __init__(self, record: type[R], **how: Any) -> None:
        super().__init__(**how)
        self._record = record

    def serialize(self, value: R) -> dict[str, Any]:
        """The record in DynamoDB's form."""
        return {name: to_attribute(each) for name, each in dump(value).items()}

    def deserialize(self, value: Mapping[str, Any]) -> R:
        """The record, validated."""
        return self._record.model_validate({name: from_attribute(each) for name, each in value.items()})


class WholeAttribute(Attribute[int]):
    """A whole number."""

    attr_type = NUMBER

    def serialize(self, value: int) -> str:
        """The number in digits."""
        return str(value)

    def deserialize(self, value: str) -> int:
        """The number."""
        return int(value)


class DecimalAttribute(Attribute[Decimal]):
    """An exact number of up to 38 digits."""

    attr_type = NUMBER

    def serialize(self, value: Decimal) -> str:
        """The number in plain digits."""
        return format(value, "f")

    def deserialize(self, value: str) -> Decimal:
        """The number."""
        return Decimal(value)


class InstantAttribute(Attribute[datetime]):
    """An instant in UTC, as a text that sorts by time."""

    attr_type = STRING

    def serialize(self, value: datetime) -> str:
        """The instant's stamp."""
        return stamp(value)

    def deserialize(self, value: str) -> datetime:
        """The instant."""
        return unstamp(value)


class ValuesAttribute(Attribute[Mapping[str, Any]]):
    """A map of plain values."""

    attr_type = MAP

    def serialize(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """The values in DynamoDB's form."""
        return {name: to_attribute(each) for name, each in value.items()}

    def deserialize(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """The values."""
        return {name: from_attribute(each) for name, each in value.items()}


class TextsAttribute(Attribute[list[str]]):
    """A list of texts, which may be empty."""

    attr_type = LIST

    def serialize(self, value: list[str]) -> list[dict[str, str]]:
        """The texts in DynamoDB's form."""
        return [{STRING: each} for each in value]

    def deserialize(self, value: list[dict[str, str]]) -> list[str]:
        """The texts."""
        return [each[STRING] for each in value]


def dump(record: BaseModel) -> dict[str, Any]:
    """A record as storable values, without its version."""
    return record.model_dump(mode="json", exclude={"version"})
