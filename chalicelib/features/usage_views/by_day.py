"""Usage by day: what charges counted on each day of the customer's zone, for charts.

Made of rollups, so that it costs the same at any number of events. The days of counts and sums add up to what usage itself
says. Distinct values do not add up, nor do some units that rollups do not cover: those charges have no days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from chalicelib.domain import periods, subscriptions
from chalicelib.domain.aggregation.dimensions import Bucket
from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.domain.aggregation.summaries import NOTHING, Summary, merged
from chalicelib.domain.periods import Span
from chalicelib.features.plans import active_parts
from chalicelib.features.plans import service as plans
from chalicelib.features.rating.buckets import Buckets, dimensions_of
from chalicelib.features.subscriptions import schedule
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.features.usage import service as usage
from chalicelib.features.usage.local_days import LocalDays
from chalicelib.features.usage.totals import RollupTotals
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import ChargeId

_DAY = timedelta(days=1)
# More days are no picture: a yearly period is shown without one.
DAYS_MAX = 100
_GROWING = (Aggregation.COUNT, Aggregation.SUM)

# By fee: the index of the charge's filter (None: no filter), and the group. None: all fees of the charge together, where
# rows do not tell them apart.
Part = tuple[int | None, tuple[tuple[str, str | None], ...]] | None


@dataclass(frozen=True, slots=True)
class DailyCharge:
    """A charge by day. `kind`: units used on each day, or the level at its end; `parts`: the values by fee, one a day."""

    kind: Literal["used", "level"]
    parts: Mapping[Part, Sequence[Decimal]]


@dataclass(frozen=True, slots=True)
class DailyUsage:
    """Usage in a range by `days`. `today`: the present day there; `charges`: those that rollups tell; `cuts_hours`: days
    begin within hours of UTC, by which rollups are kept, so that they tell none."""

    days: Sequence[date]
    today: date
    charges: Mapping[ChargeId, DailyCharge]
    cuts_hours: bool = False


def open_period(
    organization: OrganizationRef, subscription: Subscription, zone: ZoneInfo, *, now: datetime
) -> DailyUsage | None:
    """The days of an active subscription's running period; None where it has more than a picture shows."""
    plan = plans.by_ids(organization.id, [subscription.plan_id])[subscription.plan_id]
    days = subscriptions.open_days(schedule.terms_of(plan), schedule.life_of(subscription), now, zone)
    return of_range(organization, subscription, days.span, zone, now=now)


def of_range(
    organization: OrganizationRef, subscription: Subscription, span: Span, zone: ZoneInfo, *, now: datetime
) -> DailyUsage | None:
    """The days of a range, by the charges of the subscription's plan."""
    ranges = _days(span, zone)
    if not ranges or len(ranges) > DAYS_MAX:
        return None
    plan = plans.by_ids(organization.id, [subscription.plan_id])[subscription.plan_id]
    pairs = active_parts.live_charges(plan, active_parts.metrics_of(organization.id, [plan]))
    asked = [each for each in (Buckets(charge, metric, {}) for charge, metric in pairs) if _is_told(each)]
    stream = subscription.stream
    found = usage.by_day(organization, stream, ranges, dimensions_of(asked)) if asked else None
    recurring = [each for each in asked if each.metric.recurring]
    before = None
    if found is not None and recurring:
        before = usage.history(organization, stream, span.start, dimensions_of(recurring))
    charges: dict[ChargeId, DailyCharge] = {}
    for each in asked if found is not None else ():
        own = None if found is None else _charge(each, found, before)
        if own is not None:
            charges[ChargeId(each.charge.id)] = own
    days = [periods.local_date(each.start, zone) for each in ranges]
    cuts_hours = asked != [] and found is None and any(each.start.minute for each in ranges[1:])
    return DailyUsage(days, periods.local_date(now, zone), charges, cuts_hours)


def _is_told(asked: Buckets) -> bool:
    """Whether rollups hold the units of single days; what proration or prices make of them is no matter."""
    return asked.rule.aggregation is not Aggregation.UNIQUE_COUNT


def _days(span: Span, zone: ZoneInfo) -> list[Span]:
    """A range cut at the midnights of a zone."""
    found: list[Span] = []
    start = span.start
    while start < span.end and len(found) <= DAYS_MAX:
        end = min(span.end, periods.start_of_day(periods.local_date(start, zone) + _DAY, zone))
        found.append(Span(start, end))
        start = end
    return found


def _charge(asked: Buckets, found: LocalDays, before: RollupTotals | None) -> DailyCharge | None:
    """The days of a charge; None where rows do not cover its usage."""
    if not found.tells(asked.metric.code, asked.dimension):
        return _whole(asked, found)
    held = [before] if before is not None and asked.metric.recurring else []
    try:
        summaries = asked.summaries(*held, *found.totals)
    except usage.NeedsEvents:
        return None
    grows = _grows(asked)
    level = _held if asked.metric.recurring or asked.rule.aggregation is Aggregation.WEIGHTED_SUM else _reached
    parts: dict[Part, Sequence[Decimal]] = {}
    for bucket, own in summaries.items():
        start, days = (own[0], own[1:]) if held else (NOTHING, own)
        each = [_used(asked, day) for day in days] if grows else level(asked, start, days)
        if any(each) or not bucket.group:
            parts[_part(bucket)] = each
    return DailyCharge("used" if grows else "level", parts)


def _grows(asked: Buckets) -> bool:
    return asked.rule.aggregation in _GROWING and not asked.metric.recurring


def _whole(asked: Buckets, found: LocalDays) -> DailyCharge | None:
    """All events of a metric together: counts and sums of fees that rows do not tell apart, such as those of groups."""
    if not _grows(asked) or (asked.charge.filters and not asked.charge.default_fee):
        return None
    code = asked.metric.code
    try:
        if asked.rule.aggregation is Aggregation.COUNT:
            return DailyCharge("used", {None: [Decimal(day.events(code)) for day in found.totals]})
        return DailyCharge("used", {None: [day.sum(code, asked.rule.property_name).total for day in found.totals]})
    except usage.NeedsEvents:
        return None


def _part(bucket: Bucket) -> Part:
    return bucket.filter_index, tuple(bucket.group)


def _used(asked: Buckets, day: Summary) -> Decimal:
    return Decimal(day.events) if asked.rule.aggregation is Aggregation.COUNT else day.total


def _held(asked: Buckets, start: Summary, days: Sequence[Summary]) -> list[Decimal]:
    """The sum of all changes, at the end of each day."""
    found, level = [], start
    for day in days:
        level = merged((level, day))
        found.append(level.total)
    return found


def _reached(asked: Buckets, start: Summary, days: Sequence[Summary]) -> list[Decimal]:
    """The maximum or the last value by the end of each day."""
    found, seen = [], start
    for day in days:
        seen = merged((seen, day))
        if asked.rule.aggregation is Aggregation.MAX:
            found.append(seen.maximum or Decimal(0))
        else:
            found.append(max(Decimal(0), seen.latest[1]) if seen.latest else Decimal(0))
    return found
