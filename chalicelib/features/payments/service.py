"""Recording and finding payments and their receipts."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Forbidden, Invalid, existing
from chalicelib.domain.invoicing import numbers
from chalicelib.features.documents import addresses
from chalicelib.features.invoices import purchases
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.payments import serializer, store, telling
from chalicelib.features.payments.collection import messages
from chalicelib.features.payments.records import Payment, PaymentReceipt
from chalicelib.features.payments.schemas import PaymentInput
from chalicelib.platform import agenda, clock, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId, OrganizationId, PaymentId, PaymentReceiptId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write

PRINT = telling.PRINT


def record(
    organization: OrganizationRef, values: Mapping[str, Any], *, now: datetime, payment_id: PaymentId | None = None
) -> tuple[Payment, list[Task]]:
    """Record a payment that was made by hand; returns it and the tasks to push. `payment_id`: the id to use, where the same
    request may come twice: the second finds the payment of the first. Source: rules/invoices 10.

    Raises: Invalid, also for more than is due; NotFound; Forbidden, where the invoice is not final or its wallet has ended;
        ChangedMeanwhile.
    """
    request = schema.parse(PaymentInput, {"amount_cents": None, **values})
    own_id, receipt_id = payment_id or PaymentId(new_id()), PaymentReceiptId(new_id())

    def attempt() -> tuple[Payment, list[Task]]:
        made = store.get(organization.id, own_id) if payment_id else None
        if made is not None:
            return made, []
        invoice = _payable(organization.id, InvoiceId(request.invoice_id), request.amount_cents)
        held = purchases.receiving(organization.id, invoice, now=now)
        payment = Payment(
            id=own_id,
            created_at=now,
            updated_at=now,
            invoice_id=invoice.id,
            invoice_number=invoice.number,
            customer_id=invoice.customer_id,
            external_customer_id=invoice.external_customer_id,
            amount_cents=request.amount_cents,
            currency=invoice.currency,
            type="manual",
            payment_status="succeeded",
            reference=request.reference or "",
            paid_at=_paid_at(request, invoice, now=now),
        )
        return payment, _written(organization, invoice, payment, receipt_id, held, now=now)

    return retrying(attempt, Resource.PAYMENT)


def find(organization_id: OrganizationId, payment_id: PaymentId) -> Payment:
    """A payment.

    Raises: NotFound.
    """
    return existing(store.get(organization_id, payment_id), Resource.PAYMENT)


def get_many(organization_id: OrganizationId, ids: Sequence[PaymentId]) -> list[Payment]:
    """The payments under these ids, in their order, in one request."""
    found = store.get_many(organization_id, ids) if ids else {}
    return [found[each] for each in ids if each in found]


def find_receipt(organization_id: OrganizationId, receipt_id: PaymentReceiptId) -> PaymentReceipt:
    """A receipt.

    Raises: NotFound.
    """
    return existing(store.get_receipt(organization_id, receipt_id), Resource.PAYMENT_RECEIPT)


def show_receipts(organization_id: OrganizationId, receipts: Sequence[PaymentReceipt]) -> list[dict[str, Any]]:
    """Receipts as the API shows them; their payments are read in one request."""
    payments = store.get_many(organization_id, [receipt.payment_id for receipt in receipts]) if receipts else {}
    return [
        serializer.receipt(receipt, payments[receipt.payment_id], file_url=file_url(receipt)) for receipt in receipts
    ]


def get_receipt(organization_id: OrganizationId, receipt_id: PaymentReceiptId) -> PaymentReceipt | None:
    """The receipt under an id."""
    return store.get_receipt(organization_id, receipt_id)


def file_url(receipt: PaymentReceipt) -> str | None:
    """The lasting address of the document, once it is printed."""
    return addresses.lasting(receipt)


def printed_action(organization_id: OrganizationId, old: PaymentReceipt, new: PaymentReceipt) -> Write:
    """Let a receipt name its document; refused if somebody else wrote in between."""
    return store.replace_receipt(organization_id, old, new)


def paid_on(payment: Payment, invoice: Invoice) -> date:
    """The day of a payment where the customer of its invoice is."""
    return periods.local_date(payment.paid_at, ZoneInfo(invoice.timezone))


def _paid_at(request: PaymentInput, invoice: Invoice, *, now: datetime) -> datetime:
    """The instant of a payment; of a day that was sent, its beginning where the customer is, so that it is printed as it
    was sent. Money is moved in the real world, whose clock is ahead of a test clock that lies in the past.

    Raises: Invalid, for the future.
    """
    at = request.paid_at or now
    if not isinstance(at, datetime):
        at = periods.start_of_day(at, ZoneInfo(invoice.timezone))
    if at > max(now, clock.utc_now()):
        raise Invalid.field("paid_at", ErrorCode.INVALID_DATE)
    return at


def _payable(organization_id: OrganizationId, invoice_id: InvoiceId, amount_cents: int) -> Invoice:
    """The invoice, where so much of it is due."""
    invoice = invoices.payable(organization_id, invoice_id)
    if invoice.status not in ("finalized", "open"):
        raise Forbidden(ErrorCode.INVALID_TYPE_OR_STATUS)
    if amount_cents > invoice.due_amount_cents:
        raise Invalid.field("amount_cents", ErrorCode.INVALID_VALUE)
    return invoice


def _written(
    organization: OrganizationRef,
    invoice: Invoice,
    payment: Payment,
    receipt_id: PaymentReceiptId,
    held: Sequence[Write],
    *,
    now: datetime,
) -> list[Task]:
    """Write a succeeded payment with its receipt and all that it changes; the tasks to push. `held`: what allows it."""
    paid = invoice.total_paid_amount_cents + payment.amount_cents
    after = invoices.settled(invoice, now=now, total_paid_amount_cents=paid, payments=invoice.payments + 1)
    change = invoices.changed(organization.id, invoice, after, now=now)
    receipt = PaymentReceipt(
        id=receipt_id,
        created_at=now,
        updated_at=now,
        payment_id=payment.id,
        invoice_id=invoice.id,
        customer_id=invoice.customer_id,
        number=numbers.receipt(invoice.number, after.payments),
    )
    news = [messages.succeeded(payment), messages.receipt_made(receipt, payment)]
    told = [task for each in news for task in each.announced(organization, now=now)]
    order = agenda.task(PRINT, organization, receipt.id, clock.utc_now())
    tasks = [*told, *change.tasks, order]
    entered = [*store.create(organization.id, payment), *store.create_receipt(organization.id, receipt)]
    Unit(change.actions, entered, held, [agenda.put(task, now=now) for task in tasks]).commit()
    return tasks
