"""Prepaid credits as credits: wallets pay last, by priority and age, each once per invoice. Source: rules/invoices 8.3."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.invoicing import wallets as rules
from chalicelib.domain.invoicing.steps import CreditKind
from chalicelib.domain.invoicing.wallets import Bucket
from chalicelib.features.credits.credit import Taken
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.invoices.parts import WalletPart
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.wallets import ledger
from chalicelib.features.wallets import reading as wallet_reading
from chalicelib.features.wallets import writing as wallet_writing
from chalicelib.features.wallets.records import Wallet
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import WalletTransactionId, derived_id
from chalicelib.platform.unit import Write


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBalance(Taken):
    """A wallet after it paid: what is written of it, and the part as the invoice keeps it."""

    writes: tuple[Write, ...]
    payment: WalletPart


@dataclass(frozen=True, slots=True)
class WalletBalance:
    """A wallet with a balance, of any status. Its end holds whether or not it was swept."""

    organization: OrganizationRef
    wallet: Wallet
    kind: CreditKind = CreditKind.WALLET

    def applies_to(self, invoice: Invoice, fee: Fee) -> bool:
        """A wallet pays in its currency, for the fees that it is restricted to, until the instant of its end: the invoice's
        amounts are computed as of its last change."""
        is_usable = self.wallet.currency == invoice.currency and self.wallet.usable(invoice.updated_at)
        return is_usable and self.wallet.pays_for(*bucket_of(fee))

    def offer(self, buckets: Iterable[Bucket]) -> rules.Wallet:
        """The balance, and the buckets that it is restricted to."""
        wallet = self.wallet
        pays = rules.covered(buckets, fee_types=wallet.fee_types, metric_codes=wallet.metric_codes)
        return rules.Wallet(wallet.id, wallet.balance_cents, pays)

    def take(self, invoice: Invoice, amount_cents: int, *, now: datetime) -> TakenBalance:
        """The wallet with a lower balance, and the entry of its ledger."""
        transaction_id = payment_id(invoice, self.wallet)
        change = ledger.used(self.wallet, amount_cents, invoice_id=invoice.id, transaction_id=transaction_id, now=now)
        (entry,) = change.entries
        payment = WalletPart(
            wallet_id=self.wallet.id,
            transaction_id=transaction_id,
            amount_cents=amount_cents,
            granted_cents=sum(each.cents for each in entry.after.fundings if each.granted),
        )
        emits = wallet_writing.tasks(self.organization, change, now=now, occasion=invoice.id)
        writes = wallet_writing.writes(self.organization, change, now=now)
        return TakenBalance(part=None, emits=tuple(emits), writes=tuple(writes), payment=payment)


def bucket_of(fee: Fee) -> Bucket:
    """The bucket of a fee: its type, and the code of its metric."""
    return fee.type, fee.item_code if fee.item_type == "BillableMetric" else None


def payment_id(invoice: Invoice, wallet: Wallet) -> WalletTransactionId:
    """The id of the entry by which a wallet pays an invoice: there is one."""
    return WalletTransactionId(derived_id(invoice.id, "wallet", wallet.id))


def open_of(organization: OrganizationRef, items: CustomerItems) -> list[WalletBalance]:
    """The customer's active wallets with a balance, in their order of use."""
    found = [wallet for wallet in wallet_reading.among(items) if wallet.status == "active" and wallet.balance_cents > 0]
    found.sort(key=lambda wallet: (wallet.priority, wallet.created_at, wallet.id))
    return [WalletBalance(organization, wallet) for wallet in found]


def actions(taken: Sequence[TakenBalance]) -> list[Write]:
    """The writes of all wallets that pay an invoice."""
    return [write for each in taken for write in each.writes]


def restored(
    organization: OrganizationRef, items: CustomerItems, invoice: Invoice, *, now: datetime
) -> tuple[list[Write], list[Task]]:
    """Give what an invoice used back to the wallets that are still active, for the transaction that voids it; returns its
    writes, and the tasks to be written with them and pushed. Source: rules/invoices 1; rules/money 4, row 26."""
    known = {wallet.id: wallet for wallet in wallet_reading.usable(items, now)}
    paid = [part for part in invoice.wallet_payments if part.wallet_id in known]
    uses = wallet_reading.transactions(organization.id, [part.transaction_id for part in paid]) if paid else {}
    writes: list[Write] = []
    tasks: dict[Key, Task] = {}
    for part in paid:
        change = ledger.restored(
            known[part.wallet_id],
            uses[part.transaction_id],
            transaction_id=WalletTransactionId(derived_id(part.transaction_id, "restored")),
            now=now,
        )
        writes += wallet_writing.writes(organization, change, now=now)
        following = wallet_writing.tasks(organization, change, now=now, occasion=invoice.id)
        tasks |= {task.key: task for task in following}
    return writes, list(tasks.values())
