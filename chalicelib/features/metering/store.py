"""Keys of raw events and rollups in the usage table.

Items
    pk                              sk                          what it is
    <org>#event#<transaction>       <subscription>              a raw event; expires after the retention
        index time: <org>#sub-day#<subscription>#<day>#<part>   <milliseconds>#<transaction>
    <org>#usage#<subscription>      h#<hour>#<code>#<part>      counts of one UTC hour and one code
    <org>#usage#<subscription>      h!#settled                  some hours have an expiry (features/usage/expiry.py)
    <org>#usage#<subscription>      d#<day>                     a closed UTC day, compacted by a reader: all codes
    <org>#usage#<subscription>      d#<day>#late#<part>         number of transactions that changed the day after its end
    <org>#usage#<subscription>      k#<hour>#<from>#<to>        a part of an hour, as a reader found it: all codes
    <org>#usage#<subscription>      u#<register>#...            distinct counters (distinct_counters.py)
    <org>#distinct#<value>          <subscription>#<register>.. a value that a distinct counter has (the same)
    <org>#log...                    ...                         the events received, to be listed (log_items.py)
    <org>#inflight                  <message>                   a sandbox's message that is not metered yet

A row holds `n`, the number of events, and for each numeric property p of theirs `s:p`, the exact sum, `c:p`, the number
of events with it, and `-:p`, the number with it below 0; under rollup dimensions also what `dimensions.py`
lists (`v:...`). Of a large sum `^s:p` (and `^v:...`) is the multiple of 10^9 in it, and `s:p` the rest (`limbs.py`).
`x` counts events whose properties the row does not cover (too many, or with very long names): for such an
hour a reader recounts raw events. A raw event keeps its properties as JSON text: whatever numbers, names and depths
clients send, DynamoDB's own limits of these never turn an accepted event into one that cannot be stored; the other
values of its request (`sent`) likewise.

Rows of hot subscriptions have several write shards (`<part>`, a hexadecimal digit each), which readers add up. The
events that a shard counts are in the shard of the time index that has the same name, as both are written in one
transaction. So a consistent read of the rows of a time names all shards of the index that hold events they count:
shards appear as writers need them, go only when all their events are erased, and readers query no others
(docs/decisions/0016).

Access patterns
    1 new_ones(events)              BatchGet  eventually consistent: only a hint
    2 commit(...)                   Transact  events and rows together
    3 rows(sub, level, between)     Query     consistent
    4 raw_of_day(sub, day, parts)   Query     index time, one per shard; it lags: callers compare counts
    5 by_transaction(org, id)       Query     consistent
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from chalicelib.features.metering.event import Event, instant_of, milliseconds_of, order_of
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import OrganizationId, key, key_part
from chalicelib.platform.unit import Write
from chalicelib.platform.usage_table import usage
from chalicelib.platform.values import Item

SETTLED = "h!#settled"  # Right before all hours.
SHARD, ALL_SHARDS = "0", "0123456789abcdef"
COUNT, UNCOVERED, SUM, HAVING, NEGATIVE = "n", "x", "s:", "c:", "-:"


def event_key(organization_id: OrganizationId, transaction_id: str, external_subscription_id: str) -> Key:
    """The key of a raw event: by transaction first, so that writes spread over all partitions."""
    return key(organization_id, "event", transaction_id), key_part(external_subscription_id)


def usage_pk(organization_id: OrganizationId, external_subscription_id: str) -> str:
    """The partition of a subscription's rollups."""
    return key(organization_id, "usage", external_subscription_id)


def time_pk(organization_id: OrganizationId, external_subscription_id: str, day: str, shard: str = SHARD) -> str:
    """The partition of a subscription's events of one UTC day in a shard of the time index."""
    return key(organization_id, "sub-day", external_subscription_id, day, shard)


def in_shard(time_pk: str, shard: str) -> str:
    """The same partition in another shard of the time index."""
    return f"{time_pk.rpartition('#')[0]}#{shard}"


def hour_of(at: datetime) -> str:
    """A UTC hour's name, `2024-03-01T07`."""
    return at.strftime("%Y-%m-%dT%H")


def hour_sk(hour: str, code: str, shard: str = SHARD) -> str:
    """The sort key of a shard of an hour's row."""
    return f"h#{hour}#{key_part(code)}#{shard}"


def day_sk(day: str) -> str:
    """The sort key of a day row."""
    return f"d#{day}"


def late_sk(day: str, shard: str = SHARD) -> str:
    """The sort key of a shard of a day's late marker."""
    return f"d#{day}#late#{shard}"


