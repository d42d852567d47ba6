"""Changes of rollup rows, as actions of a transaction.

Counts and sums are added, whatever stands in the row. What only grows (a maximum, the last value) is set where the row read
before has less, on condition that it has less still; where it has not, no condition is needed, as it cannot become so. A
condition that does not hold cancels the whole transaction: its rows are then read again and it is built again.

A row stands in parts, which readers add up. Each worker keeps to one of them, so that those of a hot subscription come to
have one each: who meets a conflict, or a part that is throttled, goes to another, out of twice as many as before.
"""

import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib import limits
from chalicelib.features.metering import dimensions, distinct_counters, limbs, log, store, tally
from chalicelib.features.metering.definitions import Definitions
from chalicelib.features.metering.dimensions import Delta, View
from chalicelib.features.metering.distinct_counters import Entering, Register
from chalicelib.features.metering.event import Event, instant_of
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.usage_table import Table
from chalicelib.platform.values import from_item

_GREATER = "(attribute_not_exists({name}) OR {name} < {value})"

# By organization and code, what this process writes to its rows: names of properties, and combinations of a view. They bound
# how large a row becomes; what comes beyond is not covered.
_fields: dict[tuple[str, str], set[str]] = {}
_combinations: dict[tuple[str, str, str], set[str]] = {}

# By worker (a thread), organization and subscription: the part to write to, and of how many it was chosen.
_parts: dict[tuple[int, str, str], tuple[int, int]] = {}
_PARTS_REMEMBERED = 10_000


def forget() -> None:
    """Drop what this process knows."""
    for known in (_fields, _combinations, _parts):
        known.clear()
    distinct_counters.forget()
    log.forget()


