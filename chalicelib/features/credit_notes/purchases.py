"""Purchases of credits as credit notes see them. Source: rules/invoices 7.1, 7.2."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from chalicelib.features.invoices.records import Invoice
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.unit import Write


class Wallet(Protocol):
    """The active wallet that a credit invoice filled, as it was read."""

    @property
    def balance_cents(self) -> int:
        """What is left in it."""

    def voided(self, amount_cents: int, *, now: datetime) -> Sequence[Write]:
        """The writes that take a refunded amount out of it, refused if somebody else changed it meanwhile."""


def wallet_of(organization_id: OrganizationId, invoice: Invoice) -> Wallet | None:
    """The wallet that a paid credit invoice filled, while it is active. None: there are no wallets yet, so that no purchase
    can be refunded."""
    return None
