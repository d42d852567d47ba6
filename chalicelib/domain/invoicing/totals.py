"""From fees to the total due: the order of steps stands here, and nowhere else.

Source: rules/invoices 3. Coupons and prepaid credits take their places in this order; without any, both modes give
the same figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from chalicelib.domain.invoicing.taxes import InvoiceTaxes, TaxRate, invoice_taxes

AFTER_TAX, BEFORE_TAX = "after_tax", "before_tax"
# The rule an invoice was computed by, kept on it so that later credit notes use the same.
VERSION_NUMBERS = {AFTER_TAX: 2, BEFORE_TAX: 4}


@dataclass(frozen=True, slots=True)
class TaxedFee:
    """A fee as the total sees it: whole cents, and the taxes that apply to it."""

    amount_cents: int
    taxes: tuple[TaxRate, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """All amounts of an invoice, in whole cents of its currency. `taken_from_notes`: what it took of each credit note."""

    fees_amount_cents: int
    coupons_amount_cents: int
    sub_total_excluding_taxes_amount_cents: int
    taxes: InvoiceTaxes
    sub_total_including_taxes_amount_cents: int
    credit_notes_amount_cents: int
    prepaid_credit_amount_cents: int
    total_amount_cents: int
    taken_from_notes: tuple[int, ...] = ()


def totals(fees: Sequence[TaxedFee], notes: Sequence[int] = ()) -> Totals:
    """The amounts of an invoice of these fees. `notes`: balances of credit notes, the oldest first, used after tax."""
    fees_amount = sum(fee.amount_cents for fee in fees)
    taxes = invoice_taxes([(Decimal(fee.amount_cents), fee.taxes) for fee in fees])
    including_taxes = fees_amount + taxes.amount_cents
    left = including_taxes
    taken = []
    for balance in notes:
        taken.append(min(balance, left))
        left -= taken[-1]
    return Totals(
        fees_amount_cents=fees_amount,
        coupons_amount_cents=0,
        sub_total_excluding_taxes_amount_cents=fees_amount,
        taxes=taxes,
        sub_total_including_taxes_amount_cents=including_taxes,
        credit_notes_amount_cents=sum(taken),
        prepaid_credit_amount_cents=0,
        total_amount_cents=left,
        taken_from_notes=tuple(taken),
    )
