"""Laws of what a subscription is billed for from its start to its end. Source: rules/billing-periods 2 to 5."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chalicelib.domain import periods, subscriptions, timeline
from chalicelib.domain.intervals import BillingTime, Interval
from chalicelib.domain.periods import Span
from chalicelib.domain.timeline import SubscriptionTimeline, Terms
from tests.support.billing_time import DAY, Billed, Case, billed, cases, days
from tests.support.examples import examples

law = settings(max_examples=examples(300))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def usage(rows: list[Billed]) -> list[Span]:
    return [each.row.charges for each in rows if each.row.bills_usage and each.row.charges is not None]


def assert_tiles(spans: list[Span], start: datetime, end: datetime) -> None:
    """Each range begins where the one before it ends, from `start` to `end`."""
    assert spans[0].start == start
    assert [span.end for span in spans] == [*(span.start for span in spans[1:]), end]


def clocks_went_back(instant: datetime, zone: ZoneInfo) -> bool:
    """Whether clocks show a day again of which the end was reached already."""
    return periods.start_of_day(periods.local_date(instant, zone) + DAY, zone) <= instant


@law
@given(cases())
def test_usage_is_billed_from_the_start_to_the_end_and_once(case):
    assume(not clocks_went_back(case.ended_at, case.zone))
    rows = billed(case)
    last = rows[-1].row
    assert_tiles(usage(rows), case.life.started_at, last.period.end)
    # Up to the upgrade, or to the end of the second of any other end.
    beyond = (last.period.end - case.ended_at).total_seconds()
    assert beyond == 0 if case.life.upgraded else 0 < beyond <= 1


@law
@given(cases(in_advance=False))
def test_fees_in_arrears_are_owed_for_each_day_of_the_life_once(case):
    assume(not clocks_went_back(case.ended_at, case.zone))
    fees = [each.row.fee for each in billed(case) if each.row.fee is not None]
    first, last = (periods.local_date(x, case.zone) for x in (case.life.started_at, case.ended_at))
    # The day of an upgrade is the new plan's.
    assert sum(fee.days for fee in fees) == (last - first).days + (0 if case.life.upgraded else 1)
    assert all(0 <= fee.days <= fee.of_days == fee.whole.days for fee in fees)
    assert all(fee.days == fee.of_days for fee in fees[1:-1])
    assert_tiles([fee.span for fee in fees], periods.start_of_day(first, case.zone), fees[-1].span.end)


@law
@given(cases(in_advance=True))
def test_fees_in_advance_are_owed_up_to_the_end_of_the_last_period_begun(case):
    fees = [each.row.fee for each in billed(case) if each.row.fee is not None]
    first, last = periods.local_date(case.life.started_at, case.zone), fees[-1].whole
    assert sum(fee.days for fee in fees) == (last.end - first).days
    assert all(fee.days == fee.of_days for fee in fees[1:])
    assert_tiles(
        [fee.span for fee in fees],
        periods.start_of_day(first, case.zone),
        periods.start_of_day(last.end, case.zone),
    )


@law
@given(cases(in_advance=False), cases(in_advance=False))
def test_an_upgrade_leaves_no_day_and_no_instant_unbilled_nor_bills_it_twice(old, after):
    """The successor takes over the anchor, and starts at the instant at which its predecessor ends."""
    old = replace(old, life=replace(old.life, upgraded=True))
    lasts = after.ended_at - after.life.started_at
    life = replace(after.life, anchor_at=old.life.anchor_at, billing_time=old.life.billing_time, upgraded=False)
    life = replace(life, started_at=old.ended_at, ended_at=old.ended_at + lasts)
    new = replace(after, life=life, zone=old.zone)
    assume(not clocks_went_back(old.ended_at, old.zone) and not clocks_went_back(new.ended_at, old.zone))
    rows = [*billed(old), *billed(new)]
    assert_tiles(usage(rows), old.life.started_at, rows[-1].row.period.end)
    first, last = (periods.local_date(x, old.zone) for x in (old.life.started_at, new.ended_at))
    assert sum(each.row.fee.days for each in rows if each.row.fee) == (last - first).days + 1


@law
@given(cases(), st.integers(0, 100))
def test_open_usage_goes_from_the_last_invoice_over_now_to_the_next_billing_day(case, percent):
    now = case.life.started_at + (case.ended_at - case.life.started_at) * percent / 100
    assume(not clocks_went_back(now, case.zone))
    life = billed(replace(case, life=replace(case.life, ended_at=now)))[-1].life
    found = subscriptions.open_usage(case.terms, life, now, case.zone)
    assert found.start == (life.billed_until or life.started_at)
    assert found.start <= now < found.end
    today = periods.local_date(now, case.zone)
    assert found.end == timeline.next_billing_at(case.terms, life, after=today, zone=case.zone)


@law
@given(st.data(), cases())
def test_billing_days_open_the_periods_of_the_anchors_local_day(data, case):
    terms, life, zone = case.terms, case.life, case.zone
    on = data.draw(days(zone))
    anchor = periods.local_date(life.anchor_at, zone)
    whole = timeline.period_on(terms, life, on, zone)
    charges = timeline.charges_period_on(terms, life, on, zone)
    assert whole == periods.period_containing(anchor, terms.interval, life.billing_time, on)
    assert charges.end == whole.end if not terms.charges_monthly else 28 <= charges.days <= 31
    assert timeline.is_billing_day(terms, life, on, zone) == (on in (whole.start, charges.start))
    due_at = timeline.next_billing_at(terms, life, after=on, zone=zone)
    assert due_at == periods.start_of_day(charges.end, zone)


# When the customer's zone changes


def assert_bills_all_once(case: Case) -> None:
    """Usage tiles the life, and no boundary is billed twice.

    Boundaries move by a day, where the 28th becomes the 1st by up to four: so many days of a fee may be lost or come twice.
    """
    rows = billed(case)
    assert_tiles(usage(rows), case.life.started_at, rows[-1].row.period.end)
    runs = [each.on for each in rows if each.on is not None]
    assert all(later - earlier > 5 * DAY for earlier, later in pairwise(runs))
    fees = [each.row.fee for each in rows if each.row.fee is not None]
    first = periods.local_date(case.life.started_at, case.zone)
    last = periods.local_date(case.ended_at, case.last_zone) + (0 if case.life.upgraded else 1) * DAY
    if case.terms.pay_in_advance:
        last = fees[-1].whole.end
    assert abs(sum(fee.days for fee in fees) - (last - first).days) <= 4


@law
@given(cases(moves=True))
def test_all_is_billed_once_when_the_zone_changes(case):
    assume(not clocks_went_back(case.ended_at, case.last_zone))
    assert_bills_all_once(case)


def moved(interval: str, billing_time: str, start: str, move: str, end: str, zone: str, then: str | None) -> Case:
    started_at = at(start)
    life = SubscriptionTimeline(
        billing_time=BillingTime(billing_time),
        anchor_at=started_at,
        started_at=started_at,
        trial_started_at=started_at,
        ended_at=at(end),
    )
    terms = Terms(interval=Interval(interval), amount_cents=1000, pay_in_advance=False)
    if then is None:
        return Case(terms, life, ZoneInfo(zone))
    return Case(terms, life, ZoneInfo(zone), then=ZoneInfo(then), moved_at=at(move))


LOS_ANGELES, TOKYO, ST_JOHNS = "America/Los_Angeles", "Asia/Tokyo", "America/St_Johns"


@pytest.mark.parametrize(
    "case",
    [
        # 20:00 on 31 January is noon in Los Angeles, and 1 February in Tokyo: 31 March is billed again as 1 April.
        ("monthly", "anniversary", "2024-01-31T20:00", "2024-04-15T00:00", "2024-04-20T00:00", LOS_ANGELES, TOKYO),
        ("yearly", "anniversary", "2023-01-31T20:00", "2024-03-01T00:00", "2024-03-20T00:00", LOS_ANGELES, TOKYO),
        ("weekly", "anniversary", "2024-01-01T20:00", "2024-01-11T00:00", "2024-01-12T00:00", LOS_ANGELES, TOKYO),
        # January is billed in Tokyo; then it is 31 January again, and the end bills January once more.
        ("monthly", "calendar", "2024-01-10T00:00", "2024-01-31T16:00", "2024-01-31T20:00", TOKYO, LOS_ANGELES),
        # The same without a move, where clocks went from 00:01 on 1 November back to October.
        ("monthly", "calendar", "2009-10-05T00:00", "", "2009-11-01T03:00", ST_JOHNS, None),
    ],
    ids=["month", "year", "week", "end before the boundary", "clocks back over midnight"],
)
def test_a_boundary_that_comes_again_is_not_billed_again(case):
    assert_bills_all_once(moved(*case))


def test_open_usage_after_a_move_back_over_a_boundary_begins_with_what_is_not_billed():
    case = moved("monthly", "calendar", "2024-01-10T00:00", "", "2024-02-10T00:00", TOKYO, None)
    life = replace(case.life, billed_until=at("2024-01-31T15:00"))
    found = subscriptions.open_usage(case.terms, life, at("2024-01-31T20:00"), ZoneInfo(LOS_ANGELES))
    assert found.start == at("2024-01-31T15:00")


def test_usage_after_a_move_from_tokyo_to_los_angeles_has_no_hole():
    case = moved("monthly", "calendar", "2022-01-01T00:00", "2022-02-10T00:00", "2022-03-05T00:00", TOKYO, LOS_ANGELES)
    found = [each.row.charges for each in billed(case)]
    assert found[1] == Span(at("2022-01-31T15:00"), at("2022-03-01T08:00"))
