"""What always holds between usage, its price, and what is published of the price. Source: rules/usage 6 to 8.

Prices are compared with those of `tests/support/recount.py`, which works in fractions and shares no code with the product.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal as D
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.aggregation import advance, advance_prices
from chalicelib.domain.aggregation.advance import Change
from chalicelib.domain.aggregation.advance_prices import Tariff
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.aggregation.rules import MetricRule
from chalicelib.domain.charges import properties
from chalicelib.domain.charges.models import ChargeModel, price
from chalicelib.domain.charges.prorated import ProratedUsage
from chalicelib.domain.charges.prorated import price as prorated_price
from chalicelib.domain.charges.usage import ChargeUsage, Priced
from tests.domain import test_charge_models, test_percentages
from tests.support import recount, recount_prices
from tests.support.examples import examples
from tests.support.readings import FIELD, at, rule, window

LAW = settings(max_examples=examples(100))
UNITS = st.decimals(0, 10**6, places=6)
TEXTS = test_percentages.TEXTS
VALUES = st.lists(st.decimals(0, 10**4, places=2), max_size=8)

GIVEN: dict[ChargeModel, st.SearchStrategy[dict[str, Any]]] = {
    ChargeModel.STANDARD: st.fixed_dictionaries({"amount": TEXTS}),
    ChargeModel.GRADUATED: test_charge_models.tier_lists().map(lambda tiers: {"graduated_ranges": tiers}),
    ChargeModel.VOLUME: test_charge_models.tier_lists().map(lambda tiers: {"volume_ranges": tiers}),
    ChargeModel.PACKAGE: st.fixed_dictionaries(
        {"amount": TEXTS, "package_size": st.integers(1, 500), "free_units": st.integers(0, 5000)}
    ),
    ChargeModel.PERCENTAGE: st.builds(
        lambda rate, fixed, free, bounds: {"rate": rate, "fixed_amount": fixed, **free, **bounds},
        TEXTS,
        TEXTS,
        test_percentages.FREE,
        test_percentages.bounds(),
    ),
    ChargeModel.GRADUATED_PERCENTAGE: test_percentages.tier_lists().map(
        lambda tiers: {"graduated_percentage_ranges": tiers}
    ),
    ChargeModel.DYNAMIC: st.just({}),
}
# Their price is made of units alone, so that what was paid for a level stands for whatever led to it.
BY_UNITS = sorted({*GIVEN} - {ChargeModel.VOLUME, ChargeModel.PERCENTAGE, ChargeModel.DYNAMIC})


def published(model: ChargeModel, given: dict[str, Any], usage: ChargeUsage, priced: Priced) -> D:
    """The amount, by the parts that are shown of it."""
    shown = priced.details
    match model:
        case ChargeModel.STANDARD:
            return usage.units * D(given["amount"])
        case ChargeModel.GRADUATED | ChargeModel.GRADUATED_PERCENTAGE:
            ((_, tiers),) = shown.items()
            return sum((D(tier["total_with_flat_amount"]) for tier in tiers), D(0))
        case ChargeModel.VOLUME:
            return D(shown["per_unit_total_amount"]) + D(shown["flat_unit_amount"])
        case ChargeModel.PACKAGE:
            packages = -((-Fraction(shown["paid_units"])) // (shown["per_package_size"] or 1))
            return packages * D(shown["per_package_unit_amount"])
        case ChargeModel.PERCENTAGE:
            names = ("per_unit_total_amount", "fixed_fee_total_amount", "min_max_adjustment_total_amount")
            return sum((D(shown[name]) for name in names), D(0))
        case ChargeModel.DYNAMIC:
            assert usage.precise_total_cents is not None
            return usage.precise_total_cents / 100 if usage.units else D(0)


@pytest.mark.parametrize("model", GIVEN)
def test_a_price_is_the_sum_of_its_published_parts_and_that_of_a_recount(model):
    @LAW
    @given(GIVEN[model], VALUES, st.decimals(0, 10**6, places=15))
    def law(given: dict[str, Any], values: list[D], cents: D) -> None:
        usage = ChargeUsage(sum(values, D(0)), len(values), tuple(values), cents)
        priced = price(model, usage, properties.parse(model, given))
        assert published(model, given, usage, priced) == priced.amount
        assert Fraction(priced.amount) == recount_prices.price_of(
            model,
            given,
            Fraction(usage.units),
            values=[Fraction(value) for value in values],
            events_count=len(values),
            cents=Fraction(cents),
        )

    law()


@LAW
@given(GIVEN[ChargeModel.VOLUME], UNITS, st.decimals(0, 1, places=5))
def test_a_prorated_volume_is_the_sum_of_its_published_parts(given, units, share):
    usage = ProratedUsage(units, units * share)
    priced = prorated_price(ChargeModel.VOLUME, usage, properties.parse(ChargeModel.VOLUME, given))
    assert published(ChargeModel.VOLUME, given, ChargeUsage(units, 1), priced) == priced.amount


# Paying in advance, event by event.

KINDS = [
    rule("count"),
    rule("sum"),
    rule("unique_count"),
    rule("sum", recurring=True),
    rule("unique_count", recurring=True),
]
SEPTEMBER = window("2024-09-01", "2024-09-30")


@st.composite
def streams(draw: st.DrawFn, of: MetricRule) -> list[Reading]:
    """Events of a month in the order in which they come, and before it, where the metric recurs."""
    first = -10 * 24 if of.recurring else 0
    hours = sorted(draw(st.lists(st.integers(first, 30 * 24 - 1), max_size=12)))
    return [
        Reading(
            at("2024-09-01") + timedelta(hours=hour),
            f"{n:03}",
            {
                FIELD: draw(st.sampled_from(["1", "2", "-1.5", "3.25", "a", "-4"])),
                "operation_type": draw(st.sampled_from([None, "add", "add", "remove"])),
            },
        )
        for n, hour in enumerate(hours)
    ]


def levels(of: MetricRule, stream: Sequence[Reading]) -> tuple[Fraction, list[tuple[Reading, Fraction]]]:
    """The level held when the month begins, and the level after each of its events that the metric sees."""
    level, held, active = Fraction(0), Fraction(0), set[str]()
    after: list[tuple[Reading, Fraction]] = []
    for each in stream:
        value = each.properties[FIELD]
        match of.aggregation:
            case "count_agg":
                level += 1
            case "sum_agg":
                number = recount.number(value)
                if number is None:
                    continue
                level += number
            case _:
                if each.properties["operation_type"] == "remove":
                    active.discard(value)
                else:
                    active.add(value)
                level = Fraction(len(active))
        if each.at < SEPTEMBER.span.start:
            held = level
        else:
            after.append((each, level))
    return held, after


@pytest.mark.parametrize("model", BY_UNITS)
@pytest.mark.parametrize("of", KINDS, ids=lambda of: f"{of.aggregation}{' recurring' * of.recurring}")
def test_the_fees_of_a_month_add_up_to_the_price_of_its_highest_level(of, model):
    """Less what was held when it began, which the renewal pays."""

    @settings(max_examples=examples(40))
    @given(GIVEN[model], streams(of))
    def law(given: dict[str, Any], stream: list[Reading]) -> None:
        owed = owed_one_by_one(Tariff(model, properties.parse(model, given)), advance.changes(of, stream))
        held, after_each = levels(of, stream)
        held = max(Fraction(0), held)
        highest = max([held, *(level for _, level in after_each)])
        assert Fraction(owed) == owed_for(model, given, highest) - owed_for(model, given, held)

    law()


def owed_one_by_one(tariff: Tariff, changes: Sequence[Change]) -> D:
    """What the fees of September come to, each by its place; the walk over all says the same."""
    begin = SEPTEMBER.span.start
    fees = D(0)
    for change in changes:
        if change.reading.at >= begin:
            walk = advance_prices.walk(tariff, changes, opens_at=begin, counts_from=begin, event=change.reading)
            assert walk.place is not None
            fee = tariff.fee(*walk.place)
            assert fee.priced.amount == tariff.added(*walk.place) >= 0
            fees += fee.priced.amount
    assert advance_prices.walk(tariff, changes, opens_at=begin, counts_from=begin).amount == fees
    return fees


def owed_for(model: ChargeModel, given: dict[str, Any], units: Fraction) -> Fraction:
    """Without units not even the first flat amount is paid in advance."""
    return recount_prices.price_of(model, given, units) if units else Fraction(0)


@LAW
@given(GIVEN[ChargeModel.PERCENTAGE] | GIVEN[ChargeModel.DYNAMIC], VALUES)
def test_fees_of_events_that_only_add_something_add_up_to_the_price_of_the_period(given, values):
    """Of models that look at single events: whatever takes something away owes nothing, fixed amounts included."""
    model = ChargeModel.PERCENTAGE if given else ChargeModel.DYNAMIC
    stream = [
        Reading(at("2024-09-01") + timedelta(hours=n), f"{n:03}", {FIELD: f"{value:f}"}, D("12.5"))
        for n, value in enumerate(values)
    ]
    tariff = Tariff(model, properties.parse(model, given))
    owed = owed_one_by_one(tariff, advance.changes(rule("sum"), stream))
    assert Fraction(owed) == recount_prices.price_of(
        model,
        given,
        Fraction(sum(values, D(0))),
        values=[Fraction(value) for value in values],
        events_count=len(values),
        cents=Fraction(len(values) * 25, 2),
    )


@LAW
@given(st.sampled_from([of for of in KINDS if of.recurring]), TEXTS, st.data())
def test_prorated_fees_add_up_to_what_the_level_grew_by_its_days(of, amount, data):
    stream = data.draw(streams(of))
    parsed = properties.parse(ChargeModel.STANDARD, {"amount": amount})
    owed = owed_one_by_one(Tariff(ChargeModel.STANDARD, parsed, SEPTEMBER), advance.changes(of, stream))
    held, after_each = levels(of, stream)
    paid, expected = max(Fraction(0), held), Fraction(0)
    for reading, level in after_each:
        days = 30 - (reading.at - SEPTEMBER.span.start).days
        expected += recount.raised(max(Fraction(0), level - paid) * days / 30, 5) * Fraction(amount)
        paid = max(paid, level)
    assert Fraction(owed) == expected
