"""Credit notes by hand: their amounts, their limits, and the refusals.

No sequence of notes gives more than the invoice: neither in net, nor in tax. The note that completes it brings the
difference. Source: rules/invoices 7.1, 7.2; rules/money 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.domain.invoicing.credit_notes import CreditAmounts, CreditItem, Split, amounts, share_of_item, within
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
    """An invoice as its notes see it. `paid_cents`: payments recorded; `due_cents`: what is still to be paid;
    `wallet_cents`: what is left in the wallet that a credit invoice filled, None on every other invoice."""

    fees: tuple[CreditableFee, ...]
    notes: NotesSoFar
    paid_cents: int
    due_cents: int
    wallet_cents: int | None = None

    @property
    def remaining(self) -> dict[str, Decimal]:
        """The items of a note that credits all that is left."""
        return {fee.id: fee.left_cents for fee in self.fees}

    @property
    def refundable_cents(self) -> int:
        """The payments that were not refunded yet; of a credit invoice, as far as the wallet still holds them."""
        paid = max(0, self.paid_cents - self.notes.refunded_cents)
        return paid if self.wallet_cents is None else min(paid, self.wallet_cents)

    def whole(self) -> CreditAmounts:
        """The amounts of all its fees together."""
        return amounts([fee.item(Decimal(fee.amount_cents)) for fee in self.fees])


@dataclass(frozen=True, slots=True)
class Estimate:
    """The amounts of a note that is not made, and the most that may be credited, refunded and offset with it.

    `precise_coupons_cents`: the exact share of the coupons.
    """

    amounts: CreditAmounts
    precise_coupons_cents: Fraction
    max_creditable_cents: int
    max_refundable_cents: int
    max_offsettable_cents: int


def amounts_by_hand(invoice: CreditableInvoice, items: Mapping[str, Decimal]) -> CreditAmounts:
    """Amounts of a note of these items (cents by the ids of fees), at most the rest of the invoice.

    The note that leaves no whole cent of any fee completes the invoice: it takes the difference in net and in tax.
    """
    found = amounts(_credit_items(invoice, items))
    whole = invoice.whole()
    net = max(0, whole.sub_total_cents - invoice.notes.sub_total_cents)
    taxes = max(0, whole.taxes_cents - invoice.notes.taxes_cents)
    if _completes(invoice, items):
        return replace(found, sub_total_cents=net, taxes_cents=taxes)
    return within(found, sub_total_cents=net, taxes_cents=taxes)


def estimate(invoice: CreditableInvoice, items: Sequence[tuple[str, Decimal]]) -> Estimate:
    """The amounts that a note of these items would have.

    Raises: NotFound; Invalid, also for a note of nothing.
    """
    check_items(invoice, items)
    found = amounts_by_hand(invoice, _by_fee(items))
    if found.total_cents <= 0:
        raise Invalid({"base": [ErrorCode.TOTAL_AMOUNT_MUST_BE_POSITIVE]})
    shares = (Fraction(each.coupon_share_cents) for each in _credit_items(invoice, _by_fee(items)))
    creditable = found.total_cents if invoice.wallet_cents is None else 0
    return Estimate(
        amounts=found,
        precise_coupons_cents=sum(shares, Fraction()),
        max_creditable_cents=creditable,
        max_refundable_cents=min(found.total_cents, invoice.refundable_cents),
        max_offsettable_cents=min(creditable, invoice.due_cents),
    )


def note(invoice: CreditableInvoice, items: Sequence[tuple[str, Decimal]], given: Split) -> tuple[CreditAmounts, Split]:
    """The amounts of a note by hand, and how it is given. `given`: the parts as they were sent, with tax.

    Raises: NotFound; Invalid.
    """
    check_items(invoice, items)
    if invoice.wallet_cents is not None and sum(cents for _, cents in items) > invoice.wallet_cents:
        raise Invalid.field("amount_cents", ErrorCode.HIGHER_THAN_WALLET_BALANCE)
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
            raise NotFound(Resource.FEE)
        if cents < 0:
            raise Invalid.field("amount_cents", ErrorCode.INVALID_VALUE)
        if cents > left[fee_id]:
            raise Invalid.field("amount_cents", ErrorCode.HIGHER_THAN_REMAINING_FEE_AMOUNT)
        left[fee_id] = CONTEXT.subtract(left[fee_id], cents)


def _check_parts(invoice: CreditableInvoice, found: CreditAmounts, given: Split) -> None:
    if given.refund_cents > 0 and invoice.paid_cents == 0:
        raise Invalid.field("refund_amount_cents", ErrorCode.CANNOT_REFUND_UNPAID_INVOICE)
    notes = invoice.notes
    whole = invoice.whole().total_cents
    for_credit = whole - notes.credited_cents - notes.offset_cents
    details: dict[str, list[str]] = {}
    too_high = [ErrorCode.HIGHER_THAN_REMAINING_INVOICE_AMOUNT.value]
    is_purchase = invoice.wallet_cents is not None
    if given.credit_cents > (0 if is_purchase else for_credit + _TOLERANCE):
        details["credit_amount_cents"] = too_high
    # All of a purchase's note is refunded, whatever the tolerance takes in.
    if max(given.refund_cents, found.total_cents if is_purchase else 0) > invoice.refundable_cents:
        details["refund_amount_cents"] = too_high
    if given.offset_cents > (0 if is_purchase else invoice.due_cents):
        details["offset_amount_cents"] = too_high
    base = _base_code(given.total_cents, found, for_credit - notes.refunded_cents)
    if base is not None:
        details["base"] = [base]
    if details:
        raise Invalid(details)


def _base_code(sent_cents: int, found: CreditAmounts, remaining_cents: int) -> str | None:
    """The refusal of the sum of the parts. It matches the exact sum of the items, or what the note is worth, and that is
    what is stored: it has to be something, too."""
    expected = (round_half_up(found.precise_total_cents), found.total_cents)
    if all(abs(sent_cents - cents) > _TOLERANCE for cents in expected):
        return ErrorCode.DOES_NOT_MATCH_ITEM_AMOUNTS
    if sent_cents > remaining_cents + _TOLERANCE:
        return ErrorCode.HIGHER_THAN_REMAINING_INVOICE_AMOUNT
    return None if min(sent_cents, found.total_cents) > 0 else ErrorCode.TOTAL_AMOUNT_MUST_BE_POSITIVE


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


def _credit_items(invoice: CreditableInvoice, items: Mapping[str, Decimal]) -> list[CreditItem]:
    return [fee.item(items[fee.id]) for fee in invoice.fees if fee.id in items]


def _completes(invoice: CreditableInvoice, items: Mapping[str, Decimal]) -> bool:
    return all(fee.left_cents - items.get(fee.id, Decimal(0)) < 1 for fee in invoice.fees)


def _by_fee(items: Sequence[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """The items as one sum per fee."""
    sums: dict[str, Decimal] = {}
    for fee_id, cents in items:
        sums[fee_id] = CONTEXT.add(sums.get(fee_id, Decimal(0)), cents)
    return sums
