"""From fees to the total due: one list of steps, `STEPS`, gives the order of computation.

A further kind of credit (coupons before or after tax, wallets) is one more entry of `CreditKind` and one more step.
Source: rules/invoices 3.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from chalicelib.domain.invoicing.taxes import InvoiceTaxes, TaxRate, invoice_taxes

AFTER_TAX, BEFORE_TAX = "after_tax", "before_tax"
# The rule an invoice was computed by, kept on it so that later credit notes use the same.
VERSION_NUMBERS = {AFTER_TAX: 2, BEFORE_TAX: 4}
_NO_TAXES = InvoiceTaxes(0, Decimal(0), (), Fraction())


class CreditKind(StrEnum):
    """A kind of credit: all of a kind are taken in one step."""

    CREDIT_NOTE = "credit_note"


@dataclass(frozen=True, slots=True)
class TaxedFee:
    """A fee as the total sees it: whole cents, and the taxes that apply to it."""

    amount_cents: int
    taxes: tuple[TaxRate, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """A credit as the computation sees it. `available`: the cents that it gives of a base, from 0 to the base."""

    kind: CreditKind
    available: Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Totals:
    """All amounts of an invoice, in whole cents of its currency. `taken`: the cents taken of each offer."""

    taken: tuple[int, ...]
    fees_amount_cents: int = 0
    coupons_amount_cents: int = 0
    sub_total_excluding_taxes_amount_cents: int = 0
    taxes: InvoiceTaxes = _NO_TAXES
    sub_total_including_taxes_amount_cents: int = 0
    credit_notes_amount_cents: int = 0
    prepaid_credit_amount_cents: int = 0
    total_amount_cents: int = 0


Step = Callable[[Totals, Sequence[TaxedFee], Sequence[Offer]], Totals]


def totals(fees: Sequence[TaxedFee], offers: Sequence[Offer] = ()) -> Totals:
    """The amounts of an invoice of these fees. Offers of one kind are taken in the order given."""
    sums = Totals(taken=(0,) * len(offers))
    for step in STEPS:
        sums = step(sums, fees, offers)
    return sums


def _add_fees(sums: Totals, fees: Sequence[TaxedFee], offers: Sequence[Offer]) -> Totals:
    amount = sum(fee.amount_cents for fee in fees)
    return replace(
        sums,
        fees_amount_cents=amount,
        sub_total_excluding_taxes_amount_cents=amount,
        sub_total_including_taxes_amount_cents=amount,
        total_amount_cents=amount,
    )


def _add_taxes(sums: Totals, fees: Sequence[TaxedFee], offers: Sequence[Offer]) -> Totals:
    taxes = invoice_taxes([(Decimal(fee.amount_cents), fee.taxes) for fee in fees])
    with_taxes = sums.sub_total_excluding_taxes_amount_cents + taxes.amount_cents
    return replace(sums, taxes=taxes, sub_total_including_taxes_amount_cents=with_taxes, total_amount_cents=with_taxes)


def _take_credit_notes(sums: Totals, fees: Sequence[TaxedFee], offers: Sequence[Offer]) -> Totals:
    taken = _taken_of_total(sums, offers, CreditKind.CREDIT_NOTE)
    cents = sum(taken)
    return replace(
        sums,
        taken=tuple(before + now for before, now in zip(sums.taken, taken, strict=True)),
        credit_notes_amount_cents=cents,
        total_amount_cents=sums.total_amount_cents - cents,
    )


def _taken_of_total(sums: Totals, offers: Sequence[Offer], kind: CreditKind) -> list[int]:
    """The cents that each offer of a kind takes of the total, one after the other; 0 for offers of other kinds."""
    left = sums.total_amount_cents
    taken = []
    for offer in offers:
        cents = offer.available(left) if offer.kind == kind else 0
        assert 0 <= cents <= left, "an offer gives no more than its base"
        taken.append(cents)
        left -= cents
    return taken


# The order of computation.
STEPS: tuple[Step, ...] = (_add_fees, _add_taxes, _take_credit_notes)
