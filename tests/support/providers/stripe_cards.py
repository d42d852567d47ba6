"""Test cards and accounts, the least amounts, and which currencies are counted otherwise."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """What a card, or a bank account, does when it is charged. `code`, `decline`: why it is refused; `asks`: 3-D Secure;
    `disputed`: paid, then contested; `fails_later`: a debit that comes back."""

    code: str = ""
    decline: str = ""
    asks: bool = False
    disputed: bool = False
    fails_later: bool = False


CARDS = {
    "4242424242424242": Card(),
    "4000000000000341": Card("card_declined", "generic_decline"),
    "4000000000009995": Card("card_declined", "insufficient_funds"),
    "4000000000000069": Card("expired_card", "expired_card"),
    "4000002760003184": Card(asks=True),
    "4000000000000259": Card(disputed=True),
    "DE89370400440532013000": Card(),
    "DE62370400440532013001": Card(fails_later=True),
}
# In minor units; of others fifty.
LEAST = {"gbp": 30, "dkk": 250, "sek": 300, "nok": 300, "huf": 17500, "jpy": 50, "isk": 10000, "ugx": 200000}
LEAST_ELSE = 50
WHOLE_ONLY = ("isk", "ugx")  # Counted in hundredths which there are not.
TENS_ONLY = ("bhd", "jod", "kwd", "omr", "tnd")  # Of three decimals two are collected.
ONLY_EURO = ("sepa_debit",)
