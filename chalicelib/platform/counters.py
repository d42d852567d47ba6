"""Totals of lists: counters that change in the same transaction as the objects that they count.

One counter in every transaction would make them all conflict, so each is spread over 16 items, chosen by the object's
id, and read by one query.

Items
    pk                          sk        what it is
    <org>#count#<list>          <00..15>  {"all": n, "status=active": n, ...}
"""

from collections.abc import Mapping

from pynamodb.expressions.operand import Path

from chalicelib import limits
from chalicelib.platform import rows
from chalicelib.platform.ids import OrganizationId, key, shard
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Write


def moved(organization_id: OrganizationId, list_name: str, object_id: str, changes: Mapping[str, int]) -> list[Write]:
    """The action (none, when nothing changes) that adds `changes` to a list's totals."""
    real = {name: number for name, number in changes.items() if number}
    if not real:
        return []
    place = key(organization_id, "count", list_name), f"{shard(object_id, limits.COUNTER_SPREAD):02d}"
    return [Row.change(place, *(Path([name]).add(number) for name, number in real.items()))]


def totals(organization_id: OrganizationId, list_name: str) -> dict[str, int]:
    """All totals of a list, by name; in one request."""
    found: dict[str, int] = {}
    for item in rows.page(key(organization_id, "count", list_name)).items:
        for name, value in item.items():
            if "N" in value:
                found[name] = found.get(name, 0) + int(value["N"])
    return found


def total(organization_id: OrganizationId, list_name: str, name: str = "all") -> int:
    """Number of objects in a list, or in the part of it named `name`."""
    items = rows.page(key(organization_id, "count", list_name)).items  # All fit in one request by far.
    return sum(int(item[name]["N"]) for item in items if name in item)
