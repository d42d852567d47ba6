"""Where plans are kept, each with its charges in one item.

Items
    pk                      sk    what it is
    <org>#plan#<id> ...     -     platform/collection.py

Access patterns
    1 PLANS.*               platform/collection.py
    2 taken_action(plan)    Update    the plan has a subscription; part of the subscription's transaction
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from chalicelib.platform.collection import Collection, Record
from chalicelib.platform.table import Action, core


class ChargeFilter(BaseModel):
    """A part of a charge with its own properties, for events of certain dimensions."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    id: str
    invoice_display_name: str | None = None
    properties: dict[str, Any]
    values: dict[str, tuple[str, ...]]


class Charge(BaseModel):
    """The price of one metric. Amounts and rates in `properties` are exact decimal texts."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    id: str
    code: str
    metric_id: str
    charge_model: str
    created_at: datetime
    properties: dict[str, Any]
    filters: tuple[ChargeFilter, ...] = ()
    pay_in_advance: bool = False
    invoiceable: bool = True
    regroup_paid_fees: str | None = None
    prorated: bool = False
    min_amount_cents: int = 0
    invoice_display_name: str | None = None
    tax_ids: tuple[str, ...] = ()
    parent_id: str | None = None


class Plan(Record):
    """A plan. `trial_period` in days, exact text; `taken`: a subscription of any status has or had it."""

    name: str
    code: str
    interval: str
    amount_cents: int
    amount_currency: str
    invoice_display_name: str | None = None
    description: str | None = None
    pay_in_advance: bool = False
    bill_charges_monthly: bool | None = None
    bill_fixed_charges_monthly: bool | None = None
    trial_period: str = "0"
    tax_ids: tuple[str, ...] = ()
    charges: tuple[Charge, ...] = ()
    metadata: dict[str, str | None] = {}
    parent_id: str | None = None
    taken: bool = False


PLANS = Collection("plan", Plan, code=lambda plan: plan.code, search=lambda plan: f"{plan.name}\n{plan.code}")


def taken_action(organization_id: str, plan: Plan) -> list[Action]:
    """Mark a plan as taken; nothing to write when it is already. Refused if the plan is gone or has changed."""
    if plan.taken:
        return []
    action = core.update(
        PLANS.key(organization_id, plan.id),
        "SET #record.taken = :yes, version = :next",
        names={"#record": "record"},
        values={":yes": True, ":next": plan.version + 1, ":seen": plan.version},
        condition="version = :seen",
    )
    return [action]
