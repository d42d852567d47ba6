"""Taxes of fees and invoices, rounded once at each level.

Bases are fractions: a fee's share of a coupon has no last digit. All figures are exact until they are rounded.
Source: rules/invoices 4.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from chalicelib.domain.money import CONTEXT, round_half_up, total

_RATE_DECIMALS = 5


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
    """One tax's part. `base_cents`: its base, exact. `amount_cents`: rounded for showing."""

    tax: TaxRate
    base_cents: Fraction
    amount_cents: int


@dataclass(frozen=True, slots=True)
class FeeTaxes:
    """The taxes of one fee: the rounded sum, the exact sum, the rates' sum in percent, and each tax's part."""

    amount_cents: int
    precise_cents: Fraction
    rate: Decimal
    applied: tuple[AppliedTax, ...]


def tax_cents(base_cents: Decimal | Fraction, rate: Decimal) -> Fraction:
    """The exact tax on a base, in cents."""
    return Fraction(base_cents) * Fraction(rate) / 100


def fee_taxes(base_cents: Decimal | Fraction, taxes: Sequence[TaxRate]) -> FeeTaxes:
    """The taxes of a fee; taxes of one level add up, and the fee's tax is rounded once, over all of them."""
    base = Fraction(base_cents)
    parts = [(tax, tax_cents(base, tax.rate)) for tax in taxes]
    exact = sum((part for _, part in parts), Fraction())
    applied = tuple(AppliedTax(tax, base, round_half_up(part)) for tax, part in parts)
    return FeeTaxes(round_half_up(exact), exact, total(t.rate for t in taxes), applied)


@dataclass(frozen=True, slots=True)
class InvoiceTaxes:
    """The taxes of an invoice: the total rounded once over all fees and taxes, a line per tax, and the exact total."""

    amount_cents: int
    rate: Decimal
    applied: tuple[AppliedTax, ...]
    precise_cents: Fraction


def invoice_taxes(fees: Sequence[tuple[Decimal | Fraction, Sequence[TaxRate]]]) -> InvoiceTaxes:
    """`fees`: each fee's taxed base in exact cents with its taxes.

    The rate is each tax's rate weighted by the share of the subtotal that it was taken on (by the number of fees when
    the subtotal is 0), to five decimals.
    """
    order: dict[tuple[str | None, str], TaxRate] = {}
    bases: dict[tuple[str | None, str], Fraction] = {}
    counts: dict[tuple[str | None, str], int] = {}
    subtotal = Fraction()
    exact = Fraction()
    for base_cents, taxes in fees:
        base = Fraction(base_cents)
        subtotal += base
        for tax in taxes:
            name = (tax.id, tax.code)
            order.setdefault(name, tax)
            bases[name] = bases.get(name, Fraction()) + base
            counts[name] = counts.get(name, 0) + 1
            exact += tax_cents(base, tax.rate)
    lines = tuple(
        AppliedTax(tax, bases[name], round_half_up(tax_cents(bases[name], tax.rate))) for name, tax in order.items()
    )
    rate = Fraction()
    for name, tax in order.items():
        weight = bases[name] / subtotal if subtotal else Fraction(counts[name], len(fees))
        rate += Fraction(tax.rate) * weight
    return InvoiceTaxes(round_half_up(exact), _rounded_rate(rate), lines, exact)


def _rounded_rate(rate: Fraction) -> Decimal:
    return Decimal(round_half_up(rate * 10**_RATE_DECIMALS)).scaleb(-_RATE_DECIMALS, context=CONTEXT)
