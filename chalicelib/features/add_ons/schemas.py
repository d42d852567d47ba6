"""Request schemas of add-ons. Source: rules/catalog 3; rules/invoices 6."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from chalicelib import limits
from chalicelib.platform import schema


class AddOnInput(schema.Request):
    """The body of create and update; on update what is absent is filled from the add-on before."""

    name: schema.Name
    code: schema.Name
    amount_cents: Annotated[int, Field(strict=True, ge=1, le=limits.INTEGER_MAX), schema.READ_INTEGER, schema.GIVEN]
    amount_currency: schema.Currency
    invoice_display_name: schema.OptionalName = None
    description: schema.OptionalText = None
    tax_codes: schema.ListOf[schema.Text] = []

    @model_validator(mode="before")
    @classmethod
    def _report_missing(cls, values: Any) -> Any:
        # A missing currency is reported with the code of a wrong one.
        return {"amount_currency": None, **values} if isinstance(values, Mapping) else values
