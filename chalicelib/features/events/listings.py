"""Lists of events: of one subscription from the time index, of a whole organization from the log."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.features.events import service
from chalicelib.features.events.event import milliseconds_of
from chalicelib.features.metering import store as metered
from chalicelib.features.subscriptions import service as subscriptions
from chalicelib.platform import listing, schema
from chalicelib.platform.http import Call
from chalicelib.platform.ids import key_part
from chalicelib.platform.listing import Wanted
from chalicelib.platform.table import Item, usage

# A whole organization's list looks back over so many events of its log; a subscription's has no such end.
_LOG_EVENTS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list leaves: a code, and a range of timestamps in milliseconds, both ends included."""

    code: str | None
    low_ms: int
    high_ms: int

    def keeps(self, code: str, ms: int) -> bool:
        """Whether an event stays in the list."""
        return (self.code is None or code == self.code) and self.low_ms <= ms <= self.high_ms


def page(call: Call) -> tuple[list[dict[str, Any]], dict[str, int | None]]:
    """One page, newest first, and its `meta`."""
    service.wait_for_events(call.organization)
    wanted = listing.wanted(call)
    subscription = call.one("external_subscription_id")
    low = _instant(call.one("timestamp_from"))
    high = _instant(call.one("timestamp_to"))
    if subscription is not None and call.one("timestamp_from_started_at") == "true" and low is None:
        low = subscriptions.started_at_of(call.organization.id, subscription)
    filter_ = Filter(
        call.one("code"),
        0 if low is None else milliseconds_of(low),
        10**14 if high is None else milliseconds_of(high),
    )
    if subscription is None:
        items, meta = _of_log(call.organization.id, filter_, wanted)
    else:
        items, meta = _of_subscription(call.organization.id, subscription, filter_, wanted)
    return service.show_items(call.organization.id, items), meta


def _instant(text: str | None) -> datetime | None:
    return None if text is None else schema.instant(text)


def _of_subscription(
    organization_id: str, subscription: str, filter_: Filter, wanted: Wanted
) -> tuple[list[Item], dict[str, int | None]]:
    """By the hour rows one knows on which days there is something, and, for whole hours, how much."""
    days: dict[str, int] = {}
    for row in usage.query(metered.usage_pk(organization_id, subscription), begins="h#"):
        _, hour, code, _ = row["sk"].split("#")
        if filter_.code is None or code == key_part(filter_.code):
            days[hour[:10]] = days.get(hour[:10], 0) + int(row[metered.COUNT])
    low, high = metered.day_of(filter_.low_ms), metered.day_of(filter_.high_ms)
    total = 0
    items: list[Item] = []
    first, last = (wanted.number - 1) * wanted.size, wanted.number * wanted.size
    for day in sorted((d for d in days if low <= d <= high), reverse=True):
        cut = day in (low, high)
        on_page = total < last and total + days[day] > first
        if cut or on_page:
            found = _of_day(organization_id, subscription, day, filter_)
            items += found[max(0, first - total) : max(0, last - total)]
            total += len(found)
        else:
            total += days[day]
    return items, listing.meta(wanted, total)


def _of_day(organization_id: str, subscription: str, day: str, filter_: Filter) -> list[Item]:
    found = metered.raw_of_day(organization_id, subscription, day, low_ms=filter_.low_ms, high_ms=filter_.high_ms)
    return _newest_first([item for item in found if filter_.keeps(item["code"], item["ms"])])


def _newest_first(items: list[Item]) -> list[Item]:
    return sorted(items, key=lambda item: (-item["ms"], item["transaction_id"]))


def _of_log(organization_id: str, filter_: Filter, wanted: Wanted) -> tuple[list[Item], dict[str, int | None]]:
    """The events of the log, each listed once: a reference counts only where the event names its log item back."""
    listed: dict[tuple[str, str], tuple[int, str]] = {}
    for transaction_id, subscription, code, ms in _references(organization_id):
        if filter_.keeps(code, ms):
            listed[(transaction_id, subscription)] = (ms, transaction_id)
    order = sorted(listed, key=lambda name: (-listed[name][0], listed[name][1]))
    chosen = order[(wanted.number - 1) * wanted.size : wanted.number * wanted.size]
    keys = [metered.event_key(organization_id, transaction_id, subscription) for transaction_id, subscription in chosen]
    found = usage.get_many(keys)
    return [found[k] for k in keys if k in found], listing.meta(wanted, len(order))


def _references(organization_id: str) -> Iterator[tuple[str, str, str, int]]:
    seen = 0
    for item in usage.query(metered.log_pk(organization_id), descending=True):
        references = json.loads(item["events"])
        yield from (tuple(reference) for reference in references)
        seen += len(references)
        if seen >= _LOG_EVENTS_MAX:
            return
