"""Charging a payment, exactly once: in doubt the provider is asked, and then sent the same under the same key.

Source: rules/collection 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib import limits
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer
from chalicelib.features.invoices import reading
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.payments import store, waiting
from chalicelib.features.payments.collection import closing, outcomes, starting
from chalicelib.features.payments.collection.desk import Desk, desk_of
from chalicelib.features.payments.connections import trouble
from chalicelib.features.payments.links import losing, sync
from chalicelib.features.payments.providers.errors import KeyReused, Misconfigured, Refused, Unknown
from chalicelib.features.payments.providers.values import Hint, Outcome, ProviderError
from chalicelib.features.payments.records import Collection, Payment, Share
from chalicelib.platform import agenda, clock, metrics
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import InvoiceId, PaymentId
from chalicelib.platform.unit import Unit, Write

WITHDRAWN = ProviderError("The payment was not wanted any more.", "canceled")
_GIVEN_UP = ProviderError("The provider failed, and keeps its failure.", "provider_error")
_NOTHING_SENT = Outcome(None, "", "failed", error=WITHDRAWN)


def collect(task: Task) -> None:
    """Take a payment one step further: charge it, find out what came of a charge, or ask where it stands."""
    organization = task.organization
    payment = store.get(organization.id, PaymentId(task.subject))
    if payment is None or not payment.under_way or payment.collection is None:
        agenda.done(task).alone()
        return
    held = payment.collection.leased_until
    if held is not None and held > clock.utc_now():
        # Another worker's call is under way; where that has died, this message finds the task as it was left.
        agenda.push([replace(task, run_at=held)])
        return
    desk = desk_of(organization, payment.collection.connection_id)
    customer = customers.get(organization.id, payment.customer_id)
    is_wanted = customer is not None and customer.deleted_at is None and desk.connection.live
    try:
        if payment.collection.sent_at is None and payment.collection.provider_payment_id is None:
            _first(task, desk, payment, customer if is_wanted else None)
            return
        payment = payment if is_wanted else _withdrawn(payment)
        if desk.connection.live and desk.connection.state == "misconfigured":
            _until_mended(task, payment, payment.collected.error)
        elif payment.collected.provider_payment_id is not None:
            _ask(task, desk, payment)
        else:
            _again(task, desk, payment)
    except Misconfigured as failure:
        _misconfigured(task, desk, payment, failure)
    except Unknown as failure:
        _unknown(task, payment, failure)


def _ask(task: Task, desk: Desk, payment: Payment) -> None:
    """Where a payment stands; one that is not wanted any more, or that the customer did not confirm in time, is cancelled."""
    collection = payment.collected
    provider_id = collection.provider_payment_id
    assert provider_id is not None
    if collection.withdrawn or _is_unconfirmed(collection):
        _settle(task, desk, payment, desk.provider.cancel(desk.opened, provider_id))
        return
    # What was announced holds until the provider says something else, which not all of them repeat.
    known = Hint(error=collection.error, retry_announced=True) if _is_announced(collection) else None
    _settle(task, desk, payment, desk.provider.ask(desk.opened, provider_id, known))


def _is_announced(collection: Collection) -> bool:
    """Whether the provider said lately that it tries a failed payment again."""
    heard_at = collection.heard_at or clock.utc_now()
    return collection.announced and clock.utc_now() - heard_at < limits.PAYMENT_ANNOUNCED


def _is_unconfirmed(collection: Collection) -> bool:
    """Whether the customer was asked to confirm a payment, and let the time pass."""
    is_asked = bool(collection.next_action) and collection.request is not None and collection.request.on_session
    return is_asked and clock.utc_now() - (collection.sent_at or clock.utc_now()) >= limits.PAYMENT_CONFIRMED


def _first(task: Task, desk: Desk, payment: Payment, customer: Customer | None) -> None:
    """The last look at what is to be paid, and then the call. `customer`: None where nothing may be sent any more."""
    organization = task.organization
    found = reading.get_many(organization.id, [part.invoice_id for part in payment.parts])
    left = tuple(filter(None, (_left(payment, found[part.invoice_id], part) for part in payment.parts)))
    is_wanted = customer is not None and _is_linked(customer, payment.collected)
    if not is_wanted or left != payment.parts or payment.collected.withdrawn:
        rest = starting.of_what_is_left(payment, left, now=clock.now(organization)) if is_wanted and left else None
        # A customer who has moved to another account may be charged there.
        after = [] if customer is None or is_wanted else [sync.submission(organization, customer.id)]
        _settle(task, desk, _withdrawn(payment), _NOTHING_SENT, after, successor=rest)
        return
    if desk.connection.state == "misconfigured":
        _until_mended(task, payment, None)
        return
    # What was paid on a page is a payment of its own, which the invoice's next task takes on.
    paid = [each.id for each in found.values() if closing.close_all(organization, each)]
    if paid:
        _settle(
            task, desk, _withdrawn(payment), _NOTHING_SENT, [invoices.tidy_task(organization, each) for each in paid]
        )
        return
    held = [_held(task, each) for each in found.values()]
    read = {each.id: each for each, _ in held}
    _send(task, desk, payment, [write for _, writes in held for write in writes], read)


def _is_linked(customer: Customer, collection: Collection) -> bool:
    """Whether a customer still stands for the provider's customer who is to be charged."""
    own = customer.billing_configuration
    theirs = (collection.provider_type, collection.provider_customer_id)
    return (own.payment_provider, own.provider_customer_id) == theirs


