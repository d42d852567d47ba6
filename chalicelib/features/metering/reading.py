"""Raw events and rollup rows of the usage table, as they are read.

Access patterns
    1 rows(pk, low, high)            Query     consistent
    2 shards_of_day(org, sub, day)   Query     consistent: the hour rows of the day
    3 raw_of_day(org, sub, ...)      Query     index time, one per shard; it lags: callers compare counts
    4 raw_in_keys(org, sub, ...)     Query     index time, all shards
    5 by_transaction(org, id)        Query     consistent
"""

import json
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from chalicelib.features.metering import layout
from chalicelib.features.metering.event import Event, order_of
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.usage_table import usage
from chalicelib.platform.values import Item


def rows(pk: str, low: str, high: str) -> list[Item]:
    """The rows between two sort keys, both included, read consistently."""
    return list(usage.query(pk, between=(low, high)))


def shards_of(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """The write shards of these hour rows, and of all events that they count."""
    return {layout.shard_of(row["sk"]) for row in rows}


def shards_of_day(organization_id: OrganizationId, external_subscription_id: str, day: str) -> set[str]:
    """The write shards of a UTC day, for callers that have not read its hour rows."""
    pk = layout.usage_pk(organization_id, external_subscription_id)
    return shards_of(rows(pk, f"h#{day}T00", layout.after(f"h#{day}T23")))


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
    return _raw(
        [layout.time_pk(organization_id, external_subscription_id, day, shard) for shard in shards], low_ms, high_ms
    )


def raw_in_keys(organization_part: str, subscription_part: str, *, low_ms: int, high_ms: int) -> list[Item]:
    """Raw events of one UTC day, of all shards whatever the rows say: for callers that doubt the rows. Organization and
    subscription are given as they stand in keys."""
    day = "#".join((organization_part, "sub-day", subscription_part, layout.day_of(low_ms)))
    return _raw([f"{day}#{shard}" for shard in layout.ALL_SHARDS], low_ms, high_ms)


def _raw(partitions: Iterable[str], low_ms: int, high_ms: int) -> list[Item]:
    between = (f"{low_ms:015d}#", layout.after(f"{high_ms:015d}"))
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
