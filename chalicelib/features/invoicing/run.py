"""Writing down what was decided: subscriptions, the invoice and its number, credit notes and the next task, together.

Fees are written under a build that nobody reads yet, then one transaction flips the invoice. A crash before it leaves
nothing visible; after it, nothing is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from chalicelib.domain import money, periods
from chalicelib.domain.proration import unused_cents
from chalicelib.domain.subscriptions import STARTING
from chalicelib.features.credit_notes import service as credit_notes
from chalicelib.features.credit_notes import store as note_store
from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.customers import service as customers
from chalicelib.features.customers import store as customer_store
from chalicelib.features.customers.records import BillingState
from chalicelib.features.customers.store import CUSTOMERS, CustomerItems
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices import store as invoice_store
from chalicelib.features.invoices.records import Fee, Invoice, PeriodPart
from chalicelib.features.invoicing import compose
from chalicelib.features.invoicing.compose import Finalized
from chalicelib.features.organizations.records import Organization
from chalicelib.features.plans import store as plan_store
from chalicelib.features.plans.store import Plan
from chalicelib.features.rating import renewals
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.rating.line_items import InvoicedSubscription, fees_of
from chalicelib.features.subscriptions import announcements
from chalicelib.features.subscriptions import store as subscription_store
from chalicelib.features.subscriptions.lifecycle import Decision, Outcome
from chalicelib.features.subscriptions.records import FixedPaid, LastFee, Status, Subscription
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import CreditNoteId, InvoiceId, OrganizationId, derived_id
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Unit, Write

FINALIZE = agenda.kind("finalize_invoice", rank=20, reads_usage=True)


@dataclass(frozen=True, slots=True)
class _Given:
    """A credit note to be made, and the invoice that it stands on, before and after."""

    note: CreditNote
    before: Invoice
    after: Invoice


@dataclass(frozen=True, slots=True)
class _Issued:
    """An invoice to be made, with its fees; `final` None for a draft."""

    invoice: Invoice
    fees: Sequence[Fee]
    final: Finalized | None


def account_of(own: Organization, everything: CustomerItems) -> BillingContext:
    """Whom to bill, with the credit notes that have a balance, the oldest first."""
    assert everything.customer is not None, "only a customer is billed, deleted or not"
    opened = note_store.open_of(everything)
    known = note_store.get_many(own.id, [each.note_id for each in opened]) if opened else {}
    notes = tuple(known[each.note_id] for each in opened)
    return BillingContext(own, everything.customer, everything.state, notes)


def places(outcome: Outcome) -> int:
    """How many places of a transaction's 100 an outcome takes at the most."""
    ends = outcome.before.live and not outcome.after.live
    return 1 + len(outcome.news) + 2 * ends


def issue(
    account: BillingContext,
    decisions: Sequence[Decision],
    *,
    due_at: datetime | None,
    now: datetime,
) -> None:
    """Carry out what was decided for one invoice, and move the customer's task on to `due_at`."""
    ref = account.organization.ref
    outcomes = [outcome for decision in decisions for outcome in decision.outcomes]
    given = [each for outcome in outcomes if (each := _given(account, outcome, now=now)) is not None]
    usable = [each.note for each in given if each.note.open]
    state = _counted_state(account.state, now)
    with_notes = replace(account, state=state, notes=(*account.notes, *usable))
    issued = _issued(with_notes, decisions, now=now)
    tasks: list[Task] = []
    actions: list[Write] = []
    taken: dict[str, int] = {}
    if issued is not None:
        final = issued.final
        state = final.state if final else state
        state = state.model_copy(update={"made_at_instant": state.made_at_instant + 1})
        taken = dict(final.taken) if final else {}
        invoice_store.write_fees(ref.id, issued.invoice.id, issued.invoice.build, issued.fees)
        actions += [*invoice_store.create_actions(ref.id, issued.invoice), *(final.actions if final else ())]
        tasks += _after_issue(account, issued, now=now)
        outcomes = [_carried(outcome, account, issued) for outcome in outcomes]
    state = state.model_copy(update={"due_at": due_at})
    for each in given:
        actions += invoice_store.replace_actions(ref.id, each.before, each.after)
        tasks += [credit_notes.issued_task(ref, each.note, now)] if each.note.visible else []
    actions += _note_actions(ref.id, account.notes, [each.note for each in given], taken, now=now)
    actions += subscription_store.write_subscriptions(ref.id, replaced=[(o.before, o.after) for o in outcomes])
    actions += [action for decision in decisions for action in _guards(ref.id, decision)]
    tasks += _of_loose_fees(account, decisions, now=now)
    tasks += [
        announcements.task(account.organization, account.customer, outcome.after, outcome.plan, name, now=now)
        for outcome in outcomes
        for name in outcome.news
    ]
    actions.append(customer_store.billing_action(ref.id, account.state, state))
    actions += customers.due_actions(ref, account.state, state, now=now)
    Unit(actions, (agenda.put(each, now=now) for each in tasks)).commit()
    moved = [] if due_at is None else [agenda.task(customers.BILL, ref, account.customer.id, due_at)]
    agenda.push([each for each in (*tasks, *moved) if not each.in_clock])


