"""Checking the properties of charges and of their filters."""

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.charges import properties as charge_properties
from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import merge

_LONGEST_KEY = 255
_GROUP_KEYS = ("pricing_group_keys", "grouped_by")


def checked_properties(model_name: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Stored form of a model's properties, and their faults. Absent ones become the defaults; fields unknown to the
    model are dropped."""
    model = ChargeModel(model_name)
    properties = dict(given) or charge_properties.defaults(model)
    try:
        charge_properties.parse(model, properties)
    except charge_properties.PropertyErrors as error:
        return {}, {name: list(codes) for name, codes in error.details.items()}
    return charge_properties.kept(model, properties), {}


def checked_usage_properties(model_name: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Stored form and faults of a charge's properties, and of the keys by which its usage is grouped.
    Source: rules/usage 4.2."""
    properties, wrong = checked_properties(model_name, given)
    keys = {name: given[name] for name in _GROUP_KEYS if name in given}
    return properties | keys, merge(wrong, _wrong_group_keys(keys))


def _wrong_group_keys(given: Mapping[str, Any]) -> dict[str, list[str]]:
    keys = {name: value for name, value in given.items() if value is not None}
    wrong: dict[str, list[str]] = {
        name: [ErrorCode.VALUE_IS_INVALID] for name, value in keys.items() if not _are_group_keys(value)
    }
    if not wrong and len({tuple(value) for value in keys.values()}) > 1:
        wrong["grouped_by"] = [ErrorCode.VALUE_IS_INVALID]  # Two names of one thing.
    return wrong


def _are_group_keys(value: Any) -> bool:
    if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
        return False
    return all(key.strip() and len(key) <= _LONGEST_KEY for key in value)
