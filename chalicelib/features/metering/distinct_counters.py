"""Distinct counters: the number of distinct values that a charge counts in a range of time, counted as events come in.

Distinct values do not add up over hours. So a reader that had to recount many events opens a distinct counter for the
range (features/usage/distinct.py). From then on the meter enters each value once, in the transaction that counts its
event, and readers read a number. A task enters the values of earlier events from raw events; entering a value is
idempotent.

The meter caches counters for at most `limits.REGISTERS_KEPT`, so each transaction signed later than that after a
counter was opened knows it. Earlier ones have committed five minutes later, as DynamoDB refuses older signatures. So a
task that fills the counter an hour after its opening finds in raw events every value that the meter did not enter.

Items
    pk                              sk                      what it is
    <org>#usage#<subscription>      u#<register>#head       `spec`, the instant it was opened, whether it is filled
    <org>#usage#<subscription>      u#<register>#<part>     `n:<bucket>`: number of active values
    <org>#distinct#<value>          <subscription>#<register>#<bucket>      a value that was entered: `active`, `place`

A counter's name consists of event code, range, digest of its spec, mode, and the instant it was opened. In the mode
`adds` the first event of a value is enough, and a repeated value costs no write; the first removal of a value ends
such a counter (`is_void`). In the mode `all` each value keeps its last operation in order of time, so that operations
may come in any order.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from chalicelib import limits
from chalicelib.domain.aggregation.dimensions import Filter, Matcher
from chalicelib.domain.aggregation.levels import ADD, operation_of_properties
from chalicelib.domain.aggregation.readings import text_of
from chalicelib.domain.aggregation.summaries import place_in_time
from chalicelib.features.metering import layout
from chalicelib.features.metering.dimensions import EventSample
from chalicelib.platform import clock
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import OrganizationId, key, key_part
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write
from chalicelib.platform.usage_table import usage
from chalicelib.platform.values import Item

ADDS, ALL = "adds", "all"
_HEAD, _NUMBER = "head", "n:"


@dataclass(frozen=True, slots=True)
class Spec:
    """The values that are counted: those of a property, by filter. `default`: those of events without a filter count
    too."""

    field_name: str
    filters: tuple[Mapping[str, tuple[str, ...]], ...]
    default: bool

    def text(self) -> str:
        """The spec as text, as it is stored."""
        return json.dumps([self.field_name, [dict(each) for each in self.filters], self.default], separators=(",", ":"))

    @property
    def digest(self) -> str:
        """The spec's name in keys: a hash of its text."""
        return sha256(self.text().encode()).hexdigest()[:16]


class _Buckets:
    """The bucket of an event: the index of its filter, `-` for an event without one, None for one that does not
    count."""

    def __init__(self, text: str) -> None:
        self.field_name, filters, self._default = json.loads(text)
        self._matcher = Matcher([Filter(each) for each in filters], {})

    def of(self, properties: Mapping[str, Any]) -> str | None:
        index = self._matcher.index_of(properties)
        if index is None:
            return "-" if self._default else None
        return str(index)


@lru_cache(maxsize=1000)
def _buckets(spec: str) -> _Buckets:
    return _Buckets(spec)


@dataclass(frozen=True, slots=True)
class DistinctCounter:
    """One distinct counter of a subscription. Its range is half-open, in milliseconds since 1970."""

    name: str
    code: str
    start_ms: int
    end_ms: int
    mode: str
    spec: str
    expires_at: int
    is_filled: bool = False
    is_void: bool = False
    numbers: Mapping[str, int] = field(default_factory=dict)

    @property
    def head_sk(self) -> str:
        """The sort key of its head, beside the subscription's rows."""
        return f"u#{self.name}#{_HEAD}"

    def shard_sk(self, part: str) -> str:
        """The sort key of a write shard of its numbers."""
        return f"u#{self.name}#{part}"

    def is_kept(self, now: datetime, *, by_meter: bool) -> bool:
        """Whether the meter still enters values. It does so a day longer than readers use it; the items expire a day
        later."""
        days = 1 if by_meter else 2
        return now.timestamp() < self.expires_at - days * 86_400

    def entry(self, counted: EventSample) -> "Entry | None":
        """The entry of an event; None for an event that does not count."""
        if not self.start_ms <= counted.at_ms < self.end_ms:
            return None
        buckets = _buckets(self.spec)
        value = text_of(counted.properties.get(buckets.field_name))
        operation = operation_of_properties(counted.properties)
        bucket = buckets.of(counted.properties)
        if value is None or operation is None or bucket is None:
            return None
        place = place_in_time(counted.at_ms, counted.order) if self.mode == ALL else ""
        return Entry(value, bucket, place, operation == ADD)


@dataclass(frozen=True, slots=True)
class Entry:
    """An operation on a value. `place`: its place in time, where the mode needs it."""

    value: str
    bucket: str
    place: str
    active: bool


def names_of(code: str, start_ms: int, end_ms: int, spec: Spec) -> str:
    """The beginning of the names of all counters for one range."""
    return f"{key_part(code)}#{start_ms:015d}#{end_ms:015d}#{spec.digest}#"


def name_of(code: str, start_ms: int, end_ms: int, spec: Spec, mode: str, opened_at: datetime) -> str:
    """The name of a new counter: never an earlier one's, some items of which may still exist."""
    return f"{names_of(code, start_ms, end_ms, spec)}{mode}#{stamp(opened_at)}"


