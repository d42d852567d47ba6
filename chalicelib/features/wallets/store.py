"""Storage of wallets. Wallets that billing reads stand under the customer's own key.

Items
    pk                              sk                      what it is
    <org>#customer#<customer>       wallet#<created>#<id>   the wallet, of any status; sorted by age
        index list:  <org>#wallet                           <created_at>#<id>
        index owner: <org>#wallet-of#<customer>             the same
    <org>#wallet#<id>               -                       whose wallet it is, and its key
    <org>#wallet_transaction#<id>   -                       an entry of its ledger
        index owner: <org>#wallet_transaction-of#<wallet>   <created_at>#<place>#<id>

Access patterns
    1 holder(org, id), get(org, id), get_many(org, ids)   GetItem, BatchGet   the holders, then the wallets, consistent
    2 among(items)                                   -          what customers.store.everything_of read
    3 create_actions, replace_action         part of the change's transaction
    4 transaction(org, id), transactions(org, ids)   GetItem, BatchGet   consistent
    5 create_transaction, replace_transaction        part of the change's transaction, with the wallet
    6 check_action, check_transaction                       part of a change that rests on an entry
    7 unsettled_purchases(org, wallet)                Query      index owner, then 4
    8 listings.page, listings.transactions   Query   index list or owner
"""

from collections.abc import Collection, Sequence

from pynamodb.attributes import UnicodeAttribute

from chalicelib.features.customers.items import CustomerItem, CustomerItems, customer_pk
from chalicelib.features.wallets.records import Wallet, WalletTransaction
from chalicelib.platform import counters, rows
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import RecordRow
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import CustomerId, OrganizationId, WalletId, WalletTransactionId, key
from chalicelib.platform.rows import Listed, Owned, Row
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write

LIST = "wallet"


class WalletRow(RecordRow, CustomerItem, Listed, Owned):
    """A wallet, under its customer's key."""

    begins = "wallet#"
    record = RecordAttribute(Wallet)


class WalletHolderRow(Row):
    """The customer whose wallet an id names. It never changes."""

    customer_id = UnicodeAttribute()
    wallet_sk = UnicodeAttribute()


class WalletTransactionRow(RecordRow, Owned):
    """An entry of a wallet's ledger."""

    record = RecordAttribute(WalletTransaction)


def holder(organization_id: OrganizationId, wallet_id: WalletId) -> CustomerId | None:
    """The customer whose wallet it is."""
    found = WalletHolderRow.find(key(organization_id, "wallet", wallet_id))
    return None if found is None else CustomerId(found.customer_id)


def get(organization_id: OrganizationId, wallet_id: WalletId) -> Wallet | None:
    """The wallet under an id, of any status."""
    place = WalletHolderRow.find(key(organization_id, "wallet", wallet_id))
    if place is None:
        return None
    found = WalletRow.find(customer_pk(organization_id, CustomerId(place.customer_id)), place.wallet_sk)
    return None if found is None else found.value


def get_many(organization_id: OrganizationId, ids: Collection[WalletId]) -> dict[WalletId, Wallet]:
    """Those of the wallets under these ids that exist: their holders, then the wallets, one request each."""
    holders = WalletHolderRow.find_many([(key(organization_id, "wallet", each), "-") for each in ids])
    places = [(customer_pk(organization_id, CustomerId(h.customer_id)), h.wallet_sk) for h in holders.values()]
    return {row.record.id: row.value for row in WalletRow.find_many(places).values()}


def among(items: CustomerItems) -> list[Wallet]:
    """The wallets among a customer's items, of any status, the oldest first."""
    return [row.value for row in items.of(WalletRow)]


def create_actions(organization_id: OrganizationId, wallet: Wallet) -> list[Write]:
    """Store a new wallet."""
    row = _row(organization_id, wallet)
    place = WalletHolderRow(
        pk=key(organization_id, "wallet", wallet.id), customer_id=wallet.customer_id, wallet_sk=row.sk
    )
    return [row.create(), place.create(), *counters.moved(organization_id, LIST, wallet.id, {"all": 1})]


