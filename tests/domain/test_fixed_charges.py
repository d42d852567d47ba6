"""Fixed charges: units over days, more units within a period, and what an upgrade deducts.

Source: rules/billing-periods 11.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain import fixed_charges, periods, timeline
from chalicelib.domain.billing_line import Days
from chalicelib.domain.charges import properties
from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.fixed_charges import FixedCharge, UnitsChange
from chalicelib.domain.intervals import BillingTime, Interval
from chalicelib.domain.money import round_half_up
from chalicelib.domain.periods import Period, Span
from chalicelib.domain.timeline import SubscriptionTimeline, Terms
from tests.support.billing_time import DAY, billing_times, days, intervals
from tests.support.examples import examples

ZONE = ZoneInfo("UTC")
MONTHLY = Terms(Interval.MONTHLY, 0, pay_in_advance=False)
AUGUST = Period(date(2023, 8, 1), date(2023, 9, 1))
NEVER_LATER = datetime(2099, 1, 1, tzinfo=UTC)
GRADUATED = [
    {"from_value": 0, "to_value": 10, "per_unit_amount": "1", "flat_amount": "2"},
    {"from_value": 11, "to_value": None, "per_unit_amount": "0.5", "flat_amount": "3"},
]
VOLUME = [
    {"from_value": 0, "to_value": 10, "per_unit_amount": "2", "flat_amount": "0"},
    {"from_value": 11, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"},
]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def living(since: str = "2023-01-01") -> SubscriptionTimeline:
    start = at(since)
    return SubscriptionTimeline(BillingTime.CALENDAR, start, start, start)


def charge(
    first_units: str,
    *changes: tuple[str, str, bool],
    price: str = "1",
    prorated: bool = True,
    model: ChargeModel = ChargeModel.STANDARD,
    ranges: list[dict[str, object]] | None = None,
) -> FixedCharge:
    """`changes`: (units, when, whether at once)."""
    raw = {"amount": price} if ranges is None else {f"{model}_ranges": ranges}
    made = tuple(UnitsChange(Decimal(units), at(when), immediately) for units, when, immediately in changes)
    return FixedCharge(model, properties.parse(model, raw), prorated, Decimal(first_units), made)


def of(whole: Period, first: date | None = None, last: date | None = None) -> Days:
    return Days(periods.span(whole, ZONE), first or whole.start, last or whole.last, whole)


def billed(
    charge: FixedCharge, days: Days, *, life: SubscriptionTimeline | None = None, known_at: datetime = NEVER_LATER
):
    return fixed_charges.billed(charge, MONTHLY, life or living(), days, known_at=known_at, zone=ZONE)


def cents(amount: Decimal) -> int:
    return round_half_up(amount * 100)


@pytest.mark.parametrize(
    ("units", "price", "first", "last", "expected"),
    [
        pytest.param("10", "1", date(2023, 7, 19), None, 419, id="10 x 13/31 = 4.19355"),
        pytest.param("5", "3", date(2023, 7, 19), None, 629, id="5 x 13/31 x 3 = 6.29032"),
        pytest.param("1", "20", date(2023, 8, 21), None, 710, id="11/31 x 20 = 7.09677"),
        pytest.param("10", "10", date(2023, 8, 21), None, 3548, id="10 x 11/31 x 10 = 35.48387"),
        pytest.param("10", "1", None, date(2023, 8, 21), 677, id="the last day counts: 21/31 = 6.77419"),
        pytest.param("5", "3", None, date(2023, 8, 21), 1016, id="5 x 21/31 x 3 = 10.16129"),
        pytest.param("5", "3", None, None, 1500, id="whole"),
    ],
)
def test_the_worked_figures(units, price, first, last, expected):
    whole = Period(date(2023, 7, 1), date(2023, 8, 1)) if first and first.month == 7 else AUGUST
    found = billed(charge(units, price=price), of(whole, first, last))
    assert cents(found.priced.amount) == expected
    assert found.units == Decimal(units)
    full = billed(charge(units, price=price, prorated=False), of(whole, first, last))
    assert full.priced.amount == Decimal(units) * Decimal(price)


@pytest.mark.parametrize(
    ("changes", "units", "amount"),
    [
        pytest.param([("20", "2023-08-11T15:00", True)], "20", "16.77419", id="at once, its day included: 10x10+20x21"),
        pytest.param([("20", "2023-08-11T15:00", False)], "10", "10", id="with the next period"),
        pytest.param([("20", "2023-07-11T15:00", False)], "20", "20", id="asked for in the period before"),
        pytest.param([("0", "2023-08-11T00:00", True)], "0", "3.22581", id="none any more: 10x10/31"),
        pytest.param([("20", "2023-08-01T00:00", True)], "20", "20", id="on the first day"),
        pytest.param([("20", "2023-08-31T23:59", True)], "20", "10.32258", id="on the last day: 10x30+20"),
        pytest.param(
            [("20", "2023-08-11T09:00", True), ("30", "2023-08-21T09:00", True)],
            "30",
            "20.32258",
            id="twice: 10x10+20x10+30x11",
        ),
        pytest.param(
            [("20", "2023-08-11T09:00", True), ("30", "2023-08-11T10:00", True)],
            "30",
            "23.54839",
            id="twice on a day, the last one counts: 10x10+30x21",
        ),
        pytest.param(
            [("20", "2023-07-11T09:00", False), ("30", "2023-07-20T09:00", True)],
            "30",
            "30",
            id="at once, after another was to wait",
        ),
        pytest.param(
            [("20", "2023-08-05T09:00", True), ("30", "2023-08-20T09:00", False)],
            "20",
            "18.70968",
            id="the next period's do not count yet: 10x4+20x27",
        ),
        pytest.param([("20", "2023-09-01T00:00", True)], "10", "10", id="after the period"),
    ],
)
def test_units_hold_from_their_day_or_from_the_next_period(changes, units, amount):
    found = billed(charge("10", *changes), of(AUGUST))
    assert found.units == Decimal(units)
    assert abs(found.priced.amount - Decimal(amount)) < Decimal("0.00001")


def test_a_change_before_the_start_is_what_a_subscription_begins_with():
    changed = charge("10", ("20", "2023-07-01T00:00", False))
    since = living("2023-07-19")
    july = Period(date(2023, 7, 1), date(2023, 8, 1))
    assert billed(changed, of(july, date(2023, 7, 19)), life=since).units == 20


def test_what_is_asked_for_later_is_not_known_yet():
    changed = charge("10", ("20", "2023-08-11T09:00", True), prorated=False)
    assert billed(changed, of(AUGUST), known_at=at("2023-08-01")).units == 10
    assert billed(changed, of(AUGUST), known_at=at("2023-09-01")).units == 20


def test_no_days_are_no_units():
    found = billed(charge("10"), of(AUGUST, date(2023, 8, 10), date(2023, 8, 9)))
    assert (found.units, found.priced.amount) == (0, 0)


@pytest.mark.parametrize(
    ("model", "ranges", "whole", "part"),
    [
        pytest.param(
            ChargeModel.GRADUATED, GRADUATED, "17.5", "9.74194", id="2 + 10 + 3 + 2.5; of 7.74194: 2 + 7.74194"
        ),
        pytest.param(ChargeModel.VOLUME, VOLUME, "15", "15.48387", id="15 x 1; of 7.74194: x 2"),
    ],
)
def test_models_price_the_prorated_units(model, ranges, whole, part):
    one = charge("15", model=model, ranges=ranges)
    assert billed(one, of(AUGUST)).priced.amount == Decimal(whole)
    found = billed(one, of(AUGUST, last=date(2023, 8, 16))).priced.amount  # 15 x 16/31 = 7.741935
    assert abs(found - Decimal(part)) < Decimal("0.00001")


@pytest.mark.parametrize(
    ("prorated", "paid", "expected"),
    [
        pytest.param(True, "10", "3.54839", id="5 more x 11/31 x 2"),
        pytest.param(False, "10", "10", id="5 more x 2"),
        pytest.param(False, "12", "6", id="only what exceeds the most that was paid"),
        pytest.param(True, "15", "0", id="the same"),
        pytest.param(True, "20", "0", id="fewer give nothing back"),
        pytest.param(False, "0", "30", id="nothing was paid yet"),
    ],
)
def test_more_units_in_a_paid_period(prorated, paid, expected):
    more = charge("10", ("15", "2023-08-21T12:00", True), price="2", prorated=prorated)
    found = fixed_charges.exceeding(
        more,
        MONTHLY,
        living(),
        of(AUGUST, date(2023, 8, 21)),
        paid_units=Decimal(paid),
        known_at=at("2023-08-21T12:00"),
        zone=ZONE,
    )
    assert found.units == 15
    assert abs(found.priced.amount - Decimal(expected)) < Decimal("0.00001")


def test_more_units_of_a_graduated_charge_cost_the_difference():
    more = charge("10", ("12", "2023-08-21T12:00", True), prorated=False, model=ChargeModel.GRADUATED, ranges=GRADUATED)
    found = fixed_charges.exceeding(
        more,
        MONTHLY,
        living(),
        of(AUGUST, date(2023, 8, 21)),
        paid_units=Decimal(10),
        known_at=at("2023-08-21T12:00"),
        zone=ZONE,
    )
    assert found.priced.amount == 4  # 2 + 10 + 3 + 1 less 2 + 10.


@pytest.mark.parametrize(
    ("amount", "left", "paid", "expected"),
    [
        pytest.param(1500, 11, 31, 532, id="15.00 x 11/31 = 5.32258"),
        pytest.param(1500, 31, 31, 1500, id="all of it"),
        pytest.param(1500, 0, 31, 0, id="nothing is left"),
        pytest.param(1500, -1, 31, 0, id="long over"),
        pytest.param(1500, 40, 31, 1500, id="never more than was paid"),
        pytest.param(1, 1, 2, 1, id="half a cent is a cent"),
    ],
)
def test_what_an_upgrade_deducts(amount, left, paid, expected):
    assert fixed_charges.already_paid_cents(amount, days_left=left, paid_days=paid) == expected


# Laws

law = settings(max_examples=examples(300))
units = st.decimals(0, 10**6, places=2) | st.integers(0, 100).map(Decimal)


@st.composite
def histories(draw: st.DrawFn) -> tuple[FixedCharge, Terms, SubscriptionTimeline, Days]:
    """A prorated charge of price 1 whose units change at any time, and some days of a period of a subscription."""
    terms = Terms(draw(intervals), 0, pay_in_advance=False)
    started_on = draw(days().filter(lambda on: 1971 <= on.year <= 2036))
    start = datetime.combine(started_on, time(12), UTC)
    life = SubscriptionTimeline(draw(billing_times), start, start, start)
    on = started_on + draw(st.integers(0, 400)) * DAY
    whole = timeline.period_on(terms, life, on, ZONE)
    first = max(whole.start, started_on)
    first += draw(st.integers(0, (whole.last - first).days)) * DAY
    last = first + draw(st.integers(0, (whole.last - first).days)) * DAY
    instants = sorted(draw(st.lists(st.integers(-30 * 86400, 430 * 86400), max_size=6)))
    changes = tuple(
        UnitsChange(draw(units), start + timedelta(seconds=second), draw(st.booleans())) for second in instants
    )
    parsed = properties.parse(ChargeModel.STANDARD, {"amount": "1"})
    made = FixedCharge(ChargeModel.STANDARD, parsed, True, draw(units), changes)
    return made, terms, life, Days(Span(start, start), first, last, whole)


def amount(case: tuple[FixedCharge, Terms, SubscriptionTimeline, Days], days: Days | None = None) -> Decimal:
    one, terms, life, own = case
    return fixed_charges.billed(one, terms, life, days or own, known_at=NEVER_LATER, zone=ZONE).priced.amount


@settings(max_examples=examples(60))  # A year has many days.
@given(histories())
def test_each_day_is_billed_with_the_units_that_held_on_it(case):
    own = case[3]
    each = [amount(case, replace(own, first=own.first + n * DAY, last=own.first + n * DAY)) for n in range(own.number)]
    # Each of them is rounded to six decimals.
    assert abs(sum(each) - amount(case)) <= Decimal("0.0000005") * (own.number + 1)


@law
@given(histories())
def test_a_part_never_costs_more_than_the_most_units_for_the_whole_period(case):
    one, _, _, own = case
    known = [one.first_units, *(change.units for change in one.changes)]
    most, least = max(known), min(known)
    share = Decimal(own.number) / own.whole.days
    assert least * share - Decimal("0.000001") <= amount(case) <= min(most, most * share + Decimal("0.000001"))


@law
@given(histories(), st.data())
def test_days_split_anywhere_add_up(case, data):
    own = case[3]
    cut = own.first + data.draw(st.integers(0, own.number)) * DAY
    before, after = replace(own, last=cut - DAY), replace(own, first=cut)
    assert before.number + after.number == own.number
    assert abs(amount(case, before) + amount(case, after) - amount(case)) <= Decimal("0.0000015")


@law
@given(histories(), units)
def test_more_units_cost_what_they_cost_less_what_was_paid(case, paid):
    one, terms, life, own = case
    more = fixed_charges.exceeding(one, terms, life, own, paid_units=paid, known_at=NEVER_LATER, zone=ZONE)
    now = fixed_charges.billed(one, terms, life, own, known_at=NEVER_LATER, zone=ZONE)
    assert more.units == now.units
    assert 0 <= more.priced.amount <= now.priced.amount
    if now.units <= paid:
        assert more.priced.amount == 0


@law
@given(st.integers(0, 10**9), st.integers(1, 366), st.integers(-10, 400))
def test_a_deduction_is_a_part_of_what_was_paid(cents_paid, paid_days, left):
    assert 0 <= fixed_charges.already_paid_cents(cents_paid, days_left=left, paid_days=paid_days) <= cents_paid


@dataclass(frozen=True)
class Paid:
    charge_id: str
    add_on_id: str
    units: str
    amount_cents: int
    first: date
    end: date


MAY, JUNE = date(2023, 5, 1), date(2023, 6, 1)


def test_an_upgrade_deducts_what_was_paid_for_the_days_left_by_add_on():
    paid = [
        Paid("a", "seats", "3", 3100, MAY, JUNE),
        Paid("b", "seats", "1", 210, date(2023, 5, 11), JUNE),
        Paid("c", "setup", "1", 1000, MAY, JUNE),
        Paid("d", "old", "1", 500, MAY, date(2023, 5, 11)),
    ]
    # 21 of 31 days, all of 21 days; 677.42 of 1000; nothing is left.
    assert fixed_charges.deductions_cents(paid, first=date(2023, 5, 11)) == {"seats": 2310, "setup": 677, "old": 0}


def test_the_most_units_paid_up_to_the_end_of_the_period_count():
    paid = [
        Paid("a", "seats", "3", 0, MAY, JUNE),
        Paid("a", "seats", "10", 0, date(2023, 5, 11), JUNE),
        Paid("a", "seats", "99", 0, date(2023, 4, 1), MAY),
        Paid("b", "setup", "0.5", 0, MAY, JUNE),
    ]
    assert fixed_charges.most_paid_units(paid, period_end=JUNE) == {"a": Decimal(10), "b": Decimal("0.5")}
