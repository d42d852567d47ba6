"""Request schemas of coupons. Source: rules/catalog 2, 3; rules/invoices 5."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid, merge
from chalicelib.features.coupons.records import CouponType, Expiration, Frequency
from chalicelib.platform import schema


def _rate(value: Any) -> str:
    rate = schema.exact(value)
    if rate < 0:
        raise schema.refuse(ErrorCode.VALUE_IS_OUT_OF_RANGE)
    plain = rate.normalize()
    return format(plain, "f") if plain else "0"


Amount = Annotated[int, Field(strict=True, ge=1, le=limits.INTEGER_MAX), schema.READ_INTEGER]
Invoices = Annotated[int, Field(strict=True, ge=1, le=limits.INTEGER_MAX), schema.READ_INTEGER]
Percentage = Annotated[str, BeforeValidator(_rate), schema.number(minimum=0)]


class Limitations(schema.Request):
    """The plans or metrics whose fees alone a coupon lowers, by their codes."""

    plan_codes: schema.ListOf[schema.Text] = []
    billable_metric_codes: schema.ListOf[schema.Text] = []


class CouponInput(schema.Request):
    """The body of create and update; on update what is absent is filled from the coupon before."""

    name: schema.Name
    code: schema.Name
    description: schema.OptionalText = None
    coupon_type: CouponType
    amount_cents: schema.NullOr[Amount] = None
    amount_currency: schema.NullOr[schema.Currency] = None
    percentage_rate: schema.NullOr[Percentage] = None
    frequency: Frequency
    frequency_duration: schema.NullOr[Invoices] = None
    reusable: schema.Boolean = True
    expiration: Expiration = "no_expiration"
    expiration_at: schema.NullOr[schema.Instant] = None
    applies_to: Limitations | None = None
    plan_codes: schema.ListOf[schema.Text] = []

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        kept = {name: value for name, value in values.items() if not (name == "reusable" and value is None)}
        # A missing type or frequency is reported with the code of a wrong one.
        return {"coupon_type": None, "frequency": None, **kept}

    @property
    def limitations(self) -> Limitations:
        """The coupon's limitations, by the present name or the legacy API's."""
        return self.applies_to or Limitations(plan_codes=self.plan_codes)


class AppliedCouponInput(schema.Request):
    """`POST /applied_coupons`: what is given holds for the customer instead of the coupon's."""

    external_customer_id: schema.OptionalName = None
    coupon_code: schema.OptionalName = None
    amount_cents: schema.NullOr[Amount] = None
    amount_currency: schema.NullOr[schema.Currency] = None
    percentage_rate: schema.NullOr[Percentage] = None
    frequency: schema.NullOr[Frequency] = None
    frequency_duration: schema.NullOr[Invoices] = None


def coupon(values: Mapping[str, Any]) -> CouponInput:
    """A coupon's body as a validated object: terms that its type, frequency and expiration call for are there.

    Raises: Invalid, with all wrong fields.
    """
    request, findings = schema.examine(CouponInput, values)
    details = merge(findings, _missing(values))
    if request is None or details:
        raise Invalid(details)
    return request


def _missing(values: Mapping[str, Any]) -> dict[str, list[str]]:
    kind, absent = values.get("coupon_type"), (None, "")
    wanted = {
        "amount_cents": kind == "fixed_amount",
        "amount_currency": kind == "fixed_amount",
        "percentage_rate": kind == "percentage",
        "frequency_duration": values.get("frequency") == "recurring",
    }
    found: dict[str, list[str]] = {
        name: [ErrorCode.VALUE_IS_MANDATORY] for name, needed in wanted.items() if needed and values.get(name) in absent
    }
    if values.get("expiration") == "time_limit" and values.get("expiration_at") in absent:
        found["expiration_at"] = [ErrorCode.INVALID_DATE]
    return found
