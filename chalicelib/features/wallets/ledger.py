"""Changes of a wallet and its ledger as values: each one moves the balance and makes the entry that explains it.

Source: rules/invoices 8.1, 8.2, 8.3; rules/money 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.domain.money import CONTEXT
from chalicelib.domain.wallets import credits as rules
from chalicelib.domain.wallets.credits import Entry
from chalicelib.features.wallets.records import Funding, Lot, Pair, Source, Wallet, WalletTransaction
from chalicelib.platform.ids import InvoiceId, WalletId, WalletTransactionId, derived_id, new_id


@dataclass(frozen=True, slots=True)
class EntryChange:
    """An entry before and after. `before` None: it is created."""

    before: WalletTransaction | None
    after: WalletTransaction


@dataclass(frozen=True, slots=True)
class WalletChange:
    """A wallet before (None: it is created) and after a change, and the entries that explain it. `message`: which of the
    wallet's messages announces it."""

    before: Wallet | None
    after: Wallet
    entries: tuple[EntryChange, ...] = ()
    message: str | None = "wallet.updated"


@dataclass(frozen=True, slots=True)
class EntryInput:
    """Fields of transactions that the request or rule behind them says. `mark`: of a request that may come twice: the ids of
    its transactions are derived from it."""

    name: str | None = None
    priority: int = 50
    metadata: tuple[Pair, ...] = ()
    invoice_requires_successful_payment: bool = False
    source: Source = "manual"
    # A request may come twice: the ids of its transactions are derived from it.
    mark: str = ""


def marked_id(wallet_id: WalletId, mark: str, transaction_status: str) -> WalletTransactionId:
    """The id of the transaction of a kind that a request with a mark makes."""
    return WalletTransactionId(derived_id(wallet_id, mark, transaction_status))


def begun(wallet: Wallet) -> WalletChange:
    """A new wallet."""
    return WalletChange(None, wallet, message="wallet.created")


def unchanged(wallet: Wallet) -> WalletChange:
    """A wallet as it stands, before entries are added."""
    return WalletChange(wallet, wallet)


def granted(change: WalletChange, credits: Decimal, how: EntryInput, *, now: datetime) -> WalletChange:
    """Add credits at once.

    Raises: Invalid, `exceeded_limit`.
    """
    _require_room(change.after)
    made = rules.added(credits, change.after.price)
    entry = _entry(change, "inbound", "granted", made, how, now=now)
    return _with(change, _received(change.after, entry, now=now), entry)


def purchased(
    change: WalletChange, credits: Decimal, how: EntryInput, *, invoice_id: InvoiceId, now: datetime
) -> tuple[WalletChange, WalletTransaction]:
    """Purchase credits: they count when their invoice is paid.

    Raises: Invalid, `exceeded_limit`.
    """
    _require_room(change.after)
    made = rules.added(credits, change.after.price)
    entry = _entry(change, "inbound", "purchased", made, how, now=now)
    entry = entry.model_copy(update={"status": "pending", "settled_at": None, "invoice_id": invoice_id})
    pending = CONTEXT.add(change.after.pending_credits, made.credits)
    return _with(change, change.after.model_copy(update={"pending_credits": pending}), entry), entry


def voided(change: WalletChange, credits: Decimal, how: EntryInput, *, now: datetime) -> WalletChange:
    """Take credits off.

    Raises: Invalid, `insufficient_credits` or `amount_rounds_to_zero`.
    """
    wallet = change.after
    if rules.cut(credits) > wallet.balance_credits:
        raise Invalid.field("voided_credits", ErrorCode.INSUFFICIENT_CREDITS)
    made = rules.voided(wallet.balance, credits, wallet.price)
    if not made.cents:
        raise Invalid.field("voided_credits", ErrorCode.AMOUNT_ROUNDS_TO_ZERO)
    spent, fundings = _spent(wallet, made)
    entry = _entry(change, "outbound", "voided", made, how, now=now).model_copy(update={"fundings": fundings})
    return _with(change, spent, entry)


def used(
    wallet: Wallet, cents: int, *, invoice_id: InvoiceId, transaction_id: WalletTransactionId, now: datetime
) -> WalletChange:
    """Pay an amount of an invoice."""
    made = rules.used(wallet.balance, cents, wallet.price)
    spent, fundings = _spent(wallet, made)
    change = unchanged(wallet)
    entry = _entry(change, "outbound", "invoiced", made, EntryInput(), now=now).model_copy(
        update={"id": transaction_id, "invoice_id": invoice_id, "fundings": fundings}
    )
    after = spent.model_copy(
        update={
            "consumed_cents": wallet.consumed_cents + made.cents,
            "consumed_credits": CONTEXT.add(wallet.consumed_credits, made.credits),
            "last_consumed_at": now,
        }
    )
    return _with(change, after, entry)


def restored(
    wallet: Wallet, use: WalletTransaction, *, transaction_id: WalletTransactionId, now: datetime
) -> WalletChange:
    """Give back what an invoice used that is void now."""
    change = unchanged(wallet)
    entry = _entry(change, "inbound", "granted", Entry(use.cents, use.credits), EntryInput(), now=now).model_copy(
        update={"id": transaction_id, "voided_invoice_id": use.invoice_id}
    )
    after = _received(wallet, entry, now=now).model_copy(
        update={
            "consumed_cents": wallet.consumed_cents - use.cents,
            "consumed_credits": CONTEXT.subtract(wallet.consumed_credits, use.credits),
        }
    )
    return _with(change, after, entry)


