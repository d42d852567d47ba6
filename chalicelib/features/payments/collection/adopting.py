"""Payments that we did not charge: made by the customer on a page of the provider. Source: rules/collection 2."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.features.invoices import reading
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.payments import store
from chalicelib.features.payments.collection import outcomes, starting
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.providers.values import Outcome
from chalicelib.features.payments.records import Collection, Payment, Share
from chalicelib.features.payments.requests import reading as requests
from chalicelib.platform import agenda, clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId, PaymentId, PaymentRequestId, derived_id
from chalicelib.platform.unit import Write

_ONE_TIME = "one-time"


def adopt(
    organization: OrganizationRef, connection: ProviderConnection, outcome: Outcome, *, now: datetime
) -> Payment | None:
    """The payment that was made on a page for one of our invoices, or for a payment request, as it stands at the provider; None
    of any other payment. Its id follows from the provider's, so that it is one, whoever finds it first.

    Raises: ChangedMeanwhile.
    """
    if outcome.provider_id is None or outcome.metadata.get("payment_type") != _ONE_TIME:
        return None
    own_id = PaymentId(derived_id(connection.id, outcome.provider_id))
    known = store.get(organization.id, own_id)
    if known is not None:
        return bring_in_line(organization, connection, known, outcome, now=now)
    request_id, owed = _paid_for(organization, outcome)
    if not owed or any(each.currency != outcome.currency for each in owed):
        return None
    collection = Collection(
        connection_id=connection.id,
        provider_code=connection.code,
        provider_type=connection.payment_provider,
        provider_customer_id="",
        provider_method_id=outcome.method_id,
        provider_payment_id=outcome.provider_id,
    )
    payment = starting.of_invoice(owed[0], own_id, collection, outcome.amount_cents, now=now)
    if request_id is not None:
        about = {"payable_type": "PaymentRequest", "payable_id": request_id}
        payment = payment.model_copy(update={**about, "shares": _shares(owed, outcome.amount_cents)})
    return _settled(organization, connection, payment, outcome, now=now, create=True)


def _paid_for(organization: OrganizationRef, outcome: Outcome) -> tuple[str | None, list[Invoice]]:
    """The payment request whose page was paid, and its invoices; or no request, and the invoice whose page was."""
    request_id = outcome.metadata.get("lago_payment_request_id")
    if request_id is None:
        found = reading.get(organization.id, InvoiceId(outcome.metadata.get("lago_invoice_id", "")))
        return None, [] if found is None else [found]
    request = requests.get(organization.id, PaymentRequestId(request_id))
    ids = [share.invoice_id for share in request.shares] if request is not None else []
    known = reading.get_many(organization.id, ids) if ids else {}
    return request_id, [known[each] for each in ids if each in known]


def _shares(owed: Sequence[Invoice], amount_cents: int) -> tuple[Share, ...]:
    """What a payment gives to each invoice: what is due of it, in their order. What was paid otherwise by then is too much, and
    stands on the first."""
    left, given = amount_cents, dict[InvoiceId, int]()
    for each in owed:
        given[each.id] = min(left, each.due_amount_cents)
        left -= given[each.id]
    given[owed[0].id] += left
    return tuple(
        Share(invoice_id=each.id, invoice_number=each.number, amount_cents=given[each.id])
        for each in owed
        if given[each.id] > 0
    )


def bring_in_line(
    organization: OrganizationRef,
    connection: ProviderConnection,
    payment: Payment,
    outcome: Outcome,
    *,
    now: datetime,
    heard_at: datetime | None = None,
) -> Payment:
    """A payment after what the provider says of it now; unchanged where that is known. `heard_at`: the provider's time of the
    event that made us ask. One that is older than what explained the present state explains it no better.

    Raises: ChangedMeanwhile.
    """
    known = payment.collected
    is_older = heard_at is not None and known.heard_at is not None and heard_at < known.heard_at
    if is_older and outcome.provider_status == known.provider_status:
        return payment
    is_told = known.announced or not outcome.retry_announced
    said = (outcome.status, outcome.provider_status, outcome.provider_id or known.provider_payment_id)
    heard = payment if heard_at is None else payment.model_copy(update={"collection": known.after(heard_at=heard_at)})
    if said != (payment.payment_status, known.provider_status, known.provider_payment_id) or not is_told:
        return _settled(organization, connection, heard, outcome, now=now)
    if outcome.status == "failed" and heard != payment:
        store.replace(organization.id, payment, heard).alone()
    return payment


def _settled(
    organization: OrganizationRef,
    connection: ProviderConnection,
    payment: Payment,
    outcome: Outcome,
    *,
    now: datetime,
    create: bool = False,
) -> Payment:
    def ends(after: Payment) -> Sequence[Write]:
        real_now = clock.utc_now()
        at = outcomes.asked_at(after.collected, real_now=real_now)
        task = agenda.task(starting.COLLECT, organization, after.id, at)
        return [agenda.put(task, now=real_now) if after.under_way else agenda.remove(task)]

    return outcomes.settle(organization, connection, payment, outcome, now=now, ends=ends, create=create)
