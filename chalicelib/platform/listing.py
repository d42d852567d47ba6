"""Lists in pages, with the API's `meta`.

DynamoDB pages by position, the API by number. The position at which a page ended is kept for an hour, per list and
filter, so that each page of a walk in sequence costs the same. A jump to a later page reads all pages before it.

The total of a filtered list is counted for each page as long as one request of 1 MB is enough. In longer lists the
first page counts it, with one more request per MB, and keeps it for the pages after it.

Items
    pk                                  sk      what it is
    <org>#cursor#<hash of the list>     <page>  position of page <page>, and the total where counting took long; expires
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib import limits
from chalicelib.platform import clock, parameters
from chalicelib.platform.http import Call
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.table import Item, core


@dataclass(frozen=True, slots=True)
class Wanted:
    """The page that a request asks for."""

    number: int
    size: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: its key (in an index or in the table itself), its filter, and the source of its total.

    `total` None: the items that pass the filter are counted. `sieve`: drops items that a DynamoDB filter cannot
    recognize;
    `sieved_by`: names the sieve, as part of the list's identity. Bounds of `between` may be empty.
    """

    organization_id: OrganizationId
    pk: str
    index: str | None = "list"
    begins: str | None = None
    between: tuple[str, str] | None = None
    where: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    total: Callable[[], int] | None = None
    descending: bool = True
    sieve: Callable[[Sequence[Item]], list[Item]] | None = None
    sieved_by: str = ""

    @property
    def is_filtered(self) -> bool:
        """Whether some of the items that are read may not belong to the list."""
        return bool(self.where) or self.sieve is not None

    def how(self) -> dict[str, Any]:
        """The list as arguments of a query."""
        how: dict[str, Any] = {"index": self.index, "begins": self.begins, "between": self.between}
        if self.where:
            how |= {"where": " AND ".join(self.where), "values": self.values, "names": self.names}
        return how | {"descending": self.descending}


def wanted(call: Call) -> Wanted:
    """The page that a call asks for. 0 means the first page, or the default size; a page past the end is allowed.

    Raises: Invalid, for a value that is not a whole number.
    """
    number, size = (parameters.count(call, name) for name in ("page", "per_page"))
    return Wanted(number or 1, min(size or limits.PAGE_SIZE_DEFAULT, limits.PAGE_SIZE_MAX))


def read(listing: Listing, page: Wanted) -> tuple[list[Item], dict[str, int | None]]:
    """The items of a page, and the `meta` block of the answer."""
    if listing.between is not None and listing.between[0] > listing.between[1]:
        return [], meta(page, 0)
    kept = _kept(listing, page)
    total, is_long = _total(listing, kept)
    first = (page.number - 1) * page.size
    if first >= total:
        return [], meta(page, total)
    start, skip = (None, first) if kept is None else (json.loads(kept["position"]), 0)
    items, position = _collect(listing, start, skip + page.size)
    if position is not None and first + page.size < total:
        _remember(listing, Wanted(page.number + 1, page.size), position, total if is_long else None)
    return items[skip:], meta(page, total)


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


def _collect(listing: Listing, start: dict[str, Any] | None, number: int) -> tuple[list[Item], dict[str, Any] | None]:
    """Up to `number` items from a position on, and the position after the last of them."""
    found: list[Item] = []
    while True:
        limit = None if listing.is_filtered else number - len(found)
        page, _ = core.page(listing.pk, position=start, limit=limit, **listing.how())
        found += listing.sieve(page.items) if listing.sieve else page.items
        start = page.position
        if len(found) >= number or start is None:
            break
    if len(found) > number or (start is None and len(found) == number):
        found = found[:number]
        start = _position_of(listing, found[-1]) if found else None
    return found, start


def _position_of(listing: Listing, item: Item) -> dict[str, Any]:
    names = {None: (), "list": ("list_pk", "list_sk"), "owner": ("owner_pk", "owner_sk")}[listing.index]
    return {name: {"S": item[name]} for name in ("pk", "sk", *names)}


def _total(listing: Listing, kept: Item | None) -> tuple[int, bool]:
    """The number of items, and whether counting them took more than one request."""
    if listing.total is not None:
        return listing.total(), False
    if kept is not None and kept.get("total") is not None:
        return int(kept["total"]), True
    total, requests, start = 0, 0, None
    while True:
        page, number = core.page(listing.pk, position=start, count_only=listing.sieve is None, **listing.how())
        total += len(listing.sieve(page.items)) if listing.sieve else number
        requests, start = requests + 1, page.position
        if start is None:
            return total, requests > 1


def _kept(listing: Listing, page: Wanted) -> Item | None:
    """The kept position at which a page begins, with the kept total; None where none is kept."""
    kept = core.get(*_cursor(listing, page)) if page.number > 1 else None
    # DynamoDB removes expired items hours later.
    return kept if kept is not None and kept["expires_at"] > clock.utc_now().timestamp() else None


def _remember(listing: Listing, page: Wanted, position: dict[str, Any], total: int | None) -> None:
    pk, sk = _cursor(listing, page)
    expires = int((clock.utc_now() + limits.CURSOR_KEPT).timestamp())
    item = {"pk": pk, "sk": sk, "position": json.dumps(position), "total": total, "expires_at": expires}
    core.write(core.put(item))


def _cursor(listing: Listing, page: Wanted) -> tuple[str, str]:
    filters: list[Any] = [
        listing.pk,
        listing.index,
        listing.begins,
        listing.between,
        list(listing.where),
        dict(listing.values),
    ]
    filters += [listing.sieved_by, listing.descending, page.size]
    name = hashlib.sha256(json.dumps(filters, default=str).encode()).hexdigest()
    return key(listing.organization_id, "cursor", name), str(page.number)
