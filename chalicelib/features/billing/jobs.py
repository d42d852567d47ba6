"""The billing of a customer, and making drafts final."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from chalicelib import limits
from chalicelib.domain import periods
from chalicelib.domain.invoicing import dates
from chalicelib.domain.invoicing.totals import VERSION_NUMBERS
from chalicelib.features.billing import decide, issue
from chalicelib.features.billing.decide import Outcome
from chalicelib.features.billing.issue import Account, Line
from chalicelib.features.customers import service as customers
from chalicelib.features.customers import store as customer_store
from chalicelib.features.customers.records import BillingState
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices import store as invoice_store
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.organizations import service as organizations
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.store import Plan
from chalicelib.features.subscriptions import announcements, terms
from chalicelib.features.subscriptions import store as subscription_store
from chalicelib.features.subscriptions.records import LastFee, Subscription
from chalicelib.platform import agenda, jobs
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import derived_id
from chalicelib.platform.table import Action, core, transact
from chalicelib.platform.timestamps import stamp

FINALIZE = agenda.kind("finalize_invoice", rank=20, reads_usage=True)


@jobs.handles(customers.BILL)
def bill(task: Task, now: datetime) -> None:
    """Carry out what is due for a customer at `now`, one invoice after the other; the last one moves the task on."""
    more = True
    while more:
        more = _bill_once(task, now)


def _bill_once(task: Task, now: datetime) -> bool:
    """One transaction's worth; True while something of this instant is left. The task goes with the last one."""
    own = organizations.get(task.organization.id)
    customer, state, items = customer_store.everything_of(own.id, task.subject)
    if customer is None or state.due_at != task.due_at:
        core.write(agenda.done(task))  # What was decided since has a task of its own.
        return False
    account = Account(own, customer, state)
    subscriptions = sorted((subscription_store.read(item) for item in items), key=lambda s: (s.created_at, s.id))
    known = plans.by_ids(own.id, [s.plan_id for s in subscriptions])
    closing = customer.deleted_at is not None
    outcomes = [
        outcome
        for s in subscriptions
        if (outcome := decide.decide(s, known[s.plan_id], closing=closing, now=now, zone=account.zone)) is not None
    ]
    chosen, left = _next_group(outcomes)
    after = {s.id: s for s in subscriptions} | {outcome.before.id: outcome.after for outcome in chosen}
    due_at = now if left else _due_at(list(after.values()), known, account)
    _commit(task, account, chosen, due_at=due_at, now=now)
    return bool(left)


