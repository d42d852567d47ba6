"""Closing the pages on which an invoice could be paid, at the providers that made them. Source: rules/collection 2."""

from chalicelib.features.invoices.parts import PaymentPagePart
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.payments.collection.desk import Desk, desk_of
from chalicelib.features.payments.connections import trouble
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.providers.errors import Misconfigured, Refused, Unknown
from chalicelib.features.payments.providers.values import Link, NotOffered, Outcome, Paid, PayRequest
from chalicelib.platform import clock
from chalicelib.platform.clock import OrganizationRef


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


def asked(opened: Desk, invoice: Invoice, page: PaymentPagePart) -> Link | NotOffered:
    """The page that stands on an invoice, made unless it was before: all that it asks for is kept with it."""
    is_own = page.request_id is None
    payable_id = page.request_id or invoice.id
    request = PayRequest(
        customer_id=invoice.customer_id,
        payable_type="Invoice" if is_own else "PaymentRequest",
        payable_id=payable_id,
        provider_customer_id=page.provider_customer_id,
        amount_cents=page.amount_cents,
        currency=invoice.currency,
        name=page.name,
        description=page.description,
        success_url=page.success_url,
        expires_at=page.ends_at,
        methods=page.methods,
        issuing_date=invoice.issuing_date.isoformat() if is_own else "",
        invoice_type=invoice.invoice_type if is_own else "",
    )
    return opened.provider.pay_link(opened.opened, request, f"checkout-{payable_id}-{page.number}")


def _lost(opened: Desk, invoice: Invoice, page: PaymentPagePart) -> str | None:
    """The id of a page that was asked for, and whose answer nobody has; None where it has ended, or never was, or where the
    provider keeps its failure: then nobody has the address, and nobody can pay there."""
    if page.ends_at <= clock.utc_now():
        return None
    try:
        made = asked(opened, invoice, page)
    except Refused:
        return None
    except Unknown as failure:
        if failure.replayed:
            return None
        raise
    return made.id if isinstance(made, Link) else None
