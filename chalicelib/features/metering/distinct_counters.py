"""Registers: how many distinct values a charge counts in a range of time, counted as they come in.

Distinct values do not add up over hours. So who reads many events for them opens a register for that range (features/usage/
distinct.py): from then on the meter enters each value once, in the transaction that counts its event, and a reader reads a
number. What came before the register was opened is entered from raw events by a task; entering a value twice changes nothing.

Every transaction of the meter that is signed more than `limits.REGISTERS_KEPT` after a register was opened knows it, as none is
signed with older knowledge; and those signed before are in, five minutes later, as DynamoDB refuses older signatures. Whoever
fills the register after an hour therefore finds in raw events all that the meter did not enter.

Items
    pk                              sk                      what it is
    <org>#usage#<subscription>      u#<register>#head       what it counts (`spec`), when it was opened, whether it is filled
    <org>#usage#<subscription>      u#<register>#<part>     `n:<bucket>`: how many values are active
    <org>#distinct#<value>          <subscription>#<register>#<bucket>      a value that was entered: `active`, `place`

A register is named by event code, range, a digest of its spec, its mode, and when it was opened. While values are only added
(`adds`) what came first is enough, and a repeated value costs no write. The first removal ends such a register (`is_void`);
one of the mode `all` keeps for each value its last operation in order of time, so that they may come in any order.
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
from chalicelib.features.metering import store
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
    """What is counted: values of a property, by filter; `default`: also of events that no filter takes."""

    field_name: str
    filters: tuple[Mapping[str, tuple[str, ...]], ...]
    default: bool

    def text(self) -> str:
        """As it is kept."""
        return json.dumps([self.field_name, [dict(each) for each in self.filters], self.default], separators=(",", ":"))

    @property
    def digest(self) -> str:
        """Its name."""
        return sha256(self.text().encode()).hexdigest()[:16]


class _Buckets:
    """Finds the bucket of events: the index of a filter, or `-` where no filter takes them; None: they do not count."""

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
class Register:
    """One register of a subscription. Its range is half-open, in milliseconds since 1970."""

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
        """Where its head stands beside the subscription's rows."""
        return f"u#{self.name}#{_HEAD}"

    def part_sk(self, part: str) -> str:
        """Where a part of its numbers stands."""
        return f"u#{self.name}#{part}"

    def is_kept(self, now: datetime, *, by_meter: bool) -> bool:
        """Whether it still counts. It is kept up a day longer than it is read, and its items go a day later still."""
        days = 1 if by_meter else 2
        return now.timestamp() < self.expires_at - days * 86_400

    def entry(self, counted: EventSample) -> "Entry | None":
        """What an event enters; None where it does not count."""
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
    """An operation on a value. `place`: in time, where that matters: what is only added is there, whenever."""

    value: str
    bucket: str
    place: str
    active: bool


def names_of(code: str, start_ms: int, end_ms: int, spec: Spec) -> str:
    """With what the names of registers for one range begin."""
    return f"{key_part(code)}#{start_ms:015d}#{end_ms:015d}#{spec.digest}#"


def name_of(code: str, start_ms: int, end_ms: int, spec: Spec, mode: str, opened_at: datetime) -> str:
    """A register's name: never that of one before, parts of which may still be there."""
    return f"{names_of(code, start_ms, end_ms, spec)}{mode}#{stamp(opened_at)}"


def read(items: Iterable[Item]) -> list[Register]:
    """The registers in these items of a subscription."""
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
        Register(
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
    """Enters events of one subscription into its registers."""

    def __init__(self, organization_id: OrganizationId, subscription: str, registers: Sequence[Register]) -> None:
        self._organization_id, self._subscription = organization_id, subscription
        self._pk = store.usage_pk(organization_id, subscription)
        self._registers = [register for register in registers if not register.is_void]

    def places(self, code: str) -> int:
        """How many actions an event of a code may take by itself."""
        return sum(register.code == code for register in self._registers)

    @property
    def places_in_all(self) -> int:
        """How many actions are taken by the registers themselves."""
        return len(self._registers)

    def entries(self, events: Iterable[tuple[str, EventSample]]) -> dict[Key, tuple[Register, Entry]]:
        """What these events, each with its code, enter: of each value the last operation in order of time."""
        found: dict[Key, tuple[Register, Entry]] = {}
        for code, counted in events if self._registers else ():
            for register in self._registers:
                entry = register.entry(counted) if register.code == code else None
                if entry is not None:
                    where = self._where(register, entry)
                    if register.mode == ADDS and not entry.active:
                        # Whatever else is said of any value: here the register ends.
                        found[(self._pk, register.head_sk)] = (register, entry)
                    elif where not in found or found[where][1].place < entry.place:
                        found[where] = (register, entry)
        return found

    def _where(self, register: Register, entry: Entry) -> Key:
        pk = key(self._organization_id, "distinct", entry.value)
        return pk, f"{key_part(self._subscription)}#{register.name}#{entry.bucket}"

    def actions(self, entries: Mapping[Key, tuple[Register, Entry]], part: str) -> list[Write]:
        """What these entries change; built on what stands there now, which conditions secure."""
        ended = {register.name for (_, sk), (register, _) in entries.items() if sk == register.head_sk}
        before = usage.get_many([where for where, (register, _) in entries.items() if register.name not in ended])
        actions: list[Write] = []
        change: dict[str, dict[str, int]] = {}
        expiry: dict[str, int] = {}
        for where, (register, entry) in entries.items():
            if where[1] == register.head_sk:
                actions.append(usage.update(where, "SET is_void = :void", values={":void": True}))
            found = None if register.name in ended else self._entered(where, register, entry, before.get(where))
            if found is not None:
                action, number = found
                actions.append(action)
                sk = register.part_sk(part)
                own = change.setdefault(sk, {})
                own[entry.bucket] = own.get(entry.bucket, 0) + number
                expiry[sk] = register.expires_at
        return actions + [self._counted(sk, own, expiry[sk]) for sk, own in change.items()]

    def _entered(self, where: Key, register: Register, entry: Entry, before: Item | None) -> tuple[Write, int] | None:
        """The action that enters a value, and by how much the number of active values changes; None: it changes nothing."""
        if before is None:
            item = {"place": entry.place, "active": entry.active, "expires_at": register.expires_at}
            return usage.create({"pk": where[0], "sk": where[1], **item}), int(entry.active)
        if register.mode == ADDS or entry.place <= before["place"]:
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


# What this process has read, by organization and subscription: really when, and the registers.
_known: dict[tuple[str, str], tuple[datetime, list[Register]]] = {}
_REMEMBERED = 10_000


def of(organization_id: OrganizationId, subscription: str) -> list[Register]:
    """The registers of a subscription that are kept up, read no longer than `limits.REGISTERS_KEPT` ago.

    By the real time of day: another clock may stand still while a process is frozen.
    """
    name, now = (organization_id, subscription), clock.utc_now()
    known = _known.get(name)
    if known is None or not timedelta(0) <= now - known[0] <= limits.REGISTERS_KEPT:
        items = usage.query(store.usage_pk(organization_id, subscription), begins="u#")
        if len(_known) > _REMEMBERED:
            _known.clear()
        known = _known[name] = (now, [each for each in read(items) if each.is_kept(now, by_meter=True)])
    return known[1]


def forget() -> None:
    """Drop what this process knows."""
    _known.clear()
