"""The worth of a credit note, and how it is given: as credit, as a refund, or against an unpaid invoice.

Source: rules/billing-periods 7.4; rules/invoices 7.1; rules/money 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from chalicelib.domain.invoicing.taxes import AppliedTax, TaxRate, invoice_taxes, tax_cents
from chalicelib.domain.money import CONTEXT, round_half_up, to_decimal, total
from chalicelib.domain.proration import unused_cents

CREDIT, REFUND, OFFSET = "credit", "refund", "offset"
MODES = (CREDIT, REFUND, OFFSET)
_NOTHING = Fraction()


@dataclass(frozen=True, slots=True)
class CreditItem:
    """The credit on one fee: exact cents before tax and coupons, the coupons' share of it, and the fee's taxes.

    `late_share_cents`: its share of the coupons that were used after tax, which an automatic note does not give back.
    """

    amount_cents: Decimal
    coupon_share_cents: Decimal | Fraction
    taxes: tuple[TaxRate, ...]
    late_share_cents: Fraction = Fraction()


@dataclass(frozen=True, slots=True)
class CreditAmounts:
    """All amounts of a credit note. `item_cents` and the precise ones are exact; `taxes_rate` in percent.

    `late_coupons_cents`: the part of `coupons_adjustment_cents` that comes off the total, as it is not in the subtotal.
    """

    item_cents: Decimal
    sub_total_cents: int
    taxes_cents: int
    precise_taxes_cents: Decimal
    precise_total_cents: Decimal
    coupons_adjustment_cents: int
    applied: tuple[AppliedTax, ...]
    taxes_rate: Decimal
    late_coupons_cents: int = 0

    @property
    def total_cents(self) -> int:
        """The total given back: the sum of the rounded parts, not the rounded sum."""
        return self.sub_total_cents + self.taxes_cents - self.late_coupons_cents


@dataclass(frozen=True, slots=True)
class Split:
    """Split of a note's total into credit, refund and offset, in whole cents."""

    credit_cents: int
    refund_cents: int
    offset_cents: int

    @property
    def total_cents(self) -> int:
        """The sum of the parts."""
        return self.credit_cents + self.refund_cents + self.offset_cents


def share_of_item(share_cents: Fraction, *, item_cents: Decimal, fee_cents: int) -> Fraction:
    """Part of a fee's share of coupons that belongs to the credited part of the fee."""
    return share_cents * Fraction(item_cents) / fee_cents if fee_cents else Fraction()


def amounts(items: Sequence[CreditItem]) -> CreditAmounts:
    """The amounts of a note of these items: net and tax are rounded each, once over all items.

    With late shares the total is rounded once, from the exact sum less the shares.
    """
    bases = [(Fraction(item.amount_cents) - Fraction(item.coupon_share_cents), item.taxes) for item in items]
    net = sum((base for base, _ in bases), Fraction())
    taxes = invoice_taxes(bases)
    sub_total = round_half_up(net)
    late_share = sum((item.late_share_cents for item in items), Fraction())
    precise_total = net + taxes.precise_cents - late_share
    late_coupons = sub_total + taxes.amount_cents - max(0, round_half_up(precise_total)) if late_share else 0
    early_coupons = round_half_up(sum((Fraction(item.coupon_share_cents) for item in items), Fraction()))
    return CreditAmounts(
        item_cents=total(item.amount_cents for item in items),
        sub_total_cents=sub_total,
        taxes_cents=taxes.amount_cents,
        precise_taxes_cents=to_decimal(taxes.precise_cents),
        precise_total_cents=to_decimal(precise_total),
        coupons_adjustment_cents=early_coupons + late_coupons,
        applied=taxes.applied,
        taxes_rate=taxes.rate,
        late_coupons_cents=late_coupons,
    )


def within(found: CreditAmounts, *, sub_total_cents: int, taxes_cents: int) -> CreditAmounts:
    """The amounts, at most what remains of the invoice in net and in tax."""
    net = min(found.sub_total_cents, max(0, sub_total_cents))
    taxes = min(found.taxes_cents, max(0, taxes_cents))
    late_coupons = min(found.late_coupons_cents, net + taxes)
    return replace(found, sub_total_cents=net, taxes_cents=taxes, late_coupons_cents=late_coupons)


def given_within(parts: Split, *, refundable_cents: int, due_cents: int) -> Split:
    """The parts with a refund of at most what was paid, and an offset of at most what is due; the credit takes the rest."""
    refund = min(parts.refund_cents, max(0, refundable_cents))
    offset = min(parts.offset_cents, max(0, due_cents))
    return Split(parts.total_cents - refund - offset, refund, offset)


def split(total_cents: int, *, mode: str, paid_cents: int, used_cents: int) -> Split:
    """Split of a note of `total_cents` on a fee. Of that fee `paid_cents` are paid and `used_cents` stay owed, all with
    tax.

    The amount paid beyond the used part is refunded, unless all is credited; the rest is credited or offset, by `mode`.
    """
    if mode not in MODES:
        raise ValueError(mode)
    if mode == CREDIT:
        return Split(total_cents, 0, 0)
    refund = min(total_cents, max(0, paid_cents - used_cents))
    rest = total_cents - refund
    return Split(rest, refund, 0) if mode == REFUND else Split(0, refund, rest)


@dataclass(frozen=True, slots=True)
class UnusedDaysCredit:
    """Credit on a fee for days that were paid in advance and not used. `item_cents`: exact, before tax.
    `credited_cents`: the same with all earlier credits of the fee. `used_cents`: the amount of the fee that stays owed,
    with tax."""

    item_cents: Decimal
    credited_cents: Decimal
    used_cents: int


def unused_days_credit(
    plan_amount_cents: int,
    *,
    unused_days: int,
    period_start: date,
    period_end: date,
    fee_cents: int,
    credited_cents: Decimal,
    taxes_rate: Decimal,
    coupon_share_cents: Fraction = _NOTHING,
    late_share_cents: Fraction = _NOTHING,
) -> UnusedDaysCredit | None:
    """The credit for the last `unused_days` of a period [start, end); None where nothing is left to credit.

    `fee_cents`: the fee of the period, of which `credited_cents` are credited by now; `taxes_rate` in percent; the shares:
    what coupons took off the fee before and after tax.
    Source: rules/billing-periods 7.4.
    """
    item = unused_cents(
        plan_amount_cents,
        days_left=unused_days,
        period_days=(period_end - period_start).days,
        fee_cents=fee_cents,
        credited_cents=credited_cents,
    )
    if item <= 0:
        return None
    credited = CONTEXT.add(credited_cents, item)
    used = fee_cents - Fraction(credited)
    part = used / fee_cents
    net = used - coupon_share_cents * part
    owed = net + tax_cents(net, taxes_rate) - late_share_cents * part
    return UnusedDaysCredit(item, credited, round_half_up(owed))


def paid_share_cents(paid_cents: int, *, part_cents: int, whole_cents: int) -> int:
    """The cents paid of a part, when `paid_cents` were paid of the whole: in proportion, never more than was paid.

    Cut, not rounded, so that the shares of all parts together are never more than was paid.
    """
    if whole_cents <= 0:
        return 0
    return min(paid_cents, paid_cents * part_cents // whole_cents)


def number(invoice_number: str, sequence: int) -> str:
    """`LAG-1A2B-005-012-CN001`: the invoice's own sequence of notes. Source: rules/invoices 9."""
    return f"{invoice_number}-CN{sequence:03d}"
