"""The worth of credits at a rate that no wallet has yet, for forms that write it out."""

from decimal import Decimal

from chalicelib import limits
from chalicelib.domain.wallets.credits import CreditPrice


def worth_of(rate: str, currency: str, credits: int) -> int | None:
    """The cents of credits at a rate that somebody types; None while it is no price."""
    try:
        price = CreditPrice(Decimal(rate), currency)
        if not 0 < price.rate <= limits.INTEGER_MAX:
            return None
        return price.cents(Decimal(credits))
    except ArithmeticError:
        return None
