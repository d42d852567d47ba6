"""Pages of a provider on which a customer pays one invoice. Source: rules/collection 2, 4."""

from datetime import datetime, timedelta
from typing import Any

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices.parts import PaymentPagePart
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.organizations import service as organizations
from chalicelib.features.payments.collection import adopting, starting
from chalicelib.features.payments.collection.desk import Desk, desk, desk_of
from chalicelib.features.payments.connections import trouble
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.links import reading as links
from chalicelib.features.payments.links.records import Account
from chalicelib.features.payments.providers import registry
from chalicelib.features.payments.providers.errors import Misconfigured, Refused, Unknown
from chalicelib.features.payments.providers.values import Link, NotOffered, Open, Outcome, Paid, PayRequest
from chalicelib.platform import agenda, clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit

_CARD = ("card",)


def payment_url(
    organization: OrganizationRef, invoice_id: InvoiceId, *, now: datetime, of_purchase: bool = False
) -> dict[str, Any]:
    """A page for paying what is due of an invoice: the one that is open, as long as its amount holds, else a new one.
    `of_purchase`: the invoice of a purchase of credits, which may be shown only once it is paid.

    Raises: NotFound; Invalid; ChangedMeanwhile.
    """

    def attempt() -> dict[str, Any]:
        find = invoices.payable if of_purchase else invoices.find
        invoice = find(organization.id, invoice_id)
        customer = customers.get(organization.id, invoice.customer_id)
        assert customer is not None, "an invoice has a customer, deleted or not"
        account = _account(organization, customer, invoice)
        opened = desk(organization, account.connection)
        try:
            url = _url(organization, opened, account, customer, invoice, now=now)
        except Refused as refusal:
            raise Invalid({"base": [f"{ErrorCode.PAYMENT_PROVIDER_REFUSED}: {refusal.error.message}"]}) from None
        except (Unknown, Misconfigured):
            raise Invalid.field("base", ErrorCode.PAYMENT_PROVIDER_NOT_REACHED) from None
        return {
            "lago_customer_id": customer.id,
            "lago_invoice_id": invoice.id,
            "external_customer_id": customer.external_id,
            "payment_provider": account.connection.payment_provider,
            "payment_url": url,
        }

    return retrying(attempt, Resource.INVOICE)


def close_all(organization: OrganizationRef, invoice: Invoice) -> list[tuple[ProviderConnection, Outcome]]:
    """Close an invoice's pages at their providers; the payments of those that were completed before, by connection.

    Raises: Unknown, also where a connection's secret is no good: until its page has ended, somebody may pay on it.
    """
    paid: list[tuple[ProviderConnection, Outcome]] = []
    for page in invoice.payment_pages:
        opened = desk_of(organization, page.connection_id)
        try:
            link_id = page.page_id or _lost(opened, invoice, page)
            found = opened.provider.close_link(opened.opened, link_id) if link_id else None
        except Misconfigured as failure:
            trouble.mark(organization, opened.connection, failure, source="payment", action="close_page")
            if page.ends_at > clock.utc_now():
                raise Unknown(failure.error) from None
            continue
        if isinstance(found, Paid) and found.payment is not None:
            paid.append((opened.connection, found.payment))
    return paid


def _lost(opened: Desk, invoice: Invoice, page: PaymentPagePart) -> str | None:
    """The id of a page that was asked for, and whose answer nobody has; None where it has ended, or never was."""
    if page.ends_at <= clock.utc_now():
        return None
    try:
        made = _asked(opened, invoice, page)
    except Refused:
        return None
    return made.id if isinstance(made, Link) else None


def _account(organization: OrganizationRef, customer: Customer, invoice: Invoice) -> Account:
    """The account that a page is made by.

    Raises: Invalid.
    """
    refusal = _refusal(customer.billing_configuration.payment_provider, invoice)
    account = links.account_of(organization, customer) if refusal is None else None
    if account is None:
        raise Invalid.field("base", refusal or ErrorCode.MISSING_PAYMENT_PROVIDER)
    return account


