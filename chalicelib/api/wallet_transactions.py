"""`/wallet_transactions`, and a wallet's own."""

from typing import Any

from chalicelib.api.wallets import up_to_date
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.sandbox import service as test_clock
from chalicelib.features.wallets import listings, reading, serializer
from chalicelib.features.wallets.records import Funding, WalletTransaction
from chalicelib.platform import listing
from chalicelib.platform.http import Call, Routes
from chalicelib.platform.ids import WalletId, WalletTransactionId, derived_id
from chalicelib.platform.timestamps import iso

routes = Routes(__name__)


@routes.post("/wallet_transactions")
def create(call: Call) -> dict[str, Any]:
    """Top a wallet up, or void credits: one transaction per kind."""
    from chalicelib.features.prepaid import top_ups

    wallet, made = top_ups.top_up(call.organization, call.root("wallet_transaction"), now=call.now)
    test_clock.run_due(call.organization, now=call.now)
    return {"wallet_transactions": [serializer.transaction(each, wallet) for each in made]}


@routes.get("/wallets/{lago_id}/wallet_transactions")
def index(call: Call) -> dict[str, Any]:
    """One page of a wallet's, newest first."""
    up_to_date(call)
    wallet = reading.find(call.organization.id, WalletId(call.path["lago_id"]))
    found, meta = listings.transactions(call, wallet.id)
    return {"wallet_transactions": [serializer.transaction(each, wallet) for each in found], "meta": meta}


@routes.get("/wallet_transactions/{lago_id}")
def show(call: Call) -> dict[str, Any]:
    """One."""
    entry = _entry(call)
    wallet = reading.find(call.organization.id, entry.wallet_id)
    return {"wallet_transaction": serializer.transaction(entry, wallet)}


@routes.get("/wallet_transactions/{lago_id}/consumptions")
def consumptions(call: Call) -> dict[str, Any]:
    """The outbound transactions that an inbound one paid for, each with its part."""
    entry = _entry(call)
    wallet = reading.find(call.organization.id, entry.wallet_id)
    found, meta = listings.transactions(call, wallet.id, funded_by=entry.id)
    shown = [
        _part(entry.id, other, funding, serializer.transaction(other, wallet))
        for other in found
        for funding in other.fundings
        if funding.transaction_id == entry.id
    ]
    return {"wallet_transaction_consumptions": shown, "meta": meta}


@routes.get("/wallet_transactions/{lago_id}/fundings")
def fundings(call: Call) -> dict[str, Any]:
    """The inbound transactions that paid for an outbound one, each with its part."""
    entry = _entry(call)
    wallet = reading.find(call.organization.id, entry.wallet_id)
    page = listing.wanted(call)
    first = (page.number - 1) * page.size
    some = entry.fundings[first : first + page.size]
    known = reading.transactions(call.organization.id, [each.transaction_id for each in some])
    shown = [
        _part(each.transaction_id, entry, each, serializer.transaction(known[each.transaction_id], wallet))
        for each in some
    ]
    return {"wallet_transaction_fundings": shown, "meta": listing.meta(page, len(entry.fundings))}


@routes.post("/wallet_transactions/{lago_id}/payment_url")
def payment_url(call: Call) -> dict[str, Any]:
    """A page to pay a purchase: there is none without a payment provider, nor for credits that were given.

    Raises: NotFound; Invalid.
    """
    from chalicelib.features.payments.collection import pages

    entry = reading.transaction(call.organization.id, WalletTransactionId(call.path["lago_id"]))
    if entry.invoice_id is None or entry.transaction_status != "purchased":
        raise Invalid.field("base", ErrorCode.NO_LINKED_PAYMENT_PROVIDER)
    made = pages.payment_url(call.organization, entry.invoice_id, now=call.now, of_purchase=True)
    return {"wallet_transaction_payment_details": {"payment_url": made["payment_url"]}}


def _entry(call: Call) -> WalletTransaction:
    up_to_date(call)
    return reading.transaction(call.organization.id, WalletTransactionId(call.path["lago_id"]))


def _part(inbound: WalletTransactionId, outbound: WalletTransaction, funding: Funding, other: Any) -> dict[str, Any]:
    return serializer.part(funding, derived_id(outbound.id, "funding", inbound), iso(outbound.created_at), other)
