"""What requests about add-ons hold. Source: rules/catalog 3; rules/invoices 6."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, model_validator

from chalicelib.platform import schema


def _above_zero(cents: int) -> int:
    if cents <= 0:
        raise schema.refuse("value_is_out_of_range")
    return cents


class AddOnInput(schema.Request):
    """The body of create and update; on update what is absent is filled from the add-on before."""

    name: schema.Name
    code: schema.Code
    amount_cents: Annotated[schema.Cents, AfterValidator(_above_zero)]
    amount_currency: schema.Currency
    invoice_display_name: schema.OptionalName = None
    description: schema.OptionalText = None
    tax_codes: schema.Codes = []

    @model_validator(mode="before")
    @classmethod
    def _report_missing(cls, values: Any) -> Any:
        # A missing currency is reported with the code of a wrong one.
        return {"amount_currency": None, **values} if isinstance(values, Mapping) else values
