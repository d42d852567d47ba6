"""Python values in DynamoDB's form, and back.

Values: `str`, `int`, `Decimal` (in plain digits), `bool`, `None`, `bytes`, lists and dicts of these. A float is a bug
and raises. Absent optional values are stored as null, so that the item read equals the item written.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

Item = dict[str, Any]


def to_attribute(value: Any) -> dict[str, Any]:
    """A Python value in DynamoDB's form."""
    if value is None:
        return {"NULL": True}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, Decimal):
        return {"N": format(value, "f")}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, Mapping):
        return {"M": {name: to_attribute(inner) for name, inner in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"L": [to_attribute(inner) for inner in value]}
    raise TypeError(f"not storable: {type(value).__name__}")


def from_attribute(attribute: Mapping[str, Any]) -> Any:
    """The Python value of an attribute. Whole numbers become `int`, others `Decimal`."""
    ((kind, value),) = attribute.items()
    if kind in ("S", "BOOL", "B"):
        return value
    if kind == "N":
        return int(value) if value.lstrip("-").isdigit() else Decimal(value)
    if kind == "NULL":
        return None
    if kind == "M":
        return {name: from_attribute(inner) for name, inner in value.items()}
    if kind == "L":
        return [from_attribute(inner) for inner in value]
    raise TypeError(f"not readable: {kind}")


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """An item in DynamoDB's form."""
    return {name: to_attribute(value) for name, value in values.items()}


def from_item(attributes: Mapping[str, Any]) -> Item:
    """An item of DynamoDB's form as Python values."""
    return {name: from_attribute(value) for name, value in attributes.items()}
