"""A charge's properties, read and checked. Source: rules/usage 5.

Amounts and rates are decimal texts of at most 15 decimals; a JSON number, a negative or non-finite one is refused.
"""

from collections.abc import Mapping
from typing import Any, TypeVar, assert_never

from chalicelib.domain.charges import graduated_percentage, package, percentage, ranges
from chalicelib.domain.charges.amounts import decimal_text
from chalicelib.domain.charges.dynamic import DynamicProperties
from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.charges.standard import StandardProperties
from chalicelib.domain.error_codes import ErrorCode

P = TypeVar("P")

_NOT_IN_ADVANCE = frozenset({"max_agg", "latest_agg", "weighted_sum_agg"})
_PRORATED_IN_ARREARS = frozenset({ChargeModel.STANDARD, ChargeModel.GRADUATED, ChargeModel.VOLUME})
_PRORATED_IN_ADVANCE = frozenset({ChargeModel.STANDARD})
_RATES = frozenset({ChargeModel.PERCENTAGE, ChargeModel.GRADUATED_PERCENTAGE})
_KNOWN: dict[ChargeModel, tuple[str, ...]] = {
    ChargeModel.STANDARD: ("amount",),
    ChargeModel.GRADUATED: ("graduated_ranges",),
    ChargeModel.VOLUME: ("volume_ranges",),
    ChargeModel.PACKAGE: ("amount", "package_size", "free_units"),
    ChargeModel.PERCENTAGE: (
        "rate",
        "fixed_amount",
        "free_units_per_events",
        "free_units_per_total_aggregation",
        "per_transaction_min_amount",
        "per_transaction_max_amount",
    ),
    ChargeModel.GRADUATED_PERCENTAGE: (graduated_percentage.NAME,),
    ChargeModel.DYNAMIC: (),
}


class PropertyErrors(Exception):
    """Wrong properties: field -> codes, all at once."""

    def __init__(self, details: Mapping[str, list[str]]) -> None:
        super().__init__(str(dict(details)))
        self.details = dict(details)


def parse(model: ChargeModel, properties: Mapping[str, Any]) -> Any:
    """The model's own properties object.

    Raises: PropertyErrors.
    """
    match model:
        case ChargeModel.STANDARD:
            amount = decimal_text(properties.get("amount"))
            if amount is None:
                raise PropertyErrors({"amount": [ErrorCode.INVALID_AMOUNT]})
            return StandardProperties(amount)
        case ChargeModel.GRADUATED:
            return _sound(ranges.read("graduated_ranges", properties.get("graduated_ranges"), may_share_bounds=True))
        case ChargeModel.VOLUME:
            return _sound(ranges.read("volume_ranges", properties.get("volume_ranges"), may_share_bounds=False))
        case ChargeModel.PACKAGE:
            return _sound(package.read(properties))
        case ChargeModel.PERCENTAGE:
            return _sound(percentage.read(properties))
        case ChargeModel.GRADUATED_PERCENTAGE:
            return _sound(graduated_percentage.read(properties))
        case ChargeModel.DYNAMIC:
            return DynamicProperties()
        case _:
            assert_never(model)


def defaults(model: ChargeModel) -> dict[str, Any]:
    """Default properties of a charge model, in the API's form."""
    match model:
        case ChargeModel.STANDARD:
            return {"amount": "0"}
        case ChargeModel.GRADUATED:
            return ranges.default("graduated_ranges")
        case ChargeModel.VOLUME:
            return ranges.default("volume_ranges")
        case ChargeModel.PACKAGE:
            return package.default()
        case ChargeModel.PERCENTAGE:
            return {"rate": "0"}
        case ChargeModel.GRADUATED_PERCENTAGE:
            return graduated_percentage.default()
        case ChargeModel.DYNAMIC:
            return {}
        case _:
            assert_never(model)


def kept(model: ChargeModel, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Stored form of valid properties: the fields that the model knows and no others. Source: rules/usage 5."""
    known = {name: properties[name] for name in _KNOWN[model] if name in properties}
    price_field = graduated_percentage.RATE if model is ChargeModel.GRADUATED_PERCENTAGE else ranges.PER_UNIT_AMOUNT
    return {
        name: [ranges.kept(entry, price_field) for entry in value] if isinstance(value, list) else value
        for name, value in known.items()
    }


def needs_values(model: ChargeModel, properties: Any) -> bool:
    """Whether the price depends on single events, so that it needs `ChargeUsage.values`. `properties`: a result of
    `parse`."""
    return model is ChargeModel.PERCENTAGE and (properties.frees_usage or properties.bounds_transactions)


def check_combination(
    *,
    model: ChargeModel,
    aggregation_type: str,
    recurring: bool,
    pay_in_advance: bool,
    prorated: bool,
    invoiceable: bool,
    regroup_paid_fees: str | None,
    min_amount_cents: int,
) -> dict[str, list[str]]:
    """Fields of a charge that do not go together, with their codes."""
    found: dict[str, list[str]] = {}
    if model in _RATES and aggregation_type == "latest_agg":
        found["billable_metric"] = [ErrorCode.INVALID_VALUE]
    if model is ChargeModel.DYNAMIC and aggregation_type != "sum_agg":
        found["charge_model"] = [ErrorCode.INVALID_AGGREGATION_TYPE_OR_CHARGE_MODEL]
    if pay_in_advance and (aggregation_type in _NOT_IN_ADVANCE or model is ChargeModel.VOLUME):
        found["pay_in_advance"] = [ErrorCode.INVALID_AGGREGATION_TYPE_OR_CHARGE_MODEL]
    if pay_in_advance and min_amount_cents:
        found["min_amount_cents"] = [ErrorCode.NOT_COMPATIBLE_WITH_PAY_IN_ADVANCE]
    if not invoiceable and not pay_in_advance:
        found["invoiceable"] = [ErrorCode.MUST_BE_TRUE_UNLESS_PAY_IN_ADVANCE]
    if prorated and not _may_prorate(model, aggregation_type, recurring=recurring, pay_in_advance=pay_in_advance):
        found["prorated"] = [ErrorCode.INVALID_BILLABLE_METRIC_OR_CHARGE_MODEL]
    if regroup_paid_fees and (invoiceable or not pay_in_advance):
        found["regroup_paid_fees"] = [ErrorCode.ONLY_COMPATIBLE_WITH_PAY_IN_ADVANCE_AND_NON_INVOICEABLE]
    return found


def _may_prorate(model: ChargeModel, aggregation_type: str, *, recurring: bool, pay_in_advance: bool) -> bool:
    allowed = _PRORATED_IN_ADVANCE if pay_in_advance else _PRORATED_IN_ARREARS
    # A weighted sum is a share of the period by itself.
    return recurring and aggregation_type != "weighted_sum_agg" and model in allowed


def _sound(read: tuple[P | None, dict[str, list[str]]]) -> P:
    properties, wrong = read
    if properties is None:
        raise PropertyErrors(wrong)
    return properties
