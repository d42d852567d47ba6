"""From fees to the total due: `totals` is the one list of steps that gives the order of computation.

Each step takes the smaller of the available credit and the amount left; no credit makes a total negative.
Source: rules/invoices 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from chalicelib.domain.invoicing import coupons, wallets
from chalicelib.domain.invoicing.coupons import Coupon, Discount
from chalicelib.domain.invoicing.taxes import InvoiceTaxes, TaxRate, invoice_taxes, tax_cents
from chalicelib.domain.invoicing.wallets import Bucket, Wallet

AFTER_TAX, BEFORE_TAX = "after_tax", "before_tax"
# The rule an invoice was computed by, kept on it so that later credit notes use the same.
VERSION_NUMBERS = {AFTER_TAX: 2, BEFORE_TAX: 4}
MODES = {number: mode for mode, number in VERSION_NUMBERS.items()}


class CreditKind(StrEnum):
    """A kind of credit that lowers an invoice: all of a kind are taken in one step."""

    CREDIT_NOTE = "credit_note"
    COUPON = "coupon"
    WALLET = "wallet"


@dataclass(frozen=True, slots=True)
class TaxedFee:
    """A fee as the total sees it: whole cents, the taxes that apply to it, and its bucket for wallets."""

    amount_cents: int
    taxes: tuple[TaxRate, ...]
    bucket: Bucket

    def gross(self, base_cents: Fraction) -> Fraction:
        """A base of the fee with its exact tax."""
        return base_cents + sum((tax_cents(base_cents, tax.rate) for tax in self.taxes), Fraction())


@dataclass(frozen=True, slots=True)
class Credits:
    """Credits that may lower an invoice, each kind in its order of use. `notes`: balances of credit notes in cents."""

    notes: tuple[int, ...] = ()
    coupons: tuple[Coupon, ...] = ()
    wallets: tuple[Wallet, ...] = ()


NO_CREDITS = Credits()


@dataclass(frozen=True, slots=True)
class Totals:
    """All amounts of an invoice, in whole cents of its currency.

    `taken_from_notes` and `paid_by_wallets`: the cents taken of each, in the order given. `fee_bases`: the exact cents
    of each fee that were taxed.
    """

    fees_amount_cents: int
    coupons_amount_cents: int
    sub_total_excluding_taxes_amount_cents: int
    taxes: InvoiceTaxes
    sub_total_including_taxes_amount_cents: int
    credit_notes_amount_cents: int
    prepaid_credit_amount_cents: int
    total_amount_cents: int
    discounts: tuple[Discount, ...]
    taken_from_notes: tuple[int, ...]
    paid_by_wallets: tuple[int, ...]
    fee_bases: tuple[Fraction, ...]


def totals(fees: Sequence[TaxedFee], credits: Credits = NO_CREDITS, mode: str = AFTER_TAX) -> Totals:
    """The amounts of an invoice of these fees: the steps, in their order."""
    if mode not in VERSION_NUMBERS:
        raise ValueError(mode)
    fees_amount = sum(fee.amount_cents for fee in fees)

    # Coupons before tax.
    early = coupons.before_tax(credits.coupons, [fee.amount_cents for fee in fees]) if mode == BEFORE_TAX else ()
    early_shares = coupons.shares_of_fees(early, len(fees))
    bases = tuple(fee.amount_cents - share for fee, share in zip(fees, early_shares, strict=True))
    without_taxes = fees_amount - _amount(early)

    # Taxes.
    taxes = invoice_taxes([(base, fee.taxes) for fee, base in zip(fees, bases, strict=True)])
    with_taxes = without_taxes + taxes.amount_cents

    # Credit notes.
    taken = _taken(credits.notes, with_taxes)
    after_notes = with_taxes - sum(taken)

    # Coupons after tax.
    gross = [fee.gross(base) for fee, base in zip(fees, bases, strict=True)]
    late = coupons.after_tax(credits.coupons, gross, after_notes) if mode == AFTER_TAX else ()
    after_coupons = after_notes - _amount(late)

    # Wallets.
    paid = wallets.payments(credits.wallets, _buckets(fees, gross, late, sum(taken)), after_coupons)
    return Totals(
        fees_amount_cents=fees_amount,
        coupons_amount_cents=_amount(early) + _amount(late),
        sub_total_excluding_taxes_amount_cents=without_taxes,
        taxes=taxes,
        sub_total_including_taxes_amount_cents=with_taxes,
        credit_notes_amount_cents=sum(taken),
        prepaid_credit_amount_cents=sum(paid),
        total_amount_cents=after_coupons - sum(paid),
        discounts=early + late,
        taken_from_notes=taken,
        paid_by_wallets=paid,
        fee_bases=bases,
    )


def _amount(discounts: Sequence[Discount]) -> int:
    return sum(discount.amount_cents for discount in discounts)


def _taken(balances: Sequence[int], total_cents: int) -> tuple[int, ...]:
    """The cents taken of each balance, one after the other."""
    left = total_cents
    taken = []
    for balance in balances:
        taken.append(min(balance, left))
        left -= taken[-1]
    return tuple(taken)


def _buckets(
    fees: Sequence[TaxedFee], gross: Sequence[Fraction], late: Sequence[Discount], notes_cents: int
) -> dict[Bucket, Fraction]:
    """The exact cents that are left of each bucket: fees with tax, less their shares of late coupons and of credit
    notes.

    Credit notes are shared by the fees with tax. Source: rules/money 8.
    """
    whole = sum(gross, Fraction())
    buckets: dict[Bucket, Fraction] = {}
    for fee, cents, discount in zip(fees, gross, coupons.shares_of_fees(late, len(fees)), strict=True):
        noted = notes_cents * cents / whole if whole else Fraction()
        left = max(Fraction(), cents - discount - noted)
        buckets[fee.bucket] = buckets.get(fee.bucket, Fraction()) + left
    return buckets
