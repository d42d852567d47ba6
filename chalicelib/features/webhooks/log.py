"""Reading the log of messages: by id, by pages, by number.

Pages of all endpoints are merged from the endpoints' own order. Nothing but the page itself is in memory.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pynamodb.expressions.condition import Condition

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.webhooks import lane_store, log_store, streams, times
from chalicelib.features.webhooks.records import Message, Stream, message_id, sequence_in
from chalicelib.features.webhooks.times import Span
from chalicelib.platform import positions, rows
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId, WebhookEndpointId
from chalicelib.platform.listing import Wanted, meta

# Messages that are read ahead in one request.
_AHEAD = 100


@dataclass(frozen=True, slots=True)
class Filters:
    """What a page of the log leaves in. `since`, `until`: of `created_at`, inclusive."""

    endpoint_id: WebhookEndpointId | None = None
    types: Sequence[str] = ()
    statuses: Sequence[str] = ()
    http_statuses: Sequence[int] = ()
    object_ids: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None

    @property
    def condition(self) -> Condition | None:
        """The filter on a message's own values."""
        wanted: list[Condition] = []
        if self.types:
            wanted.append(rows.field("webhook_type").is_in(*self.types))
        if self.statuses:
            wanted.append(rows.field("status").is_in(*self.statuses))
        if self.object_ids:
            wanted.append(rows.field("object_id").is_in(*self.object_ids))
        if self.http_statuses:
            wanted.append(rows.field("last")["http_status"].is_in(*self.http_statuses))
        found: Condition | None = None
        for each in wanted:
            found = each if found is None else found & each
        return found


def find(organization_id: OrganizationId, message_id_: str) -> Message:
    """The message under an id, also of a deleted endpoint.

    Raises: NotFound.
    """
    sequence = sequence_in(message_id_)
    for endpoint_id in [] if sequence is None else lane_store.endpoints_ever(organization_id):
        assert sequence is not None, "there is none to look for otherwise"
        if message_id(organization_id, endpoint_id, sequence) == message_id_:
            found = log_store.message(organization_id, endpoint_id, sequence)
            if found is not None and log_store.is_kept(found):
                return found
    raise NotFound(Resource.WEBHOOK)


def page(
    organization: OrganizationRef, filters: Filters, wanted: Wanted
) -> tuple[list[Message], dict[str, int | None]]:
    """A page of the log, newest first, and its `meta`. Where few messages fit the filters a page reads a number of blocks at
    the most: what it has not looked at is behind the next page, and not yet in the total."""
    everything = _ranges(organization, filters)
    name = ["webhooks", repr(filters), wanted.size]
    kept = positions.kept(organization.id, name, str(wanted.number)) if wanted.number > 1 else None
    before = (wanted.number - 1) * wanted.size
    if kept is None:
        walk = _Walk(organization.id, filters.condition, {each.endpoint_id: each for each in everything})
        walk.take(before)
    else:
        ranges = {
            each.endpoint_id: each.up_to(kept["position"].get(each.endpoint_id, each.last)) for each in everything
        }
        walk = _Walk(organization.id, filters.condition, ranges)
    found = walk.take(wanted.size)
    position, is_more = walk.position(), walk.is_more()
    if filters.condition is None:
        total = sum(each.number for each in everything)
    elif kept is not None:
        total = int(kept["total"])
    else:
        total = before + len(found) + sum(1 for _ in walk)
    if is_more:
        positions.keep(organization.id, name, str(wanted.number + 1), {"position": position, "total": total})
    shown = meta(wanted, total)
    if is_more and shown["next_page"] is None:
        shown |= {"current_page": wanted.number, "next_page": wanted.number + 1}
    return found, shown


def after(
    organization_id: OrganizationId, endpoint_id: WebhookEndpointId, stream: Stream, sequence: int, *, at_most: int
) -> Iterator[Message]:
    """The messages of an endpoint behind a number, in order."""
    position, given = max(sequence, times.first_kept(organization_id, endpoint_id, stream) - 1), 0
    while position < stream.sequence and given < at_most:
        number = (position + 1) // limits.WEBHOOK_BLOCK
        last = min(stream.sequence, (number + 1) * limits.WEBHOOK_BLOCK - 1)
        for message in log_store.block(organization_id, endpoint_id, number, first=position + 1, last=last):
            yield message
            given += 1
            if given == at_most:
                return
        position = last


