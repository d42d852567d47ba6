"""The ongoing balance: what the unbilled usage will take from each wallet, computed whenever it is read.

Unbilled are drafts, each by its total, and the charges in arrears of the running periods, as their invoice would have them.
Source: rules/invoices 8.4; rules/money 2, row 17.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from chalicelib.domain.invoicing.steps import TaxedFee, totals
from chalicelib.domain.invoicing.wallets import Bucket, covered, largest_first
from chalicelib.domain.wallets import ongoing
from chalicelib.domain.wallets.ongoing import Payer
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoicing import compose
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.subscriptions import reading as subscriptions
from chalicelib.features.subscriptions.records import Status
from chalicelib.features.usage_views import current
from chalicelib.features.wallets import reading as wallet_reading
from chalicelib.features.wallets import serializer
from chalicelib.features.wallets.records import Wallet
from chalicelib.platform.ids import CustomerId, OrganizationId, WalletId


def usage_of(own: Organization, items: CustomerItems, *, now: datetime) -> dict[WalletId, int]:
    """The unbilled usage of each of a customer's usable wallets, in cents."""
    able = wallet_reading.usable(items, now)
    if not able:
        return {}
    buckets = _unbilled(own, items, now=now)
    payers = [
        Payer(
            each.balance_cents,
            covered(buckets, fee_types=each.fee_types, metric_codes=each.metric_codes),
            each.rule("threshold", now) is not None,
        )
        for each in able
    ]
    return dict(zip((each.id for each in able), ongoing.usage_of(payers, buckets), strict=True))


def show(organization_id: OrganizationId, found: Sequence[Wallet], *, now: datetime) -> list[dict[str, Any]]:
    """Wallets as the API shows them; the usage of each customer is read once."""
    own = organizations.get(organization_id)
    active = {each.customer_id for each in found if each.usable(now)}
    usage: dict[WalletId, int] = {}
    for customer_id in active:
        usage |= usage_of(own, customers.items_of(organization_id, customer_id), now=now)
    return [serializer.wallet(each, usage.get(each.id, 0)) for each in found]


def show_one(
    organization_id: OrganizationId, customer_id: CustomerId, wallet_id: WalletId, *, now: datetime
) -> dict[str, Any]:
    """A wallet and the usage that it will have to pay, as one consistent read of the customer found them.

    Raises: NotFound.
    """
    items = customers.items_of(organization_id, customer_id)
    wallet = wallet_reading.of_id(items, wallet_id)
    if not wallet.usable(now):
        return serializer.wallet(wallet, 0)
    usage = usage_of(organizations.get(organization_id), items, now=now)
    return serializer.wallet(wallet, usage[wallet.id])


def _unbilled(own: Organization, items: CustomerItems, *, now: datetime) -> dict[Bucket, Fraction]:
    customer = items.customer
    assert customer is not None, "a wallet has a customer, deleted or not"
    context = BillingContext(own, customer, items.state)
    running: list[TaxedFee] = []
    for subscription in subscriptions.among(items):
        if subscription.status == Status.ACTIVE:
            used = current.usage_of(context, subscription, current.EVERYTHING, now=now, in_advance=False)
            running += current.taxed_fees(used, apply_taxes=True)
    buckets: dict[Bucket, Fraction] = {}
    _add(buckets, running)
    for draft in invoices.drafts_of(own.id, customer.id):
        _add(buckets, [compose.taxed(fee) for fee in invoices.fees_of(own.id, draft)])
    return buckets


def _add(buckets: dict[Bucket, Fraction], fees: Iterable[TaxedFee]) -> None:
    """Add the fees of one invoice with their exact tax; the largest bucket gets what makes them the invoice's total."""
    own: dict[Bucket, Fraction] = {}
    listed = list(fees)
    for fee in listed:
        own[fee.bucket] = own.get(fee.bucket, Fraction()) + fee.gross(Fraction(fee.amount_cents))
    if own:
        total = totals(listed).sub_total_including_taxes_amount_cents
        own[largest_first(own)[0]] += total - sum(own.values(), Fraction())
    for bucket, cents in own.items():
        buckets[bucket] = buckets.get(bucket, Fraction()) + cents