def _of_loose_fees(account: BillingContext, decisions: Sequence[Decision], *, now: datetime) -> list[Task]:
    """What follows for fees that stand on no invoice of a billing day."""
    return [
        task
        for decision in decisions
        for outcome in decision.outcomes
        for row in outcome.rows
        if outcome.plan.charges_in_advance
        for task in renewals.tasks_of(account, outcome.after, outcome.plan, compose.period_part(outcome, row), now=now)
    ]


def with_notes(account: BillingContext, final: Finalized, *, now: datetime) -> tuple[Invoice, list[Write], list[Task]]:
    """A draft that becomes final: the notes on it become final with it, others give what it takes; with the tasks that
    tell of them."""
    organization_id, invoice = account.organization.id, final.invoice
    today = periods.local_date(now, account.zone)
    own = note_store.get_many(organization_id, list(invoice.note_ids)) if invoice.note_ids else {}
    pairs = [
        (note, credit_notes.finalized(note, invoice, today=today, now=now))
        for note in own.values()
        if note.status == "draft"
    ]
    offset = sum(new.offset_amount_cents for _, new in pairs)
    taken = dict(final.taken)
    used = [(n, credit_notes.consumed(n, taken[n.id], now=now)) for n in account.notes if n.id in taken]
    actions = note_store.write_notes(organization_id, replaced=[*pairs, *used]) if pairs or used else []
    told = [credit_notes.issued_task(account.organization.ref, new, now) for _, new in pairs]
    return invoice.model_copy(update={"offset_amount_cents": invoice.offset_amount_cents + offset}), actions, told


def _counted_state(state: BillingState, now: datetime) -> BillingState:
    """Invoices of one instant are told apart by their number at it, which a retry finds as the first try left it."""
    if state.instant == now:
        return state
    return state.model_copy(update={"instant": now, "made_at_instant": 0})


def _issued(account: BillingContext, decisions: Sequence[Decision], *, now: datetime) -> _Issued | None:
    lines = [
        InvoicedSubscription(
            outcome.after, outcome.plan, compose.period_part(outcome, row, kept_metric_ids=_kept(outcome))
        )
        for decision in decisions
        for outcome in decision.outcomes
        for row in outcome.rows
    ]
    if not lines:
        return None
    # A retry computes the same id, whose invoice then stands already.
    number = str(account.state.made_at_instant)
    invoice_id = derived_id(account.customer.id, stamp(now), "billing", number)
    fees = fees_of(account, lines, invoice_id=InvoiceId(invoice_id), now=now)
    lines = [line for line in lines if not _renews_nothing(line, fees)]
    if not fees and compose.bills_in_advance_only(lines):
        return None  # Fixed charges in advance of which nothing is owed are no billing day.
    draft = compose.drafted(account, lines, fees, invoice_id=InvoiceId(invoice_id), now=now)
    if not compose.has_no_grace(account, lines):
        return _Issued(draft, fees, None)
    final = compose.finalized(account, draft, fees, now=now)
    return _Issued(final.invoice, fees, final)


def _renews_nothing(line: InvoicedSubscription, fees: Sequence[Fee]) -> bool:
    """Whether a cheaper plan in arrears, whose start is on an invoice for renewals only, has none."""
    renews_only = line.period.reason == STARTING and line.period.fee_start is None and line.period.renewal is not None
    return renews_only and all(fee.subscription_id != line.subscription.id for fee in fees)


def _kept(outcome: Outcome) -> tuple[str, ...]:
    """The metrics that the plan after an upgrade goes on counting."""
    if outcome.next_plan is None:
        return ()
    return tuple(charge.metric_id for charge in outcome.next_plan.charges)


