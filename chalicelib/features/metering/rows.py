"""Changes of rollup rows, as actions of a transaction.

Counts and sums are added without a condition. A value that only grows (a maximum, the last value) is set where the row
read before has less, on condition that it still has less; where it has not, nothing is written, as stored values never
shrink. A failed condition cancels the whole transaction: its rows are then read again and it is built again.

A row consists of write shards, which readers add up. Each worker keeps to one of them, so that the workers of a hot
subscription end up with one each: after a conflict, or in a throttled shard, a worker moves to another one, out of
twice as many as before.
"""

import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib import limits
from chalicelib.features.metering import dimensions, distinct_counters, layout, limbs, log, tally
from chalicelib.features.metering.definitions import Definitions
from chalicelib.features.metering.dimensions import Delta, RollupDimension
from chalicelib.features.metering.distinct_counters import DistinctCounter, Entering
from chalicelib.features.metering.event import Event, instant_of
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.unit import Write
from chalicelib.platform.usage_table import Table, usage
from chalicelib.platform.values import from_item

_GREATER = "(attribute_not_exists({name}) OR {name} < {value})"

# By organization and code, what this process writes to its rows: names of properties, and combinations of a rollup
# dimension. They bound the size of a row; further ones are not covered.
_fields: dict[tuple[str, str], set[str]] = {}
_combinations: dict[tuple[str, str, str], set[str]] = {}

# By worker (a thread), organization and subscription: the write shard, and the number of shards it was chosen from.
_shards: dict[tuple[int, str, str], tuple[int, int]] = {}
_SHARDS_REMEMBERED = 10_000


def forget() -> None:
    """Empty the caches of this process."""
    for known in (_fields, _combinations, _shards):
        known.clear()
    distinct_counters.forget()
    log.forget()


