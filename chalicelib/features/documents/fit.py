"""Columns wide enough that no amount breaks: their widths, and the size of the text where they need more than there is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chalicelib.features.documents.page import Page, Sum, Table

# In millimetres. As templates/document.css has them.
_PAGE_WIDTH = 174.0
_TITLE_LEAST = 46.0
_PADDING = 3.2
_SUMS_LABEL = 72.0
_POINT = 0.3528
# The heights of rows without a long text, and what the first page leaves for them below the shortest of heads.
_LETTERS_IN_A_LINE = 105
_LINE, _NOTE, _DETAIL, _ROOM = 7.4, 3.7, 4.9, 168.0
_TEXT, _HEAD, _GRAND = 8.6 * _POINT, 7.2 * _POINT, 10.5 * _POINT

# The widths of letters against the size of the text: none of an amount is wider in Inter semibold.
_NARROW, _FIGURE, _LETTER, _WIDE = 0.3, 0.68, 0.8, 1.02
_NARROW_ONES = frozenset(".,:;'’ \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}")
_FIGURES = frozenset("0123456789\N{MINUS SIGN}-€$£¥₹")
_WIDE_ONES = frozenset("MWmw")


@dataclass(frozen=True, slots=True)
class Fit:
    """The widths of columns after the first, in millimetres, and the size of the text in points."""

    widths: Sequence[float]
    points: float


def table(shown: Table) -> Fit:
    """Widths of a table's columns: as they are wanted, or as wide as their texts, or with smaller text."""
    needed = [_column(shown, place) for place in range(len(shown.widths))]
    room = _PAGE_WIDTH - _TITLE_LEAST
    wanted = [max(width, need) for width, need in zip(shown.widths, needed, strict=True)]
    if sum(wanted) <= room:
        return Fit(wanted, _TEXT / _POINT)
    share = min(1.0, room / sum(needed))
    return Fit([need * share for need in needed], _TEXT / _POINT * share)


def sums(rows: Sequence[Sum]) -> tuple[float, float]:
    """The widths of all totals and of their amounts, in millimetres."""
    amounts = max([40.0, *(width(row.amount, _GRAND if row.grand else _TEXT) + _PADDING for row in rows)])
    return _SUMS_LABEL + amounts, amounts


def may_fit(page: Page) -> bool:
    """Whether the lines of a page may stand on one. Laying it out tells, which takes long where they cannot."""
    heights = (_DETAIL if line.detail else _LINE + _NOTE * len(line.notes) for line in page.table.lines)
    return sum(heights) <= _ROOM


def lines_below(page: Page) -> int:
    """About how many lines the texts below the totals take."""
    texts = [text for block in page.blocks for text in block] + [page.note]
    return sum(1 + len(line) // _LETTERS_IN_A_LINE for text in texts for line in text.split("\n"))


def _column(shown: Table, place: int) -> float:
    """The width of a column in which no text and no word of its head breaks."""
    cells = [line.cells[place] for line in shown.lines if place < len(line.cells)]
    return max(_widest(cells, _TEXT), _widest(shown.columns[place + 1].split(), _HEAD)) + _PADDING


def _widest(texts: Iterable[str], size: float) -> float:
    return max((width(text, size) for text in texts), default=0.0)


def width(text: str, size: float) -> float:
    """Upper bound of the width of a text."""
    return sum(map(_letter, text)) * size


def _letter(letter: str) -> float:
    if letter in _NARROW_ONES:
        return _NARROW
    if letter in _FIGURES:
        return _FIGURE
    return _LETTER if letter.isalpha() and letter < "\u0250" and letter not in _WIDE_ONES else _WIDE