def settled(wallet: Wallet, purchase: WalletTransaction, *, now: datetime) -> WalletChange:
    """Add purchased credits: their invoice is paid. Automatic purchases may go on."""
    entry = purchase.changed(now=now, status="settled", settled_at=now, failed_at=None)
    after = _received(_arrived(wallet, purchase), entry, now=now)
    return WalletChange(wallet, after, (EntryChange(purchase, entry),))


def failed(wallet: Wallet, purchase: WalletTransaction, *, now: datetime) -> WalletChange:
    """Give a purchase up: its payment failed. A threshold rule rests then. Source: rules/money 2, row 14."""
    entry = purchase.changed(now=now, status="failed", failed_at=now)
    after = _arrived(wallet, purchase)
    if purchase.source == "threshold":
        after = after.model_copy(update={"rests_until": now + limits.WALLET_RULE_REST})
    return WalletChange(wallet, after, (EntryChange(purchase, entry),), message=None)


def _require_room(wallet: Wallet) -> None:
    """Refuse another top-up where a wallet has as many with a rest as it may have."""
    if len(wallet.lots) >= limits.WALLET_LOTS_MAX:
        raise Invalid.field("base", ErrorCode.EXCEEDED_LIMIT)


def _arrived(wallet: Wallet, purchase: WalletTransaction) -> Wallet:
    """The wallet without a purchase among those on their way."""
    if purchase.status != "pending":
        return wallet
    return wallet.model_copy(update={"pending_credits": CONTEXT.subtract(wallet.pending_credits, purchase.credits)})


def _received(wallet: Wallet, entry: WalletTransaction, *, now: datetime) -> Wallet:
    """The wallet with a settled inbound entry."""
    lot = Lot(
        transaction_id=entry.id,
        granted=entry.transaction_status == "granted",
        priority=entry.priority,
        cents=entry.cents,
        credits=entry.credits,
    )
    balance = wallet.balance.plus(Entry(entry.cents, entry.credits))
    return wallet.model_copy(
        update={
            "balance_cents": balance.cents,
            "balance_credits": balance.credits,
            "lots": (*wallet.lots, lot),
            "rests_until": None,
        }
    )


def _spent(wallet: Wallet, made: Entry) -> tuple[Wallet, tuple[Funding, ...]]:
    """The wallet without an outbound entry, and the lots that paid for it: by priority, granted ones first, then by age."""
    balance = wallet.balance.minus(made)
    order = sorted(range(len(wallet.lots)), key=lambda n: (wallet.lots[n].priority, not wallet.lots[n].granted, n))
    lots: list[Lot | None] = list(wallet.lots)
    taken: list[Lot] = []
    left = made.cents
    for n in order:
        lot = wallet.lots[n]
        cents = min(left, lot.cents)
        if cents:
            part = lot.credits if cents == lot.cents else min(lot.credits, wallet.price.credits(cents))
            taken.append(lot.model_copy(update={"cents": cents, "credits": part}))
            rest = lot.model_copy(update={"cents": lot.cents - cents, "credits": CONTEXT.subtract(lot.credits, part)})
            lots[n] = rest if rest.cents else None
            left -= cents
    after = wallet.model_copy(
        update={
            "balance_cents": balance.cents,
            "balance_credits": balance.credits,
            "lots": tuple(lot for lot in lots if lot is not None),
        }
    )
    return after, _fundings(taken, made)


def _fundings(taken: Sequence[Lot], made: Entry) -> tuple[Funding, ...]:
    """The parts of an outbound entry: their credits sum up to the entry's, the last one has what rounding left."""
    fundings: list[Funding] = []
    left = made.credits
    for n, lot in enumerate(taken):
        credits = left if n + 1 == len(taken) else min(lot.credits, left)
        left = CONTEXT.subtract(left, credits)
        fundings.append(
            Funding(transaction_id=lot.transaction_id, granted=lot.granted, cents=lot.cents, credits=credits)
        )
    return tuple(fundings)


def _with(change: WalletChange, after: Wallet, entry: WalletTransaction) -> WalletChange:
    return replace(change, after=after, entries=(*change.entries, EntryChange(None, entry)))


def _entry(
    change: WalletChange, kind: str, transaction_status: str, made: Entry, how: EntryInput, *, now: datetime
) -> WalletTransaction:
    """A settled entry, as most are."""
    wallet = change.after
    return WalletTransaction.model_validate(
        {
            "id": marked_id(wallet.id, how.mark, transaction_status) if how.mark else new_id(),
            "created_at": now,
            "updated_at": now,
            "wallet_id": wallet.id,
            "customer_id": wallet.customer_id,
            "external_customer_id": wallet.external_customer_id,
            "currency": wallet.currency,
            "transaction_type": kind,
            "status": "settled",
            "transaction_status": transaction_status,
            "source": how.source,
            "cents": made.cents,
            "credits": made.credits,
            "priority": how.priority,
            "name": how.name,
            "metadata": how.metadata,
            "invoice_requires_successful_payment": how.invoice_requires_successful_payment,
            "settled_at": now,
            "place": len(change.entries),
        }
    )
