"""Rows of figures, and how they are printed."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure with the bound that it must keep (None: none is set)."""

    work: str
    unit: str
    value: float
    bound: float | None

    @property
    def kept(self) -> bool:
        """Whether the bound holds."""
        return self.bound is None or self.value <= self.bound


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a table."""
    lines = ["| work | figure | bound | |", "|---|---|---|---|"]
    for row in rows:
        bound = "" if row.bound is None else f"≤ {row.bound:,g}"
        value = f"{row.value:,.2f}".rstrip("0").rstrip(".")
        lines.append(f"| {row.work} | {value} {row.unit} | {bound} | {'' if row.kept else '**not kept**'} |")
    return "\n".join(lines)


def dollars(write_units: float, read_units: float) -> float:
    """By the list price of on-demand tables: $1.25 a million writes, $0.25 a million reads."""
    return (write_units * 1.25 + read_units * 0.25) / 1e6
