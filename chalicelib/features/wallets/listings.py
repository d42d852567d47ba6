"""The lists of wallets and of their transactions, with their filters."""

from collections.abc import Sequence
from typing import get_args

from chalicelib.features.customers import owned_lists
from chalicelib.features.customers import service as customers
from chalicelib.features.wallets import store
from chalicelib.features.wallets.records import (
    SettlementStatus,
    TransactionStatus,
    TransactionType,
    Wallet,
    WalletTransaction,
)
from chalicelib.features.wallets.store import WalletRow, WalletTransactionRow
from chalicelib.platform import listing, parameters
from chalicelib.platform.http import Call
from chalicelib.platform.ids import CustomerId, WalletId, WalletTransactionId, key

_CHOICES = {
    "status": get_args(SettlementStatus),
    "transaction_status": get_args(TransactionStatus),
    "transaction_type": get_args(TransactionType),
}


def page(call: Call, customer_id: CustomerId | None = None) -> tuple[list[Wallet], dict[str, int | None]]:
    """One page of wallets of any status, newest first.

    Raises: NotFound, for an unknown customer; Invalid.
    """
    organization_id = call.organization.id
    external_id, currency = call.one("external_customer_id"), parameters.currency(call)
    if customer_id is None and external_id is not None:
        customer_id = customers.find(organization_id, external_id).id
    chosen = listing.Filter()
    if currency is not None:
        chosen.one_of("currency", [currency])
    entities = call.many("billing_entity_codes")
    if entities and "default" not in entities:
        chosen.nothing()
    whole = listing.Listing(organization_id, WalletRow, key(organization_id, store.LIST), where=chosen.conditions)
    found, meta = owned_lists.page(call, whole, customer_id, store.customer_list_pk, counted=store.LIST)
    return [row.value for row in found], meta


def transactions(
    call: Call, wallet_id: WalletId, *, funded_by: WalletTransactionId | None = None
) -> tuple[list[WalletTransaction], dict[str, int | None]]:
    """One page of a wallet's entries, newest first. `funded_by`: those only that an inbound one paid for.

    Raises: Invalid, for values outside the enumerations.
    """
    organization_id = call.organization.id
    chosen = listing.Filter()
    for name, known in _CHOICES.items():
        wanted_words = parameters.words(call, [name], known) if funded_by is None else ["outbound"]
        if wanted_words and (funded_by is None or name == "transaction_type"):
            chosen.one_of(name, wanted_words)

    def paid(rows: Sequence[WalletTransactionRow]) -> list[WalletTransactionRow]:
        return [row for row in rows if any(funding.transaction_id == funded_by for funding in row.record.fundings)]

    listed = listing.Listing(
        organization_id,
        WalletTransactionRow,
        store.owner_pk(organization_id, wallet_id),
        index="owner",
        where=chosen.conditions,
        sieve=None if funded_by is None else paid,
        sieved_by=f"funded by {funded_by}",
    )
    found, meta = listing.read(listed, listing.wanted(call))
    return [row.value for row in found], meta