class Rows:
    """The rows that events of one subscription change. `defined`: what metrics say of codes, None where that is not known."""

    def __init__(
        self, table: Table, organization_id: OrganizationId, subscription: str, defined: Definitions | None
    ) -> None:
        self._table, self._organization_id, self._subscription = table, organization_id, subscription
        self._pk = store.usage_pk(organization_id, subscription)
        self._defined: Definitions = defined or {}
        self._all_unknown = defined is None

    @property
    def part(self) -> str:
        """The part to write to, and the part of the time index for the events that are counted there."""
        return store.ALL_PARTS[_parts.get(self._worker, (0, 1))[0]]

    def move(self, draw: Callable[[], float] = random.random) -> None:
        """Write to another part from now on."""
        if len(_parts) > _PARTS_REMEMBERED:
            _parts.clear()
        own, parts = _parts.get(self._worker, (0, 1))
        parts = min(2 * parts, limits.ROW_PARTS_MAX)
        _parts[self._worker] = ((own + 1 + int(draw() * (parts - 1))) % parts, parts)

    @property
    def _worker(self) -> tuple[int, str, str]:
        return threading.get_ident(), self._organization_id, self._subscription

    def is_row(self, action: Mapping[str, Any]) -> bool:
        """Whether an action changes a part of a row."""
        return "Update" in action and action["Update"]["Key"]["pk"]["S"] == self._pk

    def actions(
        self,
        events: Sequence[tuple[Event, str]],
        part: str,
        *,
        signed_at: datetime,
        consistent: bool,
        bare: bool = False,
    ) -> list[dict[str, Any]]:
        """What counting these events (each with when it was received) changes.

        `signed_at`: the real instant; a day that has ended by then also gets a late marker. `consistent`: read rows anew,
        as what was read a moment ago was old. `bare`: rows shall cover none of these events, only count them.
        """
        if bare:
            return self._bare(events, part, signed_at) + self._entered(events, part)
        used = {code: view for code, view in self._views(events) if view is not None}
        deltas = tally.tally(events, used)
        keys = {place: self._row_key(place, part) for place in deltas}
        growing = [keys[place] for place in deltas if place[1] in used and used[place[1]].needs_rows_before()]
        before = self._read(growing, consistent=consistent)
        actions: list[dict[str, Any]] = []
        for (hour, code), delta in deltas.items():
            self._bound(code, delta, used.get(code))
            sk = keys[(hour, code)]
            actions.append(self._change(sk, delta, before.get(sk, {})))
        return actions + self._late(deltas, part, signed_at) + self._entered(events, part)

    def _bare(self, events: Sequence[tuple[Event, str]], part: str, signed_at: datetime) -> list[dict[str, Any]]:
        deltas = tally.tally(events, {})
        for delta in deltas.values():
            tally.uncover(delta)
        changes = [self._change(self._row_key(place, part), delta, {}) for place, delta in deltas.items()]
        return changes + self._late(deltas, part, signed_at)

    def _late(self, places: Iterable[tally.RowKey], part: str, signed_at: datetime) -> list[dict[str, Any]]:
        """The late markers of those days that have ended."""
        signed_ms = signed_at.timestamp() * 1000
        late = {hour // 24 for hour, _ in places if (hour // 24 + 1) * 24 * tally.HOUR_MS <= signed_ms}
        days = sorted(store.day_of(day * 24 * tally.HOUR_MS) for day in late)
        return [self._change(store.late_sk(day, part), {store.COUNT: 1}, {}) for day in days]

    def entering(self, codes: Iterable[str]) -> Entering:
        """What enters distinct values of events with these codes, with the registers as they are known by now."""
        own: Sequence[Register] = ()
        if any(self._may_be_distinct(code) for code in codes):
            own = distinct_counters.of(self._organization_id, self._subscription)
        return Entering(self._organization_id, self._subscription, own)

    def _may_be_distinct(self, code: str) -> bool:
        definition = self._defined.get(code)
        return self._all_unknown or (definition is not None and definition.is_distinct)

    def _entered(self, events: Sequence[tuple[Event, str]], part: str) -> list[dict[str, Any]]:
        # Asked anew for each attempt, as none is signed with older knowledge than registers allow.
        entering = self.entering({event.code for event, _ in events})
        entries = entering.entries((event.code, tally.counted_of(event, received)) for event, received in events)
        return [each.action for each in entering.actions(entries, part)] if entries else []

    def _views(self, events: Iterable[tuple[Event, str]]) -> Iterable[tuple[str, View | None]]:
        """The view of each code. A plain sum is kept in one where its events bring prices along."""
        priced: dict[str, bool] = {}
        for event, _ in events:
            known = priced.get(event.code, True)
            priced[event.code] = known and event.precise_total_amount_cents is not None
        for code, with_prices in priced.items():
            definition = self._defined.get(code)
            if definition is not None:
                yield code, definition.priced_view if with_prices else definition.view

    def _row_key(self, place: tally.RowKey, part: str) -> str:
        hour, code = place
        return store.hour_sk(store.hour_of(instant_of(hour * tally.HOUR_MS)), code, part)

    def _read(self, sort_keys: Sequence[str], *, consistent: bool) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        if sort_keys:
            keys = [{"pk": {"S": self._pk}, "sk": {"S": sk}} for sk in sort_keys]
            request = {self._table.name: {"Keys": keys, "ConsistentRead": consistent}}
            for raw in self._table.client.batch_get_item(RequestItems=request)["Responses"].get(self._table.name, []):
                found[raw["sk"]["S"]] = from_item(raw)
        return found

    def _bound(self, code: str, delta: Delta, view: View | None) -> None:
        names = {name for name in delta if name.startswith(store.SUM)}
        seen = _fields.setdefault((self._organization_id, code), set())
        if len(seen | names) > tally.FIELDS_PER_ROW_MAX:
            tally.uncover(delta)
            return
        seen |= names
        if view is not None:
            kept = {name[len(view.prefix) + 1 :] for name in delta if name.startswith(view.prefix)}
            known = _combinations.setdefault((self._organization_id, code, view.digest), set())
            if len(known | kept) > tally.COMBINATIONS_PER_ROW_MAX:
                tally.without_view(delta)
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
                **request.parts(),
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
        """Add to a sum, whatever it is."""
        for attribute, part in limbs.split(name, value):
            self._added.append(" ".join(self._placeholders(attribute, part)))

    def grow(self, name: str, value: int | Decimal | str) -> None:
        """Set what has less still."""
        own, new = self._placeholders(name, value)
        self._set.append(f"{own} = {new}")
        self._conditions.append(_GREATER.format(name=own, value=new))

    def parts(self) -> dict[str, Any]:
        """As DynamoDB takes them."""
        expression = f"ADD {', '.join(self._added)}"
        if not self._set:
            found: dict[str, Any] = {"UpdateExpression": expression}
        else:
            found = {
                "UpdateExpression": f"{expression} SET {', '.join(self._set)}",
                "ConditionExpression": " AND ".join(self._conditions),
            }
        return {**found, "ExpressionAttributeNames": self._names, "ExpressionAttributeValues": self._values}
