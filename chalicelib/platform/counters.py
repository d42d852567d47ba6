"""Totals of lists: counters that change in the same transaction as the objects that they count.

One counter in every transaction would make them all conflict, so each is spread over 16 items, chosen by the object's
id, and read by one query.

Items
    pk                          sk        what it is
    <org>#count#<list>          <00..15>            {"all": n, "status=active": n, ...}
    <org>#count#<list>          !<month>#<00..15>   the same of one month; they stand before the others, the latest next to them
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from pynamodb.expressions.operand import Path

from chalicelib import limits
from chalicelib.platform import dynamodb, rows
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import OrganizationId, key, shard
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Sums, Write


def moved(
    organization_id: OrganizationId, list_name: str, object_id: str, changes: Mapping[str, int], *, month: str = ""
) -> list[Write]:
    """The action (none, when nothing changes) that adds `changes` to a list's totals, or to those of one of its months."""
    part = f"{shard(object_id, limits.COUNTER_SPREAD):02d}"
    place = key(organization_id, "count", list_name), f"!{month}#{part}" if month else part
    return moved_at(place, changes)


def moved_at(place: Key, changes: Mapping[str, int]) -> list[Write]:
    """The action (none, when nothing changes) that adds `changes` to the counters of the item under a key. A unit joins those
    of one item."""
    real = {name: number for name, number in changes.items() if number}
    if not real:
        return []
    change = Row.change(place, *(Path([name]).add(number) for name, number in real.items()))
    return [replace(change, sums=Sums(place, real, moved_at))]


def total(organization_id: OrganizationId, list_name: str, name: str = "all") -> int:
    """Number of objects in a list, or in the part of it named `name`."""
    return totals(organization_id, list_name).get(name, 0)


def totals(organization_id: OrganizationId, list_name: str, *, month: str = "") -> Mapping[str, int]:
    """All totals of a list by name, with those of one of its months; a page reads them once."""
    pk = key(organization_id, "count", list_name)
    if not month:
        return dynamodb.once(("count", pk), lambda: _sums(pk, ""))
    found = dynamodb.once(("count", pk, month), lambda: _sums(pk, month))
    dynamodb.once(("count", pk), lambda: found)  # The list's own are among them.
    return found


def since(organization_id: OrganizationId, list_name: str, month: str) -> Mapping[str, Mapping[str, int]]:
    """The totals of each month from one on, by month, and under "" those of the list; one request reads them all."""
    pk = key(organization_id, "count", list_name)
    found = dynamodb.once(("count", pk, "since", month), lambda: _by_month(pk, month))
    dynamodb.once(("count", pk), lambda: found.get("", {}))
    return found


def _sums(pk: str, month: str) -> dict[str, int]:
    sums: defaultdict[str, int] = defaultdict(int)
    found = _by_month(pk, month)
    for place in {"", month}:
        for name, number in found.get(place, {}).items():
            sums[name] += number
    return dict(sums)


def _by_month(pk: str, month: str) -> dict[str, dict[str, int]]:
    sums: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    within = Row.sk.between(f"!{month}#" if month else "0", "~")
    for item in rows.page(pk, within=within).items:  # All fit in one request by far.
        sk = item["sk"]["S"]
        of = sk[1:].partition("#")[0] if sk[0] == "!" else ""
        for name, value in item.items():
            if "N" in value:
                sums[of][name] += int(value["N"])
    return {of: dict(own) for of, own in sums.items()}
