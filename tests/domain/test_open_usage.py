"""What current usage shows is what the invoice bills: each day of a year, in all zones, on all intervals.

Source: rules/usage 9; rules/billing-periods 2, 3.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise, product
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain import periods, subscriptions
from chalicelib.domain.intervals import BillingTime, Interval
from chalicelib.domain.periods import Span
from chalicelib.features.subscriptions import schedule
from tests.support import ledger
from tests.support.billing_time import DAY, ZONES
from tests.support.examples import share
from tests.support.ledger import Ledger

LONG = (Interval.SEMIANNUAL, Interval.YEARLY)
PLANS = [(interval, monthly) for interval in Interval for monthly in (False, True) if interval in LONG or not monthly]
WAYS = list(product(PLANS, BillingTime))
# Years in which a zone left out a day, set its clocks back over midnight or moved by an odd step.
ODD_YEARS = (
    ("Pacific/Apia", 2011),
    ("Pacific/Kwajalein", 1993),
    ("Pacific/Kiritimati", 1994),
    ("Asia/Pyongyang", 2015),
    ("Asia/Pyongyang", 2018),
    ("Asia/Gaza", 2011),
    ("Asia/Kathmandu", 1985),
    ("America/Caracas", 2007),
    ("America/Sao_Paulo", 2017),
    ("America/Havana", 2012),
    ("Africa/El_Aaiun", 2015),
    ("Africa/Cairo", 2014),
    ("Asia/Amman", 2013),
    ("Europe/Moscow", 2011),
    ("Antarctica/Casey", 2010),
)


@pytest.fixture(autouse=True, scope="module")
def quick_midnights() -> Iterator[None]:
    """Midnights are looked up again and again: kept, they cost a third."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(periods, "start_of_day", cache(periods.start_of_day))
        yield


def one_of_each(year: int) -> list[str]:
    """The zones whose clocks differ at any half-day from 31 August on for a year and a half; the first of those alike."""
    begin = datetime(year, 8, 30, tzinfo=UTC)
    found: dict[tuple[object, ...], str] = {}
    for name in share(ZONES):
        zone = ZoneInfo(name)
        found.setdefault(tuple((begin + n * DAY / 2).astimezone(zone).utcoffset() for n in range(2 * 400)), name)
    return list(found.values())


def seconds_of(day: date, zone: ZoneInfo, n: int) -> datetime:
    """An instant of a local day: its first, its last second or any other, by `n`."""
    first, following = periods.start_of_day(day, zone), periods.start_of_day(day + DAY, zone)
    if n % 3 == 0 or first == following:  # A day that is left out.
        return first
    if n % 3 == 1:
        return following - timedelta(milliseconds=1)
    return first + (following - first) * (n * 7919 % 1000) / 1000


def assert_shown_as_billed(zone: ZoneInfo, year: int, interval: Interval, billing_time: str, monthly: bool) -> None:
    started_at = periods.start_of_day(date(year, 8, 31), zone) + timedelta(hours=10, seconds=7)
    in_advance = (year + len(zone.key)) % 2 == 0
    plan = ledger.plan("plan", interval=interval.value, pay_in_advance=in_advance, bill_charges_monthly=monthly)
    books = Ledger(zone, {"plan": plan}, started_at)
    books.subscribe("sub", "plan", billing_time=billing_time)
    books.bill(started_at)
    due_at = books.due_at
    shown: list[tuple[datetime, Span]] = []
    for n in range(1, 370):
        at = seconds_of(date(year, 8, 31) + n * DAY, zone, n)
        span = open_usage(books, at)
        assert due_at is not None
        if due_at <= at:
            books.bill(at)
            due_at = books.due_at
            # Before its first run a subscription shows all since its start.
            assert len(books.rows["sub"]) <= 1 + in_advance or open_usage(books, at) == span
            span = open_usage(books, at)
        shown.append((at, span))
    books.bill(books.now.replace(microsecond=0) + DAY)
    last = open_usage(books, books.now)
    books.end(books.subscriptions["sub"])
    books.bill(books.now)
    billed = [row.charges for row in books.rows["sub"] if row.bills_usage and row.charges is not None]
    assert billed[0].start == started_at
    assert all(earlier.end == later.start for earlier, later in pairwise(billed))
    assert billed[-1].start == last.start
    assert billed[-1].end == books.now + timedelta(seconds=1)
    ends = {span.start: span for span in (*billed[:-1], last)}
    for at, span in shown:
        assert span.start <= at < span.end
        assert ends[span.start] == span


def open_usage(books: Ledger, at: datetime) -> Span:
    of = books.subscriptions["sub"]
    return subscriptions.open_usage(schedule.terms_of(books.plans["plan"]), schedule.life_of(of), at, books.zone)


CASES = [*((name, 2023) for name in share(one_of_each(2023))), *ODD_YEARS]


@pytest.mark.parametrize(("name", "year"), CASES, ids=[f"{name} {year}" for name, year in CASES])
def test_open_usage_is_the_range_that_is_billed_later(name, year):
    # Fewer examples are other ones in each case.
    turn = CASES.index((name, year)) % len(WAYS)
    for (interval, monthly), billing_time in share([*WAYS[turn:], *WAYS[:turn]]):
        assert_shown_as_billed(ZoneInfo(name), year, interval, billing_time.value, monthly)
