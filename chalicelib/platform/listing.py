"""Lists in pages, with the API's `meta`.

DynamoDB pages by position, the API by number. The position at which a page ended is kept for an hour, per list and
filter, so that each page of a walk in sequence costs the same. A jump to a later page reads all pages before it.

The total of a filtered list is counted for each page as long as one request of 1 MB is enough. In longer lists the
first page counts it, with one more request per MB, and keeps it for the pages after it.

Items
    pk                                  sk      what it is
    <org>#cursor#<hash of the list>     <page>  position of page <page>, and the total where counting took long; expires
"""

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from chalicelib import limits
from chalicelib.platform import parameters, positions, rows
from chalicelib.platform.http import Call
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.rows import Position, Row, Searched

RowT = TypeVar("RowT", bound=Row)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The page that a request asks for."""

    number: int
    size: int


class Filter:
    """Conditions on listed rows as they gather; all have to hold."""

    def __init__(self) -> None:
        self.conditions: list[Condition] = []

    def one_of(self, name: str, wanted: Sequence[Any]) -> None:
        """The record's field has one of these values."""
        self.conditions.append(rows.field(name).is_in(*wanted))

    def least(self, name: str, value: Any) -> None:
        """The record's field has this value or a greater one."""
        self.conditions.append(rows.field(name) >= value)

    def most(self, name: str, value: Any) -> None:
        """The record's field has this value or a smaller one."""
        self.conditions.append(rows.field(name) <= value)

    def present(self, name: str, *, is_there: bool) -> None:
        """The record's field has a value, or none; absent values are stored as null."""
        absent = rows.field(name).is_type("NULL")
        self.conditions.append(~absent if is_there else absent)

    def started(self, part: str, whole: str, *, is_so: bool) -> None:
        """The number in one field is above 0 and below that in another; or not so."""
        begun = (rows.field(part) > 0) & (rows.field(part) < rows.field(whole))
        self.conditions.append(begun if is_so else ~begun)

    def any_positive(self, names: Sequence[str]) -> None:
        """One of these fields of the record is above 0."""
        found = [rows.field(name) > 0 for name in names]
        self.conditions.append(functools.reduce(operator.or_, found))

    def pair(self, name: str, key: str, value: str, *, most: int) -> None:
        """The record's list of `most` pairs has this one; with an empty value: none of this key."""
        keys = [rows.field(name)[place]["key"] == key for place in range(most)]
        if value:
            matching = [same & (rows.field(name)[place]["value"] == value) for place, same in enumerate(keys)]
            self.conditions.append(functools.reduce(operator.or_, matching))
        else:
            self.conditions.append(~functools.reduce(operator.or_, keys))

    def words(self, term: str | None) -> None:
        """A search finds the row by this term; any row where there is none."""
        if term:
            self.conditions.append(Searched.words.contains(term.lower()))

    def nothing(self) -> None:
        """No row is wanted."""
        self.conditions.append(Row.pk.does_not_exist())


@dataclass(frozen=True, slots=True)
class Listing(Generic[RowT]):
    """A list: a key (of an index or the table itself), its rows, filters, and how to know the total.

    `total` None: count the rows that the filters leave. `sieve`: leaves of some rows those that no filter can tell,
    `sieved_by` says which. Bounds of `between` that leave nothing are allowed.
    """

    organization_id: OrganizationId
    row: type[RowT]
    pk: str
    index: str | None = "list"
    begins: str | None = None
    between: tuple[str, str] | None = None
    where: Sequence[Condition] = ()
    total: Callable[[], int] | None = None
    descending: bool = True
    sieve: Callable[[Sequence[RowT]], list[RowT]] | None = None
    sieved_by: str = ""

    @property
    def is_filtered(self) -> bool:
        """Whether some of the items that are read may not belong to the list."""
        return bool(self.where) or self.sieve is not None

    def how(self) -> dict[str, Any]:
        """The arguments of its queries."""
        sort_key = Path([rows.sort_key_of(self.index)])
        within: Condition | None = None
        if self.begins is not None:
            within = sort_key.startswith(self.begins)
        elif self.between is not None:
            within = sort_key.between(*self.between)
        where: Condition | None = None
        for each in self.where:
            where = each if where is None else where & each
        return {"index": self.index, "within": within, "where": where, "descending": self.descending}


