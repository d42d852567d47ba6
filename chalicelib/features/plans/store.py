"""Storage of plans, each with its charges and fixed charges in one item.

Items
    pk                              sk                                  what it is
    <org>#plan#<id> ...             -                                   platform/collection.py; children: no code, not listed
    <org>#plan-children#<plan id>   <child id>                          a plan that overrides this one for a subscription
    <org>#plan-subscriptions#<id>   <customer id>#<subscription id>     a subscription that has this plan
    <org>#plan-cascade#<id>         <version>#before, #after            a change on its way to the children, as two plans

Access patterns
    1 PLANS.*                                   platform/collection.py
    2 taken_action(plan)                        Update    the plan has a subscription; part of the subscription's transaction
    3 current_action(plan)                      Check     the plan stands as it was read; the same
    4 children_ids(org, id)                     Query     consistent
    5 child_actions(org, child)                 part of the transaction that makes the child
    6 subscribers(org, id)                      Query     consistent
    7 subscribed_action, unsubscribed_action    part of the subscription's transaction
    8 step_actions(before, after)               part of the plan's own transaction
    9 steps(org, id, until)                     Query     consistent, the oldest first
   10 step_done_actions(after)                  part of the cascade's last transaction
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.intervals import Interval
from chalicelib.platform import rows
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import CatalogRow, Collection, Record, RecordRow
from chalicelib.platform.ids import (
    AddOnId,
    BillableMetricId,
    ChargeFilterId,
    ChargeId,
    CustomerId,
    FixedChargeId,
    OrganizationId,
    PlanId,
    SubscriptionId,
    TaxId,
    key,
)
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Write


def _group_keys(properties: Mapping[str, Any]) -> tuple[str, ...]:
    """By the present name of the property or the older one."""
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
        """The event properties by which fees of usage that no filter takes are split."""
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

    `parent_id`: it is a child, made for one subscription, and overrides that plan; `parent_version`: it
    follows its parent's changes up to this version.
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

    @property
    def charges_in_advance(self) -> tuple[Charge, ...]:
        """Its charges that are paid with each event."""
        return tuple(charge for charge in self.charges if charge.pay_in_advance)


class PlanRow(CatalogRow):
    """A plan."""

    record = RecordAttribute(Plan)


class ChildRow(Row):
    """A plan that overrides another for a subscription; its sort key is the child's id."""


class SubscriberRow(Row):
    """A subscription that has a plan; its sort key names customer and subscription."""


class StepRow(RecordRow):
    """A plan before or after a change on its way to the children."""

    record = RecordAttribute(Plan)


PLANS = Collection(
    "plan",
    Plan,
    PlanRow,
    code=lambda plan: None if plan.parent_id else plan.code,
    search=lambda plan: f"{plan.name}\n{plan.code}",
    listed=lambda plan: plan.parent_id is None,
)


def taken_action(organization_id: OrganizationId, plan: Plan) -> list[Write]:
    """Mark a plan as in use; nothing to write when it is already. Refused if the plan is gone or has changed."""
    if plan.taken:
        return []
    taken = PlanRow.change(
        PLANS.key(organization_id, plan.id),
        rows.field("taken").set(True),
        PlanRow.version.set(plan.version + 1),
        condition=PlanRow.version == plan.version,
    )
    return [taken]


def current_action(organization_id: OrganizationId, plan: Plan) -> Write:
    """Refuse the transaction if the plan has changed since it was read. For transactions that copy the plan, where
    `taken_action` (which checks the same) has nothing to write."""
    return PlanRow.check(PLANS.key(organization_id, plan.id), PlanRow.version == plan.version)


def children_ids(organization_id: OrganizationId, parent_id: str) -> list[str]:
    """The ids of the plans that override a plan, read consistently."""
    return [row.sk for row in ChildRow.select(_children(organization_id, parent_id))]


def child_actions(organization_id: OrganizationId, child: Plan) -> list[Write]:
    """Enter a child under its parent."""
    assert child.parent_id is not None, "only a child has a parent"
    return [ChildRow(pk=_children(organization_id, child.parent_id), sk=child.id).put()]


def subscribed_action(
    organization_id: OrganizationId, plan_id: PlanId, customer_id: CustomerId, subscription_id: SubscriptionId
) -> Write:
    """Enter a subscription under its plan."""
    return SubscriberRow(pk=_subscriptions(organization_id, plan_id), sk=key(customer_id, subscription_id)).put()


def unsubscribed_action(
    organization_id: OrganizationId, plan_id: PlanId, customer_id: CustomerId, subscription_id: SubscriptionId
) -> Write:
    """Take a subscription out of its plan's list, whether it stands there or not."""
    return SubscriberRow.remove_key((_subscriptions(organization_id, plan_id), key(customer_id, subscription_id)))


def subscribers(
    organization_id: OrganizationId, plan_id: PlanId, *, after: str = ""
) -> Iterator[tuple[CustomerId, SubscriptionId]]:
    """(customer id, subscription id) of all subscriptions under a plan, read consistently, in the order of customers.
    `after`: only those that follow a `subscriber_key`."""
    within = SubscriberRow.sk.between(f"{after}\0" if after else "\0", "\U0010ffff")
    for row in SubscriberRow.select(_subscriptions(organization_id, plan_id), within=within):
        customer_id, subscription_id = row.sk.split("#")
        yield CustomerId(customer_id), SubscriptionId(subscription_id)


def subscriber_key(customer_id: CustomerId, subscription_id: SubscriptionId) -> str:
    """Sort key of a subscription in its plan's list."""
    return key(customer_id, subscription_id)


def step_actions(organization_id: OrganizationId, before: Plan, after: Plan) -> list[Write]:
    """Keep a change for the children; `after` has the version that it is written with."""
    pk = _steps(organization_id, after.id)
    return [
        StepRow(pk=pk, sk=_step(after.version, half), version=plan.version, record=plan).put()
        for half, plan in {"before": before, "after": after}.items()
    ]


def steps(organization_id: OrganizationId, parent_id: str, *, until: int) -> Iterator[tuple[Plan, Plan]]:
    """The changes on their way to a plan's children, up to a version: (before, after), the oldest first."""
    after: Plan | None = None
    within = StepRow.sk.between("0", _step(until, "before"))
    for row in StepRow.select(_steps(organization_id, parent_id), within=within):
        plan = row.value
        if row.sk.endswith("#after"):  # Sorts before its `before`.
            after = plan
        else:
            assert after is not None, "both halves are written together"
            yield plan, after


def step_done_actions(organization_id: OrganizationId, after: Plan) -> list[Write]:
    """Forget a change that all children have."""
    pk = _steps(organization_id, after.id)
    return [StepRow.remove_key((pk, _step(after.version, half))) for half in ("before", "after")]


def _steps(organization_id: OrganizationId, parent_id: str) -> str:
    return key(organization_id, "plan-cascade", parent_id)


def _step(version: int, half: str) -> str:
    return f"{version:010d}#{half}"


def _children(organization_id: OrganizationId, parent_id: str) -> str:
    return key(organization_id, "plan-children", parent_id)


def _subscriptions(organization_id: OrganizationId, plan_id: PlanId) -> str:
    return key(organization_id, "plan-subscriptions", plan_id)
