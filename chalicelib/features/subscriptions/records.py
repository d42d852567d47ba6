"""The subscription as it is kept."""

from datetime import date, datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from chalicelib.domain.intervals import BillingTime
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.platform.collection import Record
from chalicelib.platform.ids import (
    AddOnId,
    ChargeId,
    CustomerId,
    FeeId,
    InvoiceId,
    PlanId,
    SubscriptionId,
)


class Status(StrEnum):
    """Source: rules/billing-periods 10."""

    PENDING = "pending"
    ACTIVE = "active"
    TERMINATED = "terminated"
    CANCELED = "canceled"


CreditNoteMode = Literal["credit", "refund", "offset", "skip"]
InvoiceMode = Literal["generate", "skip"]


class PendingInvoice(StrEnum):
    """Invoices still to be made for a subscription, beside those of its periods."""

    STARTING = "subscription_starting"
    TERMINATING = "subscription_terminating"


class LastFee(BaseModel):
    """The latest subscription fee, which a credit note for unused days stands on."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    invoice_id: InvoiceId
    fee_id: FeeId
    amount_cents: int
    period_start: date
    period_end: date
    plan_amount_cents: int


class FixedPaid(BaseModel):
    """Units of a fixed charge that were paid in advance for the local days from `first` up to, not including, `end`."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    charge_id: ChargeId
    add_on_id: AddOnId
    units: str
    amount_cents: int
    first: date
    end: date


class Takeover(BaseModel):
    """An external id that another customer had before. `ended_at`: the second in which their last subscription ended;
    `taken_at`: the stamp of real time at which this customer took the id."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    ended_at: datetime
    taken_at: str


class Subscription(Record):
    """One subscription. `billed_until`: usage before this instant is invoiced (this bills each period once);
    `billed_on`: the last billing day that was carried out, local; `occasions`: what its customer's billing still has to
    invoice.

    `alerts_on`: local days on which its end is still to be announced; `units_changed_at`: units of fixed charges in
    advance changed and are still to be billed (`units_seen_at`: the latest such change); `fixed_paid`: what was paid in
    advance for the running period, by its predecessor too (`fixed_carried`); `period_invoices`: the invoices with fees of
    the running period; `trial_ends_at`: where the end of its trial was moved to; `takeover`: how its external id came from
    another customer, where it did; `external_historical_usage_cents`: what it used before it was kept here;
    `counted_plan_id`: the plan among whose subscriptions it counts while it is active."""

    id: SubscriptionId
    external_id: str
    customer_id: CustomerId
    external_customer_id: str
    plan_id: PlanId
    plan_code: str
    currency: str | None = None
    status: Status
    billing_time: BillingTime
    subscription_at: datetime
    name: str | None = None
    started_at: datetime | None = None
    first_started_at: datetime | None = None
    ending_at: datetime | None = None
    terminated_at: datetime | None = None
    canceled_at: datetime | None = None
    trial_ended_at: datetime | None = None
    trial_ends_at: datetime | None = None
    previous_id: SubscriptionId | None = None
    previous_plan_code: str | None = None
    next_id: SubscriptionId | None = None
    next_plan_code: str | None = None
    upgraded: bool = False
    consolidate_invoice: bool = True
    on_termination_credit_note: CreditNoteMode | None = None
    on_termination_invoice: InvoiceMode = "generate"
    billed_until: datetime | None = None
    billed_on: date | None = None
    occasions: tuple[PendingInvoice, ...] = ()
    last_fee: LastFee | None = None
    alerts_on: tuple[date, ...] = ()
    units_changed_at: datetime | None = None
    units_seen_at: datetime | None = None
    fixed_paid: tuple[FixedPaid, ...] = ()
    fixed_carried: tuple[FixedPaid, ...] = ()
    period_invoices: tuple[str, ...] = ()
    invoiced: bool = False
    zone: str | None = None
    takeover: Takeover | None = None
    external_historical_usage_cents: int = 0
    counted_plan_id: PlanId | None = None

    @property
    def live(self) -> bool:
        """Whether its external id is in use."""
        return self.status in (Status.PENDING, Status.ACTIVE)

    @property
    def stream(self) -> Stream:
        """The events that count for it: of an external id that another customer had, those since this one's first
        start, and none that are the other's."""
        if self.takeover is None:
            return Stream(self.external_id)
        first = (self.first_started_at or self.subscription_at).replace(microsecond=0)
        if first > self.takeover.ended_at:
            return Stream(self.external_id, first)
        return Stream(self.external_id, self.takeover.ended_at, self.takeover.taken_at)


class Live(NamedTuple):
    """The live subscription of an external id."""

    customer_id: CustomerId
    subscription_id: SubscriptionId