def _refusal(provider: str | None, invoice: Invoice) -> ErrorCode | None:
    """The first reason why an invoice has no page, whoever its customer is."""
    if provider is None:
        return ErrorCode.NO_LINKED_PAYMENT_PROVIDER
    if provider not in registry.names() or not registry.provider(provider).pays_by_link:
        return ErrorCode.INVALID_PAYMENT_PROVIDER
    if not invoice.collectable:
        return ErrorCode.INVALID_INVOICE_STATUS_OR_PAYMENT_STATUS
    return None


def _url(
    organization: OrganizationRef,
    opened: Desk,
    account: Account,
    customer: Customer,
    invoice: Invoice,
    *,
    now: datetime,
) -> str:
    real_now = clock.utc_now()
    page = invoice.payment_pages[-1] if invoice.payment_pages else None
    if page is not None and _is_open(opened, invoice, page, real_now=real_now):
        if page.url is not None:
            return page.url
    else:
        _end_pages(organization, invoice, now=now)
        page = _page(organization, account, customer, invoice, real_now=real_now)
        # Kept before the call: the same request after a lost answer gives the same page.
        invoice = _replaced(organization, invoice, (page,), page.number, now=now)
    made = _asked(opened, invoice, page)
    if isinstance(made, NotOffered):
        raise Invalid.field("base", ErrorCode.INVALID_PAYMENT_PROVIDER)
    answered = page.model_copy(update={"page_id": made.id, "url": made.url})
    _replaced(organization, invoice, (answered,), page.number, now=now)
    return made.url


def _is_open(opened: Desk, invoice: Invoice, page: PaymentPagePart, *, real_now: datetime) -> bool:
    """Whether a page is still good for what is due."""
    is_same = page.amount_cents == invoice.due_amount_cents and page.connection_id == opened.connection.id
    if not is_same or page.ends_at <= real_now + timedelta(minutes=10):
        return False
    return page.page_id is None or isinstance(opened.provider.ask_link(opened.opened, page.page_id), Open)


def _end_pages(organization: OrganizationRef, invoice: Invoice, *, now: datetime) -> None:
    """Close what is open.

    Raises: Invalid, where a page was paid meanwhile.
    """
    paid = close_all(organization, invoice)
    for connection, outcome in paid:
        adopting.adopt(organization, connection, outcome, now=now)
    if paid:
        raise Invalid.field("base", ErrorCode.INVALID_INVOICE_STATUS_OR_PAYMENT_STATUS)


def _page(
    organization: OrganizationRef, account: Account, customer: Customer, invoice: Invoice, *, real_now: datetime
) -> PaymentPagePart:
    name = starting.described(organizations.get(organization.id).name, invoice)
    return PaymentPagePart(
        number=invoice.pages + 1,
        connection_id=account.connection.id,
        amount_cents=invoice.due_amount_cents,
        ends_at=real_now.replace(microsecond=0) + limits.PAYMENT_PAGE_OPEN,
        name=f"Invoice {invoice.number}",
        description=name,
        provider_customer_id=account.provider_customer_id,
        success_url=starting.return_url(account.connection),
        methods=customer.billing_configuration.provider_payment_methods or _CARD,
    )


def _asked(opened: Desk, invoice: Invoice, page: PaymentPagePart) -> Link | NotOffered:
    request = PayRequest(
        customer_id=invoice.customer_id,
        payable_type="Invoice",
        payable_id=invoice.id,
        provider_customer_id=page.provider_customer_id,
        amount_cents=page.amount_cents,
        currency=invoice.currency,
        name=page.name,
        description=page.description,
        success_url=page.success_url,
        expires_at=page.ends_at,
        methods=page.methods,
        issuing_date=invoice.issuing_date.isoformat(),
        invoice_type=invoice.invoice_type,
    )
    return opened.provider.pay_link(opened.opened, request, f"checkout-{invoice.id}-{page.number}")


def _replaced(
    organization: OrganizationRef,
    invoice: Invoice,
    pages: tuple[PaymentPagePart, ...],
    number: int,
    *,
    now: datetime,
) -> Invoice:
    new = invoice.changed(now=now, payment_pages=pages, pages=number)
    change = invoices.changed(organization.id, invoice, new, now=now)
    Unit(change.actions, [agenda.put(task, now=now) for task in change.tasks]).commit()
    return change.invoice
