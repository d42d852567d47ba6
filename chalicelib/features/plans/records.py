"""A plan as it is kept, with its charges, fixed charges and minimum commitment."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.intervals import Interval
from chalicelib.platform.collection import Record
from chalicelib.platform.ids import (
    AddOnId,
    BillableMetricId,
    ChargeFilterId,
    ChargeId,
    FixedChargeId,
    PlanId,
    TaxId,
)


def _group_keys(properties: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys by which usage is grouped, by the present name of the property or the older one."""
    return tuple(dict.fromkeys(properties.get("pricing_group_keys") or properties.get("grouped_by") or ()))


class ChargeFilter(BaseModel):
    """A part of a charge with its own properties, for events of certain dimensions. `group_id`: the group of the legacy API
    that it stands for; `parent_id`: in a child, the filter of the parent that it stands for."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    id: ChargeFilterId
    invoice_display_name: str | None = None
    properties: dict[str, Any]
    values: dict[str, tuple[str, ...]]
    group_id: str | None = None
    parent_id: str | None = None

    @property
    def group_keys(self) -> tuple[str, ...]:
        """The event properties by which its fees are split."""
        return _group_keys(self.properties)


class Charge(BaseModel):
    """The price of one metric. Amounts and rates in `properties` are exact decimal texts. `filters`: the oldest first;
    `default_fee`: whether what no filter takes is billed too. `parent_id`: in a child, the charge of the parent that it
    stands for."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    id: ChargeId
    code: str
    metric_id: BillableMetricId
    charge_model: ChargeModel
    created_at: datetime
    properties: dict[str, Any]
    filters: tuple[ChargeFilter, ...] = ()
    default_fee: bool = True
    pay_in_advance: bool = False
    invoiceable: bool = True
    regroup_paid_fees: Literal["invoice"] | None = None
    prorated: bool = False
    min_amount_cents: int = 0
    invoice_display_name: str | None = None
    tax_ids: tuple[TaxId, ...] = ()
    parent_id: str | None = None

    @property
    def group_keys(self) -> tuple[str, ...]:
        """The event properties by which the fees of what no filter takes are split."""
        return _group_keys(self.properties)


FixedChargeModel = Literal["standard", "graduated", "volume"]


class UnitsChange(BaseModel):
    """A change of a fixed charge's units, asked for at `at`. `immediately`: they hold from then on, not from the next
    period. Source: rules/billing-periods 11."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    units: str
    at: datetime
    immediately: bool


class FixedCharge(BaseModel):
    """Units of an add-on that every period owes. `units`: as last set; `first_units`: at creation; `changes`: all that
    came later, the oldest first. Units and the amounts in `properties` are exact decimal texts."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    id: FixedChargeId
    code: str
    add_on_id: AddOnId
    charge_model: FixedChargeModel
    created_at: datetime
    properties: dict[str, Any]
    units: str = "0"
    first_units: str = "0"
    changes: tuple[UnitsChange, ...] = ()
    pay_in_advance: bool = False
    prorated: bool = False
    invoice_display_name: str | None = None
    tax_ids: tuple[TaxId, ...] = ()
    parent_id: str | None = None


class MinimumCommitment(BaseModel):
    """The amount that every period of a plan must reach. Source: rules/billing-periods 12."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    id: str
    amount_cents: int
    invoice_display_name: str | None = None
    tax_ids: tuple[TaxId, ...] = ()
    created_at: datetime
    updated_at: datetime


class Plan(Record):
    """A plan. `trial_period` in days, exact text; `taken`: a subscription of any status has or had it.

    `parent_id`: it is a child, made for one subscription, and overrides that plan; `parent_version`: what its parent
    passed on to its children up to this version is in it. `counted`: its subscriptions were counted from the beginning
    (`subscribers.py`), with those of its children.
    """

    id: PlanId
    name: str
    code: str
    interval: Interval
    amount_cents: int
    amount_currency: str
    invoice_display_name: str | None = None
    description: str | None = None
    pay_in_advance: bool = False
    bill_charges_monthly: bool | None = None
    bill_fixed_charges_monthly: bool | None = None
    trial_period: str = "0"
    tax_ids: tuple[TaxId, ...] = ()
    charges: tuple[Charge, ...] = ()
    fixed_charges: tuple[FixedCharge, ...] = ()
    minimum_commitment: MinimumCommitment | None = None
    metadata: dict[str, str | None] = {}
    parent_id: str | None = None
    parent_version: int = 0
    taken: bool = False
    counted: bool = False

    @property
    def counted_id(self) -> PlanId | None:
        """The plan among whose subscriptions its own count; None where they are from before that was counted."""
        return PlanId(self.parent_id or self.id) if self.counted else None

    @property
    def charges_in_advance(self) -> tuple[Charge, ...]:
        """Its charges that are paid with each event."""
        return tuple(charge for charge in self.charges if charge.pay_in_advance)