def replace_action(organization_id: OrganizationId, old: Wallet, new: Wallet) -> Write:
    """Write `new` over `old`; refused if somebody else wrote in between."""
    return _row(organization_id, new).replace(old.version)


def check_action(organization_id: OrganizationId, seen: Wallet) -> Write:
    """Refuse the transaction if somebody wrote a wallet since it was read."""
    return WalletRow.check(_row(organization_id, seen).key, WalletRow.version == seen.version)


def transaction(organization_id: OrganizationId, transaction_id: WalletTransactionId) -> WalletTransaction | None:
    """The entry under an id."""
    found = WalletTransactionRow.find(*_transaction_key(organization_id, transaction_id))
    return None if found is None else found.value


def transactions(
    organization_id: OrganizationId, ids: Sequence[WalletTransactionId]
) -> dict[WalletTransactionId, WalletTransaction]:
    """Those of the entries under these ids that exist."""
    found = WalletTransactionRow.find_many([_transaction_key(organization_id, each) for each in dict.fromkeys(ids)])
    return {row.record.id: row.value for row in found.values()}


def unsettled_purchases(organization_id: OrganizationId, wallet_id: WalletId) -> list[WalletTransaction]:
    """A wallet's purchases that are not settled, the oldest first; found by an index, which may lag, and read consistently."""
    found = WalletTransactionRow.select(owner_pk(organization_id, wallet_id), index="owner", where=_IS_UNSETTLED)
    current = transactions(organization_id, [row.record.id for row in found])
    return [each for each in current.values() if each.status != "settled"]


def create_transaction(organization_id: OrganizationId, entry: WalletTransaction) -> Write:
    """Store a new entry; refused where one of this id stands already."""
    return _transaction_row(organization_id, entry).create()


def replace_transaction(organization_id: OrganizationId, old: WalletTransaction, new: WalletTransaction) -> Write:
    """Write `new` over `old`; refused if somebody else wrote in between."""
    return _transaction_row(organization_id, new).replace(old.version)


def check_transaction(organization_id: OrganizationId, seen: WalletTransaction) -> Write:
    """Refuse the transaction if somebody wrote an entry since it was read."""
    place = _transaction_key(organization_id, seen.id)
    return WalletTransactionRow.check(place, WalletTransactionRow.version == seen.version)


_IS_UNSETTLED = (rows.field("transaction_status") == "purchased") & (rows.field("status") != "settled")


def owner_pk(organization_id: OrganizationId, wallet_id: WalletId) -> str:
    """The key of the index owner under which a wallet's entries stand."""
    return key(organization_id, "wallet_transaction-of", wallet_id)


def customer_list_pk(organization_id: OrganizationId, customer_id: CustomerId) -> str:
    """The key of the index owner under which a customer's wallets stand."""
    return key(organization_id, "wallet-of", customer_id)


def _transaction_key(organization_id: OrganizationId, transaction_id: WalletTransactionId) -> Key:
    return key(organization_id, "wallet_transaction", transaction_id), "-"


def _row(organization_id: OrganizationId, wallet: Wallet) -> WalletRow:
    order = f"{stamp(wallet.created_at)}#{wallet.id}"
    return WalletRow(
        pk=customer_pk(organization_id, wallet.customer_id),
        sk=f"{WalletRow.begins}{order}",
        version=wallet.version,
        record=wallet,
        list_pk=key(organization_id, LIST),
        list_sk=order,
        owner_pk=customer_list_pk(organization_id, wallet.customer_id),
        owner_sk=order,
    )


def _transaction_row(organization_id: OrganizationId, entry: WalletTransaction) -> WalletTransactionRow:
    pk, sk = _transaction_key(organization_id, entry.id)
    return WalletTransactionRow(
        pk=pk,
        sk=sk,
        version=entry.version,
        record=entry,
        owner_pk=owner_pk(organization_id, entry.wallet_id),
        owner_sk=f"{stamp(entry.created_at)}#{entry.place}#{entry.id}",
    )
