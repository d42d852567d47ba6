"""Layout of the usage table: keys and names of raw events and rollup rows.

Items
    pk                              sk                          what it is
    <org>#event#<transaction>       <subscription>              a raw event; expires after the retention
        index time: <org>#sub-day#<subscription>#<day>#<part>   <milliseconds>#<transaction>
    <org>#usage#<subscription>      h#<hour>#<code>#<part>      counts of one UTC hour and one code
    <org>#usage#<subscription>      h!#settled                  some hours have an expiry (features/usage/expiry.py)
    <org>#usage#<subscription>      d#<day>                     a closed UTC day, compacted by a reader: all codes
    <org>#usage#<subscription>      d#<day>#late#<part>         number of transactions that changed the day after its end
    <org>#usage#<subscription>      k#<hour>#<from>#<to>        a part of an hour, as a reader found it: all codes
    <org>#usage#<subscription>      l#<from>#<to>               a customer's day, as a reader found it: all codes
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

Rows and events are written by `write.py` in one transaction, and read by `reading.py`.
"""

from datetime import UTC, datetime
from functools import lru_cache

from chalicelib.features.metering.event import instant_of, milliseconds_of
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import OrganizationId, key, key_part

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
    """Key of a partition's counterpart in another shard of the time index."""
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


def local_day_sk(low_ms: int, high_ms: int) -> str:
    """Sort key of the counts of a day of a customer's zone, or of the part of it in a period; half-open."""
    return f"l#{low_ms:015d}#{high_ms:015d}"


def after(shard: str) -> str:
    """A sort key behind all that begin with `part` and `#`, whatever characters follow: `$` comes right after `#`."""
    return f"{shard}$"


def shard_of(place: str) -> str:
    """The write shard at the end of a key: of a row, or of an event's place in the time index."""
    return place.rpartition("#")[2]


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
