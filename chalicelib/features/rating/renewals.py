"""Renewals: on a billing day, units of recurring metrics paid in advance are paid for the period that begins.

Full price, whatever the days; one fee per filter and group that holds units. Fees of invoiceable charges are on the
invoice of that day, others are standalone. Source: rules/usage 7.1.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.domain.aggregation.window import Window
from chalicelib.domain.billing_line import BillingLine
from chalicelib.domain.periods import Span
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.invoices.parts import DaysPart, PeriodPart
from chalicelib.features.invoices.records import Fee
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.records import Charge, Plan
from chalicelib.features.rating import metered, pricing
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.rating.metered import Used
from chalicelib.features.rating.pricing import LineItemContext
from chalicelib.features.rating.tax_resolver import TaxResolver
from chalicelib.features.subscriptions import reading as subscriptions
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import SubscriptionId
from chalicelib.platform.timestamps import stamp

# Makes standalone fees (features/invoicing/standalone_renewals.py): after the billing of the same instant.
RENEW = agenda.kind("renew_charges", rank=12)
# Gathers those that were paid (features/invoicing/regroup.py).
REGROUP = agenda.kind("regroup_paid_fees", rank=13)


def used_at(
    context: BillingContext, subscription: Subscription, charges: Sequence[tuple[Charge, Metric]], days: DaysPart
) -> list[Used]:
    """The units that recurring metrics hold when a period begins, at the price of a whole one."""
    whole = (days.whole_end - days.whole_start).days
    # The whole history of a recurring metric counts up to the end of a range: the range itself needs no length.
    before = Span(days.start - timedelta(seconds=1), days.start)
    window = Window(before, context.zone, whole, days.whole_start, days.last)
    full = [(c.model_copy(update={"prorated": False}), m) for c, m in charges if m.recurring and c.pay_in_advance]
    found = metered.used_by(context.organization.ref, subscription.stream, full, window)
    return [used for used in found if used.units]


def fee_of(used: Used, owner: LineItemContext, taxes: TaxResolver) -> Fee:
    """Fee of the level held, for the days of the new period."""
    days = owner.period.renewal
    assert days is not None, "a row with renewals knows their days"
    part = owner.period.model_copy(update={"charges_start": days.start, "charges_end": days.end, "exact_end": False})
    owed = taxes.of(used.charge.tax_ids, owner.plan.tax_ids)
    fee = pricing.charge_fee(used, replace(owner, period=part), owed)
    assert fee is not None, "units make a fee"
    return fee


def tasks_of(
    context: BillingContext, subscription: Subscription, plan: Plan, part: PeriodPart, *, now: datetime
) -> list[Task]:
    """The tasks that follow from a row of billing: standalone fees of renewals, and the invoice of those paid so
    far."""
    renews, regroups = _renews(plan), _regroups(plan)
    detail = {"customer_id": context.customer.id, "plan_id": plan.id, "part": part.model_dump(mode="json")}
    tasks = []
    if renews and part.renewal is not None:
        subject = f"{subscription.id}#{stamp(part.renewal.start)}"
        tasks.append(agenda.task(RENEW, context.organization.ref, subject, now, detail))
    if regroups and part.bills_usage and part.charges_end:
        subject = f"{subscription.id}#{stamp(part.charges_end)}"
        tasks.append(agenda.task(REGROUP, context.organization.ref, subject, now, detail))
    return tasks


def tasks_at_most(plan: Plan, line: BillingLine) -> int:
    """Upper bound of the tasks that follow from a billing line."""
    return (_renews(plan) and line.renewed is not None) + (_regroups(plan) and line.bills_usage)


def row_of(task: Task) -> tuple[Subscription, Plan, PeriodPart]:
    """The row of billing that such a task follows from."""
    organization_id, detail = task.organization.id, task.detail
    subscription = subscriptions.get(organization_id, detail["customer_id"], SubscriptionId(task.subject.split("#")[0]))
    assert subscription is not None, "subscriptions stay"
    plan = plans.by_ids(organization_id, [detail["plan_id"]])[detail["plan_id"]]
    return subscription, plan, PeriodPart.model_validate(detail["part"])


def _renews(plan: Plan) -> bool:
    """Whether a plan has charges whose renewals are standalone fees."""
    return any(not charge.invoiceable for charge in plan.charges_in_advance)


def _regroups(plan: Plan) -> bool:
    """Whether a plan has standalone fees that an invoice gathers once they are paid."""
    return any(charge.regroup_paid_fees and not charge.invoiceable for charge in plan.charges_in_advance)
