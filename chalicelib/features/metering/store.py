"""Where raw events and rollups are kept (the usage table).

Items
    pk                              sk                          what it is
    <org>#event#<transaction>       <subscription>              a raw event; expires after the retention
        index time: <org>#sub-day#<subscription>#<day>#<part>   <milliseconds>#<transaction>
    <org>#usage#<subscription>      h#<hour>#<code>#<part>      what one UTC hour counted of one code
    <org>#usage#<subscription>      d#<day>                     a closed UTC day, folded by a reader: all codes
    <org>#usage#<subscription>      d#<day>#late#<part>         how many transactions changed the day after its end
    <org>#log                       <received>#<batch>#<n>      the events of one metered batch; expires after 30 days
    <org>#log-faulty#<hour>         <received>#<batch>#<n>      such an item holds faults not told yet; the same
    <org>#inflight                  <message>                   a sandbox's message that is not metered yet

A row holds `n`, the number of events, and for each numeric property p of theirs `s:p`, the exact sum, `c:p`, how many
events had it, and `-:p`, for how many it was below 0; for metrics with dimensions or other aggregations also what `views.py`
lists (`v:...`). `x` counts events whose properties the row does not cover (too many, or with very long names): for such an
hour a reader recounts raw events. A raw event keeps its properties as JSON text: whatever numbers, names and depths clients
send, DynamoDB's own limits of these never turn an accepted event into one that cannot be stored; what else its request said
(`sent`) likewise. Rows of hot subscriptions come in several parts, a hexadecimal digit each, which readers add up.

Access patterns
    1 known(keys)                   BatchGet  eventually consistent: only a look before the leap
    2 commit(...)                   Transact  events and rows together
    3 rows(sub, level, between)     Query     consistent
    4 raw_of_day(sub, day, ...)     Query     index time, which lags: callers compare counts
    5 by_transaction(org, id)       Query     consistent
"""

import json
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from chalicelib.features.events.event import Event, instant_of
from chalicelib.platform.ids import key, key_part
from chalicelib.platform.table import Item, Key, usage

PART = "0"
COUNT, UNCOVERED, SUM, HAVING, NEGATIVE = "n", "x", "s:", "c:", "-:"


def event_key(organization_id: str, transaction_id: str, external_subscription_id: str) -> Key:
    """Where a raw event stands: by transaction first, so that writes spread over all partitions."""
    return key(organization_id, "event", transaction_id), key_part(external_subscription_id)


def usage_pk(organization_id: str, external_subscription_id: str) -> str:
    """The partition of a subscription's rollups."""
    return key(organization_id, "usage", external_subscription_id)


def time_pk(organization_id: str, external_subscription_id: str, day: str) -> str:
    """The partition of a subscription's events of one UTC day in the time index."""
    return key(organization_id, "sub-day", external_subscription_id, day, PART)


def hour_of(at: datetime) -> str:
    """A UTC hour's name, `2024-03-01T07`."""
    return at.strftime("%Y-%m-%dT%H")


def hour_sk(hour: str, code: str, part: str = PART) -> str:
    """The sort key of a part of an hour's row."""
    return f"h#{hour}#{key_part(code)}#{part}"


def day_sk(day: str) -> str:
    """The sort key of a folded day."""
    return f"d#{day}"


def late_sk(day: str, part: str = PART) -> str:
    """The sort key of a part of a day's late marker."""
    return f"d#{day}#late#{part}"


def after(part: str) -> str:
    """A sort key behind all that begin with `part` and `#`, whatever characters follow: `$` comes right after `#`."""
    return f"{part}$"


def rows(pk: str, low: str, high: str) -> list[Item]:
    """The rows between two sort keys, both included, read consistently."""
    return list(usage.query(pk, between=(low, high)))


def raw_of_day(
    organization_id: str, external_subscription_id: str, day: str, *, low_ms: int, high_ms: int
) -> list[Item]:
    """Raw events of one UTC day between two milliseconds, both included, oldest first. From an index, which may lag."""
    pk = time_pk(organization_id, external_subscription_id, day)
    return list(usage.query(pk, index="time", between=(f"{low_ms:015d}#", after(f"{high_ms:015d}"))))


def raw_in_keys(organization_part: str, subscription_part: str, *, low_ms: int, high_ms: int) -> list[Item]:
    """`raw_of_day`, of an organization and a subscription that are known only as they stand in keys."""
    pk = "#".join((organization_part, "sub-day", subscription_part, day_of(low_ms), PART))
    return list(usage.query(pk, index="time", between=(f"{low_ms:015d}#", after(f"{high_ms:015d}"))))


def by_transaction(organization_id: str, transaction_id: str) -> list[Item]:
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
    )


def log_pk(organization_id: str) -> str:
    """The partition of an organization's log."""
    return key(organization_id, "log")


def faulty_pk(organization_id: str, hour: str) -> str:
    """The partition of the marks of an hour's log items with faults."""
    return key(organization_id, "log-faulty", hour)


def in_flight_pk(organization_id: str) -> str:
    """The partition of a sandbox's messages in flight."""
    return key(organization_id, "inflight")


def day_of(milliseconds: int) -> str:
    """The UTC day of an instant."""
    return _day_name(milliseconds // 86_400_000)


@lru_cache(maxsize=4096)
def _day_name(number: int) -> str:
    return instant_of(number * 86_400_000).strftime("%Y-%m-%d")


Row = dict[str, Any]
