"""The unbilled usage that each wallet of a customer will have to pay.

Source: rules/invoices 8.4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from chalicelib.domain.invoicing.wallets import Bucket, largest_first
from chalicelib.domain.money import round_half_up


@dataclass(frozen=True, slots=True)
class Payer:
    """A wallet before its usage. `pays`: its buckets, or None for all; `refills`: whether an active threshold rule fills it."""

    balance_cents: int
    pays: frozenset[Bucket] | None = None
    refills: bool = False


def usage_of(payers: Sequence[Payer], buckets: Mapping[Bucket, Fraction]) -> tuple[int, ...]:
    """The usage of each payer in cents, rounded once. `buckets`: exact usage with tax; `payers` in the order of use.

    The largest bucket comes first. Each payer takes what its balance has room for; one that refills and the last one take all
    that is left, also beyond their balance.
    """
    usage = [Fraction()] * len(payers)
    for bucket in largest_first(buckets):
        left = buckets[bucket]
        able = [index for index, payer in enumerate(payers) if payer.pays is None or bucket in payer.pays]
        for index in able:
            payer = payers[index]
            room = max(Fraction(), payer.balance_cents - usage[index])
            taken = left if payer.refills or index == able[-1] else min(left, room)
            usage[index] += taken
            left -= taken
    return tuple(round_half_up(cents) for cents in usage)
