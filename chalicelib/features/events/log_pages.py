"""Pages of lists that come from the log. Totals are true: numbers of whole days are kept with the log, and of a day of which a
filter leaves a part its items are read, and what that came to is remembered for as long as the day does not change."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from chalicelib.features.metering import log_reader
from chalicelib.features.metering.log_items import Reference
from chalicelib.features.metering.log_reader import Day, Order, Walk
from chalicelib.platform import listing, positions
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.listing import Wanted

# Fewer events are counted anew as fast.
_REMEMBERED_FROM = 1000


class Filter(Protocol):
    """Filter of a list."""

    @property
    def name(self) -> Sequence[Any]:
        """Values that identify the filter."""

    def of_day(self, day: str) -> bool | None:
        """Whether the filter keeps all events of a day, or none; None where it depends on the event."""

    def keeps(self, reference: Reference) -> bool:
        """Whether an event stays in the list."""


def page(
    organization: OrganizationRef, order: Order, filter_: Filter, wanted: Wanted, real_now: datetime
) -> tuple[list[Reference], dict[str, int | None]]:
    """One page, the latest first, and its `meta`."""
    found = log_reader.days(organization, order, real_now)
    days = [day for day in found if day.number and filter_.of_day(day.name) is not False]
    numbers = _numbers(organization.id, order, filter_, days)
    total = sum(numbers)
    first = (wanted.number - 1) * wanted.size
    if first >= total:
        return [], listing.meta(wanted, total)
    pages = _Pages(organization.id, order, filter_, days, wanted)
    references = pages.read(numbers, has_more=first + wanted.size < total)
    return references, listing.meta(wanted, total)


def _numbers(organization_id: OrganizationId, order: Order, filter_: Filter, days: Sequence[Day]) -> list[int]:
    """Number of events of each day that the filter keeps."""
    listed = ["log", order.name, *filter_.name]
    is_partial = any(filter_.of_day(day.name) is None for day in days)
    known: dict[str, list[int]] = (positions.kept(organization_id, listed, "numbers") or {}) if is_partial else {}
    counted = 0
    numbers: list[int] = []
    for day in days:
        number = day.number
        if filter_.of_day(day.name) is None:
            state = [day.number, day.erased]
            if known.get(day.name, [])[:2] != state:
                known[day.name] = [*state, log_reader.count(organization_id, order, day, filter_.keeps)]
                counted += day.number
            number = known[day.name][2]
        numbers.append(number)
    if counted >= _REMEMBERED_FROM:
        positions.keep(organization_id, listed, "numbers", known)
    return numbers


class _Pages:
    """Finds a page among days."""

    def __init__(
        self, organization_id: OrganizationId, order: Order, filter_: Filter, days: Sequence[Day], wanted: Wanted
    ) -> None:
        self._organization_id, self._order, self._filter = organization_id, order, filter_
        self._days, self._wanted = days, wanted
        self._listed = ["log", order.name, *filter_.name, wanted.size]

    def read(self, numbers: Sequence[int], *, has_more: bool) -> list[Reference]:
        """Its events; where the next page begins is remembered."""
        index, skipped, position = self._begin(numbers)
        found: list[Reference] = []
        for day in self._days[index:]:
            walk = Walk(self._organization_id, self._order, day, **position)
            position = {}
            for reference in walk:
                if not self._filter.keeps(reference):
                    continue
                if skipped:
                    skipped -= 1
                    continue
                found.append(reference)
                if len(found) == self._wanted.size:
                    if has_more:
                        self._remember(day, walk)
                    return found
        return found

    def _begin(self, numbers: Sequence[int]) -> tuple[int, int, dict[str, Any]]:
        """The index of a day, how many events are to be skipped there, and where to begin in it."""
        if self._wanted.number > 1:
            kept = positions.kept(self._organization_id, self._listed, str(self._wanted.number))
            for index, day in enumerate(self._days):
                if kept is not None and kept["day"] == day.name:
                    return index, 0, {"after": tuple(kept["after"]), "starts": kept["starts"]}
        left = (self._wanted.number - 1) * self._wanted.size
        for index, number in enumerate(numbers):
            if left < number:
                return index, left, {}
            left -= number
        return len(self._days), 0, {}

    def _remember(self, day: Day, walk: Walk) -> None:
        following = str(self._wanted.number + 1)
        positions.keep(self._organization_id, self._listed, following, {"day": day.name, **walk.position()})
