"""Charging an event at once: a fee for each charge in advance of its code, on an invoice of its own or standalone.

The meter writes the task together with the event. Ids are derived from subscription, event and charge, so that a second
run finds what the first one made. Source: rules/usage 7.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from chalicelib.domain import subscriptions as rules
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.customers import store as customer_store
from chalicelib.features.fees import service as fees
from chalicelib.features.fees import store as fee_store
from chalicelib.features.invoices import store as invoice_store
from chalicelib.features.invoices.parts import PeriodPart
from chalicelib.features.invoices.records import Fee
from chalicelib.features.invoicing import compose, issue_transaction
from chalicelib.features.metering import erase
from chalicelib.features.metering import reading as metered
from chalicelib.features.metering.advance import event_key
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.features.plans import active_parts
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.records import Charge, Plan
from chalicelib.features.rating import billing_context, charged, event_usage, pricing, tax_resolver
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.rating.event_usage import EventFeeTarget, Owed
from chalicelib.features.rating.line_items import InvoicedSubscription
from chalicelib.features.rating.metered import Used
from chalicelib.features.rating.pricing import LineItemContext
from chalicelib.features.rating.usage_period import Period
from chalicelib.features.subscriptions import schedule
from chalicelib.features.subscriptions import store as subscription_store
from chalicelib.features.subscriptions.lifecycle import Outcome
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.features.usage.service import reading_of
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import CustomerId, FeeId, InvoiceId, derived_id
from chalicelib.platform.unit import Unit, Write
from chalicelib.platform.usage_table import usage

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class EventContext:
    """The subscription that holds an event, and the charges in advance of the event's code, in the plan's order."""

    billing: BillingContext
    subscription: Subscription
    plan: Plan
    period: Period
    part: PeriodPart
    charges: Sequence[tuple[Charge, Metric]]

    def parts(self, event: Reading) -> list[EventFeeTarget]:
        """The parts of charges that see an event."""
        found = (event_usage.target_of(self.period, charge, metric, event) for charge, metric in self.charges)
        return [part for part in found if part is not None]

    def fee(self, used: Used, invoice_id: InvoiceId, *, transaction_id: str | None, now: datetime) -> Fee:
        """Fee for the amount that one event adds. Source: rules/usage 7, 8."""
        taxes = tax_resolver.read(self.billing, [self.plan])
        owner = LineItemContext(self.subscription, self.plan, self.part, invoice_id, now)
        fee = pricing.charge_fee(used, owner, taxes.of(used.charge.tax_ids, self.plan.tax_ids), kept=True)
        assert fee is not None, "each event has its fee"
        return fee.model_copy(update={"pay_in_advance": True, "event_transaction_id": transaction_id})


def charge(task: Task, now: datetime) -> None:
    """Make the fees of an event one after the other; the last one takes the task with it."""
    more = True
    while more:
        more = _charge_once(task, now)


def _charge_once(task: Task, now: datetime) -> bool:
    """One fee's worth; True while there is another one."""
    item = usage.get(*event_key(task))
    if item is None or erase.is_erased(item):  # Gone after its retention, or with its metric.
        agenda.done(task).alone()
        return False
    event, reading = metered.read(item), reading_of(item)
    context = context_of(organizations.get(task.organization.id), event.external_subscription_id, event.code, reading)
    left = [] if context is None else _not_made(context, event.transaction_id, reading)
    for n, (part, charged_by_now) in enumerate(left):
        assert context is not None
        owed = event_usage.owed(context.period, part, reading, charged=charged_by_now)
        if owed is not None:
            last = n + 1 == len(left)
            also = charged.raise_actions(context.period, part, owed, charged=charged_by_now)
            _make(context, owed, event.transaction_id, [*also, *([agenda.done(task)] if last else [])], now=now)
            return not last
    agenda.done(task).alone()
    return False


def context_of(own: Organization, external_id: str, code: str, event: Reading) -> EventContext | None:
    """Subscription that holds an event, with its plan's charges for the event; None without such a subscription."""
    found = _holder(own, external_id, event)
    if found is None:
        return None
    billing, subscription = found
    plan = plans.by_ids(own.id, [subscription.plan_id])[subscription.plan_id]
    row = rules.charged_at_once(schedule.terms_of(plan), schedule.life_of(subscription), event.at, billing.zone)
    assert row.usage_days is not None
    charges = [
        (charge, metric)
        for charge, metric in active_parts.live_charges(plan, active_parts.metrics_of(own.id, [plan]))
        if charge.pay_in_advance and metric.code == code
    ]
    # Units that changed and are not billed yet do not concern this row.
    plain = subscription.model_copy(update={"units_changed_at": None})
    part = compose.period_part(Outcome(plain, plain, plan), row)
    return EventContext(
        billing, subscription, plan, Period(own.ref, subscription, row.usage_days, billing.zone), part, charges
    )


