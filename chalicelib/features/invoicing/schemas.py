"""Request schemas of previews, one-off invoices and voiding. Source: rules/invoices 6 and 14."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.intervals import BillingTime
from chalicelib.features.subscriptions.records import CreditNoteMode, InvoiceMode
from chalicelib.platform import schema
from chalicelib.platform.addresses import AddressInput


def _units(value: Any) -> Decimal:
    number = schema.exact(value)
    if number < 0:
        raise schema.refuse(ErrorCode.VALUE_IS_OUT_OF_RANGE)
    return number


def _whole_cents(value: Any) -> Any:
    """A price without fractions of a cent. Source: rules/money 6."""
    if isinstance(value, Decimal) and value.is_finite() and value != value.to_integral_value():
        raise schema.refuse(ErrorCode.INVALID_VALUE)
    return value


class FeeInput(schema.Request):
    """One fee of the request."""

    add_on_code: schema.Name
    name: schema.OptionalName = None
    invoice_display_name: schema.OptionalName = None
    description: schema.OptionalText = None
    units: Annotated[Decimal, BeforeValidator(_units), schema.number(minimum=0)] | None = None
    unit_amount_cents: (
        Annotated[
            int, Field(strict=True, ge=0, le=limits.INTEGER_MAX), schema.READ_INTEGER, BeforeValidator(_whole_cents)
        ]
        | None
    ) = None
    tax_codes: schema.ListOf[schema.Text] = []
    from_datetime: schema.NullOr[schema.Instant] = None
    to_datetime: schema.NullOr[schema.Instant] = None

    @model_validator(mode="after")
    def _check_boundaries(self) -> "FeeInput":
        begin, end = self.from_datetime, self.to_datetime
        if (begin is None) != (end is None) or (begin is not None and end is not None and begin > end):
            raise schema.refuse(ErrorCode.VALUES_ARE_INVALID, "boundaries")
        return self


class OneOffInput(schema.Request):
    """`POST /invoices`."""

    external_customer_id: schema.Name
    currency: schema.NullOr[schema.Currency] = None
    fees: schema.ListOf[FeeInput] = []


class VoidInput(schema.Request):
    """`POST /invoices/:id/void`; the body has no root."""

    generate_credit_note: schema.Boolean | None = None
    credit_amount: schema.Count | None = None
    refund_amount: schema.Count | None = None


class CustomerInput(AddressInput):
    """The customer: a stored one by `external_id`, else one that is not stored; with `tax_codes`, these taxes are tried."""

    external_id: schema.OptionalName = None
    name: schema.OptionalName = None
    currency: schema.NullOr[schema.Currency] = None
    tax_identification_number: schema.OptionalName = None
    timezone: schema.NullOr[schema.Timezone] = None
    tax_codes: schema.ListOf[schema.Text] = []


class CouponInput(schema.Request):
    """A coupon that is tried: a stored one by its code alone, else one that is not stored."""

    code: schema.Name
    name: schema.OptionalName = None
    coupon_type: Literal["fixed_amount", "percentage"] | None = None
    amount_cents: Annotated[int, Field(strict=True, ge=1, le=limits.INTEGER_MAX), schema.READ_INTEGER] | None = None
    amount_currency: schema.NullOr[schema.Currency] = None
    percentage_rate: schema.Rate | None = None


class SubscriptionsInput(schema.Request):
    """Subscriptions that there are, with what would become of them."""

    external_ids: schema.ListOf[schema.Text] = []
    plan_code: schema.OptionalName = None
    terminated_at: schema.NullOr[schema.Instant] = None
    on_termination_credit_note: schema.NullOr[CreditNoteMode] = None
    on_termination_invoice: schema.NullOr[InvoiceMode] = None


class PreviewInput(schema.Request):
    """`POST /invoices/preview`; the body has no root."""

    customer: Annotated[CustomerInput, schema.NULL_AS_OBJECT] = Field(default_factory=CustomerInput)
    plan_code: schema.OptionalName = None
    billing_time: BillingTime | None = None
    subscription_at: schema.NullOr[schema.Instant] = None
    coupons: schema.ListOf[CouponInput] = []
    subscriptions: Annotated[SubscriptionsInput, schema.NULL_AS_OBJECT] = Field(default_factory=SubscriptionsInput)
