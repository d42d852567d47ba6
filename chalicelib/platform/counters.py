"""Totals of lists: counters that change in the same transaction as the objects that they count.

One counter in every transaction would make them all conflict, so each is spread over 16 items, chosen by the object's
id, and read by one query.

Items
    pk                          sk        what it is
    <org>#count#<list>          <00..15>  {"all": n, "status=active": n, ...}
"""

from collections.abc import Mapping

from chalicelib import limits
from chalicelib.platform.ids import OrganizationId, key, shard
from chalicelib.platform.table import Action, core


def moved(organization_id: OrganizationId, list_name: str, object_id: str, changes: Mapping[str, int]) -> list[Action]:
    """The action that adds `changes` to a list's totals; no action where nothing changes."""
    real = {name: number for name, number in changes.items() if number}
    if not real:
        return []
    names = {f"#n{i}": name for i, name in enumerate(real)}
    values = {f":v{i}": number for i, number in enumerate(real.values())}
    sums = ", ".join(f"#n{i} :v{i}" for i in range(len(real)))
    place = key(organization_id, "count", list_name), f"{shard(object_id, limits.COUNTER_SPREAD):02d}"
    return [core.update(place, f"ADD {sums}", names=names, values=values)]


def total(organization_id: OrganizationId, list_name: str, name: str = "all") -> int:
    """The number of objects in a list, or of those that are counted under `name`."""
    return sum(int(item.get(name, 0)) for item in core.query(key(organization_id, "count", list_name)))
