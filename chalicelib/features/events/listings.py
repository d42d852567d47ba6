"""Lists of events: of one subscription from the time index, of a whole organization from the log."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.domain.errors import Invalid
from chalicelib.features.events import erased, service
from chalicelib.features.events.event import milliseconds_of
from chalicelib.features.metering import log
from chalicelib.features.metering import store as metered
from chalicelib.features.subscriptions import service as subscriptions
from chalicelib.features.subscriptions import store as subscription_store
from chalicelib.platform import listing, parameters
from chalicelib.platform.http import Call
from chalicelib.platform.ids import key_part
from chalicelib.platform.listing import Wanted
from chalicelib.platform.table import Item, usage

_FIRST_MS, _LAST_MS = 0, 253_402_300_799_999  # 1970 to the end of 9999: no event lies outside.


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
    """One page, newest first, and its `meta`.

    Raises: Invalid.
    """
    service.wait_for_events(call.organization)
    wanted = listing.wanted(call)
    subscription = call.one("external_subscription_id")
    filter_ = _filter(call, subscription)
    if subscription is None:
        items, meta = _of_log(call.organization.id, filter_, wanted)
    else:
        items, meta = _of_subscription(call.organization.id, subscription, filter_, wanted)
    return service.show_items(call.organization.id, items), meta


def _filter(call: Call, subscription: str | None) -> Filter:
    low, high = (parameters.instant(call, name) for name in ("timestamp_from", "timestamp_to"))
    if parameters.switch(call, "timestamp_from_started_at"):
        if subscription is None:
            raise Invalid.field("external_subscription_id", "value_is_mandatory")
        started = _started_at(call.organization.id, subscription)
        if started is not None:
            # Events of the second in which it started are its own. Source: usage.md section 1.4.
            low = max(low or started, started.replace(microsecond=0))
    return Filter(
        call.one("code"),
        _FIRST_MS if low is None else max(_FIRST_MS, milliseconds_of(low)),
        _LAST_MS if high is None else min(_LAST_MS, milliseconds_of(high)),
    )


def _started_at(organization_id: str, subscription: str) -> datetime | None:
    """When the live subscription of an external id started, else the latest that had it."""
    live = subscriptions.started_at_of(organization_id, subscription)
    if live is not None:
        return live
    ended = subscription_store.history(organization_id, subscription)
    return next((each.started_at for each in ended if each.started_at is not None), None)


def _of_subscription(
    organization_id: str, subscription: str, filter_: Filter, wanted: Wanted
) -> tuple[list[Item], dict[str, int | None]]:
    """By the hour rows one knows on which days there is something, and, for whole days, how much."""
    if filter_.low_ms > filter_.high_ms:
        return [], listing.meta(wanted, 0)
    days: dict[str, int] = {}
    parts: dict[str, set[str]] = {}
    for row in usage.query(metered.usage_pk(organization_id, subscription), begins="h#"):
        _, hour, code, part = row["sk"].split("#")
        if filter_.code is None or code == key_part(filter_.code):
            days[hour[:10]] = days.get(hour[:10], 0) + int(row[metered.COUNT])
            parts.setdefault(hour[:10], set()).add(part)
    low, high = metered.day_of(filter_.low_ms), metered.day_of(filter_.high_ms)
    total = 0
    items: list[Item] = []
    first, last = (wanted.number - 1) * wanted.size, wanted.number * wanted.size
    for day in sorted((d for d in days if low <= d <= high), reverse=True):
        cut = day in (low, high)
        on_page = total < last and total + days[day] > first
        if cut or on_page:
            found = _of_day(organization_id, subscription, day, parts[day], filter_)
            items += found[max(0, first - total) : max(0, last - total)]
            total += len(found)
        else:
            total += days[day]
    return items, listing.meta(wanted, total)


def _of_day(organization_id: str, subscription: str, day: str, parts: Collection[str], filter_: Filter) -> list[Item]:
    low_ms, high_ms = filter_.low_ms, filter_.high_ms
    found = metered.raw_of_day(organization_id, subscription, day, parts, low_ms=low_ms, high_ms=high_ms)
    return [item for item in reversed(found) if filter_.keeps(item["code"], item["ms"])]


def _of_log(organization_id: str, filter_: Filter, wanted: Wanted) -> tuple[list[Item], dict[str, int | None]]:
    listed = log.listed(organization_id, lambda entry: filter_.keeps(entry.code, entry.timestamp_ms))
    entries = erased.without(organization_id, listed)
    order = sorted(entries, key=lambda entry: -entry.timestamp_ms)  # Of one instant as listed: the last received first.
    chosen = order[(wanted.number - 1) * wanted.size : wanted.number * wanted.size]
    keys = [entry.key(organization_id) for entry in chosen]
    found = usage.get_many(keys)
    return [found[k] for k in keys if k in found], listing.meta(wanted, len(order))
