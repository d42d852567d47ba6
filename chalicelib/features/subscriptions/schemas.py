"""Request schemas of subscriptions. Source: rules/catalog 7.3; rules/billing-periods 1, 5."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import model_validator

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.intervals import BillingTime
from chalicelib.features.subscriptions.records import CreditNoteMode, InvoiceMode, Status
from chalicelib.platform import schema


class SubscriptionInput(schema.Request):
    """`POST /subscriptions`."""

    external_customer_id: schema.Name
    plan_code: schema.Name
    external_id: schema.Name
    name: schema.OptionalName = None
    billing_time: BillingTime = BillingTime.CALENDAR
    subscription_at: schema.NullOr[schema.Instant] = None
    ending_at: schema.NullOr[schema.Instant] = None
    consolidate_invoice: schema.Boolean | None = None
    plan_overrides: schema.Object = {}

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            return {k: v for k, v in values.items() if not (k == "billing_time" and v is None)}
        return values


class SubscriptionUpdate(schema.Request):
    """`PUT /subscriptions/:external_id`: absent fields stay."""

    name: schema.OptionalName = None
    ending_at: schema.NullOr[schema.Instant] = None
    subscription_at: schema.NullOr[schema.Instant] = None
    consolidate_invoice: schema.Boolean | None = None
    plan_overrides: schema.Object = {}
    on_termination_credit_note: Annotated[CreditNoteMode, schema.refused(ErrorCode.INVALID_VALUE)] | None = None
    on_termination_invoice: Annotated[InvoiceMode, schema.refused(ErrorCode.INVALID_VALUE)] | None = None


class LifetimeUsageUpdate(schema.Request):
    """`PUT /subscriptions/:external_id/lifetime_usage`."""

    external_historical_usage_amount_cents: schema.Cents


class Which(schema.Request):
    """Member of an update's body that selects the subscription by its status."""

    status: schema.NullOr[Status] = None

    @property
    def given_statuses(self) -> list[str]:
        """The status, where one is named."""
        return [self.status] if self.status else []


class Termination(schema.Request):
    """The options of `DELETE /subscriptions/:external_id`, from query or body."""

    on_termination_credit_note: Annotated[CreditNoteMode, schema.refused(ErrorCode.INVALID_VALUE)] | None = None
    on_termination_invoice: Annotated[InvoiceMode, schema.refused(ErrorCode.INVALID_VALUE)] | None = None
