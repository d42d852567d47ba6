"""Credit notes by hand: their amounts, their limits, and the refusals.

No sequence of notes gives more than the invoice: neither in net, nor in tax. The note that completes it brings the
difference. Source: rules/invoices 7.1, 7.2; rules/money 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.domain.invoicing.credit_notes import CreditAmounts, CreditItem, Split, amounts, share_of_item
from chalicelib.domain.invoicing.taxes import TaxRate
from chalicelib.domain.money import CONTEXT, round_half_up

# Allowed between the amounts that are sent and those that are computed, in cents.
_TOLERANCE = 1


@dataclass(frozen=True, slots=True)
class CreditableFee:
    """A fee of an invoice: its share of the coupons used before tax, and the items that other notes credited of it."""

    id: str
    amount_cents: int
    coupon_share_cents: Fraction
    taxes: tuple[TaxRate, ...]
    credited_cents: Decimal = Decimal(0)

    @property
    def left_cents(self) -> Decimal:
        """The cents before tax and coupons that may still be credited."""
        return CONTEXT.subtract(Decimal(self.amount_cents), self.credited_cents)

    def item(self, cents: Decimal) -> CreditItem:
        """A part of the fee, with its share of the coupons."""
        share = share_of_item(self.coupon_share_cents, item_cents=cents, fee_cents=self.amount_cents)
        return CreditItem(cents, share, self.taxes)


@dataclass(frozen=True, slots=True)
class NotesSoFar:
    """The sums of all other notes of an invoice, in cents: net and tax as stored, and how they were given."""

    sub_total_cents: int = 0
    taxes_cents: int = 0
    credited_cents: int = 0
    refunded_cents: int = 0
    offset_cents: int = 0


@dataclass(frozen=True, slots=True)
class CreditableInvoice:
    """Invoice as its credit notes see it. `paid_cents`: payments recorded. `due_cents`: the amount still to be paid."""

    fees: tuple[CreditableFee, ...]
    notes: NotesSoFar
    paid_cents: int
    due_cents: int

    @property
    def remaining(self) -> dict[str, Decimal]:
        """The items of a note that credits all that is left."""
        return {fee.id: fee.left_cents for fee in self.fees}

    @property
    def refundable_cents(self) -> int:
        """The payments that were not refunded yet."""
        return max(0, self.paid_cents - self.notes.refunded_cents)

    def whole(self) -> CreditAmounts:
        """The amounts of all its fees together."""
        return amounts([fee.item(Decimal(fee.amount_cents)) for fee in self.fees])


@dataclass(frozen=True, slots=True)
class Estimate:
    """The amounts of a note that is not made, and the most that may be credited and refunded with it."""

    amounts: CreditAmounts
    max_creditable_cents: int
    max_refundable_cents: int


def amounts_by_hand(invoice: CreditableInvoice, items: Mapping[str, Decimal]) -> CreditAmounts:
    """Amounts of a note of these items (cents by the ids of fees), at most the rest of the invoice.

    The note that leaves no whole cent of any fee completes the invoice: it takes the difference in net and in tax.
    """
    found = amounts([fee.item(items[fee.id]) for fee in invoice.fees if fee.id in items])
    whole = invoice.whole()
    net = max(0, whole.sub_total_cents - invoice.notes.sub_total_cents)
    taxes = max(0, whole.taxes_cents - invoice.notes.taxes_cents)
    if _completes(invoice, items):
        return replace(found, sub_total_cents=net, taxes_cents=taxes)
    return replace(found, sub_total_cents=min(found.sub_total_cents, net), taxes_cents=min(found.taxes_cents, taxes))


def estimate(invoice: CreditableInvoice, items: Sequence[tuple[str, Decimal]]) -> Estimate:
    """The amounts that a note of these items would have.

    Raises: NotFound; Invalid.
    """
    check_items(invoice, items)
    found = amounts_by_hand(invoice, _by_fee(items))
    return Estimate(found, found.total_cents, min(found.total_cents, invoice.refundable_cents))


def note(invoice: CreditableInvoice, items: Sequence[tuple[str, Decimal]], given: Split) -> tuple[CreditAmounts, Split]:
    """The amounts of a note by hand, and how it is given. `given`: the parts as they were sent, with tax.

    Raises: NotFound; Invalid.
    """
    check_items(invoice, items)
    found = amounts_by_hand(invoice, _by_fee(items))
    _check_parts(invoice, found, given)
    return found, _absorbed(invoice, given, found.total_cents)


def check_items(invoice: CreditableInvoice, items: Sequence[tuple[str, Decimal]]) -> None:
    """Refuse the first item that no fee can bear.

    Raises: NotFound; Invalid.
    """
    left = invoice.remaining
    for fee_id, cents in items:
        if fee_id not in left:
            raise NotFound("fee")
        if cents < 0:
            raise Invalid.field("amount_cents", "invalid_value")
        if cents > left[fee_id]:
            raise Invalid.field("amount_cents", "higher_than_remaining_fee_amount")
        left[fee_id] = CONTEXT.subtract(left[fee_id], cents)


def _check_parts(invoice: CreditableInvoice, found: CreditAmounts, given: Split) -> None:
    if given.refund_cents > 0 and invoice.paid_cents == 0:
        raise Invalid.field("refund_amount_cents", "cannot_refund_unpaid_invoice")
    notes = invoice.notes
    whole = invoice.whole().total_cents
    for_credit = whole - notes.credited_cents - notes.offset_cents
    details: dict[str, list[str]] = {}
    if given.credit_cents > for_credit + _TOLERANCE:
        details["credit_amount_cents"] = ["higher_than_remaining_invoice_amount"]
    if given.refund_cents > invoice.refundable_cents:
        details["refund_amount_cents"] = ["higher_than_remaining_invoice_amount"]
    if given.offset_cents > invoice.due_cents:
        details["offset_amount_cents"] = ["higher_than_remaining_invoice_amount"]
    base = _base_code(given.total_cents, found, for_credit - notes.refunded_cents)
    if base is not None:
        details["base"] = [base]
    if details:
        raise Invalid(details)


def _base_code(sent_cents: int, found: CreditAmounts, remaining_cents: int) -> str | None:
    """The refusal of the sum of the parts. It matches the exact sum of the items, or what the note is worth."""
    expected = (round_half_up(found.precise_total_cents), found.total_cents)
    if all(abs(sent_cents - cents) > _TOLERANCE for cents in expected):
        return "does_not_match_item_amounts"
    if sent_cents > remaining_cents + _TOLERANCE:
        return "higher_than_remaining_invoice_amount"
    return None if sent_cents > 0 else "total_amount_must_be_positive"


def _absorbed(invoice: CreditableInvoice, given: Split, total_cents: int) -> Split:
    """Split whose parts add up to the total: the difference goes to the credit, without one to the refund, else to the
    offset.

    A part that cannot bear the difference leaves it to the credit.
    """
    difference = total_cents - given.total_cents
    credit, refund, offset = given.credit_cents, given.refund_cents, given.offset_cents
    if credit > 0:
        credit += difference
    elif refund > 0:
        refund += difference
    else:
        offset += difference
    refund = min(max(0, refund), invoice.refundable_cents, total_cents)
    offset = min(max(0, offset), invoice.due_cents, total_cents - refund)
    return Split(total_cents - refund - offset, refund, offset)


def _completes(invoice: CreditableInvoice, items: Mapping[str, Decimal]) -> bool:
    return all(fee.left_cents - items.get(fee.id, Decimal(0)) < 1 for fee in invoice.fees)


def _by_fee(items: Sequence[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """The items as one sum per fee."""
    sums: dict[str, Decimal] = {}
    for fee_id, cents in items:
        sums[fee_id] = CONTEXT.add(sums.get(fee_id, Decimal(0)), cents)
    return sums
