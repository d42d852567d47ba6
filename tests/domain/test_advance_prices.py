"""What the events of a period owe in advance, in order and in any other. Source: decisions/0018."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal as D
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.aggregation import advance, advance_prices
from chalicelib.domain.aggregation.advance import Change
from chalicelib.domain.aggregation.advance_prices import Tariff, Walk
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.aggregation.rules import Aggregation, MetricRule
from chalicelib.domain.charges import properties
from chalicelib.domain.charges.models import ChargeModel
from tests.domain import test_laws_of_prices
from tests.domain.test_charge_properties import tier as rate_tier
from tests.support import recount_advance
from tests.support.examples import examples
from tests.support.readings import FIELD, at, rule, window
from tests.support.recount_advance import Sent

SEPTEMBER = window("2024-09-01", "2024-09-30")
BEGIN = SEPTEMBER.span.start
MODELS = [model for model in ChargeModel if model is not ChargeModel.VOLUME]
COUNT, SUM, UNIQUE = rule("count"), rule("sum"), rule("unique_count")


def tariff(model: ChargeModel, given: Any, *, prorated: bool = False) -> Tariff:
    return Tariff(model, properties.parse(model, given), SEPTEMBER if prorated else None)


def event(n: int, value: Any = None, cents: str | None = None, *, removes: bool = False) -> Reading:
    """The n-th event of the month by its timestamp: one an hour."""
    operation = {"operation_type": "remove" if removes else "add"}
    return Reading(
        BEGIN + timedelta(hours=n), f"{n:04}", {FIELD: value, **operation}, None if cents is None else D(cents)
    )


@dataclass
class Period:
    """A period that is charged as its events arrive, as the product does it but without storing anything."""

    of: MetricRule
    tariff: Tariff
    readings: list[Reading] = field(default_factory=list)
    charged: D = D(0)

    def arrive(self, reading: Reading) -> D:
        """The fee of an event that has just been metered."""
        self.readings.append(reading)
        return self.charge(reading)

    def charge(self, reading: Reading) -> D:
        """The fee of an event among those that are metered."""
        walk = self.walk(reading)
        assert walk.place is not None
        fee = self.tariff.fee_of_rest(*walk.place, whole=walk.amount, charged=self.charged)
        self.charged += fee.priced.amount
        return fee.priced.amount

    def walk(self, reading: Reading | None = None) -> Walk:
        changes = advance.changes(self.of, self.readings)
        return advance_prices.walk(self.tariff, changes, opens_at=BEGIN, counts_from=BEGIN, event=reading)


# In order of time.

TEN_PERCENT = {"rate": "10"}


@pytest.mark.parametrize(
    ("model", "given", "values", "expected"),
    [
        pytest.param(
            "percentage", TEN_PERCENT | {"fixed_amount": "1"}, (100, -50, 30, 40), (11, 0, 0, 3), id="fixed amounts: 14"
        ),
        pytest.param(
            "percentage",
            TEN_PERCENT | {"per_transaction_min_amount": "1"},
            (100, -50, 30, 40),
            (10, 0, 0, 4),
            id="at least 1 each: 14",
        ),
        pytest.param(
            "percentage",
            TEN_PERCENT | {"per_transaction_max_amount": "5"},
            (100, -50, 30, 40),
            (5, 0, 0, 4),
            id="at most 5 each: 9",
        ),
        pytest.param(
            "percentage",
            TEN_PERCENT | {"free_units_per_events": 2},
            (100, -50, 60, 40),
            (0, 0, 1, 4),
            id="two events free, of which one took 50 away: 50 of 110 are, and 40 more cost 4",
        ),
        pytest.param(
            "percentage",
            TEN_PERCENT | {"free_units_per_total_aggregation": "500"},
            (100, -50, 60, 500),
            (0, 0, 0, 11),
            id="500 free: of 610 110 are paid",
        ),
        pytest.param("dynamic", {}, (3, -1, 4), (1, 0, 1), id="their own amounts, but for what takes away"),
        pytest.param("standard", {"amount": "2"}, (10, -4, 8), (20, 0, 8), id="the highest level"),
    ],
)
def test_what_takes_away_gives_nothing_back_and_owes_nothing(model, given, values, expected):
    """What the fees are, and what usage shows: their sum."""
    period = Period(SUM, tariff(ChargeModel(model), given))
    assert [period.arrive(event(n, value, "100")) for n, value in enumerate(values)] == list(map(D, expected))
    assert period.walk().amount == period.charged == sum(expected)


# In any order.

PACKAGES = {"amount": "10", "package_size": 10, "free_units": 0}
RISING = {"graduated_ranges": [rate_tier(0, 1, "1", "0"), rate_tier(2, None, "10", "0")]}
for _tiers in RISING.values():
    for _tier in _tiers:
        _tier["per_unit_amount"] = _tier.pop("rate")


def test_twelve_counts_in_packages_of_ten_arriving_newest_first_cost_two_packages():
    period = Period(COUNT, tariff(ChargeModel.PACKAGE, PACKAGES))
    assert [period.arrive(event(n)) for n in reversed(range(12))] == [10, *[0] * 9, 10, 0]


def test_a_seat_added_again_with_an_earlier_date_is_charged_once():
    period = Period(UNIQUE, tariff(ChargeModel.STANDARD, {"amount": "10"}))
    assert [period.arrive(event(5, "a")), period.arrive(event(3, "a")), period.arrive(event(7, "a"))] == [10, 0, 0]


def test_sums_at_one_price_owe_the_same_in_any_order():
    period = Period(SUM, tariff(ChargeModel.STANDARD, {"amount": "10"}))
    assert [period.arrive(event(n, value)) for n, value in ((3, 3), (2, 1), (1, 2))] == [30, 10, 20]


def test_what_came_too_early_keeps_its_price_and_the_late_one_owes_its_own_place():
    """1 for the first unit, 10 for each more: the second of the month came first, for 1. The first one adds 1, and 10 are
    left of 11."""
    period = Period(COUNT, tariff(ChargeModel.GRADUATED, RISING))
    assert [period.arrive(event(n)) for n in (2, 1, 3)] == [1, 1, 10]


def test_a_late_event_that_takes_away_leaves_later_ones_less():
    """+10 was charged before -4 came, dated earlier: by their places they owe 6. Then +3 adds 3, of which 9 - 10 are left."""
    period = Period(SUM, tariff(ChargeModel.STANDARD, {"amount": "1"}))
    assert [period.arrive(event(n, value)) for n, value in ((5, 10), (1, -4), (6, 3), (7, 3))] == [10, 0, 0, 2]


def test_a_prorated_unit_that_came_late_owes_the_days_that_are_left():
    """30.00 a seat. Added on the 21st (10 of 30 days), and then said to have been added on the 11th already (20 days): its
    place there is worth 20.00, of which 10.00 are charged."""
    seats = Period(rule("unique_count", recurring=True), tariff(ChargeModel.STANDARD, {"amount": "30"}, prorated=True))
    first, second = (Reading(at(f"2024-09-{day}"), day, {FIELD: "a"}) for day in ("21", "11"))
    assert [seats.arrive(first), seats.arrive(second)] == [D("10.0002"), D("9.9999")]  # 0.33334 and 0.66667 x 30.


def test_what_cut_decimals_leave_over_is_no_money():
    flat = tariff(ChargeModel.STANDARD, {"amount": "1"})
    before, change = flat.begin, Change(event(0, 1), D(1))
    for left, expected in (("0.0000000001", "0"), ("0.5", "0.5"), ("-3", "0"), ("7", "1")):
        assert flat.fee_of_rest(before, change, whole=D(left), charged=D(0)).priced.amount == D(expected)
    # What is smaller by itself is charged.
    tiny = tariff(ChargeModel.STANDARD, {"amount": "0.0000000001"})
    assert tiny.fee_of_rest(before, change, whole=D("1E-10"), charged=D(0)).priced.amount == D("1E-10")


@pytest.mark.parametrize(
    ("aggregation", "model", "given", "expected"),
    [
        pytest.param("count", "standard", {"amount": "1"}, True, id="a count at one price"),
        pytest.param("count", "percentage", TEN_PERCENT | {"fixed_amount": "1"}, True, id="a count at one rate"),
        pytest.param("count", "percentage", TEN_PERCENT | {"free_units_per_events": 1}, False, id="the first are free"),
        pytest.param("count", "package", PACKAGES, False, id="packages"),
        pytest.param("sum", "standard", {"amount": "1"}, False, id="a sum may fall"),
        pytest.param("unique_count", "standard", {"amount": "1"}, False, id="a value may repeat"),
    ],
)
def test_only_counts_at_one_price_owe_the_same_in_any_order(aggregation, model, given, expected):
    of = tariff(ChargeModel(model), given)
    assert of.is_the_same_in_any_order(rule(aggregation).aggregation) is expected
    if expected:
        many = Period(rule(aggregation), of)
        assert {many.arrive(event(n)) for n in (3, 1, 2)} == {of.fee(of.begin, Change(event(9), D(1))).priced.amount}


# Laws.

CHANGES = st.one_of(
    st.tuples(st.just(Aggregation.COUNT), st.lists(st.just("1"), max_size=7)),
    st.tuples(
        st.just(Aggregation.SUM), st.lists(st.decimals(-50, 100, places=1).map(lambda d: format(d, "f")), max_size=7)
    ),
    st.tuples(st.just(Aggregation.UNIQUE_COUNT), st.lists(st.sampled_from(["a", "b", "-a", "-b", "c"]), max_size=7)),
)
GROWING = st.lists(st.decimals(0, 100, places=1).map(lambda d: format(d, "f")), max_size=7)


def streams(kind: Aggregation, texts: Sequence[str]) -> list[tuple[Reading, Sent]]:
    """The same events for the product and for the recount, in order of time."""
    found = []
    for n, text in enumerate(texts):
        removes, value = text.startswith("-"), text.removeprefix("-")
        cents = Fraction(100 + n)
        if kind is Aggregation.UNIQUE_COUNT:
            pair = event(n, value, str(100 + n), removes=removes), Sent(n, value=value, removes=removes, cents=cents)
        else:
            pair = event(n, text, str(100 + n)), Sent(n, Fraction(text), cents=cents)
        found.append(pair)
    return found


@pytest.mark.parametrize("model", MODELS)
def test_at_any_order_of_arrival_fees_are_those_of_the_recount_and_never_exceed_what_is_owed(model):
    @settings(max_examples=examples(60))
    @given(CHANGES, test_laws_of_prices.GIVEN[model], st.randoms(use_true_random=False))
    def law(drawn: Any, given: dict[str, Any], chance: Any) -> None:
        kind, texts = drawn
        pairs = streams(kind, texts)
        chance.shuffle(pairs)
        period = Period(
            MetricRule(kind, None if kind is Aggregation.COUNT else FIELD, recurring=False), tariff(model, given)
        )
        expected, _ = recount_advance.fees(
            lambda sent: recount_advance.added(model.value, given, sent), [sent for _, sent in pairs]
        )
        for (reading, _), fee in zip(pairs, expected, strict=True):
            before = period.charged
            assert Fraction(period.arrive(reading)) == fee >= 0
            assert period.charged <= max(before, period.walk().amount)

    law()


@pytest.mark.parametrize("model", MODELS)
def test_events_that_only_add_never_owe_more_than_their_price_and_owe_it_where_none_was_charged_too_early(model):
    """What free events and a free amount together leave of fixed amounts may fall when an event comes in between: of
    such charges only the law above holds."""

    @settings(max_examples=examples(60))
    @given(GROWING, test_laws_of_prices.GIVEN[model], st.randoms(use_true_random=False))
    def law(texts: list[str], given: dict[str, Any], chance: Any) -> None:
        if given.get("free_units_per_events") and given.get("free_units_per_total_aggregation"):
            return
        readings = [reading for reading, _ in streams(Aggregation.SUM, texts)]
        chance.shuffle(readings)
        period = Period(SUM, tariff(model, given))
        for reading in readings:
            period.arrive(reading)
        whole = period.walk().amount
        assert period.charged <= whole
        # All are metered before the first is charged, whichever that is.
        ready = Period(SUM, tariff(model, given), readings)
        for reading in readings:
            ready.charge(reading)
        assert ready.charged == whole

    law()


@pytest.mark.parametrize("days", [1, 5])
def test_prorated_fees_in_any_order_are_those_of_the_recount(days):
    @settings(max_examples=examples(40))
    @given(st.lists(st.sampled_from([1, 2, "2.5", -1, -3]), max_size=6), st.randoms(use_true_random=False))
    def law(values: list[Any], chance: Any) -> None:
        pairs = []
        for n, value in enumerate(values):
            on = BEGIN + timedelta(days=n * days)
            sent = Sent(n, Fraction(str(value)), days=Fraction(30 - n * days, 30))
            pairs.append((Reading(on, f"{n}", {FIELD: str(value)}), sent))
        chance.shuffle(pairs)
        period = Period(rule("sum", recurring=True), tariff(ChargeModel.STANDARD, {"amount": "7"}, prorated=True))
        places = lambda sent: recount_advance.added("standard", {"amount": "7"}, sent, prorated=True)  # noqa: E731
        expected, _ = recount_advance.fees(places, [sent for _, sent in pairs])
        assert [Fraction(period.arrive(reading)) for reading, _ in pairs] == expected

    law()


def test_events_of_before_belong_to_what_is_held_or_to_the_plan_before():
    """2 held when the month began; 3 more on the 5th were charged by the plan before an upgrade on the 10th; 1 after it."""
    of = rule("sum", recurring=True)
    found = [("2024-08-20", 2), ("2024-09-05", 3), ("2024-09-15", 1)]
    readings = [Reading(at(on), on, {FIELD: str(value)}) for on, value in found]
    by_unit = tariff(ChargeModel.STANDARD, {"amount": "10"})
    changes = advance.changes(of, readings)
    walk = advance_prices.walk(by_unit, changes, opens_at=BEGIN, counts_from=at("2024-09-10"))
    assert (walk.opened.level.paid, walk.amount) == (2, 10)
    none_yet = advance_prices.walk(by_unit, changes[:1], opens_at=BEGIN, counts_from=BEGIN)
    assert (none_yet.opened.level.paid, none_yet.amount) == (2, 0)
