"""Finding numbers of messages by time: an endpoint's messages rise in both, so each search narrows a range of numbers, and many
searches are narrowed by the same requests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib import limits
from chalicelib.features.webhooks import log_store
from chalicelib.features.webhooks.records import Message, Stream
from chalicelib.platform import clock
from chalicelib.platform.ids import OrganizationId, WebhookEndpointId

# Messages that one request reads.
_AT_ONCE = 100


@dataclass(slots=True, eq=False)
class _Search:
    """The lowest number from `low` up to `high` whose message is late enough; `high` where none before it is. What expired is
    not late enough."""

    endpoint_id: WebhookEndpointId
    low: int
    high: int
    is_late: Callable[[Message], bool]

    def probes(self, most: int) -> list[int]:
        """Numbers to look at, which part the range evenly."""
        wide = self.high - self.low
        if wide <= most:
            return list(range(self.low, self.high))
        return [self.low + place * wide // (most + 1) for place in range(1, most + 1)]

    def narrow(self, looked_at: Sequence[tuple[int, Message | None]]) -> None:
        """Leave the part of the range that what was looked at leaves open."""
        for number, message in looked_at:
            if message is not None and self.is_late(message):
                self.high = number
                return
            self.low = number + 1


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers of an endpoint's messages, both ends inclusive."""

    endpoint_id: WebhookEndpointId
    first: int
    last: int

    @property
    def number(self) -> int:
        """How many there are."""
        return max(0, self.last - self.first + 1)

    def up_to(self, last: int) -> "Span":
        """The part of it up to a number."""
        return Span(self.endpoint_id, self.first, min(self.last, last))


def spans(
    organization_id: OrganizationId,
    wanted: Sequence[tuple[WebhookEndpointId, Stream]],
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Span]:
    """The messages of each endpoint that are kept, from one instant to another, both inclusive."""
    kept = [_kept(endpoint_id, stream) for endpoint_id, stream in wanted]
    begins = [_from(endpoint_id, stream, since) for endpoint_id, stream in wanted]
    ends = [_behind(endpoint_id, stream, until) for endpoint_id, stream in wanted]
    _search(organization_id, [*kept, *begins, *ends])
    return [
        Span(endpoint_id, max(oldest.high, begin.high), end.high - 1)
        for (endpoint_id, _), oldest, begin, end in zip(wanted, kept, begins, ends, strict=True)
    ]


def first_kept(organization_id: OrganizationId, endpoint_id: WebhookEndpointId, stream: Stream) -> int:
    """The number of the oldest message that has not expired; behind the last one where all have."""
    search = _kept(endpoint_id, stream)
    _search(organization_id, [search])
    return search.high


def _kept(endpoint_id: WebhookEndpointId, stream: Stream) -> _Search:
    is_young = stream.first_at is None or stream.first_at + limits.WEBHOOK_LOG_KEPT > clock.utc_now()
    return _Search(endpoint_id, 1, 1 if is_young else stream.sequence + 1, log_store.is_kept)


def _from(endpoint_id: WebhookEndpointId, stream: Stream, since: datetime | None) -> _Search:
    if since is None:
        return _Search(endpoint_id, 1, 1, log_store.is_kept)
    return _Search(endpoint_id, 1, stream.sequence + 1, lambda message: _shown(message) >= since)


def _behind(endpoint_id: WebhookEndpointId, stream: Stream, until: datetime | None) -> _Search:
    end = stream.sequence + 1
    if until is None:
        return _Search(endpoint_id, end, end, log_store.is_kept)
    return _Search(endpoint_id, 1, end, lambda message: _shown(message) > until)


def _shown(message: Message) -> datetime:
    """When a message was made, as the API shows it: to the millisecond."""
    at = message.created_at
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _search(organization_id: OrganizationId, searches: Sequence[_Search]) -> None:
    """Narrow all searches until nothing is open."""
    while left := [each for each in searches if each.low < each.high]:
        most = max(1, _AT_ONCE // len(left))
        looks = [(each, each.probes(most)) for each in left]
        wanted = {(each.endpoint_id, number) for each, numbers in looks for number in numbers}
        found = log_store.messages_at(organization_id, wanted)
        for each, numbers in looks:
            each.narrow([(number, found.get((each.endpoint_id, number))) for number in numbers])