def _next_group(outcomes: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """Those that go on one invoice, and the rest. Source: billing-periods.md section 8."""
    alone = next((o for o in outcomes if not o.after.consolidate_invoice), None)
    if alone is not None:
        return [alone], [o for o in outcomes if o is not alone]
    return list(outcomes[: limits.SUBSCRIPTIONS_PER_INVOICE_MAX]), list(
        outcomes[limits.SUBSCRIPTIONS_PER_INVOICE_MAX :]
    )


def _due_at(subscriptions: Sequence[Subscription], known: dict[str, Plan], account: Account) -> datetime | None:
    instants = [terms.next_due_at(s, known[s.plan_id], zone=account.zone) for s in subscriptions]
    return min((at for at in instants if at is not None), default=None)


def _commit(task: Task, account: Account, chosen: Sequence[Outcome], *, due_at: datetime | None, now: datetime) -> None:
    ref = account.organization.ref
    state = _counted_state(account.state, now).model_copy(update={"due_at": due_at})
    lines = [
        Line(outcome.after, outcome.plan, issue.period_part(outcome.after, outcome.plan, row))
        for outcome in chosen
        for row in outcome.rows
    ]
    actions: list[Action] = []
    tasks: list[Task] = []
    fees_of: dict[str, LastFee] = {}
    if lines:
        invoice_id = derived_id(account.customer.id, stamp(now), "billing", str(state.made_at_instant))
        state = state.model_copy(update={"made_at_instant": state.made_at_instant + 1})
        state, actions, tasks, fees_of = _issue(replace(account, state=state), lines, invoice_id, now=now)
    for outcome in chosen:
        after = outcome.after
        if after.id in fees_of:
            after = after.model_copy(update={"last_fee": fees_of[after.id]})
        if outcome.rows:
            after = after.model_copy(update={"invoiced": True, "zone": account.zone.key})
        actions += subscription_store.replace_actions(ref.id, outcome.before, after)
        if outcome.released:
            actions.append(subscription_store.release_action(ref.id, outcome.before))
        tasks += [
            announcements.task(account.organization, account.customer, after, outcome.plan, name, now=now)
            for name in outcome.news
        ]
    actions.append(customer_store.billing_action(ref.id, account.state, state))
    actions += customers.due_actions(ref, account.state, state, now=now)
    transact([*actions, *(agenda.put(each, now=now) for each in tasks)])
    moved = [] if due_at is None else [agenda.task(customers.BILL, ref, account.customer.id, due_at)]
    agenda.push([each for each in (*tasks, *moved) if not each.in_clock])


def _counted_state(state: BillingState, now: datetime) -> BillingState:
    """Invoices of one instant are told apart by their number at it, which a retry finds as the first try left it."""
    if state.instant == now:
        return state
    return state.model_copy(update={"instant": now, "made_at_instant": 0})


def _issue(
    account: Account, lines: Sequence[Line], invoice_id: str, *, now: datetime
) -> tuple[BillingState, list[Action], list[Task], dict[str, LastFee]]:
    fees = issue.fees_of(account, lines, invoice_id=invoice_id, now=now)
    draft = issue.drafted(account, lines, fees, invoice_id=invoice_id, now=now)
    invoice, state = draft, account.state
    extra: list[Action] = []
    if account.grace_days == 0:
        invoice, state, extra = issue.finalized(account, draft, now=now)
    invoice_store.write_fees(account.organization.id, invoice_id, invoice.build, fees)
    tasks = invoices.tasks_of_issue(account.organization, account.customer, invoice, fees, now=now)
    if invoice.status == "draft":
        due = periods.start_of_day(invoice.finalize_on, account.zone)
        tasks.append(agenda.task(FINALIZE, account.organization.ref, invoice.id, due))
    last_fees = {
        line.subscription.id: LastFee(
            invoice_id=invoice_id,
            fee_id=fee.id,
            amount_cents=fee.amount_cents,
            period_start=line.period.fee_period_start,
            period_end=line.period.fee_period_end,
            plan_amount_cents=line.plan.amount_cents,
        )
        for line in lines
        for fee in fees
        if fee.type == "subscription"
        and fee.subscription_id == line.subscription.id
        and line.period.fee_period_start
        and line.period.fee_period_end
    }
    return state, [*invoice_store.create_actions(account.organization.id, invoice), *extra], tasks, last_fees


@jobs.handles(FINALIZE)
def finalize(task: Task, now: datetime) -> None:
    """The end of a grace period: compute the draft again, with all events of its period, and make it final."""
    organization_id = task.organization.id
    old = invoice_store.get(organization_id, task.subject)
    if old is None or old.status != "draft":
        core.write(agenda.done(task))
        return
    account, refreshed, fees = recomputed(organization_id, old, now=now)
    on = periods.local_date(now, account.zone)
    dated = refreshed.model_copy(update=_dates_at_end(account, refreshed, on))
    final, state, extra = issue.finalized(account, dated, now=now)
    invoice_store.write_fees(organization_id, old.id, final.build, fees)
    tasks = invoices.tasks_of_issue(account.organization, account.customer, final, fees, now=now)
    transact(
        [
            *invoice_store.replace_actions(organization_id, old, final),
            customer_store.billing_action(organization_id, account.state, state),
            *extra,
            agenda.done(task),
            *(agenda.put(each, now=now) for each in tasks),
        ]
    )
    agenda.push(tasks)


def recomputed(organization_id: str, old: Invoice, *, now: datetime) -> tuple[Account, Invoice, list[Fee]]:
    """A draft computed again from its boundaries, under a new build; nothing is written yet."""
    own = organizations.get(organization_id)
    customer, state, items = customer_store.everything_of(organization_id, old.customer_id)
    assert customer is not None, "an invoice has a customer, deleted or not"
    account = Account(own, customer, state)
    by_id = {s.id: s for s in map(subscription_store.read, items)}
    known = plans.by_ids(organization_id, [period.plan_id for period in old.periods])
    lines = [Line(by_id[p.subscription_id], known[p.plan_id], p) for p in old.periods]
    fees = issue.fees_of(account, lines, invoice_id=old.id, now=old.created_at)
    fresh = issue.drafted(account, lines, fees, invoice_id=old.id, now=old.created_at)
    names = ("build", *issue.amounts(issue.sums_of(fees), old.id))
    refreshed = old.model_copy(update={name: getattr(fresh, name) for name in names} | {"updated_at": now})
    return account, refreshed, fees


def _dates_at_end(account: Account, draft: Invoice, on: date) -> dict[str, object]:
    """The dates of a draft that becomes final on a day. Source: invoices.md section 2."""
    adjustment = account.customer.billing_configuration.subscription_invoice_issuing_date_adjustment
    issuing = draft.issuing_date if adjustment == dates.KEEP else on
    return {
        "issuing_date": issuing,
        "payment_due_date": issuing + timedelta(days=draft.net_payment_term),
        "finalize_on": on,
        "version_number": VERSION_NUMBERS[account.organization.billing_configuration.coupon_application],
    }
