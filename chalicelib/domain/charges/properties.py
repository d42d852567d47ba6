"""A charge's properties, read and checked. Source: usage.md section 5.

Amounts and rates are decimal texts of at most 15 decimals; a JSON number, a negative or non-finite one is refused.
"""

from collections.abc import Mapping
from typing import Any, assert_never

from chalicelib.domain.charges import ranges
from chalicelib.domain.charges.amounts import decimal_text
from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.charges.standard import StandardProperties

_NOT_IN_ADVANCE = frozenset({"max_agg", "latest_agg", "weighted_sum_agg"})
_PRORATED_IN_ARREARS = frozenset({ChargeModel.STANDARD, ChargeModel.GRADUATED, ChargeModel.VOLUME})
_PRORATED_IN_ADVANCE = frozenset({ChargeModel.STANDARD})


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
                raise PropertyErrors({"amount": ["invalid_amount"]})
            return StandardProperties(amount)
        case ChargeModel.GRADUATED:
            return _tiers("graduated_ranges", properties, may_share_bounds=True)
        case ChargeModel.VOLUME:
            return _tiers("volume_ranges", properties, may_share_bounds=False)
        case _:
            assert_never(model)


def defaults(model: ChargeModel) -> dict[str, Any]:
    """What stands where no properties are given."""
    match model:
        case ChargeModel.STANDARD:
            return {"amount": "0"}
        case ChargeModel.GRADUATED:
            return ranges.default("graduated_ranges")
        case ChargeModel.VOLUME:
            return ranges.default("volume_ranges")
        case _:
            assert_never(model)


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
    """Which of a charge's switches do not go together: field -> codes."""
    found: dict[str, list[str]] = {}
    if pay_in_advance and (aggregation_type in _NOT_IN_ADVANCE or model is ChargeModel.VOLUME):
        found["pay_in_advance"] = ["invalid_aggregation_type_or_charge_model"]
    if pay_in_advance and min_amount_cents:
        found["min_amount_cents"] = ["not_compatible_with_pay_in_advance"]
    if not invoiceable and not pay_in_advance:
        found["invoiceable"] = ["must_be_true_unless_pay_in_advance"]
    if prorated and not _may_prorate(model, aggregation_type, recurring=recurring, pay_in_advance=pay_in_advance):
        found["prorated"] = ["invalid_billable_metric_or_charge_model"]
    if regroup_paid_fees and (invoiceable or not pay_in_advance):
        found["regroup_paid_fees"] = ["only_compatible_with_pay_in_advance_and_non_invoiceable"]
    return found


def _may_prorate(model: ChargeModel, aggregation_type: str, *, recurring: bool, pay_in_advance: bool) -> bool:
    allowed = _PRORATED_IN_ADVANCE if pay_in_advance else _PRORATED_IN_ARREARS
    # A weighted sum is a share of the period by itself.
    return recurring and aggregation_type != "weighted_sum_agg" and model in allowed


def _tiers(name: str, properties: Mapping[str, Any], *, may_share_bounds: bool) -> ranges.TieredProperties:
    tiered, wrong = ranges.read(name, properties.get(name), may_share_bounds=may_share_bounds)
    if tiered is None:
        raise PropertyErrors(wrong)
    return tiered