def number_of(
    organization_id: OrganizationId,
    endpoint_id: WebhookEndpointId,
    first: int,
    last: int,
    types: Sequence[str] | None,
) -> int:
    """Number of an endpoint's messages in a range; of some types as far as a bounded number of blocks tells."""
    if types is None or last < first:
        return max(0, last - first + 1)
    walk = _Walk(organization_id, Filters(types=types).condition, {endpoint_id: Span(endpoint_id, first, last)})
    return sum(1 for _ in walk)


def _ranges(organization: OrganizationRef, filters: Filters) -> list[Span]:
    ids = lane_store.endpoints_ever(organization.id)
    if filters.endpoint_id is not None:
        ids = [each for each in ids if each == filters.endpoint_id]
    found = streams.find_many(organization, ids).items()
    wanted = [(WebhookEndpointId(endpoint_id), streams.of(task)) for endpoint_id, task in found]
    return times.spans(organization.id, wanted, filters.since, filters.until)


class _Walk:
    """A walk over the messages of several endpoints, newest first, through a bounded number of blocks."""

    def __init__(
        self, organization_id: OrganizationId, condition: Condition | None, ranges: dict[WebhookEndpointId, Span]
    ) -> None:
        self._organization_id, self._condition = organization_id, condition
        # Each endpoint may begin with one, so that every walk gets on.
        self._left = max(limits.WEBHOOK_BLOCKS_READ, len(ranges))
        # Up to which number of each endpoint nothing was given yet.
        self._below = {each.endpoint_id: each.last for each in ranges.values()}
        self._cut_short = False
        self._newest = self._read_ahead([each for each in ranges.values() if each.number])
        newest_first = [self._down(each) for each in ranges.values() if each.number]
        self._messages = heapq.merge(*newest_first, key=lambda message: (message.created_at, message.id), reverse=True)
        self._ahead: list[Message] = []

    def __iter__(self) -> Iterator[Message]:
        while (message := self._next()) is not None:
            yield message

    def take(self, number: int) -> list[Message]:
        """The next messages."""
        found: list[Message] = []
        while len(found) < number and (message := self._next()) is not None:
            found.append(message)
        return found

    def is_more(self) -> bool:
        """Whether anything is left that was not given."""
        if not self._ahead and (message := self._following()) is not None:
            self._ahead.append(message)
        return bool(self._ahead) or self._cut_short

    def position(self) -> dict[str, int]:
        """Where another walk goes on."""
        self.is_more()
        return {str(endpoint_id): number for endpoint_id, number in self._below.items()}

    def _next(self) -> Message | None:
        if not self._ahead and (message := self._following()) is not None:
            self._ahead.append(message)
        if not self._ahead:
            return None
        message = self._ahead.pop()
        self._below[message.endpoint_id] = message.sequence - 1
        return message

    def _following(self) -> Message | None:
        """The next one; None from where an endpoint was cut short: what it has left may be newer than what others have."""
        found = None if self._cut_short else next(self._messages, None)
        return None if self._cut_short else found

    def _read_ahead(self, ranges: Sequence[Span]) -> Mapping[tuple[WebhookEndpointId, int], Message]:
        """The newest messages of several endpoints, in one request, where no filter passes any over: mostly they are it."""
        if self._condition is not None or not 1 < len(ranges) <= _AHEAD:
            return {}
        each_has = _AHEAD // len(ranges)
        places = [
            (each.endpoint_id, number)
            for each in ranges
            for number in range(max(each.first, each.last - each_has + 1), each.last + 1)
        ]
        return log_store.messages_at(self._organization_id, places)

    def _down(self, within: Span) -> Iterator[Message]:
        last = within.last
        while (message := self._newest.get((within.endpoint_id, last))) is not None and last >= within.first:
            yield message
            last -= 1
        while last >= within.first:
            if self._left == 0:
                self._cut_short = True
                self._below[within.endpoint_id] = min(self._below[within.endpoint_id], last)
                return
            self._left -= 1
            number = last // limits.WEBHOOK_BLOCK
            first = max(within.first, number * limits.WEBHOOK_BLOCK)
            yield from log_store.block(
                self._organization_id,
                within.endpoint_id,
                number,
                first=first,
                last=last,
                where=self._condition,
                descending=True,
            )
            # Whoever asks on has had all of this block.
            self._below[within.endpoint_id] = last = first - 1