def _after_issue(account: BillingContext, issued: _Issued, *, now: datetime) -> list[Task]:
    tasks = invoices.tasks_of_issue(account.organization, account.customer, issued.invoice, issued.fees, now=now)
    if issued.final is None:
        due = periods.start_of_day(issued.invoice.finalize_on, account.zone)
        tasks.append(agenda.task(FINALIZE, account.organization.ref, issued.invoice.id, due))
    return tasks


def _carried(outcome: Outcome, account: BillingContext, issued: _Issued) -> Outcome:
    """The subscription with what later documents need to know of this invoice."""
    after = outcome.after
    own = [fee for fee in issued.fees if fee.subscription_id == after.id]
    parts = [part for part in issued.invoice.periods if part.subscription_id == after.id]
    if not parts:
        return outcome
    earlier = () if outcome.opens_period else after.period_invoices
    values: dict[str, object] = {
        "invoiced": True,
        "zone": account.zone.key,
        "period_invoices": (*earlier, issued.invoice.id),
        "fixed_paid": _fixed_paid(after, outcome.plan, parts, own),
    }
    for part in parts:
        base = next((fee for fee in own if fee.type == "subscription"), None)
        if base is not None and part.fee_period_start and part.fee_period_end:
            values["last_fee"] = LastFee(
                invoice_id=issued.invoice.id,
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


def _given(account: BillingContext, outcome: Outcome, *, now: datetime) -> _Given | None:
    """The credit note for days paid in advance and not used. Source: rules/billing-periods 7.4."""
    last = outcome.after.last_fee
    if not outcome.unused_days or last is None:
        return None
    invoice = invoice_store.get(account.organization.id, last.invoice_id)
    if invoice is None or invoice.status not in ("draft", "finalized"):
        return None
    fee = next((f for f in invoice_store.fees_of(account.organization.id, invoice) if f.id == last.fee_id), None)
    if fee is None:
        return None
    credited = Decimal(invoice.credited.get(fee.id, "0"))
    item = unused_cents(
        last.plan_amount_cents,
        days_left=outcome.unused_days,
        period_days=(last.period_end - last.period_start).days,
        fee_cents=fee.amount_cents,
        credited_cents=credited,
    )
    if item <= 0:
        return None
    kept = Decimal(fee.amount_cents) - credited - item
    note = credit_notes.draft_or_final(
        invoice,
        fee,
        item,
        mode=outcome.after.on_termination_credit_note or "credit",
        used_cents=money.round_half_up(kept * (1 + Decimal(fee.taxes_rate) / 100)),
        note_id=CreditNoteId(derived_id(outcome.after.id, "unused")),
        customer_search=CUSTOMERS.search(account.customer),
        today=periods.local_date(now, account.zone),
        now=now,
    )
    after = invoice.model_copy(
        update={
            "note_ids": (*invoice.note_ids, note.id),
            "credited": {**invoice.credited, fee.id: format(credited + item, "f")},
            "offset_amount_cents": invoice.offset_amount_cents + (note.offset_amount_cents if note.visible else 0),
        }
    )
    return _Given(note, invoice, after)


def _note_actions(
    organization_id: OrganizationId,
    known: Sequence[CreditNote],
    created: Sequence[CreditNote],
    taken: Mapping[str, int],
    *,
    now: datetime,
) -> list[Write]:
    """New notes, as an invoice of the same instant left them, and others with what it took."""
    made = [credit_notes.consumed(n, taken[n.id], now=now) if n.id in taken else n for n in created]
    used = [(n, credit_notes.consumed(n, taken[n.id], now=now)) for n in known if n.id in taken]
    return note_store.write_notes(organization_id, created=made, replaced=used) if made or used else []


def _guards(organization_id: OrganizationId, decision: Decision) -> list[Write]:
    """Whom an external id belongs to now, and which subscriptions a plan has."""
    actions: list[Write] = []
    started = next((o for o in decision.outcomes if o.before.status == Status.PENDING and o.after.live), None)
    for outcome in decision.outcomes:
        before, after = outcome.before, outcome.after
        if not before.live or after.live:
            continue
        actions.append(plan_store.unsubscribed_action(organization_id, before.plan_id, before.customer_id, before.id))
        if started is not None and started.before.previous_id == before.id:
            actions.append(subscription_store.hand_over_action(organization_id, before, started.after))
        elif before.status == Status.ACTIVE or before.previous_id is None:
            actions.append(subscription_store.release_action(organization_id, before))
    return actions
