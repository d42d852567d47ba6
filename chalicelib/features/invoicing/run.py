"""Billing run of a customer: decides the due steps, and issues one invoice after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.billing_line import STARTING
from chalicelib.features.customers import store as customer_store
from chalicelib.features.customers.records import BillingState
from chalicelib.features.invoices.parts import PeriodPart
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.invoicing import compose, finalize, issue_transaction, unused_days
from chalicelib.features.invoicing.issue_transaction import Issue
from chalicelib.features.invoicing.unused_days import UnusedDaysNote
from chalicelib.features.organizations import service as organizations
from chalicelib.features.plans import service as plans
from chalicelib.features.plans import subscribers
from chalicelib.features.plans.records import Plan
from chalicelib.features.rating import billing_context, renewals
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.rating.line_items import InvoicedSubscription, fees_of
from chalicelib.features.subscriptions import announcements, lifecycle, schedule
from chalicelib.features.subscriptions import store as subscription_store
from chalicelib.features.subscriptions.lifecycle import Decision, Outcome
from chalicelib.features.subscriptions.records import FixedPaid, LastFee, Status, Subscription
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import CustomerId, InvoiceId, OrganizationId, derived_id
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write


def bill(task: Task, now: datetime) -> None:
    """Carry out what is due for a customer at `now`, one invoice after the other; the last one moves the task on."""
    more = True
    while more:
        more = _bill_once(task, now)


def next_group(decisions: Sequence[Decision]) -> list[Decision]:
    """The decisions of the next invoice: one that stands apart, else all billing days together, as many as one
    transaction holds. Source: rules/billing-periods 8."""
    alone = next((each for each in decisions if each.apart), None)
    if alone is not None:
        return [alone]
    group: list[Decision] = []
    places = lines = 0
    for each in decisions:
        places += sum(_places(outcome) for outcome in each.outcomes)
        lines += sum(len(outcome.rows) for outcome in each.outcomes)
        if group and (places > limits.OUTCOME_PLACES_MAX or lines > limits.SUBSCRIPTIONS_PER_INVOICE_MAX):
            break
        group.append(each)
    return group


def next_due_at(
    subscriptions: Sequence[Subscription], known: Mapping[str, Plan], context: BillingContext
) -> datetime | None:
    """Next due time of the customer's billing; None: never."""
    waits = lifecycle.waiting_for_an_end(subscriptions)
    instants = [
        schedule.next_due_at(s, known[s.plan_id], zone=context.zone) for s in subscriptions if s.id not in waits
    ]
    return min((at for at in instants if at is not None), default=None)


def _bill_once(task: Task, now: datetime, *, drafts_final: bool = False) -> bool:
    """One transaction's worth; True while something of this instant is left. The task goes with the last one."""
    own = organizations.get(task.organization.id)
    items = customer_store.everything_of(own.id, CustomerId(task.subject))
    if items.customer is None or items.state.due_at != task.due_at:
        agenda.done(task).alone()  # A decision made since has a task of its own.
        return False
    closing = items.customer.deleted_at is not None
    if closing and not drafts_final:
        finalize.finalize_before_end(task.organization, items.customer.id, now=now)
        return _bill_once(task, now, drafts_final=True)  # They took credits: read what is left.
    context = billing_context.read(own, items)
    subscriptions = sorted(subscription_store.among(items), key=lambda s: (s.created_at, s.id))
    known = plans.by_ids(own.id, [s.plan_id for s in subscriptions])
    decisions = lifecycle.decide_all(subscriptions, known, closing=closing, now=now, zone=context.zone)
    chosen = next_group(decisions)
    after = {s.id: s for s in subscriptions} | {o.before.id: o.after for each in chosen for o in each.outcomes}
    due_at = next_due_at(list(after.values()), known, context)
    if closing and any(s.live for s in after.values()):
        due_at = now
    assert chosen or due_at is None or due_at > now, "what is due is decided, or it would be due for ever"
    _issue(context, chosen, due_at=due_at, now=now)
    return due_at == now


