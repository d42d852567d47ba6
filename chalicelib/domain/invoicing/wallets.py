"""The prepaid credits that pay an invoice: each wallet pays once, for its buckets of fees.

Source: rules/invoices 8.3; rules/money 2.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from chalicelib.domain.money import round_half_up

# The type of a fee, and the code of its metric.
Bucket = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet that may pay. `pays`: the buckets that it is restricted to; None pays for all."""

    id: str
    balance_cents: int
    pays: frozenset[Bucket] | None = None


def covered(
    buckets: Iterable[Bucket], *, fee_types: Collection[str], metric_codes: Collection[str]
) -> frozenset[Bucket] | None:
    """The buckets for a wallet restricted to fee types or metrics; None where it is restricted to neither."""
    if not fee_types and not metric_codes:
        return None
    return frozenset(each for each in buckets if each[0] in fee_types or each[1] in metric_codes)


def largest_first(buckets: Mapping[Bucket, Fraction]) -> list[Bucket]:
    """The buckets by size, equal ones by name."""
    return sorted(buckets, key=lambda each: (-buckets[each], each[0], each[1] or ""))


def payments(wallets: Sequence[Wallet], buckets: Mapping[Bucket, Fraction], total_cents: int) -> tuple[int, ...]:
    """The cents that each wallet pays, in the order given. `buckets`: the exact cents that are left of each.

    A restricted wallet pays the sum of its buckets, rounded once. None pays more than its balance and the rest of the total.
    """
    left = dict(buckets)
    left_cents = total_cents
    paid = []
    for wallet in wallets:
        own = [each for each in largest_first(left) if wallet.pays is None or each in wallet.pays]
        due = left_cents if wallet.pays is None else round_half_up(sum((left[each] for each in own), Fraction()))
        cents = max(0, min(wallet.balance_cents, due, left_cents))
        _take(cents, left, own)
        left_cents -= cents
        paid.append(cents)
    return tuple(paid)


def _take(cents: int, left: dict[Bucket, Fraction], own: Sequence[Bucket]) -> None:
    rest = Fraction(cents)
    for each in own:
        taken = min(rest, left[each])
        left[each] -= taken
        rest -= taken