class Rows:
    """The rows that events of one subscription change. `defined`: the definitions of their codes, None where they are
    unknown."""

    def __init__(
        self, table: Table, organization_id: OrganizationId, subscription: str, defined: Definitions | None
    ) -> None:
        self._table, self._organization_id, self._subscription = table, organization_id, subscription
        self._pk = layout.usage_pk(organization_id, subscription)
        self._defined: Definitions = defined or {}
        self._all_unknown = defined is None

    @property
    def shard(self) -> str:
        """The write shard of the rows, and of the time index for the events that they count."""
        return layout.ALL_SHARDS[_shards.get(self._worker, (0, 1))[0]]

    def move(self, draw: Callable[[], float] = random.random) -> None:
        """Move to another write shard."""
        if len(_shards) > _SHARDS_REMEMBERED:
            _shards.clear()
        own, shards = _shards.get(self._worker, (0, 1))
        shards = min(2 * shards, limits.ROW_PARTS_MAX)
        _shards[self._worker] = ((own + 1 + int(draw() * (shards - 1))) % shards, shards)

    @property
    def _worker(self) -> tuple[int, str, str]:
        return threading.get_ident(), self._organization_id, self._subscription

    def is_row(self, action: Mapping[str, Any]) -> bool:
        """Whether an action changes a shard of a row."""
        return "Update" in action and action["Update"]["Key"]["pk"]["S"] == self._pk

    def actions(
        self,
        events: Sequence[tuple[Event, str]],
        shard: str,
        *,
        signed_at: datetime,
        consistent: bool,
        bare: bool = False,
    ) -> list[dict[str, Any]]:
        """The actions that count these events, each given with the instant it was received.

        `signed_at`: the real instant; a day that has ended by then also gets a late marker. `consistent`: read rows
        anew, as the last read was stale. `bare`: rows cover none of these events and only count them.
        """
        if bare:
            return self._bare(events, shard, signed_at) + self._entered(events, shard)
        used = {code: dimension for code, dimension in self._dimensions(events) if dimension is not None}
        deltas = tally.tally(events, used)
        keys = {place: self._row_key(place, shard) for place in deltas}
        growing = [keys[place] for place in deltas if place[1] in used and used[place[1]].needs_rows_before()]
        before = self._read(growing, consistent=consistent)
        actions: list[dict[str, Any]] = []
        for (hour, code), delta in deltas.items():
            self._bound(code, delta, used.get(code))
            sk = keys[(hour, code)]
            actions.append(self._change(sk, delta, before.get(sk, {})))
        return actions + self._late(deltas, shard, signed_at) + self._entered(events, shard)

    def _bare(self, events: Sequence[tuple[Event, str]], shard: str, signed_at: datetime) -> list[dict[str, Any]]:
        deltas = tally.tally(events, {})
        for delta in deltas.values():
            tally.uncover(delta)
        changes = [self._change(self._row_key(place, shard), delta, {}) for place, delta in deltas.items()]
        return changes + self._late(deltas, shard, signed_at)

    def _late(self, places: Iterable[tally.RowKey], shard: str, signed_at: datetime) -> list[dict[str, Any]]:
        """The late markers of those days that have ended."""
        signed_ms = signed_at.timestamp() * 1000
        late = {hour // 24 for hour, _ in places if (hour // 24 + 1) * 24 * tally.HOUR_MS <= signed_ms}
        days = sorted(layout.day_of(day * 24 * tally.HOUR_MS) for day in late)
        return [self._change(layout.late_sk(day, shard), {layout.COUNT: 1}, {}) for day in days]

    def entering(self, codes: Iterable[str]) -> Entering:
        """The entering of distinct values of these codes into the distinct counters known by now."""
        own: Sequence[DistinctCounter] = ()
        if any(self._may_be_distinct(code) for code in codes):
            own = distinct_counters.of(self._organization_id, self._subscription)
        return Entering(self._organization_id, self._subscription, own)

    def _may_be_distinct(self, code: str) -> bool:
        definition = self._defined.get(code)
        return self._all_unknown or (definition is not None and definition.is_distinct)

    def _entered(self, events: Sequence[tuple[Event, str]], shard: str) -> list[dict[str, Any]]:
        # Read anew for each attempt: distinct counters rely on the age of this knowledge when a transaction is signed.
        entering = self.entering({event.code for event, _ in events})
        entries = entering.entries((event.code, tally.counted_of(event, received)) for event, received in events)
        return [each.action for each in entering.actions(entries, shard)] if entries else []

    def _dimensions(self, events: Iterable[tuple[Event, str]]) -> Iterable[tuple[str, RollupDimension | None]]:
        """The rollup dimension of each code. A plain sum has one only where all its events carry prices."""
        priced: dict[str, bool] = {}
        for event, _ in events:
            known = priced.get(event.code, True)
            priced[event.code] = known and event.precise_total_amount_cents is not None
        for code, with_prices in priced.items():
            definition = self._defined.get(code)
            if definition is not None:
                yield code, definition.priced_dimension if with_prices else definition.dimension

    def _row_key(self, place: tally.RowKey, shard: str) -> str:
        hour, code = place
        return layout.hour_sk(layout.hour_of(instant_of(hour * tally.HOUR_MS)), code, shard)

    def _read(self, sort_keys: Sequence[str], *, consistent: bool) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        if sort_keys:
            keys = [{"pk": {"S": self._pk}, "sk": {"S": sk}} for sk in sort_keys]
            request = {self._table.name: {"Keys": keys, "ConsistentRead": consistent}}
            for raw in self._table.client.batch_get_item(RequestItems=request)["Responses"].get(self._table.name, []):
                found[raw["sk"]["S"]] = from_item(raw)
        return found

    def _bound(self, code: str, delta: Delta, dimension: RollupDimension | None) -> None:
        names = {name for name in delta if name.startswith(layout.SUM)}
        seen = _fields.setdefault((self._organization_id, code), set())
        if len(seen | names) > tally.FIELDS_PER_ROW_MAX:
            tally.uncover(delta)
            return
        seen |= names
        if dimension is not None:
            kept = {name[len(dimension.prefix) + 1 :] for name in delta if name.startswith(dimension.prefix)}
            known = _combinations.setdefault((self._organization_id, code, dimension.digest), set())
            if len(known | kept) > tally.COMBINATIONS_PER_ROW_MAX:
                tally.without_dimension(delta)
            else:
                known |= kept

    def _change(self, sk: str, delta: Delta, before: Mapping[str, Any]) -> dict[str, Any]:
        request = _Request()
        for name, value in delta.items():
            if dimensions.is_sum(name):
                assert not isinstance(value, str), "texts do not add up"
                request.add(name, value)
            elif name not in before or before[name] < value:
                request.grow(name, value)
        return {
            "Update": {
                "TableName": self._table.name,
                "Key": {"pk": {"S": self._pk}, "sk": {"S": sk}},
                **request.shards(),
            }
        }


class _Request:
    """The expressions of an update."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, dict[str, str]] = {}
        self._added: list[str] = []
        self._set: list[str] = []
        self._conditions: list[str] = []

    def _placeholders(self, name: str, value: int | Decimal | str) -> tuple[str, str]:
        n = len(self._names)
        self._names[f"#{n}"] = name
        if isinstance(value, str):
            self._values[f":{n}"] = {"S": value}
        else:
            self._values[f":{n}"] = {"N": format(value, "f") if isinstance(value, Decimal) else str(value)}
        return f"#{n}", f":{n}"

    def add(self, name: str, value: int | Decimal) -> None:
        """Add to a sum."""
        for attribute, shard in limbs.split(name, value):
            self._added.append(" ".join(self._placeholders(attribute, shard)))

    def grow(self, name: str, value: int | Decimal | str) -> None:
        """Set a value, on condition that the stored one is less."""
        own, new = self._placeholders(name, value)
        self._set.append(f"{own} = {new}")
        self._conditions.append(_GREATER.format(name=own, value=new))

    def shards(self) -> dict[str, Any]:
        """The expressions in DynamoDB's form."""
        expression = f"ADD {', '.join(self._added)}"
        if not self._set:
            found: dict[str, Any] = {"UpdateExpression": expression}
        else:
            found = {
                "UpdateExpression": f"{expression} SET {', '.join(self._set)}",
                "ConditionExpression": " AND ".join(self._conditions),
            }
        return {**found, "ExpressionAttributeNames": self._names, "ExpressionAttributeValues": self._values}


def compact_again_action(pk: str, day: str) -> Write:
    """The late marker that makes readers compact a closed day again."""
    return usage.update((pk, layout.late_sk(day)), "ADD #n :one", names={"#n": layout.COUNT}, values={":one": 1})
