"""However time is stepped through, the same is billed. Source: architecture "Time"; decisions/0006.

Here without storage; `scenarios/test_leaps.py` has the same over HTTP.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chalicelib.domain import periods, timeline
from chalicelib.domain.billing_line import BillingLine
from chalicelib.domain.intervals import Interval
from chalicelib.features.plans.records import Plan
from chalicelib.features.subscriptions import schedule
from chalicelib.features.subscriptions.records import Subscription
from tests.support import ledger
from tests.support.billing_time import DAY, instants, zones
from tests.support.examples import examples
from tests.support.ledger import Ledger

law = settings(max_examples=examples(100))
SPAN = timedelta(days=430)


@pytest.fixture(autouse=True, scope="module")
def quick_midnights() -> Iterator[None]:
    """Midnights are looked up again and again: kept, they cost a third."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(periods, "start_of_day", cache(periods.start_of_day))
        yield


@dataclass(frozen=True)
class Wish:
    """What somebody asks for at an instant: another plan, or the end."""

    at: datetime
    what: str
    plan: str
    invoice: str


@dataclass(frozen=True)
class Script:
    """A customer's subscriptions and what is asked for them, in order."""

    zone: ZoneInfo
    begin: datetime
    plans: tuple[Plan, ...]
    starts: tuple[dict[str, object], ...]
    wishes: tuple[Wish, ...]

    @property
    def end(self) -> datetime:
        """Up to where it is carried."""
        return self.begin + SPAN


@st.composite
def plans_named(draw: st.DrawFn, name: str, *, trials: bool) -> Plan:
    interval = draw(st.sampled_from(list(Interval)))
    long = interval in (Interval.SEMIANNUAL, Interval.YEARLY)
    return ledger.plan(
        name,
        interval=interval.value,
        amount_cents=draw(st.sampled_from((0, 1000, 99_999))),
        pay_in_advance=draw(st.booleans()),
        bill_charges_monthly=long and draw(st.booleans()),
        bill_fixed_charges_monthly=long and draw(st.booleans()),
        fixed_in_advance=draw(st.booleans()),
        trial_period=draw(st.sampled_from(("0", "0", "0", "5", "14.5", "31", "100"))) if trials else "0",
    )


@st.composite
def scripts(draw: st.DrawFn, *, waits: bool = True) -> Script:
    """One to three subscriptions over fourteen months in any zone, with up to three wishes."""
    zone = draw(zones)
    begin = draw(instants(zone).filter(lambda at: 1972 < at.year < 2035))
    plans, starts, wishes = [], [], []
    for n in range(draw(st.integers(1, 3))):
        plans.append(draw(plans_named(f"plan-{n}", trials=True)))
        at = draw(st.none() | st.integers(-400, 200 if waits else 0).map(lambda days: begin + days * DAY))
        ending_at = None
        if waits and draw(st.booleans()):
            ending_at = draw(
                instants(zone, periods.local_date(max(at or begin, begin), zone) + draw(st.integers(1, 400)) * DAY)
            )
            if periods.local_date(ending_at, zone) <= periods.local_date(max(at or begin, begin), zone):
                ending_at = None
        starts.append(
            {
                "name": f"sub-{n}",
                "plan_id": f"plan-{n}",
                "at": at,
                "billing_time": draw(st.sampled_from(("calendar", "anniversary"))),
                "ending_at": ending_at,
                "consolidate": draw(st.booleans()),
            }
        )
    for n in range(draw(st.integers(0, 3))):
        plans.append(draw(plans_named(f"other-{n}", trials=True)))
        on = periods.local_date(begin, zone) + draw(st.integers(0, 400)) * DAY
        what = draw(st.sampled_from(("upgrade", "downgrade", "end")))
        invoice = draw(st.sampled_from(("generate", "skip")))
        wishes.append(Wish(max(begin, draw(instants(zone, on))), what, f"other-{n}", invoice))
    return Script(zone, begin, tuple(plans), tuple(starts), tuple(sorted(wishes, key=lambda wish: wish.at)))


@st.composite
def steps(draw: st.DrawFn, script: Script) -> list[datetime]:
    """Instants of the script's span: midnights and a second before and after them, and any others."""
    found = []
    for _ in range(draw(st.integers(0, 12))):
        on = periods.local_date(script.begin, script.zone) + draw(st.integers(1, SPAN.days)) * DAY
        if draw(st.booleans()):
            on = on.replace(day=1)
        midnight = periods.start_of_day(on, script.zone)
        found.append(midnight + timedelta(seconds=draw(st.sampled_from((-1, 0, 1)) | st.integers(0, 86_400))))
    return sorted(at for at in found if script.begin < at < script.end)


def carried(script: Script, at: list[datetime], *, late: bool = False, behind: bool = False) -> Ledger:
    """The script carried over its span, with a stop at each of these instants."""
    books = Ledger(script.zone, {plan.id: plan for plan in script.plans}, script.begin)
    for start in script.starts:
        books.subscribe(**start)  # type: ignore[arg-type]
    books.bill(script.begin)
    for instant, wish in sorted(
        [*((each, None) for each in at), *((wish.at, wish) for wish in script.wishes)], key=lambda pair: pair[0]
    ):
        if not behind:
            books.bill(instant, late=late)
        books.now = instant
        if wish is not None:
            carry_out(books, wish)
    books.bill(script.end, late=late)
    return books


def carry_out(books: Ledger, wish: Wish) -> None:
    of = books.active("sub-0")
    if of is None or of.started_at is None or of.started_at > books.now:
        return
    if wish.what == "end":
        books.end(of, invoice=wish.invoice)
    elif wish.what == "upgrade":
        books.upgrade(of, wish.plan)
    else:
        books.downgrade(of, wish.plan)


Billed = tuple[dict[str, Subscription], dict[str, list[BillingLine]], dict[str, int]]


def billed(books: Ledger) -> Billed:
    kept = {name: of.model_copy(update={"alerts_on": ()}) for name, of in books.subscriptions.items()}
    return kept, books.rows, books.unused_days


@law
@given(st.data(), scripts())
def test_a_clock_bills_in_one_leap_what_it_bills_in_any_steps(data, script):
    leap = carried(script, [])
    stepped = carried(script, data.draw(steps(script)))
    assert billed(stepped) == billed(leap)
    assert stepped.invoices == leap.invoices


@law
@given(st.data(), scripts())
def test_late_runs_bill_what_punctual_ones_bill(data, script):
    """Rows, not invoices: what a late run finds due together it puts together."""
    assert billed(carried(script, data.draw(steps(script)), late=True)) == billed(carried(script, []))


@law
@given(scripts(waits=False))
def test_a_wish_that_comes_before_the_runs_of_its_time_changes_nothing_about_them(script):
    """Runs wait for events on their way: somebody may be quicker. An end on a billing day takes the place of the run."""
    script = replace(script, wishes=script.wishes[:1])
    unwished = carried(replace(script, wishes=()), []).subscriptions["sub-0"]
    for wish in script.wishes:
        life, plan_terms = schedule.life_of(unwished), schedule.terms_of(script.plans[0])
        on = periods.local_date(wish.at, script.zone)
        assume(wish.what != "end" or not timeline.is_billing_day(plan_terms, life, on, script.zone))
    assert billed(carried(script, [], behind=True))[1:] == billed(carried(script, []))[1:]
