"""The credits of a customer, whatever their kinds: reading, offering, taking and writing them.

A further kind is one entry in each of these functions, and touches nothing of `features/invoicing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.invoicing.steps import CreditKind, Credits, Totals
from chalicelib.domain.invoicing.wallets import Bucket
from chalicelib.features.credits import open_notes, wallets
from chalicelib.features.credits.credit import Credit, Taken
from chalicelib.features.credits.open_notes import NoteChange, OpenNote, TakenNote
from chalicelib.features.credits.wallets import TakenBalance, WalletBalance
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.invoices.records import Fee, Invoice, WalletPart
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.unit import Write

# Each kind's share of the issue transaction's 100 places; more credits wait for the next invoice, the oldest first.
_PER_INVOICE_MAX = {
    CreditKind.CREDIT_NOTE: limits.CREDIT_NOTES_PER_INVOICE_MAX,
    CreditKind.WALLET: limits.WALLETS_PER_CUSTOMER_MAX,
}


@dataclass(frozen=True, slots=True)
class Offer:
    """The credits that one invoice may take, each kind in its order of use. `buckets`: those of its fees."""

    notes: tuple[OpenNote, ...] = ()
    wallets: tuple[WalletBalance, ...] = ()
    buckets: tuple[Bucket, ...] = ()

    def credits(self) -> Credits:
        """The credits as the computation of the invoice sees them."""
        return Credits(
            notes=tuple(note.offer() for note in self.notes),
            wallets=tuple(wallet.offer(self.buckets) for wallet in self.wallets),
        )

    def taken(self, invoice: Invoice, sums: Totals, *, now: datetime) -> list[Taken]:
        """The credits after the invoice took of them what its computation says."""
        taken: list[tuple[Credit, int]] = [
            *zip(self.notes, sums.taken_from_notes, strict=True),
            *zip(self.wallets, sums.paid_by_wallets, strict=True),
        ]
        return [credit.take(invoice, cents, now=now) for credit, cents in taken if cents]


def open_of(organization: OrganizationRef, items: CustomerItems) -> tuple[Credit, ...]:
    """All credits that a customer has, each kind in the order in which invoices take it."""
    return (*open_notes.open_of(organization.id, items), *wallets.open_of(organization, items))


def offered(credits: Sequence[Credit], invoice: Invoice, fees: Sequence[Fee]) -> Offer:
    """The credits that an invoice of these fees may take."""
    left = dict(_PER_INVOICE_MAX)
    found: list[Credit] = []
    for credit in credits:
        if left[credit.kind] and any(credit.applies_to(invoice, fee) for fee in fees):
            left[credit.kind] -= 1
            found.append(credit)
    return Offer(
        notes=tuple(each for each in found if isinstance(each, OpenNote)),
        wallets=tuple(each for each in found if isinstance(each, WalletBalance)),
        buckets=tuple(dict.fromkeys(map(wallets.bucket_of, fees))),
    )


def payments(taken: Sequence[Taken]) -> tuple[WalletPart, ...]:
    """What wallets pay of an invoice, as the invoice keeps it."""
    return tuple(each.payment for each in taken if isinstance(each, TakenBalance))


def actions(organization_id: OrganizationId, taken: Sequence[Taken], notes: Sequence[NoteChange]) -> list[Write]:
    """The writes of all credits that an issue transaction takes, and of the credit notes that it changes otherwise.

    All changes of one kind are written together, as their total moves in one row that a transaction may touch only once.
    """
    return [
        *open_notes.actions(organization_id, [each for each in taken if isinstance(each, TakenNote)], notes),
        *wallets.actions([each for each in taken if isinstance(each, TakenBalance)]),
    ]
