"""Giving back what credit notes refund. Source: rules/collection 5; rules/invoices 7.3."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.features.credit_notes import service as credit_notes
from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.payments import service as payments
from chalicelib.features.payments import waiting
from chalicelib.features.payments.collection.desk import Desk, desk_of
from chalicelib.features.payments.connections import trouble
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.providers.errors import KeyReused, Misconfigured, Refused, Unknown
from chalicelib.features.payments.providers.values import ProviderError, RefundOutcome, RefundRequest, RefundStatus
from chalicelib.features.payments.records import Payment
from chalicelib.features.payments.refunds import store
from chalicelib.features.payments.refunds.records import Refund
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, clock, metrics
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CreditNoteId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write

# Gives back what a credit note refunds. In real time, as banks are, also for organizations with a test clock.
REFUND = agenda.kind("refund_credit_note", rank=88, real_time=True, queue="providers")
_GIVEN_UP = ProviderError("The provider failed, and keeps its failure.", "provider_error")


def tasks(organization: OrganizationRef, note: CreditNote) -> list[Task]:
    """The task that gives back what a new note refunds; none where its invoice was paid through no provider: the client refunds
    then, and sets `refund_status`."""
    if note.refund_amount_cents == 0:
        return []
    invoice = invoices.get(organization.id, note.invoice_id)
    if invoice is None or not invoice.collected_payments:
        return []
    return [agenda.task(REFUND, organization, note.id, clock.utc_now())]


def run(task: Task) -> None:
    """Take the refunds of a credit note one step further; while a provider gives no answer, they wait."""
    organization = task.organization
    note = credit_notes.get(organization.id, CreditNoteId(task.subject))
    if note is None or not note.visible:
        agenda.done(task).alone()
        return
    try:
        known = store.of_note(organization.id, note.id) or _decided(organization, note)
        waits = [_step(organization, each) for each in known if each.status == "pending"]
    except Unknown as failure:
        waiting.for_answer(task, failure)
        return
    except Misconfigured:
        waiting.for_secret(task)
        return
    _end(task, note.id, [each for each in waits if each is not None])


def apply(organization: OrganizationRef, connection: ProviderConnection, outcome: RefundOutcome) -> None:
    """Bring a refund in line with its state at the provider. One that was made elsewhere is left alone: what is left of the
    payment is asked for anyway."""
    note_id = CreditNoteId(outcome.metadata.get("lago_credit_note_id", ""))
    for refund in store.of_note(organization.id, note_id) if note_id else ():
        known = refund.provider_refund_id
        is_same = known == outcome.provider_id if known else outcome.provider_payment_id in (None, _paid_as(refund))
        if refund.connection_id == connection.id and refund.sent_at is not None and is_same:
            _settle(organization, connection, refund, outcome)


def _paid_as(refund: Refund) -> str:
    return refund.request.provider_payment_id


@contextmanager
def _at(organization: OrganizationRef, connection_id: str) -> Iterator[Desk]:
    """The desk of a connection, which is marked where its secret turns out to be no good.

    Raises: Misconfigured.
    """
    desk = desk_of(organization, connection_id)
    try:
        yield desk
    except Misconfigured as failure:
        trouble.mark(organization, desk.connection, failure, source="refund", action="refund")
        raise


def _decided(organization: OrganizationRef, note: CreditNote) -> list[Refund]:
    """What is given back of which payments, the newest first, each up to what is left of it; written before any call."""
    invoice = invoices.get(organization.id, note.invoice_id)
    assert invoice is not None, "a note is on an invoice"
    left, made = note.refund_amount_cents, list[Refund]()
    for payment in reversed(payments.get_many(organization.id, invoice.collected_payments)):
        if left == 0 or payment.payment_status != "succeeded":
            continue
        provider_id = payment.collected.provider_payment_id
        assert provider_id is not None, "a provider collected it"
        share = next(part.amount_cents for part in payment.parts if part.invoice_id == invoice.id)
        amount = min(left, share, _refundable(organization, payment, provider_id))
        if amount > 0:
            made.append(_refund(note, payment, provider_id, amount, len(made) + 1))
            left -= amount
    Unit(store.create(organization.id, each) for each in made).commit()
    return made


def _refundable(organization: OrganizationRef, payment: Payment, provider_id: str) -> int:
    """What is left of a payment there. Of one that the provider does not know, all: the refund itself is refused, and told."""
    with _at(organization, payment.collected.connection_id) as desk:
        try:
            return desk.provider.refundable(desk.opened, provider_id)
        except Refused:
            return payment.amount_cents


def _refund(note: CreditNote, payment: Payment, provider_id: str, amount_cents: int, number: int) -> Refund:
    request = RefundRequest(note.id, note.invoice_id, provider_id, amount_cents, note.currency, note.reason)
    return Refund(
        id=payment.id,
        created_at=note.created_at,
        updated_at=note.created_at,
        note_id=note.id,
        payment_id=payment.id,
        invoice_id=note.invoice_id,
        connection_id=payment.collected.connection_id,
        amount_cents=amount_cents,
        request=request,
        key=f"refund-{note.id}" if number == 1 else f"refund-{note.id}-{number}",
    )


def _step(organization: OrganizationRef, refund: Refund) -> timedelta | None:
    """Ask where a refund stands, find out what came of one that was sent, or send it; how long to wait, where nobody knows.

    Raises: Misconfigured.
    """
    sent = refund
    with _at(organization, refund.connection_id) as desk:
        provider, opened = desk.provider, desk.opened
        try:
            if refund.provider_refund_id is not None:
                outcome = provider.ask_refund(opened, refund.provider_refund_id)
            elif (found := _found(desk, refund)) is not None:
                outcome = found
            elif _is_given_up(refund):
                outcome = RefundOutcome(None, "", "failed", error=_GIVEN_UP)
            else:
                sent = _sent(organization, refund)
                outcome = provider.refund(opened, refund.request, refund.key)
        except Unknown as failure:
            return _unknown(organization, refund, sent, failure)
        except Refused as refusal:
            outcome = refusal.refund_outcome()
        _settle(organization, desk.connection, refund, outcome)
    return None


def _found(desk: Desk, refund: Refund) -> RefundOutcome | None:
    """What came of a refund that was sent; None where it was not, or where the provider made none."""
    if refund.sent_at is None:
        return None
    try:
        return desk.provider.find_refund(desk.opened, refund.request)
    except Refused:
        return None  # The payment is gone there: the same call again says so.


def _is_given_up(refund: Refund) -> bool:
    """Whether the provider repeats a failure that it keeps, an hour after the last call that was none of these repetitions."""
    last = refund.last_sent_at or refund.sent_at
    return refund.replayed and last is not None and clock.utc_now() - last >= limits.PAYMENT_REPLAYED


def _sent(organization: OrganizationRef, refund: Refund) -> Refund:
    """Write that the call is made, before it is."""
    real_now = clock.utc_now()
    sent = refund.model_copy(update={"sent_at": refund.sent_at or real_now, "last_sent_at": real_now})
    store.replace(organization.id, refund, sent).alone()
    return sent.model_copy(update={"version": refund.version + 1})


def _unknown(organization: OrganizationRef, before: Refund, sent: Refund, failure: Unknown) -> timedelta:
    """Nobody knows: later again, as payments are. `before`: as it was before the call."""
    if isinstance(failure, KeyReused):
        metrics.count("ReusedPaymentKeys", subject=sent.key)
    wait = limits.PAYMENT_WAITS[min(sent.tries, len(limits.PAYMENT_WAITS) - 1)]
    if failure.retry_after is not None:
        wait = max(wait, timedelta(seconds=failure.retry_after))
    # The provider repeated what it had answered before: this call was none.
    last = before.last_sent_at if failure.replayed else sent.last_sent_at
    values = {"tries": sent.tries + 1, "replayed": sent.replayed or failure.replayed, "last_sent_at": last}
    store.replace(organization.id, sent, sent.model_copy(update=values)).alone()
    return wait


def _settle(
    organization: OrganizationRef, connection: ProviderConnection, refund: Refund, outcome: RefundOutcome
) -> None:
    """Write what became of a refund, with the credit note; nothing where that is known."""
    if not outcome.known:
        metrics.count("UnknownRefundStatuses", provider=connection.payment_provider)

    def attempt() -> list[Task]:
        all_of_it = store.of_note(organization.id, refund.note_id)
        current = next(each for each in all_of_it if each.payment_id == refund.payment_id)
        if (current.status, current.provider_status) == (outcome.status, outcome.provider_status):
            return []  # Told before.
        now = clock.now(organization)
        new = current.changed(
            now=now,
            status=outcome.status,
            provider_status=outcome.provider_status,
            provider_refund_id=outcome.provider_id or current.provider_refund_id,
            error=outcome.error,
            tries=0,
        )
        others = [each for each in all_of_it if each.payment_id != refund.payment_id]
        told, writes = _noted(organization, connection, new, others, now=now)
        put = [agenda.put(each, now=now) for each in told]
        Unit(store.replace(organization.id, current, new), writes, put).commit()
        return told

    agenda.push([each for each in retrying(attempt, Resource.CREDIT_NOTE) if not each.in_clock])


def _noted(
    organization: OrganizationRef,
    connection: ProviderConnection,
    refund: Refund,
    others: Sequence[Refund],
    *,
    now: datetime,
) -> tuple[list[Task], list[Write]]:
    """The credit note after one of its refunds, and the message of a failed one."""
    note = credit_notes.get(organization.id, refund.note_id)
    assert note is not None, "a refund is of a note"
    told: list[Task] = []
    if refund.status == "failed":
        told = _failure(organization, connection, note, refund, now=now)
    parts = [refund, *others]
    is_all = sum(each.amount_cents for each in parts) == note.refund_amount_cents
    status: RefundStatus = "pending"
    if any(each.status == "failed" for each in parts):
        status = "failed"
    elif is_all and all(each.status == "succeeded" for each in parts):
        status = "succeeded"
    if status == note.refund_status:
        return told, []
    return told, credit_notes.refunded_actions(organization.id, note, status, now=now)


def _failure(
    organization: OrganizationRef, connection: ProviderConnection, note: CreditNote, refund: Refund, *, now: datetime
) -> list[Task]:
    payment = payments.find(organization.id, refund.payment_id)
    name = "credit_note.refund_failure"
    payload = {
        "lago_credit_note_id": note.id,
        "lago_customer_id": note.customer_id,
        "external_customer_id": note.external_customer_id,
        "provider_customer_id": payment.collected.provider_customer_id,
        "payment_provider": connection.payment_provider,
        "payment_provider_code": connection.code,
        "provider_error": refund.error.shown() if refund.error else {},
    }
    subject = f"{name}#{note.id}#{refund.payment_id}#{refund.version}"
    kind = "credit_note_payment_provider_refund_error"
    return webhooks.announcement(organization, name, kind, payload, subject=subject, now=now)


def _end(task: Task, note_id: CreditNoteId, waits: Sequence[timedelta]) -> None:
    """End the task, try again what nobody knows of, or ask again tomorrow: an event may be lost."""
    real_now = clock.utc_now()
    if waits:
        at = real_now + min(waits)
    elif all(each.status != "pending" for each in store.of_note(task.organization.id, note_id)):
        agenda.done(task).alone()
        return
    else:
        at = real_now + limits.PAYMENT_ASKED
    Unit(agenda.move(task, at, now=real_now)).commit()
    agenda.push([agenda.task(task.kind, task.organization, task.subject, at)])
