"""The charge models, and the one place that picks one."""

from enum import StrEnum
from typing import Any, assert_never

from chalicelib.domain.charges import dynamic, graduated, graduated_percentage, package, percentage, standard, volume
from chalicelib.domain.charges.usage import ChargeUsage, Priced


class ChargeModel(StrEnum):
    """A way to price units, by its module."""

    STANDARD = "standard"
    GRADUATED = "graduated"
    VOLUME = "volume"
    PACKAGE = "package"
    PERCENTAGE = "percentage"
    GRADUATED_PERCENTAGE = "graduated_percentage"
    DYNAMIC = "dynamic"


def price(model: ChargeModel, usage: ChargeUsage, properties: Any) -> Priced:
    """The price of usage under a model, not rounded. `properties` is what `properties.parse` gave for the same model."""
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