def _left(payment: Payment, invoice: Invoice, part: Share) -> Share | None:
    """What is still to be collected of an invoice; None where that is nothing."""
    is_owed = invoice.status in ("finalized", "open") and invoice.payment_status != "succeeded"
    is_ours = invoice.payment_under_way == payment.id and invoice.payment_dispute_lost_at is None
    if not is_owed or not is_ours or invoice.due_amount_cents == 0:
        return None
    return part.model_copy(update={"amount_cents": invoice.due_amount_cents})


def _held(task: Task, invoice: Invoice) -> tuple[Invoice, list[Write]]:
    """An invoice whose pages are closed, and the writes that hold that it is still to be paid as it was read."""
    if not invoice.payment_pages:
        return invoice, [reading.check_action(task.organization.id, invoice)]
    now = clock.now(task.organization)
    closed = invoice.changed(now=now, payment_pages=())
    change = invoices.changed(task.organization.id, invoice, closed, now=now)
    return change.invoice, change.actions


def _send(
    task: Task,
    desk: Desk,
    payment: Payment,
    held: list[Write],
    read: Mapping[InvoiceId, Invoice] | None = None,
) -> None:
    """Write that the call is made, then make it. `held`: written with it; `read`: the payment's invoices as they stand then."""
    real_now = clock.utc_now()
    before = payment.collected
    assert before.request is not None, "only charges are sent"
    sent = before.after(
        sent_at=before.sent_at or real_now,
        last_sent_at=real_now,
        leased_until=real_now + limits.PAYMENT_LEASE,
    )
    leased = _written(task, payment, payment.model_copy(update={"collection": sent}), held)
    key = f"payment-{payment.id}"
    try:
        outcome = desk.provider.charge(desk.opened, before.request, key)
    except Unknown as failure:
        # The provider repeated what it had answered before: this call was none.
        _unknown(task, leased, failure, last_sent_at=before.last_sent_at if failure.replayed else real_now)
    except Misconfigured as failure:
        _misconfigured(task, desk, leased, failure)
    else:
        _settle(task, desk, leased, outcome, read=read)


def _again(task: Task, desk: Desk, payment: Payment) -> None:
    """What came of a charge that got no answer; nothing, where the provider does not know of it: then the same again."""
    collection, real_now = payment.collected, clock.utc_now()
    assert collection.request is not None, "only charges are sent"
    assert collection.sent_at is not None
    try:
        found = desk.provider.find(desk.opened, collection.request, collection.sent_at)
    except Refused:
        found = None  # There is nothing to look among: the same call again is refused, or answered as before.
    if found is not None:
        _settle(task, desk, payment, found)
        return
    last = collection.last_sent_at or collection.sent_at
    if collection.replayed and real_now - last >= limits.PAYMENT_REPLAYED:
        _settle(task, desk, payment, Outcome(None, "", "failed", error=_GIVEN_UP))
        return
    if collection.withdrawn:
        _withdraw_sent(task, desk, payment, last)
        return
    _send(task, desk, payment, [])


def _withdraw_sent(task: Task, desk: Desk, payment: Payment, last: datetime) -> None:
    """A call got no answer, and nothing is wanted any more: it is not sent again, and what it did may show for a while."""
    if clock.utc_now() - last >= limits.PAYMENT_REPLAYED:
        _settle(task, desk, payment, _NOTHING_SENT)
    else:
        _put_off(task, payment, WITHDRAWN, at=last + limits.PAYMENT_REPLAYED)


