"""The charge models, and the one place that picks one."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, assert_never

if TYPE_CHECKING:
    from chalicelib.domain.charges.percentage import Tally


class ChargeModel(StrEnum):
    """A way to price units, by its module."""

    STANDARD = "standard"
    GRADUATED = "graduated"
    VOLUME = "volume"
    PACKAGE = "package"
    PERCENTAGE = "percentage"
    GRADUATED_PERCENTAGE = "graduated_percentage"
    DYNAMIC = "dynamic"


@dataclass(frozen=True, slots=True)
class ChargeUsage:
    """What was used: exact units (never negative) and the number of events.

    `values`: what each event adds to the units, in the order of their timestamps; only where `properties.needs_values`
    says so. `tally`: what they come to, in their place. `precise_total_cents`: the sum of the events' own amounts, in cents;
    only for the dynamic model.
    """

    units: Decimal
    events_count: int
    values: tuple[Decimal, ...] | None = None
    precise_total_cents: Decimal | None = None
    tally: "Tally | None" = None


@dataclass(frozen=True, slots=True)
class Priced:
    """The exact amount in currency units, the amount of one unit, and the API's `amount_details`."""

    amount: Decimal
    unit_amount: Decimal
    details: Mapping[str, Any]


def price(model: ChargeModel, usage: ChargeUsage, properties: Any) -> Priced:
    """The price of usage under a model, not rounded. `properties` is what `properties.parse` gave for the same model."""
    from chalicelib.domain.charges import (
        dynamic,
        graduated,
        graduated_percentage,
        package,
        percentage,
        standard,
        volume,
    )

    match model:
        case ChargeModel.STANDARD:
            return standard.price(usage, properties)
        case ChargeModel.GRADUATED:
            return graduated.price(usage, properties)
        case ChargeModel.VOLUME:
            return volume.price(usage, properties)
        case ChargeModel.PACKAGE:
            return package.price(usage, properties)
        case ChargeModel.PERCENTAGE:
            return percentage.price(usage, properties)
        case ChargeModel.GRADUATED_PERCENTAGE:
            return graduated_percentage.price(usage, properties)
        case ChargeModel.DYNAMIC:
            return dynamic.price(usage, properties)
        case _:
            assert_never(model)
