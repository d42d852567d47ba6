"""Beginning a payment: the row comes first, with all that will be asked of the provider. Source: rules/collection 2."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.features.customers.records import Customer
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.payments import store
from chalicelib.features.payments.connections import reading as connections
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.links import reading as links
from chalicelib.features.payments.links.records import Account, LinkedMethod
from chalicelib.features.payments.providers.values import ChargeRequest
from chalicelib.features.payments.records import Collection, Payment, Share
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import PaymentId, new_id
from chalicelib.platform.unit import Write

# Charges a payment, and asks what became of it. In real time, as banks are, also for organizations with a test clock. What a
# provider leaves open is tried again by the payment's own rules; the attempts are for failures of ours.
COLLECT = agenda.kind("collect_payment", rank=88, real_time=True, queue="providers")


@dataclass(frozen=True, slots=True)
class BegunTogether:
    """As `Begun`, of several invoices, in their order."""

    invoices: list[Invoice]
    payment: Payment
    writes: list[Write]
    task: Task


@dataclass(frozen=True, slots=True)
class Begun:
    """A payment that begins: the invoice that names it, not yet written, the writes beside it, and the task that
    charges it, which the same transaction puts on the agenda."""

    invoice: Invoice
    payment: Payment
    writes: list[Write]
    task: Task


def begun(
    organization: OrganizationRef,
    organization_name: str,
    customer: Customer,
    invoice: Invoice,
    *,
    now: datetime,
    method_id: str | None = None,
) -> Begun | None:
    """The payment of an invoice by the customer's account: the method of an id, else the default one. None where nothing is to
    be collected, or nothing to collect it by: the invoice waits for a way to pay. At most two requests; none for a customer
    without a provider."""
    if customer.deleted_at is not None or not invoice.collectable:
        return None
    chosen = _chosen(organization, customer, method_id)
    if chosen is None:
        return None
    payment = _payment(*chosen, organization_name, customer, invoice, now=now)
    return entered(organization, invoice, payment, now=now)


def _chosen(
    organization: OrganizationRef, customer: Customer, method_id: str | None
) -> tuple[Account, LinkedMethod] | None:
    """The account of a customer and the method to be charged: that of an id, else the default; None where none can be."""
    account = links.account_of(organization, customer)
    if account is None:
        return None
    method = account.method if method_id is None else account.link.method(method_id)
    return None if method is None or method.state != "usable" else (account, method)


def begun_together(
    organization: OrganizationRef,
    organization_name: str,
    customer: Customer,
    request_id: str,
    invoices: Sequence[Invoice],
    *,
    now: datetime,
    method_id: str | None = None,
) -> BegunTogether | None:
    """The one payment of a payment request's invoices, as `begun`; None where there is nothing to collect it by."""
    chosen = None if customer.deleted_at is not None else _chosen(organization, customer, method_id)
    if chosen is None:
        return None
    shares = shares_of(invoices)
    first = _payment(*chosen, organization_name, customer, invoices[0], now=now)
    request = first.collected.request
    assert request is not None, "it is to be charged"
    amount = sum(share.amount_cents for share in shares)
    together = replace(
        request,
        payable_type="PaymentRequest",
        payable_id=request_id,
        amount_cents=amount,
        description=described_together(organization_name, invoices),
        issuing_date="",
        invoice_type="",
    )
    update = {"payable_type": "PaymentRequest", "payable_id": request_id, "amount_cents": amount, "shares": shares}
    payment = first.model_copy(update={**update, "collection": first.collected.after(request=together)})
    task = agenda.task(COLLECT, organization, payment.id, clock.utc_now())
    named = [each.changed(now=now, payment_under_way=payment.id, payment_status="pending") for each in invoices]
    return BegunTogether(named, payment, store.create(organization.id, payment), task)


def shares_of(invoices: Sequence[Invoice]) -> tuple[Share, ...]:
    """What is due of each invoice."""
    return tuple(
        Share(invoice_id=each.id, invoice_number=each.number, amount_cents=each.due_amount_cents) for each in invoices
    )


