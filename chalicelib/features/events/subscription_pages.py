"""Pages of one subscription's events, from the time index. Rows give the number of events of each day; within a day
events are read one after the other from the end of the page before."""

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from chalicelib.features.metering import layout, reading, tally
from chalicelib.features.usage import daily
from chalicelib.platform import listing, positions
from chalicelib.platform.ids import OrganizationId, key_part
from chalicelib.platform.listing import Wanted
from chalicelib.platform.usage_table import usage
from chalicelib.platform.values import Item

_READ_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Events:
    """Events of a subscription in a range of milliseconds, both ends included. `code`: of one code only."""

    organization_id: OrganizationId
    subscription: str
    code: str | None
    low_ms: int
    high_ms: int

    def page(self, wanted: Wanted, *, real_now: datetime) -> tuple[list[Item], dict[str, int | None]]:
        """One page, newest first, and its `meta`."""
        if self.low_ms > self.high_ms:
            return [], listing.meta(wanted, 0)
        days = self._days(real_now)
        total = sum(days.values())
        first = (wanted.number - 1) * wanted.size
        if first >= total:
            return [], listing.meta(wanted, total)
        has_more = first + wanted.size < total
        return self._read(days, wanted, has_more=has_more), listing.meta(wanted, total)

    def _days(self, real_now: datetime) -> dict[str, int]:
        """The number of events on each day, the latest first."""
        low, high = layout.day_of(self.low_ms), layout.day_of(self.high_ms)
        found = daily.numbers(self.organization_id, self.subscription, low, high, real_now=real_now)
        days: dict[str, int] = {}
        for day in sorted(found, reverse=True):
            begin = layout.begin_ms_of_day(day)
            is_whole = self.low_ms <= begin and begin + 24 * tally.HOUR_MS - 1 <= self.high_ms
            number = sum(n for code, n in found[day].items() if self.code is None or code == key_part(self.code))
            number = number if is_whole or not number else self._in_part_of(day)
            if number:
                days[day] = number
        return days

    def _in_part_of(self, day: str) -> int:
        """The number of events on a day of which a part is listed: whole hours by their rows, cut ones by the
        index."""
        pk = layout.usage_pk(self.organization_id, self.subscription)
        number = 0
        cut: set[tuple[int, str]] = set()
        for row in reading.rows(pk, f"h#{day}T00", layout.after(f"h#{day}T23")):
            _, hour, code, shard = row["sk"].split("#")
            begin = layout.begin_ms_of_day(day) + int(hour[11:]) * tally.HOUR_MS
            end = begin + tally.HOUR_MS - 1
            if end < self.low_ms or begin > self.high_ms or (self.code is not None and code != key_part(self.code)):
                continue
            if self.low_ms <= begin and end <= self.high_ms:
                number += int(row[layout.COUNT])
            else:
                cut.add((begin, shard))
        for begin, shard in cut:
            low_ms, high_ms = max(begin, self.low_ms), min(begin + tally.HOUR_MS - 1, self.high_ms)
            number += usage.count(self._time_pk(day, shard), **self._between(low_ms, high_ms), **self._where())
        return number

    def _read(self, days: dict[str, int], wanted: Wanted, *, has_more: bool) -> list[Item]:
        day, high_ms, skipped = self._begin(days, wanted)
        found: list[Item] = []
        for each in (name for name in days if name <= day):
            last_ms, of_last_ms = -1, 0
            for item in self._of_day(each, high_ms if each == day else self.high_ms):
                last_ms, of_last_ms = item["ms"], of_last_ms + 1 if item["ms"] == last_ms else 1
                if skipped:
                    skipped -= 1
                    continue
                found.append(item)
                if len(found) == wanted.size:
                    if has_more:
                        following = str(wanted.number + 1)
                        position = [each, last_ms, of_last_ms]
                        positions.keep(self.organization_id, self._listed(wanted), following, position)
                    return found
            skipped = 0 if each == day else skipped
        return found

    def _begin(self, days: dict[str, int], wanted: Wanted) -> tuple[str, int, int]:
        """The day in which a page begins, the latest millisecond, and how many events are to be skipped from there
        on."""
        if wanted.number > 1:
            kept = positions.kept(self.organization_id, self._listed(wanted), str(wanted.number))
            if kept is not None and kept[0] in days:
                return kept[0], kept[1], kept[2]
        left = (wanted.number - 1) * wanted.size
        for day, number in days.items():
            if left < number:
                return day, self.high_ms, left
            left -= number
        raise AssertionError("the page lies within the total")

    def _of_day(self, day: str, high_ms: int) -> Iterator[Item]:
        """A day's events, newest first, as far back as they are asked for."""
        begin = layout.begin_ms_of_day(day)
        low_ms, high_ms = max(begin, self.low_ms), min(begin + 24 * tally.HOUR_MS - 1, high_ms)
        how: dict[str, Any] = {**self._between(low_ms, high_ms), "descending": True, "limit": _READ_AT_ONCE}
        shards = reading.shards_of_day(self.organization_id, self.subscription, day)
        found = [usage.query(self._time_pk(day, shard), **how, **self._where()) for shard in sorted(shards)]
        merged = heapq.merge(*found, key=itemgetter("time_sk"), reverse=True)
        for _, same in itertools.groupby(merged, key=itemgetter("ms")):
            yield from newest_first(list(same))

    def _where(self) -> dict[str, Any]:
        if self.code is None:
            return {}
        return {"where": "#code = :code", "names": {"#code": "code"}, "values": {":code": self.code}}

    def _between(self, low_ms: int, high_ms: int) -> dict[str, Any]:
        return {"index": "time", "between": (f"{low_ms:015d}#", layout.after(f"{high_ms:015d}"))}

    def _time_pk(self, day: str, shard: str) -> str:
        return layout.time_pk(self.organization_id, self.subscription, day, shard)

    def _listed(self, wanted: Wanted) -> Sequence[Any]:
        return ["events of", self.subscription, self.code, self.low_ms, self.high_ms, wanted.size]


def newest_first(items: list[Item]) -> list[Item]:
    """Events in the order in which lists show them."""
    return sorted(items, key=lambda item: (-item["ms"], item["transaction_id"]))
