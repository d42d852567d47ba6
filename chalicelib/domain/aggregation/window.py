"""The range of time for which units are asked. Source: rules/usage 3.2, 3.3; rules/billing-periods 2."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.periods import Span

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """`span`: the billed range, half-open. `of_days`: the full length of the charges period, also where the span is
    shorter.

    `first_day`, `last_day`: the local days of the range, both included; a day on which the subscription ended is the
    last one, also when it ended by an upgrade. `upgraded`: the span is the part that an upgrade closes. Its day then
    counts for unique counts and for values dated inside the span, but no more for the sum that was held before it.
    """

    span: Span
    zone: ZoneInfo
    of_days: int
    first_day: date
    last_day: date
    upgraded: bool = False

    def __post_init__(self) -> None:
        assert self.of_days > 0, "a period has a length"

    def day_of(self, at: datetime) -> date:
        """The customer's day at an instant."""
        return periods.local_date(at, self.zone)

    def days(self, first: date, last: date | None) -> int:
        """Number of days from `first` to `last`, both included, within the range. `last` None: to the range's end."""
        begin = max(first, self.first_day)
        end = self.last_day if last is None else min(last, self.last_day)
        return max(0, (end - begin).days + 1)

    @property
    def days_without_upgrade(self) -> int:
        """The days of the range without the day of an upgrade: a held sum and a spending minimum count them.

        Source: rules/usage 3.3, 8.1.
        """
        return self.days(self.first_day, self.last_day - _DAY if self.upgraded else self.last_day)
