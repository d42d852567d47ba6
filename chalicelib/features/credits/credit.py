"""Protocol of a credit: a balance that lowers an invoice."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chalicelib.domain.invoicing.steps import CreditKind
from chalicelib.features.invoices.parts import CouponPart, CreditPart
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.platform.agenda import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One credit after an invoice took of it. `part`: as the invoice keeps it among its credits, where it is one of these;
    `emits`: the tasks that announce it.

    Each kind adds the change of its own record, which `credits.service.actions` writes.
    """

    part: CreditPart | CouponPart | None
    emits: tuple[Task, ...] = ()


class Credit(Protocol):
    """One credit of a customer, as it was read consistently under the customer's key.

    Each kind adds `offer`: the credit as the computation of an invoice sees it (`domain/invoicing/steps.py`).
    """

    @property
    def kind(self) -> CreditKind:
        """The kind, which names the step that takes it."""

    def applies_to(self, invoice: Invoice, fee: Fee) -> bool:
        """Whether it may lower this fee of this invoice."""

    def take(self, invoice: Invoice, amount_cents: int, *, now: datetime) -> Taken:
        """The credit after the invoice took an amount above 0 of it; nothing is written."""
