"""What a form of a plan asks before it is sent: the price of usage, and the places of what is wrong."""

from decimal import Decimal as D
from typing import Any

import pytest

from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.billable_metrics import service as billable_metrics
from chalicelib.features.plans import placing, service
from chalicelib.features.rating.calculator import Step, calculate
from chalicelib.platform.clock import utc_now
from tests.support.charging import tiers
from tests.support.story import Story

GRADUATED = {"graduated_ranges": tiers((0, 10, "10", "2"), (11, None, "5", "3"))}


def test_each_tier_is_a_step():
    found = calculate("graduated", GRADUATED, "EUR", units="12")
    assert found.steps == (
        Step("tier", D(10), D(102), D(10), D(2), 0, 10),
        Step("tier", D(2), D(13), D(5), D(3), 11, None),
    )
    assert (found.amount_cents, found.total_cents) == (11500, 11500)


@pytest.mark.parametrize(
    ("model", "properties", "units", "events", "steps", "cents"),
    [
        pytest.param(
            "package",
            {"amount": "5", "package_size": 10, "free_units": 5},
            "16",
            "1",
            [("free", 5, 0), ("packages", 2, 10)],
            1000,
            id="11 paid units begin two packages",
        ),
        pytest.param(
            "package",
            {"amount": "5", "package_size": 10, "free_units": 5},
            "5",
            "1",
            [("free", 5, 0), ("packages", 0, 0)],
            0,
            id="all of it free",
        ),
        pytest.param(
            "percentage",
            {"rate": "1", "fixed_amount": "0.5", "free_units_per_events": 1},
            "300",
            "3",
            [("free", 100, 0), ("rate", 200, 2), ("fixed", 2, 1)],
            300,
            id="the first of three events of 100 is free",
        ),
        pytest.param(
            "percentage",
            {"rate": "1", "per_transaction_min_amount": "2"},
            "300",
            "3",
            [("rate", 300, 3), ("bounds", 3, 3)],
            600,
            id="each transaction costs 2 at least",
        ),
        pytest.param("percentage", {"rate": "1"}, "0", "1", [("rate", 0, 0)], 0, id="no units"),
        pytest.param(
            "volume",
            {"volume_ranges": tiers((0, 10, "2", "0"), (11, None, "1", "5"))},
            "11",
            "1",
            [("tier", 11, 16)],
            1600,
            id="all units in the range that they reach",
        ),
    ],
)
def test_steps_add_up_to_the_fee(model: str, properties: Any, units: str, events: str, steps: Any, cents: int):
    found = calculate(model, properties, "EUR", units=units, events=events)
    assert [(step.kind, step.quantity, step.amount) for step in found.steps] == steps
    assert found.amount_cents == cents == sum(step.amount for step in found.steps) * 100


def test_a_spending_minimum_adds_what_is_missing_and_yen_have_no_cents():
    found = calculate("standard", {"amount": "3"}, "JPY", units="2.5", min_amount_cents=10)
    assert (found.amount_cents, found.true_up_cents, found.total_cents) == (8, 2, 10)


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        pytest.param({"units": ""}, {"units": ["value_is_mandatory"]}, id="nothing"),
        pytest.param({"units": "a"}, {"units": ["value_is_invalid"]}, id="no number"),
        pytest.param({"units": "-1"}, {"units": ["value_is_out_of_range"]}, id="below 0"),
        pytest.param({"units": "1", "events": "0"}, {"events_count": ["value_is_out_of_range"]}, id="no events"),
        pytest.param({"units": "1", "events": "1.5"}, {"events_count": ["value_is_out_of_range"]}, id="half an event"),
        pytest.param({"units": "1", "events": "10001"}, {"events_count": ["value_is_out_of_range"]}, id="too many"),
    ],
)
def test_what_cannot_be_calculated_is_refused(asked: Any, wrong: Any):
    with pytest.raises(Invalid) as refused:
        calculate("standard", {"amount": "1"}, "EUR", **asked)
    assert refused.value.details == wrong


@pytest.mark.parametrize(
    ("model", "properties", "field"),
    [("standard", {"amount": "x"}, "amount"), ("dynamic", {}, "charge_model"), ("other", {}, "charge_model")],
)
def test_prices_that_are_none_are_refused(model: str, properties: Any, field: str):
    with pytest.raises(Invalid) as refused:
        calculate(model, properties, "EUR", units="1")
    assert list(refused.value.details) == [field]


def test_findings_have_their_places(story: Story):
    metric = story.metric("calls", filters=[{"key": "region", "values": ["eu"]}])
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard"}
    good: dict[str, Any] = {"name": "Plan", "code": "plan", "interval": "monthly", "amount_currency": "EUR"}
    good |= {"amount_cents": 0, "charges": [{**charge, "properties": {"amount": "1"}}]}
    find = lambda values: placing.find(story.ref.id, values, None, now=utc_now())  # noqa: E731
    assert find(good) == {}
    wrong = find(
        {
            **good,
            "amount_cents": None,
            "charges": [
                {**charge, "properties": {"amount": "x"}, "code": "twice"},
                {**charge, "code": "twice", "filters": [{"values": {"region": ["us"]}, "properties": {}}]},
                {**charge, "billable_metric_id": "none"},
                {**charge, "charge_model": "graduated", "properties": {"graduated_ranges": tiers((1, None, "1", ""))}},
                {**charge, "tax_codes": ["none"]},
            ],
            "fixed_charges": [{"add_on_id": "none", "charge_model": "standard"}],
            "minimum_commitment": {"amount_cents": -1},
        }
    )
    assert wrong == {
        "amount_cents": ["value_is_mandatory"],
        "charges.0.properties.amount": ["invalid_amount"],
        "charges.1.code": ["value_already_exist"],
        "charges.1.filters.0.values": ["value_is_invalid"],
        "charges.1.filters.0.properties": ["value_is_mandatory"],
        "charges.2.billable_metric_id": ["billable_metrics_not_found"],
        "charges.3.properties.graduated_ranges": ["invalid_graduated_ranges"],
        "charges.3.properties.graduated_ranges.0.flat_amount": ["invalid_amount"],
        "charges.4.tax_codes": ["tax_not_found"],
        "fixed_charges.0.add_on_id": ["add_on_not_found"],
        "minimum_commitment.amount_cents": ["value_is_out_of_range"],
    }


def test_a_plan_is_found_by_its_id_while_it_lives_and_no_child_is(story: Story):
    plan = story.plan()
    story.customer(currency="EUR")
    story.subscribe(plan_overrides={"name": "Special"})
    child = story.ok("GET", "/subscriptions/sub")["subscription"]["plan"]
    assert service.get(story.ref.id, plan["lago_id"]).code == "plan"
    story.ok("DELETE", "/plans/plan")
    for plan_id in (plan["lago_id"], child["lago_id"], "none"):
        with pytest.raises(NotFound):
            service.get(story.ref.id, plan_id)


def test_the_newest_records_come_first_and_deleted_ones_not_at_all(story: Story):
    for code in ("a", "b", "c", "d"):
        story.metric(code)
    story.ok("DELETE", "/billable_metrics/c")
    newest = billable_metrics.CATALOG.newest(story.ref.id, 2)
    assert [metric.code for metric in newest] == ["d", "b"]
