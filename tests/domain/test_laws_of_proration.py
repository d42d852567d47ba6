"""Laws of parts of a price. Source: rules/billing-periods 4, 7."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.domain import periods, subscriptions
from chalicelib.domain.billing_line import FeeRange
from chalicelib.domain.intervals import BillingTime, Interval
from chalicelib.domain.money import CONTEXT, round_half_up
from chalicelib.domain.periods import Period
from chalicelib.domain.proration import prorated, unused_cents
from chalicelib.domain.timeline import SubscriptionTimeline, Terms
from tests.support.billing_time import DAY, billing_times, days, intervals
from tests.support.examples import examples

law = settings(max_examples=examples(300))
# Sixty digits are exact for what terminates; a third is cut far behind the last digit that any amount could have.
EXACT = Decimal("1e-40")
amounts = st.integers(0, 100) | st.integers(0, 10**13)
UTC_ZONE = ZoneInfo("UTC")


@st.composite
def whole_periods(draw: st.DrawFn) -> Period:
    """Any period of any anchor."""
    return periods.period_containing(draw(days()), draw(intervals), draw(billing_times), draw(days()))


@law
@given(amounts, whole_periods(), st.data())
def test_the_two_parts_that_an_upgrade_makes_add_up_to_the_whole(amount, period, data):
    used = data.draw(st.integers(0, period.days))
    old = prorated(amount, days=used, period_days=period.days)
    new = prorated(amount, days=period.days - used, period_days=period.days)
    assert old >= 0
    assert new >= 0
    assert abs(CONTEXT.add(old, new) - amount) < EXACT
    # Before rounding they never exceed the whole; two halves of a cent, each rounded up, do by one cent.
    assert round_half_up(CONTEXT.add(old, new)) == amount
    assert abs(round_half_up(old) + round_half_up(new) - amount) <= 1


@law
@given(amounts, whole_periods(), st.lists(st.integers(0, 366), max_size=12))
def test_any_parts_of_a_period_add_up_within_a_cent_for_each_boundary(amount, period, cuts):
    edges = sorted({0, period.days, *(cut % period.days for cut in cuts)})
    lengths = [later - earlier for earlier, later in pairwise(edges)]
    parts = [prorated(amount, days=length, period_days=period.days) for length in lengths]
    exact = Decimal(0)
    for part in parts:
        exact = CONTEXT.add(exact, part)
    assert abs(exact - amount) < EXACT
    assert abs(sum(round_half_up(part) for part in parts) - amount) <= len(parts) - 1


@law
@given(amounts, amounts, st.integers(1, 366), st.data())
def test_more_days_or_a_higher_price_never_cost_less(amount, other, of, data):
    few, many = sorted((data.draw(st.integers(0, of)), data.draw(st.integers(0, of))))
    low, high = sorted((amount, other))
    assert prorated(low, days=few, period_days=of) <= prorated(high, days=many, period_days=of) <= high
    assert prorated(amount, days=0, period_days=of) == 0
    assert prorated(amount, days=of, period_days=of) == amount


@law
@given(amounts, st.integers(1, 366), amounts, amounts, st.data())
def test_a_credit_never_exceeds_what_is_left_of_the_fee(amount, of, fee, credited, data):
    left = data.draw(st.integers(0, of))
    given_back = unused_cents(amount, days_left=left, period_days=of, fee_cents=fee, credited_cents=credited)
    share = prorated(amount, days=left, period_days=of)
    assert 0 <= given_back <= max(0, fee - credited)
    assert given_back <= max(Decimal(0), share - credited)
    assert given_back == given_back.quantize(Decimal("0.00001"))
    # Nothing is held back but what was credited before, and digits behind the fifth.
    assert min(share, fee) - credited - given_back < Decimal("0.00001")
    # Credited once more, the same days give nothing.
    again = credited + round_half_up(given_back)
    assert unused_cents(amount, days_left=left, period_days=of, fee_cents=fee, credited_cents=again) < 1


# Plans changed within a period, both paid in advance


def _fee(amount: int, life: SubscriptionTimeline, interval: Interval, from_day: date) -> tuple[FeeRange, int]:
    """The fee of a start in advance on a day, as its range and in cents."""
    terms = Terms(interval=interval, amount_cents=amount, pay_in_advance=True)
    started = replace(life, started_at=datetime.combine(from_day, time(12), UTC))
    fee = subscriptions.starting(terms, started, UTC_ZONE).fee
    assert fee is not None
    return fee, round_half_up(prorated(amount, days=fee.days, period_days=fee.of_days))


def _credit(amount: int, fee: FeeRange, cents: int, upgraded_on: date) -> int:
    left = (fee.whole.end - upgraded_on).days
    exact = unused_cents(amount, days_left=left, period_days=fee.of_days, fee_cents=cents, credited_cents=0)
    return round_half_up(exact)


def _net(plans: list[tuple[int, Interval]], life: SubscriptionTimeline, changed_on: list[date]) -> int:
    """Fees less credits of a chain of upgrades, each on its day."""
    net, last = 0, None
    for (amount, interval), on in zip(plans, changed_on, strict=True):
        if last is not None:
            net -= _credit(*last, on)
        fee, cents = _fee(amount, life, interval, on)
        net += cents
        last = (amount, fee, cents)
    return net


@law
@given(amounts, amounts, intervals, billing_times, days(), st.data())
@example(1, 1, Interval.WEEKLY, BillingTime.ANNIVERSARY, date(2024, 1, 1), None)
def test_an_upgrade_there_and_back_never_bills_more_than_both_plans(a, b, interval, billing_time, anchor, data):
    at = datetime.combine(anchor, time(12), UTC)
    life = SubscriptionTimeline(billing_time=billing_time, anchor_at=at, started_at=at, trial_started_at=at)
    whole = periods.period_containing(anchor, interval, billing_time, anchor)
    left = whole.days - 1 - (anchor - whole.start).days
    there, back = sorted(data.draw(st.integers(0, left)) for _ in range(2)) if data else (0, left)
    changed_on = [anchor, anchor + there * DAY, anchor + back * DAY]
    net = _net([(a, interval), (b, interval), (a, interval)], life, changed_on)
    assert 0 <= net <= a + b
    # More than that: each day costs the plan it was used on. Three fees and two credits round five times.
    parts = [there, back - there, left + 1 - back]
    used = sum(prorated(x, days=n, period_days=whole.days) for x, n in zip((a, b, a), parts, strict=True))
    assert abs(net - used) <= Decimal("2.5")


@law
@given(st.lists(st.tuples(amounts, st.integers(0, 366)), min_size=1, max_size=8), billing_times, days(), intervals)
def test_a_chain_of_upgrades_bills_each_day_once(plans, billing_time, anchor, interval):
    at = datetime.combine(anchor, time(12), UTC)
    life = SubscriptionTimeline(billing_time=billing_time, anchor_at=at, started_at=at, trial_started_at=at)
    whole = periods.period_containing(anchor, interval, billing_time, anchor)
    changed_on = [anchor, *sorted(anchor + n % (whole.end - anchor).days * DAY for _, n in plans[1:])]
    net = _net([(amount, interval) for amount, _ in plans], life, changed_on)
    highest = max(amount for amount, _ in plans)
    assert 0 <= net <= highest + len(plans)
