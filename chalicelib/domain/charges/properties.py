"""A charge's properties, read and checked. Source: usage.md section 5.

Amounts and rates are decimal texts of at most 15 decimals; a JSON number, a negative or non-finite one is refused.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, assert_never

from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.charges.standard import StandardProperties

_DECIMAL = re.compile(r"\d{1,15}(\.\d{1,15})?")
_NOT_IN_ADVANCE = frozenset({"max_agg", "latest_agg", "weighted_sum_agg"})


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
        case _:
            assert_never(model)


def defaults(model: ChargeModel) -> dict[str, Any]:
    """What stands where no properties are given."""
    match model:
        case ChargeModel.STANDARD:
            return {"amount": "0"}
        case _:
            assert_never(model)


def decimal_text(value: Any) -> Decimal | None:
    """An exact amount from its text; None for anything else, numbers included."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        return None
    return Decimal(value)


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
    if pay_in_advance and aggregation_type in _NOT_IN_ADVANCE:
        found["pay_in_advance"] = ["invalid_aggregation_type_or_charge_model"]
    if pay_in_advance and min_amount_cents:
        found["min_amount_cents"] = ["not_compatible_with_pay_in_advance"]
    if not invoiceable and not pay_in_advance:
        found["invoiceable"] = ["must_be_true_unless_pay_in_advance"]
    if prorated and not recurring:
        found["prorated"] = ["invalid_billable_metric_or_charge_model"]
    if regroup_paid_fees and (invoiceable or not pay_in_advance):
        found["regroup_paid_fees"] = ["only_compatible_with_pay_in_advance_and_non_invoiceable"]
    return found