def _places(outcome: Outcome) -> int:
    """Upper bound of the items that an outcome takes of the 100 of a transaction: the subscription, its announcements, what
    its end frees, and its tasks of standalone fees."""
    ends = outcome.before.live and not outcome.after.live
    tasks = sum(renewals.tasks_at_most(outcome.plan, row) for row in outcome.rows)
    counts = outcome.before.status != outcome.after.status
    return 1 + len(outcome.events) + 2 * ends + tasks + counts


def prepared(
    context: BillingContext, decisions: Sequence[Decision], *, now: datetime
) -> tuple[Issue, list[UnusedDaysNote]]:
    """The issue of what was decided for one invoice, and the credit notes that are made with it; nothing is written."""
    outcomes = [outcome for decision in decisions for outcome in decision.outcomes]
    notes = unused_days.notes_of(context, outcomes, now=now)
    usable = [each.credit for each in notes if each.note.open]
    counted = replace(context, state=_counted_state(context.state, now), credits=(*context.credits, *usable))
    reserved = _reserved(outcomes, notes)
    return _billed(counted, decisions, reserved=reserved, now=now), notes


def _issue(context: BillingContext, decisions: Sequence[Decision], *, due_at: datetime | None, now: datetime) -> None:
    """Carry out what was decided for one invoice, and move the customer's task on to `due_at`."""
    outcomes = [outcome for decision in decisions for outcome in decision.outcomes]
    issue, notes = prepared(context, decisions, now=now)
    state = issue.state.model_copy(update={"due_at": due_at})
    if issue.invoice is not None:
        state = state.model_copy(update={"made_at_instant": state.made_at_instant + 1})
        outcomes = [_carried(outcome, context, issue.invoice, issue.fees) for outcome in outcomes]
    organization_id = context.organization.id
    noted = unused_days.changes(context, notes, now=now)
    actions = [
        *(action for change in noted for action in change.actions),
        *subscription_store.write_subscriptions(organization_id, replaced=[(o.before, o.after) for o in outcomes]),
        *(action for decision in decisions for action in _uniqueness_actions(organization_id, decision)),
    ]
    tasks = [*_of_standalone_fees(context, decisions, now=now), *_announcements(context, outcomes, now=now)]
    tasks += [task for change in noted for task in change.tasks]
    changes = [*issue.notes, *(each.change for each in notes)]
    issue = replace(issue, state=state, notes=changes, actions=actions, tasks=tasks)
    issue_transaction.carry_out(issue, now=now)


def _counted_state(state: BillingState, now: datetime) -> BillingState:
    """The state that counts the invoices of this instant. A retry finds the count as the first try left it."""
    if state.instant == now:
        return state
    return state.model_copy(update={"instant": now, "made_at_instant": 0})


def _reserved(outcomes: Sequence[Outcome], notes: Sequence[UnusedDaysNote]) -> int:
    """Upper bound of the places that all takes which is written beside the invoice and its credits."""
    noted = {each.after.id for each in notes}
    places = sum(map(_places, outcomes))
    return places + limits.UNUSED_NOTE_PLACES * len(notes) + limits.NOTED_INVOICE_PLACES * len(noted)


def _billed(context: BillingContext, decisions: Sequence[Decision], *, reserved: int, now: datetime) -> Issue:
    """The invoice of these decisions: final, or a draft where there is a grace period; without one where nothing is
    billed."""
    nothing = Issue(context, context.state)
    lines = [
        InvoicedSubscription(
            outcome.after, outcome.plan, compose.period_part(outcome, row, kept_metric_ids=_kept(outcome))
        )
        for decision in decisions
        for outcome in decision.outcomes
        for row in outcome.rows
    ]
    if not lines:
        return nothing
    # A retry computes the same id, whose invoice then stands already.
    number = str(context.state.made_at_instant)
    invoice_id = InvoiceId(derived_id(context.customer.id, stamp(now), "billing", number))
    fees = fees_of(context, lines, invoice_id=invoice_id, now=now)
    lines = [line for line in lines if not _renews_nothing(line, fees)]
    if not fees and compose.bills_in_advance_only(lines):
        return nothing  # Fixed charges in advance of which nothing is owed are no billing day.
    draft = compose.drafted(context, lines, fees, invoice_id=invoice_id, now=now)
    if not compose.has_no_grace(context, lines):
        return issue_transaction.drafted(context, draft, fees)
    return issue_transaction.finalized(context, draft, fees, now=now, reserved=reserved)


