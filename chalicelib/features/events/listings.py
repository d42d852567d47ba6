"""Lists of events: of one subscription from the time index, of a whole organization from the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.events import log_pages, lookup, service
from chalicelib.features.events.subscription_pages import Events
from chalicelib.features.metering import layout, log_reader
from chalicelib.features.metering.event import milliseconds_of
from chalicelib.features.metering.log_items import Reference
from chalicelib.features.subscriptions import reading as subscription_reading
from chalicelib.features.subscriptions import service as subscriptions
from chalicelib.platform import clock, listing, parameters
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.http import Call
from chalicelib.platform.ids import OrganizationId

_FIRST_MS, _LAST_MS = 0, 253_402_300_799_999  # 1970 to the end of 9999: no event lies outside.
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Filter:
    """Filter of a list: a code, and a range of timestamps in milliseconds, both ends included."""

    code: str | None
    low_ms: int
    high_ms: int

    @property
    def name(self) -> Sequence[Any]:
        """Values that identify the filter."""
        return [self.code, self.low_ms, self.high_ms]

    def of_day(self, day: str) -> bool | None:
        """Whether all events of a UTC day stay, or none; None: it depends on the event."""
        begin = layout.begin_ms_of_day(day)
        end = begin + _DAY_MS - 1
        if end < self.low_ms or self.high_ms < begin:
            return False
        return True if self.code is None and self.low_ms <= begin and end <= self.high_ms else None

    def keeps(self, reference: Reference) -> bool:
        """Whether an event stays in the list."""
        is_of_code = self.code is None or reference.code == self.code
        return is_of_code and self.low_ms <= reference.timestamp_ms <= self.high_ms


def page(call: Call) -> tuple[list[dict[str, Any]], dict[str, int | None]]:
    """One page, newest first, and its `meta`.

    Raises: Invalid.
    """
    service.wait_for_events(call.organization)
    organization, wanted, real_now = call.organization, listing.wanted(call), clock.utc_now()
    subscription = call.one("external_subscription_id")
    filter_ = _filter(call, subscription, real_now)
    if subscription is None:
        references, meta = log_pages.page(organization, log_reader.BY_TIME, filter_, wanted, real_now)
        items = [item for _, item in log_reader.stored(organization.id, references)]
    else:
        events = Events(organization.id, subscription, filter_.code, filter_.low_ms, filter_.high_ms)
        items, meta = events.page(wanted, real_now=real_now)
    return lookup.show_items(organization.id, items), meta


def _filter(call: Call, subscription: str | None, real_now: datetime) -> Filter:
    low, high = (parameters.instant(call, name) for name in ("timestamp_from", "timestamp_to"))
    if parameters.switch(call, "timestamp_from_started_at"):
        if subscription is None:
            raise Invalid.field("external_subscription_id", ErrorCode.VALUE_IS_MANDATORY)
        started = _started_at(call.organization.id, subscription)
        if started is not None:
            # Events of the second in which it started are its own. Source: rules/usage 1.4.
            low = max(low or started, started.replace(microsecond=0))
    kept_since = _kept_since(call.organization, real_now)
    return Filter(
        call.one("code"),
        kept_since if low is None else max(kept_since, milliseconds_of(low)),
        _LAST_MS if high is None else min(_LAST_MS, milliseconds_of(high)),
    )


def _kept_since(organization: OrganizationRef, real_now: datetime) -> int:
    """First millisecond of which all events still exist: they expire some time after this."""
    if organization.sandbox:
        return _FIRST_MS
    return layout.begin_ms_of_day(layout.day_of(milliseconds_of(real_now - limits.EVENT_RETENTION)))


def _started_at(organization_id: OrganizationId, subscription: str) -> datetime | None:
    """Start of the live subscription of an external id, else of the latest one; None where none started."""
    live = subscriptions.started_at_of(organization_id, subscription)
    if live is not None:
        return live
    ended = subscription_reading.history(organization_id, subscription)
    return next((each.started_at for each in ended if each.started_at is not None), None)
