"""What the demo shows is whole, however narrow the terminal is."""

import pytest

from scripts.demo.report import Row, dollars, table

_ROWS = [
    Row("NEW-4F3A-001-001", "9E", 1_492, 698_000, [250_000, 1_841_874, 956_260, 270_499, 3_318_633]),
    Row("NEW-4F3A-012-001", "UA", 4_637, 7_123_456, [250_000, 5_724_377, 9_759_136, 1_396_112, 17_129_625]),
]
_WHOLE = [
    "2,500.00",
    "18,418.74",
    "9,562.60",
    "2,704.99",
    "33,186.33",
    "57,243.77",
    "97,591.36",
    "13,961.12",
    "171,296.25",
]


@pytest.mark.parametrize("width", [1, 20, 40, 79, 80, 100, 120, 300])
def test_every_figure_stands_whole_in_its_row_at_any_width(width):
    title, head, *lines = table("Invoices of 2013-02-01", _ROWS, width)
    assert title == "Invoices of 2013-02-01"
    assert [line.split()[0] for line in lines] == ["9E", "UA"]
    words = " ".join(lines).split()
    assert all(figure in words for figure in _WHOLE)
    assert {"1,492", "698,000", "4,637", "7,123,456"} <= set(words)
    assert head.split()[:2] == ["Airline", "Flights"]


def test_it_fits_into_eighty_columns_and_names_the_invoices_where_there_is_room():
    assert max(map(len, table("t", _ROWS, 80))) <= 80
    assert "NEW-4F3A-012-001" not in "\n".join(table("t", _ROWS, 80))
    assert "NEW-4F3A-012-001" in "\n".join(table("t", _ROWS, 120))


@pytest.mark.parametrize(
    ("cents", "shown"),
    [(0, "0.00"), (5, "0.05"), (13_059_402, "130,594.02"), (-105, "-1.05"), (10**17 + 1, "1,000,000,000,000,000.01")],
)
def test_amounts_are_exact(cents, shown):
    assert dollars(cents) == shown
