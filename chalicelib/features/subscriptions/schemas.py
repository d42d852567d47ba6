"""What requests about subscriptions hold. Source: rules/catalog 7.3; rules/billing-periods 1, 5."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from chalicelib.features.subscriptions.records import Status
from chalicelib.platform import schema

CREDIT_NOTE_MODES = ("credit", "refund", "offset", "skip")
INVOICE_MODES = ("generate", "skip")


def _overrides(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise schema.refuse("value_is_invalid")
    return dict(value)


class SubscriptionInput(schema.Request):
    """`POST /subscriptions`."""

    external_customer_id: schema.Code
    plan_code: schema.Code
    external_id: schema.Code
    name: schema.OptionalName = None
    billing_time: schema.one_of("calendar", "anniversary") = "calendar"  # type: ignore[valid-type]
    subscription_at: schema.OptionalInstant = None
    ending_at: schema.OptionalInstant = None
    consolidate_invoice: schema.OptionalBoolean = None
    plan_overrides: Annotated[dict[str, Any], BeforeValidator(_overrides)] = {}

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            return {k: v for k, v in values.items() if not (k == "billing_time" and v is None)}
        return values


class SubscriptionUpdate(schema.Request):
    """`PUT /subscriptions/:external_id`: what is absent stays."""

    name: schema.OptionalName = None
    ending_at: schema.OptionalInstant = None
    subscription_at: schema.OptionalInstant = None
    consolidate_invoice: schema.OptionalBoolean = None
    plan_overrides: Annotated[dict[str, Any], BeforeValidator(_overrides)] = {}
    on_termination_credit_note: schema.optional_one_of(*CREDIT_NOTE_MODES, code="invalid_value") = None  # type: ignore[valid-type]
    on_termination_invoice: schema.optional_one_of(*INVOICE_MODES, code="invalid_value") = None  # type: ignore[valid-type]


class Which(schema.Request):
    """What the body of an update says beside the subscription: that of which status is meant."""

    status: schema.optional_one_of("", *Status) = None  # type: ignore[valid-type]

    @property
    def given_statuses(self) -> list[str]:
        """The status, where one is named."""
        return [self.status] if self.status else []


class Termination(schema.Request):
    """The options of `DELETE /subscriptions/:external_id`, from query or body."""

    on_termination_credit_note: schema.optional_one_of(*CREDIT_NOTE_MODES, code="invalid_value") = None  # type: ignore[valid-type]
    on_termination_invoice: schema.optional_one_of(*INVOICE_MODES, code="invalid_value") = None  # type: ignore[valid-type]
