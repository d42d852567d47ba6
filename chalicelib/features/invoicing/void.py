"""Voiding a final invoice, with all that it gives back. Source: rules/invoices 1; rules/money 4."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib import limits
from chalicelib.domain import money, periods
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotAllowed
from chalicelib.domain.invoicing import creditable
from chalicelib.domain.invoicing.credit_notes import Split
from chalicelib.domain.invoicing.creditable import CreditableInvoice
from chalicelib.domain.invoicing.steps import AFTER_TAX, VERSION_NUMBERS
from chalicelib.features.credit_notes import service as credit_notes
from chalicelib.features.credit_notes import values
from chalicelib.features.credit_notes.by_hand import CreditedInvoice
from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.credits import service as credits
from chalicelib.features.credits.open_notes import NoteChange
from chalicelib.features.credits.service import Restored
from chalicelib.features.customers import store as customer_store
from chalicelib.features.invoices import overdue, purchases, store
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.invoicing.schemas import VoidInput
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.platform import agenda, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CreditNoteId, InvoiceId, OrganizationId, derived_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write


def void(
    organization: OrganizationRef, invoice_id: InvoiceId, options: Mapping[str, Any], *, now: datetime
) -> tuple[Invoice, list[Task]]:
    """Void a final invoice, paid or not. Returns it and the tasks to push.

    Raises: NotFound; NotAllowed, `not_voidable`; Invalid; ChangedMeanwhile.
    """
    request = schema.parse(VoidInput, options)

    def attempt() -> tuple[Invoice, list[Task]]:
        own = organizations.get(organization.id)
        old = invoices.find(own.id, invoice_id)
        held = _voidable(own.id, old, request)
        return _carry_out(own, old, request, held, now=now)

    return retrying(attempt, Resource.INVOICE)


def _voidable(organization_id: OrganizationId, invoice: Invoice, request: VoidInput) -> list[Write]:
    """The writes that hold what allows the void. What was paid of a purchase in part is refunded by the void or keeps it:
    no note can be made on it later. Source: rules/invoices 1; rules/money 4, row 26.

    Raises: NotAllowed.
    """
    is_settled, held = purchases.settled(organization_id, invoice)
    is_purchase = invoice.invoice_type == "credit"
    is_paid = is_purchase and invoice.payment_status == "succeeded"
    is_stranded = is_purchase and invoice.total_paid_amount_cents > 0 and not request.generate_credit_note
    if invoice.status != "finalized" or is_settled or is_paid or is_stranded:
        raise NotAllowed(ErrorCode.NOT_VOIDABLE)
    return held


def _carry_out(
    own: Organization, old: Invoice, request: VoidInput, held: Sequence[Write], *, now: datetime
) -> tuple[Invoice, list[Task]]:
    found = credit_notes.get_many(own.id, old.note_ids)
    notes = [found[note_id] for note_id in old.note_ids]
    new = old.changed(now=now, status="voided", voided_at=now)
    if not request.generate_credit_note and any(_is_used(note) for note in notes):
        raise NotAllowed(ErrorCode.NOT_VOIDABLE)
    voided = [NoteChange(note, credit_notes.voided(note, now=now)) for note in notes if note.open]
    made: list[NoteChange] = []
    if request.generate_credit_note:
        wanted = Split(request.credit_amount or 0, request.refund_amount or 0, 0)
        new, made = _credited(new, notes, store.fees_of(own.id, old), wanted, now=now)
    items = customer_store.everything_of(own.id, old.customer_id)
    restored = credits.restore(own.ref, items, old, credited=bool(request.generate_credit_note), now=now)
    new, followed = overdue.followed(own.ref, old, new, now=now)
    tasks = [*invoices.announced(own, new, "invoice.voided", subject=old.id, now=now), *restored.tasks]
    tasks.append(invoices.print_again_task(own.ref, new, now))
    tasks += [*invoices.settle_tasks(own.ref, new, now=now), *invoices.tidy_tasks(own.ref, old, new)]
    tasks += [credit_notes.issued_task(own.ref, each.after, now) for each in made if each.shows]
    at_once = _void_first(own.id, old, voided, restored)
    Unit(
        store.replace_actions(own.id, old, new),
        credits.actions(own.id, (), [*made, *at_once, *restored.notes]),
        restored.writes,
        held,
        followed,
        [agenda.put(task, now=now) for task in tasks],
    ).commit()
    return new, tasks


def _void_first(
    organization_id: OrganizationId, invoice: Invoice, changes: Sequence[NoteChange], restored: Restored
) -> Sequence[NoteChange]:
    """Void those of an invoice's notes that the transaction of its own void cannot hold. Returns the others.

    These come first: an invoice that is void leaves no credit behind, whatever happens in between.
    """
    taken = len(restored.writes) + len(restored.tasks) + limits.CREDIT_PLACES * len(restored.notes)
    most = max(0, credits.PLACES - taken) // limits.CREDIT_PLACES
    at_a_time = credits.PLACES // limits.CREDIT_PLACES
    for place in range(most, len(changes), at_a_time):
        some = changes[place : place + at_a_time]
        Unit(store.check_action(organization_id, invoice), credits.actions(organization_id, (), some)).commit()
    return changes[:most]


def _is_used(note: CreditNote) -> bool:
    refunded = note.refund_amount_cents > 0 and note.refund_status != "failed"
    spent = note.credit_status != "voided" and note.balance_amount_cents < note.credit_amount_cents
    return refunded or spent


def _credited(
    invoice: Invoice, notes: Sequence[CreditNote], fees: Sequence[Fee], wanted: Split, *, now: datetime
) -> tuple[Invoice, list[NoteChange]]:
    """The invoice with the notes that credit it: one of the amounts that are wanted, and one, void at once, of all that is
    left. `notes`: those made of it before.

    Raises: Invalid, where more is wanted than may be credited or refunded.
    """
    state = CreditedInvoice(invoice, fees, None).creditable
    whole = creditable.amounts_by_hand(state, state.remaining).total_cents
    # A coupon that was used after tax comes back by itself: it cannot be credited as well.
    late_coupons = invoice.coupons_amount_cents if invoice.version_number == VERSION_NUMBERS[AFTER_TAX] else 0
    is_purchase = invoice.invoice_type == "credit"
    left = state.refundable_cents if is_purchase else max(0, whole - late_coupons)
    most = max(left, _given_and_not_back(invoice, notes, left))
    is_wrong = is_purchase and wanted.credit_cents > 0
    if is_wrong or wanted.total_cents > most or wanted.refund_cents > state.refundable_cents:
        raise Invalid.field("credit_refund_amount", ErrorCode.TOTAL_AMOUNT_EXCEEDS_INVOICE_AMOUNT)
    if wanted.total_cents > left:
        invoice = values.without_balances(invoice, notes)
        state = CreditedInvoice(invoice, fees, None).creditable
    changes: list[NoteChange] = []
    # A purchase is refunded only: nothing is left of it to be credited.
    rest = Split(0 if is_purchase else max(0, left - wanted.total_cents), 0, 0)
    for parts, is_void in ((wanted, False), (rest, True)):
        if not parts.total_cents:
            continue
        items = _items(state, parts.total_cents)
        amounts = creditable.amounts_by_hand(state, items)
        note = values.made(
            invoice,
            replace(amounts, taxes_cents=parts.total_cents - amounts.sub_total_cents),
            parts,
            [(fee_id, cents) for fee_id, cents in items.items() if cents],
            note_id=CreditNoteId(derived_id(invoice.id, "void", str(len(invoice.note_ids) + 1))),
            reason="other",
            customer_search=invoice.customer_search,
            today=periods.local_date(now, ZoneInfo(invoice.timezone)),
            now=now,
        )
        changes.append(NoteChange(None, credit_notes.voided(note, now=now) if is_void else note))
        invoice = values.with_note(invoice, note, now=now)
        state = CreditedInvoice(invoice, fees, None).creditable
    return invoice, changes


def _given_and_not_back(invoice: Invoice, notes: Sequence[CreditNote], left_cents: int) -> int:
    """The cents that the customer gave for an invoice and has not got back, as far as they are left of it or in notes that
    are void with it: so much may be given back again, so that nobody pays for what does not stand."""
    unused = sum(note.balance_amount_cents for note in notes if note.open)
    given = invoice.total_paid_amount_cents + invoice.credit_notes_amount_cents + invoice.prepaid_credit_amount_cents
    back = invoice.noted.refunded_cents + invoice.noted.credited_cents - unused
    return min(left_cents + unused, given - back)


def _items(state: CreditableInvoice, total_cents: int) -> dict[str, Decimal]:
    """The amount before tax that a note of a total with tax credits of each fee: its remaining amount in proportion,
    in whole cents by largest remainder, the first fee first; all that remains, where that is the total."""
    whole = creditable.amounts_by_hand(state, state.remaining)
    if total_cents >= whole.total_cents:
        return state.remaining
    left = [Fraction(fee.left_cents) for fee in state.fees]
    net = money.round_half_up(sum(left) * Fraction(total_cents, whole.total_cents))
    exact = [net * each / sum(left) for each in left]
    cents = [int(each) for each in exact]
    order = sorted(range(len(exact)), key=lambda n: (cents[n] - exact[n], n))
    for number in order[: net - sum(cents)]:
        cents[number] += 1
    return {fee.id: min(Decimal(each), fee.left_cents) for fee, each in zip(state.fees, cents, strict=True)}