def _withdrawn(payment: Payment) -> Payment:
    return payment.model_copy(update={"collection": payment.collected.after(withdrawn=True)})


def _settle(
    task: Task,
    desk: Desk,
    payment: Payment,
    outcome: Outcome,
    following: Sequence[Task] = (),
    *,
    successor: Payment | None = None,
    read: Mapping[InvoiceId, Invoice] | None = None,
) -> None:
    """Write what became of a payment with the end of its task, or with the next time to ask. `following`: tasks beside it;
    `read`: its invoices, where they were just read."""
    real_now = clock.utc_now()
    _forget(task, desk, payment, outcome)

    def ends(after: Payment) -> list[Write]:
        beside = [agenda.put(each, now=real_now) for each in following]
        if not after.under_way:
            return [agenda.done(task), *beside]
        return [*agenda.move(task, outcomes.asked_at(after.collected, real_now=real_now), now=real_now), *beside]

    now = clock.now(task.organization)
    outcomes.settle(
        task.organization, desk.connection, payment, outcome, now=now, ends=ends, successor=successor, read=read
    )
    agenda.push(following)


def _unknown(task: Task, payment: Payment, failure: Unknown, *, last_sent_at: datetime | None = None) -> None:
    """Nobody knows: later again."""
    if isinstance(failure, KeyReused):
        metrics.count("ReusedPaymentKeys", subject=payment.id)
    tries = payment.collected.tries
    wait = limits.PAYMENT_WAITS[min(tries, len(limits.PAYMENT_WAITS) - 1)]
    if failure.retry_after is not None:
        wait = max(wait, timedelta(seconds=failure.retry_after))
    values = {
        "tries": tries + 1,
        "replayed": payment.collected.replayed or failure.replayed,
        "last_sent_at": last_sent_at or payment.collected.last_sent_at,
    }
    _put_off(task, payment, failure.error, at=clock.utc_now() + wait, **values)


def _misconfigured(task: Task, desk: Desk, payment: Payment, failure: Misconfigured) -> None:
    """The secret is no good: until it is mended nothing is sent, and nobody is told of the payment."""
    trouble.mark(task.organization, desk.connection, failure, source="payment", action="collect")
    real_now = clock.utc_now()
    if not desk.connection.live and real_now - (payment.collected.sent_at or real_now) >= limits.PAYMENT_GIVEN_UP:
        # Nobody will ever answer for a connection that is gone: its invoices can be collected otherwise.
        _settle(task, desk, payment, Outcome(None, "", "failed", error=failure.error))
        return
    if desk.connection.live:
        _until_mended(task, payment, failure.error)
    else:
        _put_off(task, payment, failure.error, at=real_now + limits.PAYMENT_ASKED)


def _until_mended(task: Task, payment: Payment, error: ProviderError | None) -> None:
    """Look again when the connection's secret may have been mended."""
    real_now = clock.utc_now()
    since = payment.collected.stopped_at or real_now
    _put_off(task, payment, error, at=real_now + waiting.until_mended(since), stopped_at=since)


def _forget(task: Task, desk: Desk, payment: Payment, outcome: Outcome) -> None:
    """Note what the provider has no more, so that nothing else is sent to it."""
    collection, error = payment.collected, outcome.error or WITHDRAWN
    if outcome.lost == "method" and collection.provider_method_id is not None:
        losing.method(task.organization, payment.customer_id, desk.connection.id, collection.provider_method_id)
    elif outcome.lost == "customer":
        customer = customers.get(task.organization.id, payment.customer_id)
        assert customer is not None, "a payment has a customer, deleted or not"
        losing.customer(task.organization, customer, desk.connection.id, error)


def _put_off(task: Task, payment: Payment, error: ProviderError | None, *, at: datetime, **values: object) -> None:
    later = payment.collected.after(error=error, leased_until=None, **values)
    moved = agenda.move(task, at, now=clock.utc_now())
    _written(task, payment, payment.model_copy(update={"collection": later}), moved)
    agenda.push([agenda.task(task.kind, task.organization, task.subject, at)])


def _written(task: Task, old: Payment, new: Payment, beside: list[Write]) -> Payment:
    """Write a payment's next state over the one that was read; the payment as it is stored."""
    Unit(store.replace(task.organization.id, old, new), beside).commit()
    return new.model_copy(update={"version": old.version + 1})
