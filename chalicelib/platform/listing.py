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
import heapq
import itertools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from chalicelib import limits
from chalicelib.platform import parameters, positions, rows
from chalicelib.platform.http import Call
from chalicelib.platform.ids import OrganizationId, shard
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

    def one_among(self, name: str, value: str, *, parts: str, most: int) -> None:
        """The record's field has this value, or that of one of its at most so many `parts` has."""
        own = [rows.field(name) == value, *(rows.field(parts)[place][name] == value for place in range(most))]
        self.conditions.append(functools.reduce(operator.or_, own))

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

    `parts`: the keys that share the list, where so many objects are made in one night that one key would be hot (`part_of`);
    its pages are merged from them, for one more request each. `total` None: count the rows that the filters leave. `sieve`:
    leaves of some rows those that no filter can tell, `sieved_by` says which. Bounds of `between` that leave nothing are
    allowed.
    """

    organization_id: OrganizationId
    row: type[RowT]
    pk: str
    parts: int = 1
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


def part_of(pk: str, record_id: str, parts: int) -> str:
    """The key of the part of a list in which an object stands. The first part has the list's own key, which was the only one
    in earlier versions."""
    return _part(pk, shard(record_id, parts))


def parts_of(pk: str, parts: int) -> list[str]:
    """The keys of all parts of a list."""
    return [_part(pk, number) for number in range(parts)]


def merged(row: type[RowT], pk: str, parts: int, *, index: str, **how: Any) -> Iterator[RowT]:
    """The rows of a list in several parts, in their order, read as they are asked for."""
    found = [row.select(each, index=index, **how) for each in parts_of(pk, parts)]
    return heapq.merge(*found, key=attrgetter(rows.sort_key_of(index)), reverse=bool(how.get("descending")))


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
    starts, skip = (None, first) if kept is None else (kept["position"], 0)
    found, ends = _collect(listing, starts, skip + page.size)
    if first + page.size < total:
        _remember(listing, Wanted(page.number + 1, page.size), ends, total if is_long else None)
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


class _Part(Generic[RowT]):
    """The rows of one part of a list, read as they are asked for. `position`: right behind the last one that was given."""

    def __init__(self, listing: Listing[RowT], pk: str, start: Position | None, number: int) -> None:
        self._listing, self._pk, self._number = listing, pk, number
        self.position = start

    def __iter__(self) -> Iterator[tuple["_Part[RowT]", RowT]]:
        start, left = self.position, self._number
        while True:
            limit = None if self._listing.is_filtered else left
            page = rows.page(self._pk, position=start, limit=limit, **self._listing.how())
            for row in _left(self._listing, page):
                yield self, row
            start, left = page.position, left - page.number
            if start is None or (limit is not None and left <= 0):
                return


def _collect(
    listing: Listing[RowT], starts: Sequence[Position | None] | Position | None, number: int
) -> tuple[list[RowT], list[Position | None]]:
    """`number` rows from a position of each part on, and the positions after the last of them."""
    if isinstance(starts, dict):
        starts = [starts]  # Kept by an earlier version.
    begins = [*(starts or ()), *([None] * listing.parts)][: listing.parts]
    parts = [_Part(listing, _part(listing.pk, n), start, number) for n, start in enumerate(begins)]
    name = rows.sort_key_of(listing.index)
    whole = heapq.merge(*parts, key=lambda given: getattr(given[1], name), reverse=listing.descending)
    found: list[RowT] = []
    for part, row in itertools.islice(whole, number):
        part.position = rows.position_of(row, listing.index)
        found.append(row)
    return found, [part.position for part in parts]


def _part(pk: str, number: int) -> str:
    return pk if number == 0 else f"{pk}#{number}"


def _left(listing: Listing[RowT], page: rows.Page) -> list[RowT]:
    found = [listing.row.read(item) for item in page.items]
    return listing.sieve(found) if listing.sieve else found


def _total(listing: Listing[RowT], kept: dict[str, Any] | None) -> tuple[int, bool]:
    """Number of objects in a list, and whether counting them took long."""
    if listing.total is not None:
        return listing.total(), False
    if kept is not None and kept["total"] is not None:
        return int(kept["total"]), True
    total, requests = 0, 0
    for number in range(listing.parts):
        start = None
        while True:
            page = rows.page(
                _part(listing.pk, number), position=start, count_only=listing.sieve is None, **listing.how()
            )
            total += len(_left(listing, page)) if listing.sieve else page.number
            requests, start = requests + 1, page.position
            if start is None:
                break
    return total, requests > listing.parts


def _kept(listing: Listing[RowT], page: Wanted) -> dict[str, Any] | None:
    """State kept for the page: {"position", "total"}; None where nothing is kept."""
    if page.number <= 1:
        return None
    kept: dict[str, Any] | None = positions.kept(listing.organization_id, _name(listing, page), str(page.number))
    return kept


def _remember(listing: Listing[RowT], page: Wanted, position: Sequence[Position | None], total: int | None) -> None:
    value = {"position": position, "total": total}
    positions.keep(listing.organization_id, _name(listing, page), str(page.number), value)


def _name(listing: Listing[RowT], page: Wanted) -> list[Any]:
    """Values that identify a list."""
    where = [repr(each) for each in listing.where]
    return [
        listing.pk,
        listing.parts,
        listing.index,
        listing.begins,
        listing.between,
        where,
        listing.sieved_by,
        listing.descending,
        page.size,
    ]
