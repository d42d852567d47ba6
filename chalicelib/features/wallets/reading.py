"""Wallets and their transactions as other rooms read them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound, existing
from chalicelib.domain.wallets.credits import Balance
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.wallets import store
from chalicelib.features.wallets.records import Wallet, WalletTransaction
from chalicelib.platform.ids import (
    CustomerId,
    OrganizationId,
    WalletId,
    WalletTransactionId,
)


def find(organization_id: OrganizationId, wallet_id: WalletId) -> Wallet:
    """A wallet, of any status.

    Raises: NotFound.
    """
    return existing(store.get(organization_id, wallet_id), Resource.WALLET)


def holder(organization_id: OrganizationId, wallet_id: WalletId) -> CustomerId:
    """The customer whose wallet an id names.

    Raises: NotFound.
    """
    return existing(store.holder(organization_id, wallet_id), Resource.WALLET)


def among(items: CustomerItems) -> list[Wallet]:
    """The wallets among a customer's items, of any status, the oldest first."""
    return store.among(items)


def usable(items: CustomerItems, now: datetime) -> list[Wallet]:
    """A customer's wallets that may pay, in their order of use. Source: rules/invoices 8.3."""
    return sorted((w for w in store.among(items) if w.usable(now)), key=lambda w: (w.priority, w.created_at, w.id))


def total_balance(items: CustomerItems, currency: str, now: datetime) -> Balance:
    """Balance of a customer's usable wallets of a currency together."""
    held = [wallet for wallet in usable(items, now) if wallet.currency == currency]
    return Balance(
        sum(wallet.balance_cents for wallet in held), sum((wallet.balance_credits for wallet in held), Decimal(0))
    )


def of_id(items: CustomerItems, wallet_id: WalletId) -> Wallet:
    """One of a customer's wallets.

    Raises: NotFound.
    """
    return existing(next((wallet for wallet in store.among(items) if wallet.id == wallet_id), None), Resource.WALLET)


def of_code(items: CustomerItems, code: str) -> Wallet:
    """A customer's wallet of a code: the active one, else the latest.

    Raises: NotFound.
    """
    found = [wallet for wallet in store.among(items) if wallet.code == code]
    if not found:
        raise NotFound(Resource.WALLET)
    return max(found, key=lambda wallet: (wallet.status == "active", wallet.created_at, wallet.id))


def transaction(organization_id: OrganizationId, transaction_id: WalletTransactionId) -> WalletTransaction:
    """An entry of a ledger.

    Raises: NotFound.
    """
    return existing(store.transaction(organization_id, transaction_id), Resource.WALLET_TRANSACTION)


def transactions(
    organization_id: OrganizationId, ids: Sequence[WalletTransactionId]
) -> dict[WalletTransactionId, WalletTransaction]:
    """Those of the entries under these ids that exist."""
    return store.transactions(organization_id, ids)


def unsettled_purchases(organization_id: OrganizationId, wallet_id: WalletId) -> list[WalletTransaction]:
    """A wallet's purchases that are not settled; found by an index, which may lag."""
    return store.unsettled_purchases(organization_id, wallet_id)


def filled_by(
    organization_id: OrganizationId, purchase_ids: Sequence[WalletTransactionId]
) -> dict[WalletTransactionId, Wallet]:
    """The wallets that settled purchases filled, by the purchases."""
    settled = [each for each in transactions(organization_id, purchase_ids).values() if each.status == "settled"]
    wallets = store.get_many(organization_id, {each.wallet_id for each in settled}) if settled else {}
    return {each.id: wallets[each.wallet_id] for each in settled}
