"""Items of the log, and their keys.

Items
    pk                              sk                              what it is
    <org>#log#<day>#<part>          <instant>#<batch>#<part>#<n>    events of one batch that lie on one UTC day
        index time: <org>#log-at#<day of the events>#<part>         <latest event>#<instant>#<batch>#<part>#<n>
                    unless they are few, and of the day of the instant before it
    <org>#log                       <day>#<day of the events>#<part>    how many events such items name (log_numbers.py);
                                                                        part with a `+`: items that are not in the index
    <org>#log-faulty#<hour>         <instant>#<batch>#<part>#<n>    such an item names events with faults not announced yet

`<instant>#<batch>#<part>` is the name of a batch: each of its events holds it as `log`. The first day is that of the
instant, at which the batch was metered. So items are read in order of reception, from the table, and in order of the
events' own times, from the index. (For a few events the index would cost as much as their item: where none is later
than the instant, the table's own order will do.) Rows of numbers name all parts in which there is anything.

An item names up to a thousand events in columns, as zipped JSON: `[[address, client], ...]`, names of subscriptions,
codes; then a column each of transaction ids, indexes of subscriptions, of codes, milliseconds, indexes of sources,
faults, and places in the batch. Some 30 bytes are left of an event. What tenants send is of any length: so the text is
measured, and split.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from chalicelib import limits
from chalicelib.features.metering import layout
from chalicelib.features.metering.event import Source, milliseconds_of
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.timestamps import unstamp
from chalicelib.platform.values import Item

# Zipped it is at most this long and a few bytes, for any content: an item holds 400 KB.
TEXT_BYTES_MAX = 350_000
REFERENCES_MAX = 1000
DIRECT = "+"
_DIRECT_MAX = 25
_DAY_MS = 86_400_000
_FASTEST = 1  # Ids chosen by chance do not get shorter by more effort, and it is the meter's time.


class Reference(NamedTuple):
    """An event as the log names it. `faults`: domain/aggregation/faults.py; `place`: in its batch, in order of
    reception."""

    transaction_id: str
    external_subscription_id: str
    code: str
    timestamp_ms: int
    source: Source
    faults: int
    place: int

    def key(self, organization_id: OrganizationId) -> Key:
        """The key of the raw event."""
        return layout.event_key(organization_id, self.transaction_id, self.external_subscription_id)


def items_of(
    organization_id: OrganizationId,
    name: str,
    references: Sequence[Reference],
    *,
    suffix: str = "",
    keeps_for_ever: bool,
) -> list[Item]:
    """The items of a batch that name these events. `suffix`: tells them from existing items."""
    by_day: dict[int, list[Reference]] = {}
    for reference in references:
        by_day.setdefault(reference.timestamp_ms // _DAY_MS, []).append(reference)
    items: list[Item] = []
    for number, own in by_day.items():
        for some, packed in _packed(own):
            sk = f"{name}#{suffix}{len(items):03d}"
            item = _item(organization_id, name, sk, some, packed)
            if not keeps_for_ever:
                item["expires_at"] = expires_at(name[:10], layout.day_of(number * _DAY_MS))
            items.append(item)
    return items


def _item(organization_id: OrganizationId, name: str, sk: str, references: Sequence[Reference], packed: bytes) -> Item:
    times = [reference.timestamp_ms for reference in references]
    faults = 0
    for reference in references:
        faults |= reference.faults
    day, latest = layout.day_of(times[0]), max(times)
    item: Item = {
        "pk": pk_of(organization_id, name),
        "sk": sk,
        "n": len(references),
        "day": day,
        "faults": faults,
        "refs": packed,
    }
    if faults:
        item["warned"] = _warned(references)
    if len(references) > _DIRECT_MAX or day != name[:10] or latest > instant_ms_of(name):
        item |= {"time_pk": time_pk(organization_id, day, shard_of(name)), "time_sk": f"{latest:015d}#{sk}"}
    return item


def mark_of(organization_id: OrganizationId, hour: str, item: Item) -> Item:
    """The mark of an item that names events with faults."""
    mark = {"pk": layout.faulty_pk(organization_id, hour), "sk": item["sk"]}
    return mark | ({"expires_at": item["expires_at"]} if "expires_at" in item else {})


def left_of(item: Item, references: Sequence[Reference]) -> Item:
    """The item with these of its references only. Its place stays: its latest event may have gone."""
    ((_, packed),) = _packed(references)
    left = {**item, "n": len(references), "refs": packed}
    return left | {"warned": _warned(references)} if "warned" in item else left


def _warned(references: Sequence[Reference]) -> int:
    return sum(reference.faults != 0 for reference in references)


def _packed(references: Sequence[Reference]) -> Iterator[tuple[Sequence[Reference], bytes]]:
    if len(references) > REFERENCES_MAX:
        for start in range(0, len(references), REFERENCES_MAX):
            yield from _packed(references[start : start + REFERENCES_MAX])
        return
    text = json.dumps(_columns(references), separators=(",", ":"))
    if len(text) > TEXT_BYTES_MAX and len(references) > 1:  # ASCII: as many bytes as characters.
        half = len(references) // 2
        yield from _packed(references[:half])
        yield from _packed(references[half:])
    else:
        yield references, zlib.compress(text.encode(), _FASTEST)


def _columns(references: Sequence[Reference]) -> list[Any]:
    sources: dict[Source, int] = {}
    subscriptions: dict[str, int] = {}
    codes: dict[str, int] = {}
    columns: list[list[Any]] = [[], [], [], [], [], [], []]
    ids, of_subscription, of_code, times, of_source, faults, places = columns
    for each in references:
        ids.append(each.transaction_id)
        of_subscription.append(subscriptions.setdefault(each.external_subscription_id, len(subscriptions)))
        of_code.append(codes.setdefault(each.code, len(codes)))
        times.append(each.timestamp_ms)
        of_source.append(sources.setdefault(each.source, len(sources)))
        faults.append(each.faults)
        places.append(each.place)
    return [list(sources), list(subscriptions), list(codes), *columns]


def references_of(item: Mapping[str, Any]) -> list[Reference]:
    """The events that an item names, in order of reception."""
    sources, subscriptions, codes, *columns = _unpacked(item)
    known = [Source(*each) for each in sources]
    return [
        Reference(name, subscriptions[subscription], codes[code], ms, known[source], faults, place)
        for name, subscription, code, ms, source, faults, place in zip(*columns, strict=True)
    ]


def subscriptions_of(item: Mapping[str, Any]) -> list[str]:
    """The external ids that an item names."""
    found: list[str] = _unpacked(item)[1]
    return found


def _unpacked(item: Mapping[str, Any]) -> list[Any]:
    found: list[Any] = json.loads(zlib.decompress(item["refs"]))
    return found


# Keys.


def pk_of(organization_id: OrganizationId, name: str) -> str:
    """The partition of a batch's items; `name`: its name, or what begins with it."""
    return log_pk(organization_id, name[:10], shard_of(name))


def shard_of(name: str) -> str:
    """The part in which a batch's items stand."""
    return name.split("#")[2]


def log_pk(organization_id: OrganizationId, day: str, shard: str) -> str:
    """The partition of the items of a day of reception."""
    return key(organization_id, "log", day, shard)


def time_pk(organization_id: OrganizationId, day: str, shard: str) -> str:
    """The partition of the index of items whose events lie on a day."""
    return key(organization_id, "log-at", day, shard)


def row_key(organization_id: OrganizationId, item: Item) -> Key:
    """The row of numbers that counts an item's events."""
    shard = shard_of(item["sk"]) + ("" if "time_pk" in item else DIRECT)
    return layout.log_pk(organization_id), f"{item['sk'][:10]}#{item['day']}#{shard}"


def instant_ms_of(name: str) -> int:
    """The instant at which a batch was metered, in milliseconds since 1970, cut."""
    return milliseconds_of(unstamp(name.split("#")[0]))


def expires_at(received_on: str, day: str) -> int:
    """The expiry of log items of these days: the events themselves have gone by then."""
    latest_ms = layout.begin_ms_of_day(max(received_on, day))
    return latest_ms // 1000 + int((limits.EVENT_RETENTION + timedelta(days=3)).total_seconds())
