"""What becomes of a payment: the payment, its invoices, receipts and messages, all in one transaction.

Source: rules/collection 1; rules/invoices 10.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import ChangedMeanwhile
from chalicelib.domain.invoicing import numbers
from chalicelib.features.invoices import reading
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.payments import store, telling
from chalicelib.features.payments.collection import messages, starting
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.providers.values import CHARGED_BACK, Outcome, ProviderError
from chalicelib.features.payments.records import Collection, Payment, PaymentReceipt, Share
from chalicelib.features.payments.requests import following
from chalicelib.features.payments.requests.records import RequestStatus
from chalicelib.features.payments.telling import Told
from chalicelib.platform import agenda, clock, metrics
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId, PaymentReceiptId, derived_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write

# Less than a provider collects: nobody is told, and the invoice can be part of a payment request.
TOO_SMALL = "amount_too_small"
CONFIRM = "authentication_required"
LATE_FAILURE = "late_failure"
_UNEXPLAINED = ProviderError("The provider gave no reason.", "unknown")

# The writes that go with the end of a payment's task, or that move it, by what became of the payment.
Ends = Callable[[Payment], Sequence[Write]]


@dataclass(slots=True)
class _Change:
    """What is written of a payment, and what follows. `is_quiet`: its failure changes nothing of its invoices, and is not
    told; `is_unsaid`: no message says why it failed."""

    organization: OrganizationRef
    before: Payment
    after: Payment
    now: datetime
    is_quiet: bool = False
    is_unsaid: bool = False
    following: Payment | None = None
    writes: list[Write] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    receipt_id: PaymentReceiptId | None = None

    @property
    def is_paid(self) -> bool:
        return self.after.payment_status == "succeeded" and self.before.payment_status != "succeeded"

    @property
    def is_reversed(self) -> bool:
        return self.before.payment_status == "succeeded" and self.after.payment_status != "succeeded"

    @property
    def is_failed(self) -> bool:
        return self.after.payment_status == "failed" and self.before.payment_status != "failed" and not self.is_quiet


def settle(
    organization: OrganizationRef,
    connection: ProviderConnection | None,
    payment: Payment,
    outcome: Outcome,
    *,
    now: datetime,
    ends: Ends = lambda after: (),
    create: bool = False,
    successor: Payment | None = None,
    read: Mapping[InvoiceId, Invoice] | None = None,
) -> Payment:
    """Bring a payment as it was read, and all that hangs on it, in line with its state at the provider, and push what follows.
    Returns the payment as it is stored. `connection`: asked whether its customers may be asked to confirm a payment; `create`:
    the payment is not stored yet; `successor`: the one that begins in its place; `read`: its invoices, where they were just
    read: a write that somebody else made meanwhile has them read again.

    Raises: ChangedMeanwhile, where another worker wrote the payment.
    """

    attempts = itertools.count()

    def attempt() -> tuple[Payment, list[Task]] | None:
        # Whether the payment was read too early shows when a race was lost: mostly none is.
        is_first = next(attempts) == 0
        if (create or not is_first) and _is_stale(organization, payment, create=create):
            return None
        known = read if is_first and read is not None else _invoices_of(organization, payment)
        change = _change(organization, connection, payment, outcome, successor, known, now=now)
        stored = payment if not create else None
        writes = _written(organization, change, stored)
        Unit(writes, ends(change.after), [agenda.put(task, now=now) for task in change.tasks]).commit()
        version = 0 if create else payment.version + 1
        return change.after.model_copy(update={"version": version}), change.tasks

    done = retrying(attempt, Resource.PAYMENT)
    if done is None:
        raise ChangedMeanwhile(Resource.PAYMENT)
    if not outcome.known:
        metrics.count("UnknownPaymentStatuses", provider=payment.collected.provider_type)
    agenda.push([task for task in done[1] if not task.in_clock])
    return done[0]


def asked_at(collection: Collection, *, real_now: datetime) -> datetime:
    """When a payment under way is asked for again, should no event come."""
    if collection.charge_date is None:
        return real_now + limits.PAYMENT_ASKED
    day = datetime.combine(collection.charge_date, time(), UTC) + limits.PAYMENT_ASKED_DEBIT
    return max(day, real_now + limits.PAYMENT_ASKED)


def _invoices_of(organization: OrganizationRef, payment: Payment) -> Mapping[InvoiceId, Invoice]:
    return reading.get_many(organization.id, [part.invoice_id for part in payment.parts])


def _is_stale(organization: OrganizationRef, payment: Payment, *, create: bool) -> bool:
    current = store.get(organization.id, payment.id)
    return current is not None if create else current is None or current.version != payment.version


def _written(organization: OrganizationRef, change: _Change, stored: Payment | None) -> list[Write]:
    if stored is None:
        return [*store.create(organization.id, change.after), *change.writes]
    return [store.replace(organization.id, stored, change.after), *change.writes]


def _change(
    organization: OrganizationRef,
    connection: ProviderConnection | None,
    payment: Payment,
    outcome: Outcome,
    successor: Payment | None,
    known: Mapping[InvoiceId, Invoice],
    *,
    now: datetime,
) -> _Change:
    before = payment.collected
    noted = _noted(before, outcome)
    if payment.payment_status == "succeeded" and outcome.status == "failed":
        noted = noted.after(error=_reversal(noted.error or _UNEXPLAINED))
    after = payment.changed(now=now, payment_status=outcome.status, collection=noted)
    change = _Change(organization, payment, after, now, following=successor)
    code = noted.error.error_code if noted.error else ""
    if outcome.status == "failed" and payment.payment_status != "succeeded":
        change.is_quiet = before.withdrawn or code == TOO_SMALL
        change.is_unsaid = code == CONFIRM and not before.withdrawn and _is_off_session(before)
        if change.is_unsaid and connection is not None and connection.supports_3ds:
            change.is_quiet = True
            change.following = starting.on_session(payment, return_url=starting.return_url(connection), now=now)
    for part in payment.parts:
        _follow(change, known[part.invoice_id], part)
    _tell(change, outcome)
    if payment.payable_type == "PaymentRequest":
        _follow_request(change)
    if change.following is not None:
        task = agenda.task(starting.COLLECT, organization, change.following.id, clock.utc_now())
        change.writes += store.create(organization.id, change.following)
        change.tasks.append(task)
    subject = f"{payment.id}#{payment.version}"
    change.tasks += telling.task(organization, subject, change.told, receipt_id=change.receipt_id)
    return change


def _noted(before: Collection, outcome: Outcome) -> Collection:
    """The collection with what the provider says."""
    return before.after(
        provider_payment_id=outcome.provider_id or before.provider_payment_id,
        provider_status=outcome.provider_status,
        charge_date=outcome.charge_date or before.charge_date,
        next_action=dict(outcome.next_action),
        error=outcome.error or (_UNEXPLAINED if outcome.status == "failed" else None),
        announced=outcome.retry_announced,
        receipted=before.receipted or outcome.status == "succeeded",
        leased_until=None,
        stopped_at=None,
        tries=0,
    )


def _reversal(error: ProviderError) -> ProviderError:
    """Why money that was there is gone: the payer took it back, or the bank found out late."""
    return error if error.error_code == CHARGED_BACK else ProviderError(error.message, LATE_FAILURE)


def _is_off_session(collection: Collection) -> bool:
    return collection.request is not None and not collection.request.on_session


def _follow(change: _Change, invoice: Invoice, part: Share) -> None:
    """Bring an invoice in line."""
    new = _invoice_after(change, invoice, part)
    if new is invoice:
        return
    written = invoices.changed(change.organization.id, invoice, new, now=change.now, tells=False)
    change.writes += written.actions
    change.tasks += written.tasks
    if new.payment_status != invoice.payment_status:
        change.told.append(messages.status_changed(invoice))
    if change.is_paid and not change.before.collected.receipted and part == change.before.parts[0]:
        _receipt(change, invoice, new.payments)


def _invoice_after(change: _Change, invoice: Invoice, part: Share) -> Invoice:
    values: dict[str, object] = {}
    is_owed = invoice.status in ("finalized", "open") and invoice.payment_status != "succeeded"
    status = change.after.payment_status
    if change.is_paid:
        paid = invoice.total_paid_amount_cents + part.amount_cents
        values = {"total_paid_amount_cents": paid, "payments": invoice.payments + 1}
        values["collected_payments"] = (*invoice.collected_payments, change.before.id)
    elif change.is_reversed:
        values["total_paid_amount_cents"] = invoice.total_paid_amount_cents - part.amount_cents
        values["collected_payments"] = tuple(each for each in invoice.collected_payments if each != change.before.id)
        lowered = invoice.model_copy(update=values)
        if invoice.status == "finalized" and lowered.due_amount_cents > 0:
            values["payment_status"] = "failed" if status == "failed" else "pending"
    elif is_owed and change.is_failed:
        values["payment_status"] = "failed"
    elif is_owed and status == "processing" and change.before.payment_status == "failed":
        values["payment_status"] = "pending"
    under_way = _under_way(change, invoice, part)
    if under_way != invoice.payment_under_way:
        values["payment_under_way"] = under_way
    if not values:
        return invoice
    new: Invoice = invoice.changed(now=change.now, **values)
    if change.is_paid and invoice.status in ("finalized", "open") and new.due_amount_cents == 0:
        new = new.model_copy(update={"payment_status": "succeeded"})
    return new


def _under_way(change: _Change, invoice: Invoice, part: Share) -> str | None:
    """The payment that is under way afterwards. One that the provider takes up again does not displace another."""
    after = change.following or change.after
    if after.under_way and part.invoice_id in {each.invoice_id for each in after.parts}:
        is_free = invoice.payment_under_way in (None, change.before.id)
        return after.id if is_free else invoice.payment_under_way
    return None if invoice.payment_under_way == change.before.id else invoice.payment_under_way


def _follow_request(change: _Change) -> None:
    """Bring the payment request in line."""
    if change.is_paid or change.is_failed or change.is_reversed:
        ends: Mapping[str, RequestStatus] = {"succeeded": "succeeded", "failed": "failed"}
        known = ends.get(change.after.payment_status, "pending")
        writes, told = following.followed(change.organization, change.after, known, now=change.now)
        change.writes += writes
        change.told += told


def _receipt(change: _Change, invoice: Invoice, payments: int) -> None:
    """The receipt of a payment that succeeded for the first time."""
    payment = change.after
    receipt = PaymentReceipt(
        id=PaymentReceiptId(derived_id(payment.id, "receipt")),
        created_at=change.now,
        updated_at=change.now,
        payment_id=payment.id,
        invoice_id=invoice.id,
        customer_id=invoice.customer_id,
        number=numbers.receipt(invoice.number, payments),
    )
    change.writes += store.create_receipt(change.organization.id, receipt)
    change.told.append(messages.receipt_made(receipt, payment))
    change.receipt_id = receipt.id


def _tell(change: _Change, outcome: Outcome) -> None:
    """The messages of the payment itself."""
    after, before, noted = change.after, change.before.collected, change.after.collected
    if change.is_paid:
        change.told.append(messages.succeeded(after))
    if noted.next_action and dict(noted.next_action) != dict(before.next_action):
        change.told.append(messages.requires_action(after))
    is_announced = outcome.retry_announced and not before.announced
    is_told = change.is_failed and not change.is_unsaid
    if is_told or is_announced or (change.is_reversed and after.payment_status == "processing"):
        error = noted.error or _UNEXPLAINED
        if after.payable_type == "PaymentRequest":
            change.told.append(following.failed(after, error))
        for part in after.parts if after.payable_type == "Invoice" else ():
            change.told.append(messages.failed(after, part.invoice_id, error))