def _holder(own: Organization, external_id: str, event: Reading) -> tuple[BillingContext, Subscription] | None:
    """The holder of an event, read consistently: the live subscription's customer is asked first, then those that had
    the external id before."""
    live = subscription_store.find_live(own.id, external_id)
    asked: set[str] = set()
    if live is not None:
        asked.add(live.customer_id)
        found = _held_by(own, live.customer_id, external_id, event)
        if found is not None:
            return found
    for earlier in subscription_store.history(own.id, external_id):
        if earlier.customer_id not in asked:
            asked.add(earlier.customer_id)
            found = _held_by(own, earlier.customer_id, external_id, event)
            if found is not None:
                return found
    return None


def _held_by(
    own: Organization, customer_id: CustomerId, external_id: str, event: Reading
) -> tuple[BillingContext, Subscription] | None:
    items = customer_store.everything_of(own.id, customer_id)
    known = [s for s in subscription_store.among(items) if s.external_id == external_id]
    holding = [s for s in known if _holds(s, event)]
    if not holding:
        return None
    # A cheaper plan begins at the instant at which the one before ends.
    return billing_context.read(own, items), max(holding, key=lambda s: (s.started_at, s.id))


def _holds(subscription: Subscription, event: Reading) -> bool:
    """By the second: an event in the one of the start counts, and in the one of the end, unless an upgrade made it.

    Source: rules/usage 1.4.
    """
    at = event.at
    if (
        subscription.started_at is None
        or at < subscription.started_at.replace(microsecond=0)
        or not subscription.stream.holds(at, event.order)
    ):
        return False
    if subscription.terminated_at is None:
        return True
    end = subscription.terminated_at.replace(microsecond=0)
    return at < end if subscription.upgraded else at < end + _SECOND


def _not_made(context: EventContext, transaction_id: str, event: Reading) -> list[tuple[EventFeeTarget, Decimal]]:
    """The parts of charges that see an event and have no fee of it yet, each with the sum charged in its period by
    now."""
    parts = context.parts(event)
    markers = [
        _marker(context, part.asked.charge, _base_id(context, part.asked.charge, transaction_id)) for part in parts
    ]
    sums, made = charged.read([charged.key_of(context.period, part) for part in parts], beside=markers)
    asked = zip(parts, markers, sums, strict=True)
    return [(part, by_now) for part, marker, by_now in asked if marker not in made]


def _marker(context: EventContext, charge: Charge, base_id: str) -> tuple[str, str]:
    """Key of the idempotency marker, whose existence proves that the fee was created: its invoice, or the fee
    itself."""
    organization_id = context.billing.organization.id
    if charge.invoiceable:
        return invoice_store.invoice_key(organization_id, InvoiceId(base_id))
    return fee_store.fee_key(organization_id, FeeId(base_id))


def _base_id(context: EventContext, charge: Charge, transaction_id: str) -> str:
    """The id of an event's invoice, or of its standalone fee."""
    return derived_id("event", context.subscription.id, transaction_id, charge.id)


def _make(context: EventContext, owed: Owed, transaction_id: str, done: Sequence[Write], *, now: datetime) -> None:
    used = owed.used
    base_id = _base_id(context, used.charge, transaction_id)
    fee = context.fee(used, InvoiceId(base_id), transaction_id=transaction_id, now=now)
    if used.charge.invoiceable:
        _invoice(context, fee, InvoiceId(base_id), done, now=now)
        return
    organization = context.billing.organization.ref
    standalone = fee.model_copy(update={"id": base_id, "invoice_id": None})
    created = fees.created(organization, standalone, standalone.payment_status, now=now)
    Unit(
        fee_store.create_actions(organization.id, [standalone]),
        (agenda.put(each, now=now) for each in created),
        done,
    ).commit()
    agenda.push(created)


def _invoice(context: EventContext, fee: Fee, invoice_id: InvoiceId, done: Sequence[Write], *, now: datetime) -> None:
    """Issue an invoice of this fee alone, final at once."""
    billing, organization = context.billing, context.billing.organization
    line = InvoicedSubscription(context.subscription, context.plan, context.part)
    draft = compose.drafted(billing, [line], [fee], invoice_id=invoice_id, now=now)
    issue = issue_transaction.finalized(billing, draft, [fee], now=now)
    assert issue.invoice is not None, "a fee makes an invoice"
    (billed,) = issue.fees
    copies = fee_store.copy_actions(organization.id, billed) if issue.invoice.visible else []
    created = fees.created(organization.ref, billed, issue.invoice.payment_status, now=now)
    issue_transaction.carry_out(replace(issue, actions=[*copies, *done], tasks=created), now=now)