def read(items: Iterable[Item]) -> list[DistinctCounter]:
    """The distinct counters in these items of a subscription."""
    numbers: dict[str, dict[str, int]] = {}
    heads: list[Item] = []
    for item in items:
        name, _, part = item["sk"].removeprefix("u#").rpartition("#")
        if part == _HEAD:
            heads.append(item | {"name": name})
        for attribute, number in item.items():
            if attribute.startswith(_NUMBER):
                own = numbers.setdefault(name, {})
                own[attribute[2:]] = own.get(attribute[2:], 0) + int(number)
    return [
        DistinctCounter(
            name=head["name"],
            code=head["code"],
            start_ms=head["start_ms"],
            end_ms=head["end_ms"],
            mode=head["mode"],
            spec=head["spec"],
            expires_at=head["expires_at"],
            is_filled=head.get("is_filled", False),
            is_void=head.get("is_void", False),
            numbers=numbers.get(head["name"], {}),
        )
        for head in heads
    ]


class Entering:
    """Enters the values of one subscription's events into its distinct counters."""

    def __init__(self, organization_id: OrganizationId, subscription: str, counters: Sequence[DistinctCounter]) -> None:
        self._organization_id, self._subscription = organization_id, subscription
        self._pk = layout.usage_pk(organization_id, subscription)
        self._counters = [counter for counter in counters if not counter.is_void]

    def places(self, code: str) -> int:
        """The most actions that one event of a code adds to a transaction."""
        return sum(counter.code == code for counter in self._counters)

    @property
    def places_in_all(self) -> int:
        """The actions that the counters add to a transaction, whatever its events."""
        return len(self._counters)

    def entries(self, events: Iterable[tuple[str, EventSample]]) -> dict[Key, tuple[DistinctCounter, Entry]]:
        """The entries of these events, each given with its code: for each value the last operation in order of time."""
        found: dict[Key, tuple[DistinctCounter, Entry]] = {}
        for code, counted in events if self._counters else ():
            for counter in self._counters:
                entry = counter.entry(counted) if counter.code == code else None
                if entry is not None:
                    where = self._where(counter, entry)
                    if counter.mode == ADDS and not entry.active:
                        # A removal ends the counter, regardless of the other entries.
                        found[(self._pk, counter.head_sk)] = (counter, entry)
                    elif where not in found or found[where][1].place < entry.place:
                        found[where] = (counter, entry)
        return found

    def _where(self, counter: DistinctCounter, entry: Entry) -> Key:
        pk = key(self._organization_id, "distinct", entry.value)
        return pk, f"{key_part(self._subscription)}#{counter.name}#{entry.bucket}"

    def actions(self, entries: Mapping[Key, tuple[DistinctCounter, Entry]], part: str) -> list[Write]:
        """The actions that these entries make, built on the values stored now; conditions refuse them where those have
        changed."""
        ended = {counter.name for (_, sk), (counter, _) in entries.items() if sk == counter.head_sk}
        before = usage.get_many([where for where, (counter, _) in entries.items() if counter.name not in ended])
        actions: list[Write] = []
        change: dict[str, dict[str, int]] = {}
        expiry: dict[str, int] = {}
        for where, (counter, entry) in entries.items():
            if where[1] == counter.head_sk:
                actions.append(usage.update(where, "SET is_void = :void", values={":void": True}))
            found = None if counter.name in ended else self._entered(where, counter, entry, before.get(where))
            if found is not None:
                action, number = found
                actions.append(action)
                sk = counter.shard_sk(part)
                own = change.setdefault(sk, {})
                own[entry.bucket] = own.get(entry.bucket, 0) + number
                expiry[sk] = counter.expires_at
        return actions + [self._counted(sk, own, expiry[sk]) for sk, own in change.items()]

    def _entered(
        self, where: Key, counter: DistinctCounter, entry: Entry, before: Item | None
    ) -> tuple[Write, int] | None:
        """The action that enters a value, and by how much the number of active values changes; None: it changes
        nothing."""
        if before is None:
            item = {"place": entry.place, "active": entry.active, "expires_at": counter.expires_at}
            return usage.create({"pk": where[0], "sk": where[1], **item}), int(entry.active)
        if counter.mode == ADDS or entry.place <= before["place"]:
            return None
        action = usage.update(
            where,
            "SET place = :place, active = :active",
            values={":place": entry.place, ":active": entry.active, ":before": before["place"]},
            condition="place = :before",
        )
        return action, int(entry.active) - int(before["active"])

    def _counted(self, sk: str, change: Mapping[str, int], expires_at: int) -> Write:
        added = ", ".join(f"#{n} :{n}" for n in range(len(change)))
        return usage.update(
            (self._pk, sk),
            f"ADD {added} SET expires_at = :expires",
            names={f"#{n}": f"{_NUMBER}{bucket}" for n, bucket in enumerate(change)},
            values={f":{n}": number for n, number in enumerate(change.values())} | {":expires": expires_at},
        )


# The cache of this process, by organization and subscription: the real instant of reading, and the counters.
_known: dict[tuple[str, str], tuple[datetime, list[DistinctCounter]]] = {}
_REMEMBERED = 10_000


def of(organization_id: OrganizationId, subscription: str) -> list[DistinctCounter]:
    """The counters of a subscription that still take values, read at most `limits.REGISTERS_KEPT` ago.

    The age is measured by the real time of day: a monotonic clock may stand still while a process is frozen.
    """
    name, now = (organization_id, subscription), clock.utc_now()
    known = _known.get(name)
    if known is None or not timedelta(0) <= now - known[0] <= limits.REGISTERS_KEPT:
        items = usage.query(layout.usage_pk(organization_id, subscription), begins="u#")
        if len(_known) > _REMEMBERED:
            _known.clear()
        known = _known[name] = (now, [each for each in read(items) if each.is_kept(now, by_meter=True)])
    return known[1]


def forget() -> None:
    """Empty the cache of this process."""
    _known.clear()
