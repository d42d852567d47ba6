"""Report of the demo: plain text, whose amounts stay whole however narrow the terminal is."""

from collections.abc import Sequence
from dataclasses import dataclass

_TITLES = ("Airline", "Flights", "Miles", "Base $", "Flights $", "Miles $", "Tax $", "Total $")
_NUMBER = "Invoice"


@dataclass(frozen=True, slots=True)
class Row:
    """One invoice. Amounts in cents."""

    number: str
    airline: str
    departures: int
    miles: int
    cents: Sequence[int]  # Base, departures, miles, tax, total.

    def cells(self) -> list[str]:
        """Cells of the row, column by column, without the invoice's number."""
        return [self.airline, f"{self.departures:,}", f"{self.miles:,}", *map(dollars, self.cents)]


def dollars(cents: int) -> str:
    """Whole cents as dollars: 13059402 -> 130,594.02."""
    sign, whole = "-" if cents < 0 else "", abs(cents)
    return f"{sign}{whole // 100:,}.{whole % 100:02d}"


def table(title: str, rows: Sequence[Row], width: int) -> list[str]:
    """Lines of a table, a line per invoice. Where the width does not do the invoices' numbers go, and then the gaps;
    figures never do."""
    figures = [list(_TITLES), *(row.cells() for row in rows)]
    numbered = [
        [*cells, number] for cells, number in zip(figures, [_NUMBER, *(row.number for row in rows)], strict=True)
    ]
    for cells, gap in ((numbered, "  "), (figures, "  ")):
        lines = _lined_up(cells, gap)
        if max(map(len, lines)) <= width:
            return [title, *lines]
    return [title, *_lined_up(figures, " ")]


def _lined_up(cells: Sequence[Sequence[str]], gap: str) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    left = (0, len(_TITLES))  # Names stand left, figures right.
    return [
        gap.join(
            cell.ljust(w) if n in left else cell.rjust(w) for n, (cell, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
