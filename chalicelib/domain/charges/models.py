"""The charge models that are computed, and the one place that picks one."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, assert_never


class ChargeModel(StrEnum):
    """A way to price units. A model joins this list together with its module; others are refused at the door."""

    STANDARD = "standard"
    GRADUATED = "graduated"
    VOLUME = "volume"


@dataclass(frozen=True, slots=True)
class ChargeUsage:
    """What was used: exact units (never negative) and the number of events."""

    units: Decimal
    events_count: int


@dataclass(frozen=True, slots=True)
class Priced:
    """The exact amount in currency units, the amount of one unit, and the API's `amount_details`."""

    amount: Decimal
    unit_amount: Decimal
    details: Mapping[str, Any]


def price(model: ChargeModel, usage: ChargeUsage, properties: Any) -> Priced:
    """The price of usage under a model, not rounded. `properties` is what `properties.parse` gave for the same model."""
    from chalicelib.domain.charges import graduated, standard, volume

    match model:
        case ChargeModel.STANDARD:
            return standard.price(usage, properties)
        case ChargeModel.GRADUATED:
            return graduated.price(usage, properties)
        case ChargeModel.VOLUME:
            return volume.price(usage, properties)
        case _:
            assert_never(model)
