"""Examples for the laws of billing time: zones with hard midnights, days and subscriptions, and their billing.

Days lie in 1970 to 2037, often at the end of a short month or beside a change of the zone's clocks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

from chalicelib.domain import periods, subscriptions, timeline
from chalicelib.domain.billing_line import BillingLine
from chalicelib.domain.intervals import BillingTime, Interval
from chalicelib.domain.timeline import SubscriptionTimeline, Terms

DAY = timedelta(days=1)
FIRST, LAST = date(1970, 1, 1), date(2037, 12, 31)
ZONES = tuple(sorted(available_timezones()))
# Midnights that are missing, or come twice; days left out; odd offsets.
TRAPS = (
    "Africa/Cairo",
    "Africa/El_Aaiun",
    "America/Goose_Bay",
    "America/Havana",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Kwajalein",
)

intervals = st.sampled_from(list(Interval))
billing_times = st.sampled_from(list(BillingTime))
zones = (st.sampled_from(TRAPS) | st.sampled_from(ZONES)).map(ZoneInfo)


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """The instants from 1970 to 2037 at which a zone's clocks are set."""
    zone, step = ZoneInfo(name), timedelta(days=7)
    found = []
    at = datetime.combine(FIRST, time(0), UTC)
    while at.date() <= LAST:
        before, after = at, at + step
        if before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            offset = before.astimezone(zone).utcoffset()
            while after - before > timedelta(seconds=1):
                middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
                before, after = (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
            found.append(after)
        at += step
    return tuple(found)


@st.composite
def days(draw: st.DrawFn, zone: ZoneInfo | None = None) -> date:
    """A local day."""
    kind = draw(st.sampled_from(("any", "end of month", "leap", "change")))
    if kind == "change" and zone is not None and changes(zone.key):
        near = draw(st.sampled_from(changes(zone.key)))
        return periods.local_date(near, zone) + draw(st.integers(-1, 1)) * DAY
    if kind == "leap":
        return date(draw(st.integers(1970 // 4 + 1, 2037 // 4)) * 4, 2, 29)
    on = draw(st.dates(FIRST, LAST))
    if kind == "end of month":
        return (on.replace(day=1) + timedelta(days=32)).replace(day=1) - draw(st.integers(1, 3)) * DAY
    return on


@st.composite
def instants(draw: st.DrawFn, zone: ZoneInfo, on: date | None = None) -> datetime:
    """A whole second in UTC: of any day or of the one given, often at a midnight or beside a change of clocks."""
    day = on or draw(days(zone))
    if draw(st.booleans()):
        return periods.start_of_day(day, zone) + draw(st.integers(-2, 90)) * timedelta(minutes=1)
    return datetime.combine(day, time(0), UTC) + timedelta(seconds=draw(st.integers(0, 86399)))


@dataclass(frozen=True, slots=True)
class Case:
    """A subscription from its start to its end, in one zone, or in two: `moved_at` its customer goes to `then`."""

    terms: Terms
    life: SubscriptionTimeline
    zone: ZoneInfo
    then: ZoneInfo | None = None
    moved_at: datetime | None = None

    @property
    def ended_at(self) -> datetime:
        """Instant at which the subscription ends."""
        assert self.life.ended_at is not None
        return self.life.ended_at

    @property
    def last_zone(self) -> ZoneInfo:
        """Time zone in which the subscription ends."""
        return self.then or self.zone


@st.composite
def cases(draw: st.DrawFn, *, in_advance: bool | None = None, moves: bool = False) -> Case:
    """Subscriptions with every interval, billing time and start; a third of them ends within days of the start."""
    zone, interval = draw(zones), draw(intervals)
    started_at = draw(instants(zone).filter(lambda at: FIRST + 800 * DAY < at.date() < LAST - 800 * DAY))
    # A successor keeps the anchor of the first plan.
    age = draw(st.just(0) | st.integers(0, 700))
    longest = 150 if interval is Interval.WEEKLY else 800
    lasted = draw(st.integers(0, 9) | st.integers(0, 60) | st.integers(0, longest))
    ended_at = draw(instants(zone, periods.local_date(started_at, zone) + lasted * DAY))
    ended_at = max(started_at, ended_at) + timedelta(microseconds=draw(st.sampled_from((0, 1, 400_000))))
    terms = Terms(
        interval=interval,
        amount_cents=draw(st.integers(0, 1_000_000)),
        pay_in_advance=draw(st.booleans()) if in_advance is None else in_advance,
        charges_monthly=interval in (Interval.SEMIANNUAL, Interval.YEARLY) and draw(st.booleans()),
    )
    life = SubscriptionTimeline(
        billing_time=draw(billing_times),
        anchor_at=started_at - age * DAY,
        started_at=started_at,
        trial_started_at=started_at,
        ended_at=ended_at,
        upgraded=draw(st.booleans()),
    )
    if not moves:
        return Case(terms, life, zone)
    moved_at = started_at + (ended_at - started_at) * draw(st.integers(0, 100)) / 100
    return Case(terms, life, zone, then=draw(zones), moved_at=moved_at)


@dataclass(frozen=True, slots=True)
class Billed:
    """A row with its billing day (None for the first and the last row), and the subscription as it was then."""

    row: BillingLine
    on: date | None
    life: SubscriptionTimeline
    zone: ZoneInfo


def billed(case: Case) -> list[Billed]:
    """All rows of a subscription: of its start in advance, of each billing day, of its end."""
    life, first = case.life, []
    if case.terms.pay_in_advance:
        first = [Billed(subscriptions.starting(case.terms, life, case.zone), None, life, case.zone)]
        life = _continued(first[0], life)
    runs = list(_runs(case, life))
    life = _continued(runs[-1], runs[-1].life) if runs else life
    last = subscriptions.ending(case.terms, life, case.last_zone)
    return [*first, *runs, Billed(last, None, life, case.last_zone)]


def _runs(case: Case, life: SubscriptionTimeline) -> Iterator[Billed]:
    """The billing days, each carried out at its instant, or at the move where it is past then."""
    zone, moves = case.zone, case.moved_at is not None
    billed_on = date.min
    while True:
        after = max(periods.local_date(life.started_at, zone), billed_on)
        on = timeline.next_billing_day(case.terms, life, after=after, zone=zone)
        due_at = timeline.next_billing_at(case.terms, life, after=after, zone=zone)
        if moves and case.moved_at is not None and due_at >= case.moved_at:
            zone, moves = case.last_zone, False
            continue
        if due_at > case.ended_at:
            return
        run = Billed(subscriptions.periodic(case.terms, life, on, zone), on, life, zone)
        life, billed_on = _continued(run, life), on
        yield run


def _continued(run: Billed, life: SubscriptionTimeline) -> SubscriptionTimeline:
    assert run.row.charges is not None
    life = replace(life, billed_until=run.row.charges.end)
    return life if run.row.fee is None else replace(life, paid_until=run.row.fee.whole.end)
