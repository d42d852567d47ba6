"""Pages of a provider on which a customer pays an invoice, or the invoices of a payment request. Source: rules/collection 2, 4.

A page stands on each invoice that it is for: whoever is about to collect an invoice closes it first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from chalicelib.features.payments.collection import adopting, closing, starting
from chalicelib.features.payments.collection.desk import Desk, desk
from chalicelib.features.payments.connections import reading as connections
from chalicelib.features.payments.links import reading as links
from chalicelib.features.payments.links.records import Account
from chalicelib.features.payments.providers import registry
from chalicelib.features.payments.providers.errors import Misconfigured, Refused, Unknown
from chalicelib.features.payments.providers.values import NotOffered, Open
from chalicelib.platform import agenda, clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write

_CARD = ("card",)


@dataclass(frozen=True, slots=True)
class Payable:
    """What a page is for. `request_id`: of a payment request; None for one invoice. `name`, `description`: as the payer reads
    them; `pages`: so many were made for it; `numbered`: the writes that raise that number, beside those of its invoices."""

    request_id: str | None
    name: str
    description: str
    invoices: tuple[Invoice, ...]
    pages: int
    numbered: Callable[[int], Sequence[Write]] = lambda number: ()

    @property
    def due_cents(self) -> int:
        """What is still to be paid."""
        return sum(each.due_amount_cents for each in self.invoices)

    @property
    def page(self) -> PaymentPagePart | None:
        """The newest page for it, where all its invoices have that."""
        own = [{each.number: each for each in _of(self.request_id, invoice)} for invoice in self.invoices]
        common = set(own[0]).intersection(*own[1:])
        return own[0][max(common)] if common else None


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
        account = account_for(organization, customer, [invoice])
        description = starting.described(organizations.get(organization.id).name, invoice)
        payable = Payable(None, f"Invoice {invoice.number}", description, (invoice,), invoice.pages)
        return {
            "lago_customer_id": customer.id,
            "lago_invoice_id": invoice.id,
            "external_customer_id": customer.external_id,
            "payment_provider": account.connection.payment_provider,
            "payment_url": url_of(organization, account, customer, payable, now=now),
        }

    return retrying(attempt, Resource.INVOICE)


def account_for(organization: OrganizationRef, customer: Customer, payable: Sequence[Invoice]) -> Account:
    """The account that a page for invoices is made by.

    Raises: Invalid, also where there is nothing to be paid, or a payment is under way.
    """
    provider = customer.billing_configuration.payment_provider
    refusal = _refusal(provider, payable)
    if provider is None or refusal is not None:
        raise Invalid.field("base", refusal or ErrorCode.NO_LINKED_PAYMENT_PROVIDER)
    account = links.account_of(organization, customer)
    if account is not None:
        return account
    code = customer.billing_configuration.payment_provider_code
    connection, _ = connections.chosen(organization.id, provider, code)
    missing = ErrorCode.MISSING_PAYMENT_PROVIDER if connection is None else ErrorCode.MISSING_PAYMENT_PROVIDER_CUSTOMER
    raise Invalid.field("base", missing)


def url_of(
    organization: OrganizationRef, account: Account, customer: Customer, payable: Payable, *, now: datetime
) -> str:
    """The page that is open for what is due, else a new one.

    Raises: Invalid, where the provider refuses or gives no answer.
    """
    opened = desk(organization, account.connection)
    try:
        return _url(organization, opened, account, customer, payable, now=now)
    except Refused as refusal:
        raise Invalid({"base": [f"{ErrorCode.PAYMENT_PROVIDER_REFUSED}: {refusal.error.message}"]}) from None
    except (Unknown, Misconfigured):
        raise Invalid.field("base", ErrorCode.PAYMENT_PROVIDER_NOT_REACHED) from None


def _of(request_id: str | None, invoice: Invoice) -> list[PaymentPagePart]:
    return [each for each in invoice.payment_pages if each.request_id == request_id]


def _refusal(provider: str | None, payable: Sequence[Invoice]) -> ErrorCode | None:
    """The first reason why there is no page, whoever the customer is."""
    if provider is None:
        return ErrorCode.NO_LINKED_PAYMENT_PROVIDER
    if provider not in registry.names() or not registry.provider(provider).pays_by_link:
        return ErrorCode.INVALID_PAYMENT_PROVIDER
    if not payable or not all(each.collectable for each in payable):
        return ErrorCode.INVALID_INVOICE_STATUS_OR_PAYMENT_STATUS
    return None


def _url(
    organization: OrganizationRef,
    opened: Desk,
    account: Account,
    customer: Customer,
    payable: Payable,
    *,
    now: datetime,
) -> str:
    real_now = clock.utc_now()
    page = payable.page
    if page is not None and _is_open(opened, payable, page, real_now=real_now):
        if page.url is not None:
            return page.url
    else:
        _end_pages(organization, payable, now=now)
        page = _new_page(account, customer, payable, real_now=real_now)
        # Kept before the call: the same request after a lost answer gives the same page.
        payable = _replaced(organization, payable, page, now=now)
    try:
        made = closing.asked(opened, payable.invoices[0], page)
    except Unknown as failure:
        if not failure.replayed:
            raise
        # A failure that is kept under the page's key: nobody will ever see that page.
        page = _new_page(account, customer, payable, real_now=real_now)
        payable = _replaced(organization, payable, page, now=now)
        made = closing.asked(opened, payable.invoices[0], page)
    if isinstance(made, NotOffered):
        raise Invalid.field("base", ErrorCode.INVALID_PAYMENT_PROVIDER)
    answered = page.model_copy(update={"page_id": made.id, "url": made.url})
    _replaced(organization, payable, answered, now=now)
    return made.url


def _is_open(opened: Desk, payable: Payable, page: PaymentPagePart, *, real_now: datetime) -> bool:
    """Whether a page is still good for what is due."""
    is_same = page.amount_cents == payable.due_cents and page.connection_id == opened.connection.id
    is_alone = all(len(each.payment_pages) == 1 for each in payable.invoices)
    if not is_same or not is_alone or page.ends_at <= real_now + timedelta(minutes=10):
        return False
    return page.page_id is None or isinstance(opened.provider.ask_link(opened.opened, page.page_id), Open)


def _end_pages(organization: OrganizationRef, payable: Payable, *, now: datetime) -> None:
    """Close what is open.

    Raises: Invalid, where a page was paid meanwhile.
    """
    paid = [each for invoice in payable.invoices for each in closing.close_all(organization, invoice)]
    for connection, outcome in paid:
        adopting.adopt(organization, connection, outcome, now=now)
    if paid:
        raise Invalid.field("base", ErrorCode.INVALID_INVOICE_STATUS_OR_PAYMENT_STATUS)


def _new_page(account: Account, customer: Customer, payable: Payable, *, real_now: datetime) -> PaymentPagePart:
    return PaymentPagePart(
        request_id=payable.request_id,
        number=payable.pages + 1,
        connection_id=account.connection.id,
        amount_cents=payable.due_cents,
        ends_at=real_now.replace(microsecond=0) + limits.PAYMENT_PAGE_OPEN,
        name=payable.name,
        description=payable.description,
        provider_customer_id=account.provider_customer_id,
        success_url=starting.return_url(account.connection),
        methods=customer.billing_configuration.provider_payment_methods or _CARD,
    )


def _replaced(organization: OrganizationRef, payable: Payable, page: PaymentPagePart, *, now: datetime) -> Payable:
    """Let all invoices of what is to be paid have this page, and no other."""
    unit, after = Unit(), list[Invoice]()
    for invoice in payable.invoices:
        number = page.number if payable.request_id is None else invoice.pages
        new = invoice.changed(now=now, payment_pages=(page,), pages=number)
        change = invoices.changed(organization.id, invoice, new, now=now)
        unit.add(change.actions, [agenda.put(task, now=now) for task in change.tasks])
        after.append(change.invoice)
    if page.number > payable.pages:
        unit.add(payable.numbered(page.number))
    unit.commit()
    return replace(payable, invoices=tuple(after), pages=page.number)
