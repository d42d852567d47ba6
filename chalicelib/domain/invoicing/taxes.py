"""Taxes of fees and invoices, rounded once at each level.

Source: rules/invoices 4.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from chalicelib.domain.money import CONTEXT, round_half_up, total


@dataclass(frozen=True, slots=True)
class TaxRate:
    """A tax as it counts on a document. `rate` in percent; without an id it is the anonymous rate of a setting."""

    id: str | None
    code: str
    name: str
    rate: Decimal
    description: str | None = None


@dataclass(frozen=True, slots=True)
class AppliedTax:
    """One tax's part: `base_cents` is what it was taken on, exact; `amount_cents` rounded for showing."""

    tax: TaxRate
    base_cents: Decimal
    amount_cents: int


@dataclass(frozen=True, slots=True)
class FeeTaxes:
    """The taxes of one fee: the rounded sum, the exact sum, the rates' sum in percent, and each tax's part."""

    amount_cents: int
    precise_cents: Decimal
    rate: Decimal
    applied: tuple[AppliedTax, ...]


def tax_cents(base_cents: Decimal, rate: Decimal) -> Decimal:
    """The exact tax on a base, in cents."""
    return CONTEXT.divide(CONTEXT.multiply(base_cents, rate), Decimal(100))


def fee_taxes(base_cents: Decimal, taxes: Sequence[TaxRate]) -> FeeTaxes:
    """The taxes of a fee; taxes of one level add up, and the fee's tax is rounded once, over all of them."""
    parts = [(tax, tax_cents(base_cents, tax.rate)) for tax in taxes]
    exact = total(part for _, part in parts)
    applied = tuple(AppliedTax(tax, base_cents, round_half_up(part)) for tax, part in parts)
    return FeeTaxes(round_half_up(exact), exact, total(t.rate for t in taxes), applied)


@dataclass(frozen=True, slots=True)
class InvoiceTaxes:
    """The taxes of an invoice: the total rounded once over all fees and taxes, and a line per tax."""

    amount_cents: int
    rate: Decimal
    applied: tuple[AppliedTax, ...]


def invoice_taxes(fees: Sequence[tuple[Decimal, Sequence[TaxRate]]]) -> InvoiceTaxes:
    """`fees`: each fee's taxed base in exact cents with its taxes.

    The rate is each tax's rate weighted by the share of the subtotal that it was taken on (by the number of fees when the
    subtotal is 0), to five decimals.
    """
    order: dict[tuple[str | None, str], TaxRate] = {}
    bases: dict[tuple[str | None, str], Decimal] = {}
    counts: dict[tuple[str | None, str], int] = {}
    subtotal = Decimal(0)
    exact = Decimal(0)
    for base, taxes in fees:
        subtotal = CONTEXT.add(subtotal, base)
        for tax in taxes:
            name = (tax.id, tax.code)
            order.setdefault(name, tax)
            bases[name] = CONTEXT.add(bases.get(name, Decimal(0)), base)
            counts[name] = counts.get(name, 0) + 1
            exact = CONTEXT.add(exact, tax_cents(base, tax.rate))
    lines = tuple(
        AppliedTax(tax, bases[name], round_half_up(tax_cents(bases[name], tax.rate))) for name, tax in order.items()
    )
    rate = Decimal(0)
    for name, tax in order.items():
        weight = (bases[name], subtotal) if subtotal else (Decimal(counts[name]), Decimal(len(fees)))
        rate = CONTEXT.add(rate, CONTEXT.divide(CONTEXT.multiply(tax.rate, weight[0]), weight[1]))
    rounded = CONTEXT.quantize(rate, Decimal("0.00001"))
    return InvoiceTaxes(round_half_up(exact), rounded, lines)
