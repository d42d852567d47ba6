"""The log of what came in: which events, from whom, and what is odd about them.

Log items are written before their events: each event then names the item that lists it, and what an item says of an event
counts only where the event names it back. So the log shows each event once, whatever is delivered again.

What is odd is no money: where metrics cannot be read just now, events are logged and counted without it.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chalicelib import limits
from chalicelib.domain.aggregation.faults import INVALID_CODE
from chalicelib.features.events.event import Event, Source
from chalicelib.features.metering import store
from chalicelib.features.metering.definitions import Definitions
from chalicelib.platform import agenda, clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import derived_id
from chalicelib.platform.log import logger
from chalicelib.platform.table import Item, Key, core, usage
from chalicelib.platform.timestamps import stamp

if TYPE_CHECKING:
    from chalicelib.features.metering.service import Message

# The faults of an hour are told after its end: in an organization with a clock of its own, by that clock.
ERRORS = agenda.kind("event_errors", rank=70, reads_usage=True)

# One log item holds this many references; at some 150 bytes each it stays below DynamoDB's 400 KB.
_REFERENCES = 1000
# A list looks back over so many events.
_EVENTS_MAX = 100_000

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the log says of an event. `log`: the batch that it came with; `faults`: domain/aggregation/faults.py."""

    transaction_id: str
    external_subscription_id: str
    code: str
    timestamp_ms: int
    source: Source
    faults: int
    log: str

    def key(self, organization_id: str) -> Key:
        """Where the event stands."""
        return store.event_key(organization_id, self.transaction_id, self.external_subscription_id)


# Writing.


def write(messages: Sequence["Message"], defined: Mapping[str, Definitions | None]) -> dict[str, str]:
    """Log a batch; returns what its events shall name, by organization. `defined`: what metrics say, by organization."""
    by_organization: dict[OrganizationRef, list[Message]] = {}
    for message in messages:
        by_organization.setdefault(message.organization, []).append(message)
    now = clock.utc_now()
    items: list[Item] = []
    log_keys: dict[str, str] = {}
    faulty: list[tuple[OrganizationRef, datetime]] = []
    for organization, own in by_organization.items():
        log_key = f"{stamp(now)}#{derived_id(*(message.id for message in own))}"
        log_keys[organization.id] = log_key
        # Events in flight hold a sandbox's clock up, so that it still shows the hour in which they came.
        at = max((message.clock_at for message in own if message.clock_at is not None), default=now)
        logged, has_faults = _items(own, defined[organization.id], log_key, at, now)
        items += logged
        if has_faults:
            faulty.append((organization, at))
    usage.write_many(items)
    for organization, at in faulty:
        _tell_later(organization, at)
    return log_keys


def _items(
    own: Sequence["Message"], defined: Definitions | None, log_key: str, at: datetime, now: datetime
) -> tuple[list[Item], bool]:
    """The log items of an organization's messages, with a mark for each that holds faults, and whether any does."""
    organization_id = own[0].organization.id
    sources: dict[tuple[str, str], int] = {}
    references = list(_references(own, defined, sources))
    expires_at = int((now + limits.EVENT_LOG_KEPT).timestamp())
    items: list[Item] = []
    has_faults = False
    for start in range(0, len(references), _REFERENCES):
        part = references[start : start + _REFERENCES]
        sk = f"{log_key}#{start // _REFERENCES:03d}"
        texts = {"events": _compact(part), "sources": _compact(list(sources))}
        items.append({"pk": store.log_pk(organization_id), "sk": sk, **texts, "expires_at": expires_at})
        if any(reference[-1] for reference in part):
            has_faults = True
            items.append({"pk": store.faulty_pk(organization_id, _hour(at)), "sk": sk, "expires_at": expires_at})
    return items, has_faults