def cut_sk(hour: str, low_ms: int, high_ms: int) -> str:
    """Sort key of the counts of a part of an hour; the part is half-open."""
    return f"k#{hour}#{low_ms:015d}#{high_ms:015d}"


def after(shard: str) -> str:
    """A sort key behind all that begin with `part` and `#`, whatever characters follow: `$` comes right after `#`."""
    return f"{shard}$"


def rows(pk: str, low: str, high: str) -> list[Item]:
    """The rows between two sort keys, both included, read consistently."""
    return list(usage.query(pk, between=(low, high)))


def compact_again_action(pk: str, day: str) -> Write:
    """The late marker that makes readers compact a closed day again."""
    return usage.update((pk, late_sk(day)), "ADD #n :one", names={"#n": COUNT}, values={":one": 1})


def shard_of(place: str) -> str:
    """The write shard at the end of a key: of a row, or of an event's place in the time index."""
    return place.rpartition("#")[2]


def shards_of(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """The write shards of these hour rows, and of all events that they count."""
    return {shard_of(row["sk"]) for row in rows}


def shards_of_day(organization_id: OrganizationId, external_subscription_id: str, day: str) -> set[str]:
    """The write shards of a UTC day, for callers that have not read its hour rows."""
    pk = usage_pk(organization_id, external_subscription_id)
    return shards_of(rows(pk, f"h#{day}T00", after(f"h#{day}T23")))


def raw_of_day(
    organization_id: OrganizationId,
    external_subscription_id: str,
    day: str,
    shards: Collection[str],
    *,
    low_ms: int,
    high_ms: int,
) -> list[Item]:
    """Raw events of one UTC day between two milliseconds, both included, in order of time and then of reception. From
    an index, which may lag.

    `shards`: those of the hour rows, read before.
    """
    return _raw([time_pk(organization_id, external_subscription_id, day, shard) for shard in shards], low_ms, high_ms)


def raw_in_keys(organization_part: str, subscription_part: str, *, low_ms: int, high_ms: int) -> list[Item]:
    """The same, for an organization and a subscription known only by their forms in keys, and regardless of rows: for
    audits."""
    day = "#".join((organization_part, "sub-day", subscription_part, day_of(low_ms)))
    return _raw([f"{day}#{shard}" for shard in ALL_SHARDS], low_ms, high_ms)


def _raw(partitions: Iterable[str], low_ms: int, high_ms: int) -> list[Item]:
    between = (f"{low_ms:015d}#", after(f"{high_ms:015d}"))
    found = [item for pk in partitions for item in usage.query(pk, index="time", between=between)]
    return sorted(found, key=lambda item: (item["ms"], reception_of(item)))


def reception_of(item: Mapping[str, Any]) -> str:
    """The position of a stored event in the order of reception (`events.event.order_of`)."""
    return order_of(item["received"], item.get("place"), item["transaction_id"])


def by_transaction(organization_id: OrganizationId, transaction_id: str) -> list[Item]:
    """The events of a transaction id, one per subscription."""
    return list(usage.query(key(organization_id, "event", transaction_id)))


def read(item: Item) -> Event:
    """The event in an item."""
    return Event(
        transaction_id=item["transaction_id"],
        external_subscription_id=item["subscription"],
        code=item["code"],
        timestamp_ms=item["ms"],
        properties=json.loads(item["properties"], parse_float=Decimal),
        precise_total_amount_cents=item.get("precise"),
        sent=json.loads(item["sent"], parse_float=Decimal) if "sent" in item else None,
        place=item.get("place"),
    )


def log_pk(organization_id: OrganizationId) -> str:
    """The partition of the numbers of events in an organization's log, by days."""
    return key(organization_id, "log")


def faulty_pk(organization_id: OrganizationId, hour: str) -> str:
    """The partition of the marks of an hour's log items with faults."""
    return key(organization_id, "log-faulty", hour)


def in_flight_pk(organization_id: OrganizationId) -> str:
    """The partition of a sandbox's messages in flight."""
    return key(organization_id, "inflight")


def day_of(milliseconds: int) -> str:
    """The UTC day of an instant."""
    return _day_name(milliseconds // 86_400_000)


def begin_ms_of_day(day: str) -> int:
    """The first millisecond of a UTC day, since 1970."""
    return milliseconds_of(datetime.fromisoformat(day).replace(tzinfo=UTC))


@lru_cache(maxsize=4096)
def _day_name(number: int) -> str:
    return instant_of(number * 86_400_000).strftime("%Y-%m-%d")


Row = dict[str, Any]
