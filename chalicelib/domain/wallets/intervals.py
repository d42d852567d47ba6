"""The days on which an interval rule tops a wallet up: at local midnight, counted from the day on which it began.

Source: rules/invoices 8.4.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.intervals import BillingTime, Interval


def next_at(
    interval: Interval, *, created_at: datetime, started_at: datetime | None, after: datetime, zone: ZoneInfo
) -> datetime:
    """The first instant of the rule after another: its start, where that is to come, then one per interval."""
    if started_at is not None and started_at > after:
        return started_at
    anchor = periods.local_date(started_at or created_at, zone)
    period = periods.period_containing(anchor, interval, BillingTime.ANNIVERSARY, periods.local_date(after, zone))
    return periods.start_of_day(period.end, zone)
