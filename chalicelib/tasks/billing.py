"""The billing of a customer, making drafts final, and charging single events."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib import limits
from chalicelib.domain import periods
from chalicelib.features.audit import late
from chalicelib.features.customers import service as customers
from chalicelib.features.customers import store as customer_store
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices import store as invoice_store
from chalicelib.features.invoicing import compose, drafts, in_advance, regroup, run, standalone_renewals
from chalicelib.features.invoicing.run import FINALIZE
from chalicelib.features.metering.advance import CHARGE_EVENT
from chalicelib.features.organizations import service as organizations
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.store import Plan
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.rating.renewals import REGROUP, RENEW
from chalicelib.features.subscriptions import lifecycle, schedule
from chalicelib.features.subscriptions import store as subscription_store
from chalicelib.features.subscriptions.lifecycle import Decision
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.platform import agenda, jobs
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import CustomerId, InvoiceId
from chalicelib.platform.unit import Unit


@jobs.handles(customers.BILL)
def bill(task: Task, now: datetime) -> None:
    """Carry out what is due for a customer at `now`, one invoice after the other; the last one moves the task on."""
    more = True
    while more:
        more = _bill_once(task, now)


def _bill_once(task: Task, now: datetime) -> bool:
    """One transaction's worth; True while something of this instant is left. The task goes with the last one."""
    own = organizations.get(task.organization.id)
    everything = customer_store.everything_of(own.id, CustomerId(task.subject))
    if everything.customer is None or everything.state.due_at != task.due_at:
        agenda.done(task).alone()  # What was decided since has a task of its own.
        return False
    account = run.account_of(own, everything)
    subscriptions = sorted(subscription_store.among(everything), key=lambda s: (s.created_at, s.id))
    known = plans.by_ids(own.id, [s.plan_id for s in subscriptions])
    closing = everything.customer.deleted_at is not None
    decisions = lifecycle.decide_all(subscriptions, known, closing=closing, now=now, zone=account.zone)
    chosen = _next_group(decisions)
    after = {s.id: s for s in subscriptions} | {o.before.id: o.after for each in chosen for o in each.outcomes}
    due_at = _due_at(list(after.values()), known, account)
    if closing and any(s.live for s in after.values()):
        due_at = now
    assert chosen or due_at is None or due_at > now, "what is due is decided, or it would be due for ever"
    run.issue(account, chosen, due_at=due_at, now=now)
    return due_at == now


def _next_group(decisions: Sequence[Decision]) -> list[Decision]:
    """Those that go on the next invoice: one that stands apart, else all billing days together, as many as one
    transaction holds. Source: rules/billing-periods 8."""
    alone = next((each for each in decisions if each.apart), None)
    if alone is not None:
        return [alone]
    group: list[Decision] = []
    places = lines = 0
    for each in decisions:
        places += sum(run.places(outcome) for outcome in each.outcomes)
        lines += sum(len(outcome.rows) for outcome in each.outcomes)
        if group and (places > limits.OUTCOME_PLACES_MAX or lines > limits.SUBSCRIPTIONS_PER_INVOICE_MAX):
            break
        group.append(each)
    return group


def _due_at(subscriptions: Sequence[Subscription], known: dict[str, Plan], account: BillingContext) -> datetime | None:
    waits = lifecycle.waiting_for_an_end(subscriptions)
    instants = [
        schedule.next_due_at(s, known[s.plan_id], zone=account.zone) for s in subscriptions if s.id not in waits
    ]
    return min((at for at in instants if at is not None), default=None)


@jobs.handles(FINALIZE)
def finalize(task: Task, now: datetime) -> None:
    """The end of a grace period: compute the draft again, with all events of its period, and make it final."""
    organization_id = task.organization.id
    old = invoice_store.get(organization_id, InvoiceId(task.subject))
    if old is None or old.status != "draft":
        agenda.done(task).alone()
        return
    account, refreshed, fees = drafts.recomputed(organization_id, old, now=now)
    on = periods.local_date(now, account.zone)
    dated = refreshed.model_copy(update=drafts.dates_at_end(account, refreshed, on))
    final = compose.finalized(account, dated, fees, now=now)
    invoice, notes, told = run.with_notes(account, final, now=now)
    invoice_store.write_fees(organization_id, old.id, invoice.build, fees)
    tasks = [*told, *invoices.tasks_of_issue(account.organization, account.customer, invoice, fees, now=now)]
    Unit(
        invoice_store.replace_actions(organization_id, old, invoice),
        customer_store.billing_action(organization_id, account.state, final.state),
        final.actions,
        notes,
        agenda.done(task),
        (agenda.put(each, now=now) for each in tasks),
    ).commit()
    agenda.push(tasks)


jobs.handles(CHARGE_EVENT)(in_advance.charge)
jobs.handles(RENEW)(standalone_renewals.renew)
jobs.handles(REGROUP)(regroup.regroup)
jobs.handles(late.WATCH)(late.count)


@jobs.handles(customers.CLOSE)
def close(task: Task, now: datetime) -> None:
    """Some minutes after a customer's deletion: what is left of its drafts becomes final."""
    pushed = drafts.finalize_all(task.organization, CustomerId(task.subject), now=now)
    agenda.done(task).alone()
    agenda.push([each for each in pushed if not each.in_clock])
