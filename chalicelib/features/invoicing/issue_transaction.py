"""The issue transaction: the one place where an invoice becomes final or is drafted, whatever made it.

Fees are written under a fee revision that nobody reads yet. Then one transaction writes everything that must agree: the
invoice, the customer's billing state with the number drawn from it, the credits taken, the maker's own writes, and the
tasks that follow. A crash before it leaves nothing visible; after it, nothing is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from chalicelib import limits
from chalicelib.domain import periods
from chalicelib.domain.invoicing import numbers
from chalicelib.domain.invoicing.steps import MODES
from chalicelib.features.credit_notes import service as credit_notes
from chalicelib.features.credit_notes import store as note_store
from chalicelib.features.credit_notes import values as note_values
from chalicelib.features.credits import service as credits
from chalicelib.features.credits.credit import Taken
from chalicelib.features.credits.open_notes import NoteChange
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import BillingState
from chalicelib.features.invoices import amounts, figures, overdue
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices import store as invoice_store
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.invoicing import compose
from chalicelib.features.invoicing.drafts import FINALIZE
from chalicelib.features.organizations import store as organization_store
from chalicelib.features.payments.collection import starting
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.platform import agenda, counters
from chalicelib.platform.agenda import Task
from chalicelib.platform.unit import Unit, Write

# Invoices numbered per customer, counted for the day on which an organization goes over to one sequence.
NUMBERED = "invoices-numbered-per-customer"


@dataclass(frozen=True, slots=True)
class Issue:
    """Contents of one issue transaction. `context`: everything as it was read; `state`: the billing state afterwards;
    `invoice`: None where a run bills nothing; `numbering`: draws the number; `taken`: the credits that lower the
    invoice; `places`: those of the transaction that credits may take.

    The maker adds its own: `replaces`: the stored draft that the invoice replaces; `notes`: credit notes created or
    changed beside those taken; `actions` and `tasks`: all else that changes and follows.
    """

    context: BillingContext
    state: BillingState
    invoice: Invoice | None = None
    fees: Sequence[Fee] = ()
    numbering: Sequence[Write] = ()
    taken: Sequence[Taken] = ()
    places: int = credits.PLACES
    replaces: Invoice | None = None
    notes: Sequence[NoteChange] = ()
    actions: Sequence[Write] = ()
    tasks: Sequence[Task] = ()


def finalized(
    context: BillingContext, draft: Invoice, fees: Sequence[Fee], *, now: datetime, reserved: int = 0
) -> Issue:
    """The issue of a draft that becomes final: credits taken, number drawn, the credit notes on it final with it.
    `reserved`: the places of the transaction that the maker's own writes and tasks take at the most.

    An invoice of nothing is closed without a number, where the customer's settings say so. Both sequences count every
    numbered invoice, whichever mode numbered it. Source: rules/invoices 1, 3, 7.3, 9.
    """
    if draft.fees_amount_cents == 0 and context.skips_zero_invoices and draft.invoice_type != "one_off":
        closed = draft.model_copy(update={"status": "closed", "finalized_at": now, "updated_at": now})
        return _with_notes(Issue(context, context.state, closed, fees), now=now)
    own_notes = limits.UNUSED_NOTE_PLACES * len(draft.note_ids)
    has_provider = context.customer.billing_configuration.payment_provider is not None
    places = credits.PLACES - reserved - own_notes - has_provider * limits.COLLECT_PLACES
    offer = credits.offered(context.credits, draft, fees, places=places)
    mode = MODES[draft.version_number]
    sums = compose.sums_of(fees, offer.credits(), mode)
    taken = offer.taken(draft, sums, now=now)
    number, numbering = _numbered(context, draft, now=now)
    final = draft.model_copy(
        update={
            "status": "finalized",
            "number": number,
            "sequential_id": context.state.invoices + 1,
            **amounts.of(sums, draft.id),
            **credits.parts(taken).fields,
            "payment_status": "succeeded" if sums.total_amount_cents == 0 else "pending",
            "finalized_at": now,
            "updated_at": now,
        }
    )
    state = context.state.model_copy(update={"invoices": context.state.invoices + 1})
    reduced = compose.discounted(fees, sums, mode)
    return _with_notes(Issue(context, state, final, reduced, numbering, taken, places), now=now)


def drafted(context: BillingContext, draft: Invoice, fees: Sequence[Fee]) -> Issue:
    """The issue of a draft, which becomes final when its grace period is over."""
    return Issue(context, context.state, draft, fees)


def carry_out(issue: Issue, *, now: datetime) -> None:
    """Write the fees and carry out the issue transaction, then push the tasks that it wrote.

    Raises: Cancelled.
    """
    issue = _collected(issue, now=now)
    context, invoice = issue.context, issue.invoice
    ref = context.organization.ref
    # Several changes that call for the same task make one.
    tasks = list({task.key: task for task in (*_announcements(issue, now=now), *issue.tasks)}.values())
    if invoice is not None:
        invoice_store.write_fees(ref.id, invoice.id, invoice.build, issue.fees)
    Unit(
        [
            *_invoice_actions(issue, now=now),
            *customers.billing_actions(ref, context.state, issue.state, now=now),
            *issue.numbering,
            *credits.actions(ref.id, issue.taken, issue.notes),
            *issue.actions,
            *(agenda.put(task, now=now) for task in tasks),
        ]
    ).commit()
    agenda.push([task for task in (*tasks, *_moved(issue)) if not task.in_clock])


def _collected(issue: Issue, *, now: datetime) -> Issue:
    """The issue with the payment of its invoice, where the customer has a way to pay with a provider: from the moment that the
    invoice is owed, its collection cannot be lost. Source: rules/collection 2."""
    context, invoice = issue.context, issue.invoice
    if invoice is None or context.customer.billing_configuration.payment_provider is None:
        return issue
    organization = context.organization
    begun = starting.begun(organization.ref, organization.name, context.customer, invoice, now=now)
    if begun is None:
        return issue
    actions, tasks = [*issue.actions, *begun.writes], [*issue.tasks, begun.task]
    return replace(issue, invoice=begun.invoice, actions=actions, tasks=tasks)


def _numbered(context: BillingContext, draft: Invoice, *, now: datetime) -> tuple[str, list[Write]]:
    """The number of an invoice, and the actions that draw it."""
    organization = context.organization
    prefix = organization.document_number_prefix
    if organization.document_numbering == "per_organization":
        # One sequence: it goes on from all that were numbered before, in either mode.
        per_customer = counters.total(organization.id, NUMBERED)
        seen = organization_store.numbers(organization.id)["invoices"]
        finalized_on = periods.local_date(now, ZoneInfo(organization.timezone))
        number = numbers.per_organization(prefix, finalized_on, per_customer + seen + 1)
        return number, [organization_store.number_action(organization.id, "invoices", seen=seen)]
    number = numbers.per_customer(prefix, context.customer.sequential_id, context.state.invoices + 1)
    # Spread counters, as every invoice moves them: one row would make all of an organization's invoices conflict.
    return number, counters.moved(organization.id, NUMBERED, draft.id, {"all": 1})


def _with_notes(issue: Issue, *, now: datetime) -> Issue:
    """The issue with the draft credit notes on its invoice, which become final with it."""
    invoice = issue.invoice
    if invoice is None or not invoice.note_ids:
        return issue
    own = note_store.get_many(issue.context.organization.id, list(invoice.note_ids))
    today = periods.local_date(now, issue.context.zone)
    changes: list[NoteChange] = []
    # The sums so far are those of drafts, from before the coupons: they are made anew, note by note.
    invoice = invoice.model_copy(update={"noted": note_values.noted([])})
    for note in sorted(own.values(), key=lambda each: each.sequential_id):
        after = note_values.finalized(note, invoice, today=today, now=now, fees=issue.fees)
        offset = invoice.offset_amount_cents + after.offset_amount_cents
        settled = invoices.settled(invoice, now=now, offset_amount_cents=offset)
        invoice = settled.model_copy(update={"noted": note_values.noted([after], settled.noted)})
        changes.append(NoteChange(note, after))
    return replace(issue, invoice=invoice, notes=changes)


def _invoice_actions(issue: Issue, *, now: datetime) -> list[Write]:
    organization_id = issue.context.organization.id
    if issue.invoice is None:
        return []
    # One that was paid before it was shown is dated already.
    invoice = figures.dated(issue.invoice, issue.replaces, issue.context.organization.timezone, now=now)
    if issue.replaces is not None:
        return invoice_store.replace_actions(organization_id, issue.replaces, invoice)
    return invoice_store.create_actions(organization_id, invoice)


def _announcements(issue: Issue, *, now: datetime) -> list[Task]:
    """The tasks that follow every issue: messages of credit notes and credits, of the invoice, and a draft's
    finalization."""
    context, invoice = issue.context, issue.invoice
    ref = context.organization.ref
    tasks = [credit_notes.issued_task(ref, each.after, now) for each in issue.notes if each.shows]
    tasks += [task for each in issue.taken for task in each.emits]
    if invoice is not None and invoice.visible:
        tasks += invoices.issued_tasks(ref, invoice)
    if invoice is not None and overdue.is_awaited(invoice):
        tasks.append(overdue.task_of(ref, invoice))
    if invoice is not None and invoice.status == "draft":
        due_at = periods.start_of_day(invoice.finalize_on, context.zone)
        tasks.append(agenda.task(FINALIZE, ref, invoice.id, due_at))
    return tasks


def _moved(issue: Issue) -> list[Task]:
    """The customer's billing task, where the issue moves it."""
    due_at = issue.state.due_at
    if due_at is None or due_at == issue.context.state.due_at:
        return []
    return [agenda.task(customers.BILL, issue.context.organization.ref, issue.context.customer.id, due_at)]
