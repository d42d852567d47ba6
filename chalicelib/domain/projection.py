"""Projection of the usage so far to the end of its period, at the same pace. Source: rules/usage 9."""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from chalicelib.domain.money import CONTEXT

_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Elapsed part of a period: `days` of `of_days`, today included."""

    days: int
    of_days: int

    @classmethod
    def on(cls, today: date, *, first: date, last: date) -> "Elapsed":
        """Elapsed part of the local days from `first` to `last`, both included."""
        of_days = (last - first).days + 1
        return cls(min(max((today - first).days + 1, 1), of_days), of_days)

    def units(self, so_far: Decimal) -> Decimal:
        """Units at the period's end, to 2 decimals."""
        return self.exact(so_far).quantize(_HUNDREDTH, rounding=ROUND_HALF_UP, context=CONTEXT)

    def exact(self, so_far: Decimal) -> Decimal:
        """Projection of a value that grows with units, not rounded."""
        return CONTEXT.divide(CONTEXT.multiply(so_far, Decimal(self.of_days)), Decimal(self.days))

    def number(self, so_far: int) -> int:
        """A whole number, as of events."""
        return int(self.exact(Decimal(so_far)).to_integral_value(rounding=ROUND_HALF_UP))