def _renews_nothing(line: InvoicedSubscription, fees: Sequence[Fee]) -> bool:
    """Whether a cheaper plan in arrears, whose start is on an invoice for renewals only, has none."""
    renews_only = line.period.reason == STARTING and line.period.fee_start is None and line.period.renewal is not None
    return renews_only and all(fee.subscription_id != line.subscription.id for fee in fees)


def _kept(outcome: Outcome) -> tuple[str, ...]:
    """Metrics that the plan after an upgrade continues to count."""
    if outcome.next_plan is None:
        return ()
    return tuple(charge.metric_id for charge in outcome.next_plan.charges)


def _of_standalone_fees(context: BillingContext, decisions: Sequence[Decision], *, now: datetime) -> list[Task]:
    """The tasks of fees that stand on no invoice of a billing day."""
    return [
        task
        for decision in decisions
        for outcome in decision.outcomes
        for row in outcome.rows
        if outcome.plan.charges_in_advance
        for task in renewals.tasks_of(context, outcome.after, outcome.plan, compose.period_part(outcome, row), now=now)
    ]


def _announcements(context: BillingContext, outcomes: Sequence[Outcome], *, now: datetime) -> list[Task]:
    return [
        task
        for outcome in outcomes
        for name in outcome.events
        for task in announcements.tasks(
            context.organization, context.customer, outcome.after, outcome.plan, name, now=now
        )
    ]


def _carried(outcome: Outcome, context: BillingContext, invoice: Invoice, fees: Sequence[Fee]) -> Outcome:
    """The subscription with the facts of this invoice that later documents need."""
    after = outcome.after
    own = [fee for fee in fees if fee.subscription_id == after.id]
    parts = [part for part in invoice.periods if part.subscription_id == after.id]
    if not parts:
        return outcome
    earlier = () if outcome.opens_period else after.period_invoices
    values: dict[str, object] = {
        "invoiced": True,
        "zone": context.zone.key,
        "period_invoices": (*earlier, invoice.id),
        "fixed_paid": _fixed_paid(after, outcome.plan, parts, own),
    }
    for part in parts:
        base = next((fee for fee in own if fee.type == "subscription"), None)
        if base is not None and part.fee_period_start and part.fee_period_end:
            values["last_fee"] = LastFee(
                invoice_id=invoice.id,
                fee_id=base.id,
                amount_cents=base.amount_cents,
                period_start=part.fee_period_start,
                period_end=part.fee_period_end,
                plan_amount_cents=outcome.plan.amount_cents,
            )
    return outcome.with_changes(**values)


def _fixed_paid(
    after: Subscription, plan: Plan, parts: Sequence[PeriodPart], fees: Sequence[Fee]
) -> tuple[FixedPaid, ...]:
    days = next((part.fixed_advance for part in parts if part.fixed_advance), None)
    if days is None:
        return after.fixed_paid
    add_ons = {fixed.id: fixed.add_on_id for fixed in plan.fixed_charges}
    paid = [
        FixedPaid(
            charge_id=fee.fixed_charge_id,
            add_on_id=add_ons[fee.fixed_charge_id],
            units=fee.units,
            amount_cents=fee.amount_cents,
            first=days.first,
            end=days.whole_end,
        )
        for fee in fees
        if fee.fixed_charge_id is not None and fee.pay_in_advance
    ]
    return (*(each for each in after.fixed_paid if each.end > days.first), *paid)


def _uniqueness_actions(organization_id: OrganizationId, decision: Decision) -> list[Write]:
    """The changes of the uniqueness items of external ids, and of the plans' lists of subscriptions."""
    actions: list[Write] = []
    started = next((o for o in decision.outcomes if o.before.status == Status.PENDING and o.after.live), None)
    for outcome in decision.outcomes:
        before, after = outcome.before, outcome.after
        if not before.live or after.live:
            continue
        actions.append(subscribers.unsubscribed_action(organization_id, before.plan_id, before.customer_id, before.id))
        if started is not None and started.before.previous_id == before.id:
            actions.append(subscription_store.hand_over_action(organization_id, before, started.after))
        elif before.status == Status.ACTIVE or before.previous_id is None:
            actions.append(subscription_store.release_action(organization_id, before))
    return actions
