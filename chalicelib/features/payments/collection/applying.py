"""Events of payments, refunds, pages and disputes, applied by asking the provider. Source: rules/collection 3."""

from datetime import datetime

from chalicelib.domain.errors import NotAllowed, NotFound
from chalicelib.features.invoices import collecting
from chalicelib.features.payments import store
from chalicelib.features.payments.collection import adopting
from chalicelib.features.payments.collection.desk import Desk, desk
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.providers.errors import Refused
from chalicelib.features.payments.providers.values import Event, Outcome, Paid
from chalicelib.features.payments.records import Payment
from chalicelib.features.payments.refunds import service as refunds
from chalicelib.platform import agenda, clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import PaymentId


def apply(organization: OrganizationRef, connection: ProviderConnection, event: Event) -> None:
    """Bring what an event is about in line with the provider's present state; idempotent. What is not ours is left alone.

    Raises: Unknown, Misconfigured, where the provider could not be asked: the event is applied later; ChangedMeanwhile.
    """
    opened, now = desk(organization, connection), clock.now(organization)
    try:
        if event.kind == "payment":
            outcome = opened.provider.ask(opened.opened, event.object_id, event.hint)
            _payment(organization, opened, outcome, now=now, heard_at=event.at)
        elif event.kind == "page":
            _page(organization, opened, event.object_id, now=now)
        elif event.kind == "dispute":
            _dispute(organization, opened, event, now=now)
        elif event.kind == "refund":
            refunds.apply(organization, connection, opened.provider.ask_refund(opened.opened, event.object_id))
    except Refused:
        return  # The provider does not know of it: it is of no account of ours.


def payment_of(organization: OrganizationRef, connection: ProviderConnection, outcome: Outcome) -> Payment | None:
    """The payment that we charged, by what the provider says of it. Metadata can be written by others: the connection and the
    provider's own id decide whose it is."""
    if outcome.payment_id is None:
        return None
    payment = store.get(organization.id, PaymentId(outcome.payment_id))
    if payment is None or payment.collection is None or payment.collection.connection_id != connection.id:
        return None
    known = payment.collection.provider_payment_id
    is_same = known == outcome.provider_id if known is not None else payment.collection.sent_at is not None
    is_exact = (outcome.amount_cents, outcome.currency) == (payment.amount_cents, payment.currency)
    return payment if is_same and is_exact else None


def _payment(
    organization: OrganizationRef, opened: Desk, outcome: Outcome, *, now: datetime, heard_at: datetime | None = None
) -> Payment | None:
    payment = payment_of(organization, opened.connection, outcome)
    if payment is None:
        return adopting.adopt(organization, opened.connection, outcome, now=now)
    return adopting.bring_in_line(organization, opened.connection, payment, outcome, now=now, heard_at=heard_at)


def _page(organization: OrganizationRef, opened: Desk, page_id: str, *, now: datetime) -> None:
    found = opened.provider.ask_link(opened.opened, page_id)
    if isinstance(found, Paid) and found.payment is not None:
        adopting.adopt(organization, opened.connection, found.payment, now=now)


def _dispute(organization: OrganizationRef, opened: Desk, event: Event, *, now: datetime) -> None:
    """A lost dispute is kept with the invoices of its payment. That end is final: where the dispute cannot be read, the event
    that the provider signed says it."""
    try:
        dispute = opened.provider.ask_dispute(opened.opened, event.object_id)
        is_lost, payment_id = dispute is not None and dispute.lost, dispute.provider_payment_id if dispute else ""
    except Refused:
        is_lost, payment_id = event.hint.lost, event.hint.provider_payment_id or ""
    if not is_lost or not payment_id:
        return
    outcome = opened.provider.ask(opened.opened, payment_id)
    payment = _payment(organization, opened, outcome, now=now)
    for part in payment.parts if payment else ():
        try:
            _, tasks = collecting.lose_dispute(organization, part.invoice_id, now=now)
        except (NotAllowed, NotFound):
            continue  # Void meanwhile, or not shown.
        agenda.push([each for each in tasks if not each.in_clock])
