"""Credits and cents of a wallet, which come and go together. The cents hold; credits follow them, to five decimals.

Source: rules/invoices 8.1; rules/money 2.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction

from chalicelib.domain.money import CONTEXT, from_cents, round_half_up, to_cents

STEP = Decimal("0.00001")


@dataclass(frozen=True, slots=True)
class CreditPrice:
    """The value of one credit, in units of a currency. It is positive."""

    rate: Decimal
    currency: str

    def precise_cents(self, credits: Decimal) -> Fraction:
        """The exact value of credits."""
        return Fraction(to_cents(CONTEXT.multiply(credits, self.rate), self.currency))

    def cents(self, credits: Decimal) -> int:
        """The value of credits, rounded."""
        return round_half_up(self.precise_cents(credits))

    def credits(self, cents: int, rounding: str = ROUND_HALF_UP) -> Decimal:
        """The credits for an amount, to five decimals."""
        exact = CONTEXT.divide(from_cents(Decimal(cents), self.currency), self.rate)
        return exact.quantize(STEP, rounding=rounding, context=CONTEXT)

    def most_credits(self, cents: int) -> Decimal:
        """The credits for an amount that must not be exceeded."""
        return self.credits(cents, ROUND_DOWN)

    def least_credits(self, cents: int) -> Decimal:
        """The credits for an amount that must be reached."""
        return self.credits(cents, ROUND_CEILING)


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of a wallet: both figures positive, or 0 where the credits are worth nothing. The ledger gives the sign."""

    cents: int
    credits: Decimal


@dataclass(frozen=True, slots=True)
class Balance:
    """The cents and credits of a wallet: the sum of its entries."""

    cents: int = 0
    credits: Decimal = Decimal(0)

    def plus(self, entry: Entry) -> "Balance":
        """The balance after an inbound entry."""
        return Balance(self.cents + entry.cents, CONTEXT.add(self.credits, entry.credits))

    def minus(self, entry: Entry) -> "Balance":
        """The balance after an outbound entry."""
        return Balance(self.cents - entry.cents, CONTEXT.subtract(self.credits, entry.credits))


def cut(credits: Decimal) -> Decimal:
    """Credits as they are given, to five decimals."""
    return credits.quantize(STEP, rounding=ROUND_DOWN, context=CONTEXT)


def added(credits: Decimal, price: CreditPrice) -> Entry:
    """The entry for credits that are granted or purchased: derived again from the rounded amount.

    The caller refuses positive credits with an entry of no cents: `amount_rounds_to_zero`.
    """
    cents = price.cents(cut(credits))
    return Entry(cents, price.credits(cents))


def voided(balance: Balance, credits: Decimal, price: CreditPrice) -> Entry:
    """The entry for credits that are taken off as they are; only the amount is rounded.

    An entry that empties the cents takes all credits, one that empties the credits all cents. The caller refuses credits above
    the balance (`insufficient_credits`), and an entry of no cents.
    """
    taken = cut(credits)
    if taken > balance.credits:
        raise ValueError("no more is voided than there is")
    cents = price.cents(taken)
    if taken == balance.credits or cents >= balance.cents:
        return Entry(balance.cents, balance.credits)
    return Entry(cents, taken)


def used(balance: Balance, cents: int, price: CreditPrice) -> Entry:
    """The entry for an amount that an invoice took: exactly its cents. The use that empties the cents takes all credits.

    While cents are left, so is the smallest part of a credit.
    """
    if cents > balance.cents:
        raise ValueError("no more is used than there is")
    if cents == balance.cents:
        return Entry(balance.cents, balance.credits)
    return Entry(cents, max(Decimal(0), min(price.credits(cents), CONTEXT.subtract(balance.credits, STEP))))
