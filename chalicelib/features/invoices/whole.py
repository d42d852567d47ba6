"""Invoices with everything that answers, messages and documents show of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.features.customers import serializer as customer_serializer
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer
from chalicelib.features.documents import addresses
from chalicelib.features.invoices import serializer, store
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.records import Plan
from chalicelib.features.subscriptions import reading as subscription_reading
from chalicelib.features.subscriptions import serializer as subscription_serializer
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.features.taxes import service as taxes
from chalicelib.features.wallets import reading as wallet_reading
from chalicelib.features.wallets.records import Wallet
from chalicelib.platform.ids import InvoiceId, OrganizationId


@dataclass(frozen=True, slots=True)
class WholeInvoice:
    """An invoice with everything that single answers, messages and documents show of it. `wallet`: the one whose credits
    it sold, once they are paid."""

    invoice: Invoice
    organization: Organization
    customer: Customer
    subscriptions: Sequence[tuple[Subscription, Plan]]
    fees: Sequence[Fee]
    wallet: Wallet | None = None


def read_whole(organization_id: OrganizationId, invoice: Invoice) -> WholeInvoice:
    """The whole invoice; its subscriptions, their plans and its fees are read in one request each."""
    own = organizations.get(organization_id)
    customer = customers.get(organization_id, invoice.customer_id)
    assert customer is not None, "an invoice has a customer, deleted or not"
    ids = list(dict.fromkeys(period.subscription_id for period in invoice.periods))
    found = subscription_reading.get_many(organization_id, invoice.customer_id, ids)
    known = plans.by_ids(organization_id, [subscription.plan_id for subscription in found])
    pairs = [(subscription, known[subscription.plan_id]) for subscription in found]
    wallet = _filled(organization_id, [invoice]).get(invoice.id)
    return WholeInvoice(invoice, own, customer, pairs, store.fees_of(organization_id, invoice), wallet)


def show_whole(whole: WholeInvoice, *, now: datetime) -> dict[str, Any]:
    """A whole invoice as single answers and messages have it."""
    own, invoice, zone = whole.organization, whole.invoice, whole.customer.zone(whole.organization.timezone)
    subscriptions = [subscription_serializer.show(each, plan, zone=zone, now=now) for each, plan in whole.subscriptions]
    shown = customer_serializer.show_all(own, [whole.customer])[0]
    left = _left(whole.wallet, now)
    return serializer.extended(invoice, shown, subscriptions, whole.fees, file_url=file_url(invoice), wallet_cents=left)


def show(organization_id: OrganizationId, invoice: Invoice, *, now: datetime) -> dict[str, Any]:
    """An invoice with everything, read and shown."""
    return show_whole(read_whole(organization_id, invoice), now=now)


def show_many(organization_id: OrganizationId, invoices: Sequence[Invoice], *, now: datetime) -> list[dict[str, Any]]:
    """Invoices as lists show them; their customers are read in one request."""
    if not invoices:
        return []
    own = organizations.get(organization_id)
    found = customers.get_many(organization_id, list({invoice.customer_id for invoice in invoices}))
    known = {tax.id: tax for tax in taxes.live(organization_id, {i for c in found.values() for i in c.tax_ids})}
    shown = {customer_id: customer_serializer.show(own, c, known) for customer_id, c in found.items()}
    wallets = _filled(organization_id, invoices)
    return [
        serializer.summary(
            invoice,
            shown[invoice.customer_id],
            file_url=file_url(invoice),
            wallet_cents=_left(wallets.get(invoice.id), now),
        )
        for invoice in invoices
    ]


def _filled(organization_id: OrganizationId, invoices: Sequence[Invoice]) -> dict[InvoiceId, Wallet]:
    """The wallets that paid purchases of credits among these invoices filled; nothing is read where there are none."""
    bought = {i.purchase_id: i.id for i in invoices if i.purchase_id is not None and i.payment_status == "succeeded"}
    if not bought:
        return {}
    filled = wallet_reading.filled_by(organization_id, list(bought))
    return {bought[purchase_id]: wallet for purchase_id, wallet in filled.items()}


def _left(wallet: Wallet | None, now: datetime) -> int:
    """The cents of a wallet that may still be given back."""
    return wallet.balance_cents if wallet is not None and wallet.usable(now) else 0


def file_url(invoice: Invoice) -> str | None:
    """The lasting address of the document, once it is printed."""
    return addresses.lasting(invoice)
