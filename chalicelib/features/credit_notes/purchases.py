"""Purchases of credits as credit notes see them: what is refunded of one is voided in the wallet that it filled.

Source: rules/invoices 7.1, 7.2.
"""

from dataclasses import dataclass
from datetime import datetime

from chalicelib.features.customers import service as customers
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.organizations import service as organizations
from chalicelib.features.wallets import ledger, reading, records, writing
from chalicelib.features.wallets.ledger import EntryInput
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.unit import Write


@dataclass(frozen=True, slots=True)
class PurchasedWallet:
    """The active wallet that a credit invoice filled, as it was read."""

    organization: OrganizationRef
    wallet: records.Wallet

    @property
    def balance_cents(self) -> int:
        """The cents that are left in it."""
        return self.wallet.balance_cents

    def voided(self, amount_cents: int, *, now: datetime) -> tuple[list[Write], list[Task]]:
        """The writes and tasks that take a refunded amount out of it. Refused if it changed meanwhile."""
        if not amount_cents:
            return [], []
        wallet = self.wallet
        credits = wallet.balance_credits
        if amount_cents < wallet.balance_cents:
            credits = min(credits, wallet.price.credits(amount_cents))
        change = ledger.voided(ledger.unchanged(wallet), credits, EntryInput(), now=now)
        return writing.writes(self.organization, change, now=now), writing.tasks(self.organization, change, now=now)


def wallet_of(organization_id: OrganizationId, invoice: Invoice, *, now: datetime) -> PurchasedWallet | None:
    """The wallet that a paid credit invoice filled, while it is active; None where it is not."""
    if invoice.purchase_id is None:
        return None
    entry = reading.transaction(organization_id, invoice.purchase_id)
    if entry.status != "settled":
        return None
    wallet = reading.of_id(customers.items_of(organization_id, entry.customer_id), entry.wallet_id)
    return PurchasedWallet(organizations.get(organization_id).ref, wallet) if wallet.usable(now) else None
