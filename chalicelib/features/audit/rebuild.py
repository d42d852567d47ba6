"""Rebuild of hour rows from raw events, where a fault outside has made them wrong. A changed metric
needs no rebuild: readers recount and compact what rows do not cover (decisions/0012).

Each row is written in a transaction of its own, on condition that its count is unchanged: so the meter may go on.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.features.audit.audit import CurrentDimensions, Difference
from chalicelib.features.metering import layout, limbs, reading, tally
from chalicelib.features.metering import rows as rollups
from chalicelib.features.metering.dimensions import is_sum
from chalicelib.features.metering.event import Event, milliseconds_of
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write
from chalicelib.platform.usage_table import usage
from chalicelib.platform.values import Item

_NOTHING: Mapping[str, Any] = {}


def rebuild(differences: Iterable[Difference], *, now: datetime) -> int:
    """Rebuild the rows of these differences from their events; returns the number of places rebuilt.

    `now`: the real instant. Hours that ended just now are left alone: their events may still be missing in the time
    index. Raises: ChangedMeanwhile, where writers left no quiet moment; rows rebuilt by then stay rebuilt.
    """
    rollup_dimensions = CurrentDimensions()
    places = sorted({(each.partition, each.place) for each in differences})
    rebuilt = 0
    for partition, place in places:
        if "T" not in place:  # A day row: its readers will compact the day again.
            usage.write(usage.delete((partition, layout.day_sk(place))))
            rebuilt += 1
        elif _begin(place) + limits.REBUILT_AFTER <= now:
            retrying(partial(_rebuild_hour, partition, place, rollup_dimensions), Resource.EVENT)
            rebuilt += 1
    return rebuilt


def _rebuild_hour(partition: str, hour: str, rollup_dimensions: CurrentDimensions) -> None:
    """Rebuild the rows of an hour. The caller repeats it where events were counted meanwhile."""
    standing = {row["sk"]: row for row in reading.rows(partition, f"h#{hour}#", layout.after(f"h#{hour}"))}
    wanted = _rows(partition, hour, rollup_dimensions)
    for sk in sorted({*standing, *wanted}):
        Unit(_change(partition, hour, sk, standing.get(sk), wanted.get(sk, _NOTHING))).commit()
    for cut in usage.query(partition, begins=f"k#{hour}#"):
        usage.write(usage.delete((partition, cut["sk"])))


def _rows(partition: str, hour: str, rollup_dimensions: CurrentDimensions) -> dict[str, Mapping[str, Any]]:
    """The right rows of an hour, by sort key: each write shard counts the events of the same shard of the time
    index."""
    organization, _, subscription = partition.split("#")
    low_ms = milliseconds_of(_begin(hour))
    by_shard: dict[str, list[tuple[Event, str]]] = {}
    for item in reading.raw_in_keys(organization, subscription, low_ms=low_ms, high_ms=low_ms + tally.HOUR_MS - 1):
        by_shard.setdefault(layout.shard_of(item["time_pk"]), []).append((reading.read(item), item["received"]))
    found: dict[str, Mapping[str, Any]] = {}
    for shard, events in by_shard.items():
        used = {
            event.code: dimension
            for event, _ in events
            for dimension in rollup_dimensions.of(OrganizationId(organization), event.code)
        }
        for (_, code), delta in tally.tally(events, used).items():
            found[layout.hour_sk(hour, code, shard)] = _stored(delta)
    return found


def _stored(delta: Mapping[str, Any]) -> dict[str, Any]:
    sums = {name: value for name, value in delta.items() if is_sum(name)}
    return limbs.row(sums, others={name: value for name, value in delta.items() if name not in sums})


def _change(partition: str, hour: str, sk: str, standing: Item | None, wanted: Mapping[str, Any]) -> list[Write]:
    if standing == {"pk": partition, "sk": sk, **wanted}:
        return []
    condition = "attribute_not_exists(pk)" if standing is None else "n = :seen"
    values = None if standing is None else {":seen": standing[layout.COUNT]}
    if wanted:
        change = usage.put({"pk": partition, "sk": sk, **wanted}, condition=condition, values=values)
    else:
        change = usage.delete((partition, sk), condition=condition, values=values)
    return [change, rollups.compact_again_action(partition, hour[:10])]


def _begin(hour: str) -> datetime:
    return datetime.fromisoformat(hour).replace(tzinfo=UTC)