def wanted(call: Call) -> Wanted:
    """The page that a call asks for. 0 means the first page, or the default size; a page past the end is allowed.

    Raises: Invalid, for a value that is not a whole number.
    """
    number, size = (parameters.count(call, name) for name in ("page", "per_page"))
    return Wanted(number or 1, min(size or limits.PAGE_SIZE_DEFAULT, limits.PAGE_SIZE_MAX))


def read(listing: Listing[RowT], page: Wanted) -> tuple[list[RowT], dict[str, int | None]]:
    """The rows of a page, and its `meta`."""
    if listing.between is not None and listing.between[0] > listing.between[1]:
        return [], meta(page, 0)
    kept = _kept(listing, page)
    total, is_long = _total(listing, kept)
    first = (page.number - 1) * page.size
    if first >= total:
        return [], meta(page, total)
    start, skip = (None, first) if kept is None else (kept["position"], 0)
    found, position = _collect(listing, start, skip + page.size)
    if position is not None and first + page.size < total:
        _remember(listing, Wanted(page.number + 1, page.size), position, total if is_long else None)
    return found[skip:], meta(page, total)


def meta(page: Wanted, total: int) -> dict[str, int | None]:
    """The `meta` block of every list; all zero for an empty list."""
    if total == 0:
        return {"current_page": 0, "next_page": None, "prev_page": None, "total_pages": 0, "total_count": 0}
    pages = -(-total // page.size)
    return {
        "current_page": page.number,
        "next_page": page.number + 1 if page.number < pages else None,
        "prev_page": page.number - 1 if 1 < page.number <= pages + 1 else None,
        "total_pages": pages,
        "total_count": total,
    }


def _collect(listing: Listing[RowT], start: Position | None, number: int) -> tuple[list[RowT], Position | None]:
    """`number` rows from a position on, and the position after the last of them."""
    found: list[RowT] = []
    while True:
        limit = None if listing.is_filtered else number - len(found)
        page = rows.page(listing.pk, position=start, limit=limit, **listing.how())
        found += _left(listing, page)
        start = page.position
        if len(found) >= number or start is None:
            break
    if len(found) > number or (start is None and len(found) == number):
        found = found[:number]
        start = rows.position_of(found[-1], listing.index) if found else None
    return found, start


def _left(listing: Listing[RowT], page: rows.Page) -> list[RowT]:
    found = [listing.row.read(item) for item in page.items]
    return listing.sieve(found) if listing.sieve else found


def _total(listing: Listing[RowT], kept: dict[str, Any] | None) -> tuple[int, bool]:
    """Number of objects in a list, and whether counting them took long."""
    if listing.total is not None:
        return listing.total(), False
    if kept is not None and kept["total"] is not None:
        return int(kept["total"]), True
    total, requests, start = 0, 0, None
    while True:
        page = rows.page(listing.pk, position=start, count_only=listing.sieve is None, **listing.how())
        total += len(_left(listing, page)) if listing.sieve else page.number
        requests, start = requests + 1, page.position
        if start is None:
            return total, requests > 1


def _kept(listing: Listing[RowT], page: Wanted) -> dict[str, Any] | None:
    """State kept for the page: {"position", "total"}; None where nothing is kept."""
    if page.number <= 1:
        return None
    kept: dict[str, Any] | None = positions.kept(listing.organization_id, _name(listing, page), str(page.number))
    return kept


def _remember(listing: Listing[RowT], page: Wanted, position: Position, total: int | None) -> None:
    value = {"position": position, "total": total}
    positions.keep(listing.organization_id, _name(listing, page), str(page.number), value)


def _name(listing: Listing[RowT], page: Wanted) -> list[Any]:
    """Values that identify a list."""
    where = [repr(each) for each in listing.where]
    return [
        listing.pk,
        listing.index,
        listing.begins,
        listing.between,
        where,
        listing.sieved_by,
        listing.descending,
        page.size,
    ]
