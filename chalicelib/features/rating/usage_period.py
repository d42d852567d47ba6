"""The usage period in which an event is charged in advance: when it opens, closes and renews."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.aggregation.window import Window
from chalicelib.domain.billing_line import Days
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.platform.clock import OrganizationRef

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Period:
    """The usage period of a subscription that contains an instant."""

    organization: OrganizationRef
    subscription: Subscription
    days: Days
    zone: ZoneInfo

    @property
    def window(self) -> Window:
        """Window of the period, for the proration of units."""
        return Window(self.days.span, self.zone, self.days.whole.days, self.days.first, self.days.last)

    def opens_at(self, *, recurring: bool) -> datetime:
        """The instant from which its units are new. The plan before an upgrade paid recurring ones until the next
        renewal."""
        start = self.starts_at
        if recurring and self.subscription.previous_id is not None:
            return min(start, periods.start_of_day(self.days.whole.start, self.zone))
        return start

    @property
    def starts_at(self) -> datetime:
        """The instant, to the second, from which events are the subscription's."""
        return self.days.span.start.replace(microsecond=0)

    @property
    def closes_at(self) -> datetime:
        """Up to when events are the subscription's: of one that ended its last second included, unless an upgrade made
        the end. Source: rules/usage 1.4."""
        ended_at = self.subscription.terminated_at
        if ended_at is None:
            return self.days.span.end
        end = ended_at.replace(microsecond=0)
        return min(self.days.span.end, end if self.subscription.upgraded else end + _SECOND)

    @property
    def renews(self) -> bool:
        """Whether a recurring metric was paid for when it began: by a renewal, or by the plan before. A first period
        begins with nothing paid."""
        started_at = self.subscription.started_at
        return self.subscription.previous_id is not None or (started_at is not None and started_at < self.starts_at)