def of_what_is_left(payment: Payment, shares: tuple[Share, ...], *, now: datetime) -> Payment:
    """The payment that follows one of which a part is paid by now: of the rest."""
    before = payment.collected
    assert before.request is not None, "nothing was charged yet"
    own_id, amount = PaymentId(new_id()), sum(share.amount_cents for share in shares)
    request = replace(before.request, payment_id=own_id, amount_cents=amount)
    first = {"invoice_id": shares[0].invoice_id, "invoice_number": shares[0].invoice_number}
    several = {"shares": shares if payment.payable_type == "PaymentRequest" else (), "amount_cents": amount}
    left = payment.model_copy(update={**first, **several})
    return again(left, own_id, before.after(request=request, withdrawn=False), now=now)


def entered(organization: OrganizationRef, invoice: Invoice, payment: Payment, *, now: datetime) -> Begun:
    """A payment that begins, with what is written of it."""
    named = invoice.changed(now=now, payment_under_way=payment.id, payment_status="pending")
    task = agenda.task(COLLECT, organization, payment.id, clock.utc_now())
    return Begun(named, payment, store.create(organization.id, payment), task)


def on_session(payment: Payment, *, return_url: str, now: datetime) -> Payment:
    """The payment that follows one whose bank wants the customer to confirm: the same, with the customer present."""
    before = payment.collected
    assert before.request is not None, "a charge was refused"
    own_id = PaymentId(new_id())
    request = replace(before.request, payment_id=own_id, on_session=True, return_url=return_url)
    fresh = Collection(
        connection_id=before.connection_id,
        provider_code=before.provider_code,
        provider_type=before.provider_type,
        provider_customer_id=before.provider_customer_id,
        method_id=before.method_id,
        provider_method_id=before.provider_method_id,
        request=request,
    )
    return again(payment, own_id, fresh, now=now)


def again(payment: Payment, own_id: PaymentId, collection: Collection, *, now: datetime, **values: int) -> Payment:
    """A new payment of what another was to pay."""
    fresh = {"id": own_id, "created_at": now, "updated_at": now, "paid_at": now, "version": 0, "collection": collection}
    return payment.model_copy(update={**fresh, "payment_status": "pending", **values})


def return_url(connection: ProviderConnection) -> str:
    """Where a provider's page leads afterwards."""
    return connection.success_redirect_url or connections.provider_of(connection).home


def _payment(
    account: Account,
    method: LinkedMethod,
    organization_name: str,
    customer: Customer,
    invoice: Invoice,
    *,
    now: datetime,
) -> Payment:
    own_id, connection = PaymentId(new_id()), account.connection
    is_confirmed = customer.country in connections.provider_of(connection).confirmed_in
    request = ChargeRequest(
        payment_id=own_id,
        customer_id=invoice.customer_id,
        payable_type="Invoice",
        payable_id=invoice.id,
        provider_customer_id=account.provider_customer_id,
        method_id=method.provider_method_id,
        method_type=method.type,
        amount_cents=invoice.due_amount_cents,
        currency=invoice.currency,
        description=described(organization_name, invoice),
        issuing_date=invoice.issuing_date.isoformat(),
        invoice_type=invoice.invoice_type,
        retry_if_possible=connection.retry_if_possible,
        on_session=is_confirmed,
        return_url=return_url(connection) if is_confirmed else "",
    )
    collection = Collection(
        connection_id=connection.id,
        provider_code=connection.code,
        provider_type=connection.payment_provider,
        provider_customer_id=account.provider_customer_id,
        method_id=method.id,
        provider_method_id=method.provider_method_id,
        request=request,
    )
    return of_invoice(invoice, own_id, collection, invoice.due_amount_cents, now=now)


def of_invoice(
    invoice: Invoice, payment_id: PaymentId, collection: Collection, amount_cents: int, *, now: datetime
) -> Payment:
    """A payment of an invoice through a provider, of which nothing is known yet."""
    return Payment(
        id=payment_id,
        created_at=now,
        updated_at=now,
        invoice_id=invoice.id,
        invoice_number=invoice.number,
        customer_id=invoice.customer_id,
        external_customer_id=invoice.external_customer_id,
        amount_cents=amount_cents,
        currency=invoice.currency,
        type="provider",
        payment_status="pending",
        paid_at=now,
        collection=collection,
    )


def described_together(organization_name: str, invoices: Sequence[Invoice]) -> str:
    """What the payer reads of a payment of several invoices."""
    return f"{organization_name} - {len(invoices)} invoices".strip()


def described(organization_name: str, invoice: Invoice) -> str:
    """What the payer reads of a payment."""
    return f"{organization_name} - Invoice {invoice.number}".strip()