def _references(
    own: Sequence["Message"], defined: Definitions | None, sources: dict[tuple[str, str], int]
) -> Iterator[list[Any]]:
    """Each event once: of a repeated one the first, which is the one that is kept."""
    seen: set[tuple[str, str]] = set()
    for message in own:
        source = sources.setdefault(message.source, len(sources))
        for event in message.events:
            name = (event.transaction_id, event.external_subscription_id)
            if name not in seen:
                seen.add(name)
                yield [*name, event.code, event.timestamp_ms, source, _faults(event, defined)]


def _faults(event: Event, defined: Definitions | None) -> int:
    if defined is None:
        return 0
    metric = defined.get(event.code)
    return INVALID_CODE if metric is None else metric.expected.faults(event.properties)


def _tell_later(organization: OrganizationRef, at: datetime) -> None:
    """The task that tells of the faults of an hour; there is one, however often it is written. The tick finds it."""
    hour = _hour(at)
    due_at = at.replace(minute=0, second=0, microsecond=0) + _HOUR
    try:
        core.write(agenda.put(agenda.task(ERRORS, organization, hour, due_at), now=at))
    except Exception:  # noqa: BLE001  as above
        logger.exception("faults will not be told", extra={"organization": organization.id, "hour": hour})


def _hour(at: datetime) -> str:
    return store.hour_of(at)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


# Reading.


def listed(organization_id: str, keeps: Callable[[Entry], bool]) -> list[Entry]:
    """The log's latest events, the last received first, each once."""
    by_name: dict[tuple[str, str], list[Entry]] = {}
    for entry in _latest(organization_id):
        by_name.setdefault((entry.transaction_id, entry.external_subscription_id), []).append(entry)
    contested = [same for same in by_name.values() if _differ(same)]
    chosen = {}
    for entry, _ in confirmed(organization_id, [entry for same in contested for entry in same]):
        chosen[(entry.transaction_id, entry.external_subscription_id)] = entry
    # Of mere repeats the oldest stands for all.
    entries = [chosen.get(name, same[-1]) for name, same in by_name.items()]
    return [entry for entry in entries if keeps(entry)]


def confirmed(organization_id: str, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Item]]:
    """Those of the entries whose events are stored and name them back, each with its event."""
    found = usage.get_many([entry.key(organization_id) for entry in entries])
    for entry in entries:
        item = found.get(entry.key(organization_id))
        if item is not None and item["log"] == entry.log:
            yield entry, item


def external_ids(organization_id: str) -> set[str]:
    """All external ids that the log names, whether subscriptions have them or not."""
    items = usage.query(store.log_pk(organization_id))
    return {reference[1] for item in items for reference in json.loads(item["events"])}


def entries_of(item: Mapping[str, Any]) -> list[Entry]:
    """What a log item says."""
    sources = [Source(*each) for each in json.loads(item["sources"])]
    log = item["sk"].rpartition("#")[0]
    return [
        Entry(transaction_id, subscription, code, ms, sources[source], faults, log)
        for transaction_id, subscription, code, ms, source, faults in json.loads(item["events"])
    ]


def faulty_marks(organization_id: str, hour: str) -> list[Key]:
    """The marks of an hour; the sort key of each is that of the log item which it stands for."""
    return [(item["pk"], item["sk"]) for item in usage.query(store.faulty_pk(organization_id, hour))]


def marked(organization_id: str, marks: Sequence[Key]) -> Iterator[Entry]:
    """What the log items that these marks stand for say of events with faults, in order of reception."""
    pk = store.log_pk(organization_id)
    for _, sk in marks:
        item = usage.get(pk, sk)
        if item is not None:
            yield from (entry for entry in entries_of(item) if entry.faults)


def _latest(organization_id: str) -> Iterator[Entry]:
    seen = 0
    for item in usage.query(store.log_pk(organization_id), descending=True):
        entries = entries_of(item)
        yield from reversed(entries)
        seen += len(entries)
        if seen >= _EVENTS_MAX:
            return


def _differ(same: Sequence[Entry]) -> bool:
    return len({(entry.code, entry.timestamp_ms, entry.faults) for entry in same}) > 1
