"""Exact amounts as whole minor units that add up to a given sum."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

from chalicelib.domain.money import CONTEXT


def whole(parts: Sequence[Decimal], total: int) -> list[int]:
    """The parts in whole minor units, of which each is below or above the exact one: those with the largest remainders are
    above. A total that is further away falls to the largest part. Source: rules/invoices 12."""
    found = [int(part.to_integral_value(ROUND_FLOOR)) for part in parts]
    rest = total - sum(found)
    if 0 <= rest <= len(found):
        remainders = [CONTEXT.subtract(part, Decimal(below)) for part, below in zip(parts, found, strict=True)]
        for place in sorted(range(len(parts)), key=lambda place: -remainders[place])[:rest]:
            found[place] += 1
    elif found:
        found[max(range(len(parts)), key=lambda place: parts[place])] += rest
    return found
