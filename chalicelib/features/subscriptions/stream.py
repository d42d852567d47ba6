"""Stream of a subscription: the events that count for it. Source: rules/usage 1.4.

Events belong to an external id. Another customer may take the id once its subscription is over. Events sent under it
until then do not count for that customer.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.domain.periods import Span

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Stream:
    """The events of an external id, but for those of another customer who had it before.

    `since`: first instant that counts, a whole second; None: all events ever sent. `taken_at`: where the other's last
    second is also the first one, the stamp of real time at which the id changed hands: events dated in this second
    count if they were received later. Empty where they all count.
    """

    external_id: str
    since: datetime | None = None
    taken_at: str = ""

    def holds(self, at: datetime, order: str) -> bool:
        """Whether an event counts. `order`: its position in the order of reception, which begins with its stamp."""
        if self.since is None or at >= self.since + _SECOND:
            return True
        return at >= self.since and order >= self.taken_at

    def cut(self, span: Span) -> Span:
        """The part of a range in which events may count."""
        if self.since is None or self.since <= span.start:
            return span
        return Span(min(self.since, span.end), span.end)

    def contested(self, span: Span) -> Span | None:
        """The part of a range in which each event has to be looked at, where there is any."""
        if self.since is None or not self.taken_at:
            return None
        start, end = max(span.start, self.since), min(span.end, self.since + _SECOND)
        return Span(start, end) if start < end else None
