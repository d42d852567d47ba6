"""Which properties the models by packages and rates take, and which switches go with them. Source: rules/usage 5."""

from decimal import Decimal as D
from typing import Any

import pytest

from chalicelib.domain.charges import properties
from chalicelib.domain.charges.models import ChargeModel, price
from chalicelib.domain.charges.usage import ChargeUsage

PACKAGE, PERCENTAGE = ChargeModel.PACKAGE, ChargeModel.PERCENTAGE
GRADUATED_PERCENTAGE, DYNAMIC = ChargeModel.GRADUATED_PERCENTAGE, ChargeModel.DYNAMIC
RANGES = "graduated_percentage_ranges"


def tier(from_value: Any, to_value: Any, rate: Any = "1", flat_amount: Any = "0") -> dict[str, Any]:
    """One tier of rates as a request has it."""
    return {"from_value": from_value, "to_value": to_value, "rate": rate, "flat_amount": flat_amount}


def refused(model: ChargeModel, given: dict[str, Any]) -> dict[str, list[str]]:
    """What is said of wrong properties; nothing of sound ones."""
    try:
        properties.parse(model, given)
    except properties.PropertyErrors as error:
        return error.details
    return {}


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        pytest.param({}, {}, id="sound"),
        pytest.param({"amount": None}, {"amount": ["invalid_amount"]}, id="no amount"),
        pytest.param({"amount": 5}, {"amount": ["invalid_amount"]}, id="a number as amount"),
        pytest.param({"amount": "-5"}, {"amount": ["invalid_amount"]}, id="a negative amount"),
        pytest.param({"package_size": None}, {"package_size": ["invalid_package_size"]}, id="no size"),
        pytest.param({"package_size": 0}, {"package_size": ["invalid_package_size"]}, id="packages of nothing"),
        pytest.param({"package_size": -1}, {"package_size": ["invalid_package_size"]}, id="a negative size"),
        pytest.param({"package_size": "10"}, {"package_size": ["invalid_package_size"]}, id="a text as size"),
        pytest.param({"package_size": D("1.5")}, {"package_size": ["invalid_package_size"]}, id="a fraction as size"),
        pytest.param({"package_size": True}, {"package_size": ["invalid_package_size"]}, id="a switch as size"),
        pytest.param({"package_size": 10**15}, {"package_size": ["invalid_package_size"]}, id="out of this world"),
        pytest.param({"free_units": 0}, {}, id="nothing free"),
        pytest.param({"free_units": None}, {"free_units": ["invalid_free_units"]}, id="no free units"),
        pytest.param({"free_units": -1}, {"free_units": ["invalid_free_units"]}, id="negative free units"),
        pytest.param({"free_units": "1"}, {"free_units": ["invalid_free_units"]}, id="a text as free units"),
        pytest.param(
            {"amount": 1, "package_size": 0, "free_units": "x"},
            {
                "amount": ["invalid_amount"],
                "package_size": ["invalid_package_size"],
                "free_units": ["invalid_free_units"],
            },
            id="everything at once",
        ),
    ],
)
def test_package_properties(given, wrong):
    assert refused(PACKAGE, {"amount": "5", "package_size": 100, "free_units": 100, **given}) == wrong


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        pytest.param({}, {}, id="a rate alone"),
        pytest.param(
            {
                "fixed_amount": None,
                "free_units_per_events": None,
                "free_units_per_total_aggregation": None,
                "per_transaction_min_amount": None,
                "per_transaction_max_amount": None,
            },
            {},
            id="null is none",
        ),
        pytest.param(
            {
                "fixed_amount": "0.5",
                "free_units_per_events": 5,
                "free_units_per_total_aggregation": "500",
                "per_transaction_min_amount": "1.75",
                "per_transaction_max_amount": "1.75",
            },
            {},
            id="all of them",
        ),
        pytest.param({"rate": None}, {"rate": ["invalid_rate"]}, id="no rate"),
        pytest.param({"rate": 1.2}, {"rate": ["invalid_rate"]}, id="a number as rate"),
        pytest.param({"rate": "-1"}, {"rate": ["invalid_rate"]}, id="a negative rate"),
        pytest.param({"fixed_amount": 2}, {"fixed_amount": ["invalid_fixed_amount"]}, id="a number as fixed amount"),
        pytest.param(
            {"free_units_per_events": 0}, {"free_units_per_events": ["invalid_free_units_per_events"]}, id="no event"
        ),
        pytest.param(
            {"free_units_per_events": "3"}, {"free_units_per_events": ["invalid_free_units_per_events"]}, id="a text"
        ),
        pytest.param(
            {"free_units_per_total_aggregation": 500},
            {"free_units_per_total_aggregation": ["invalid_free_units_per_total_aggregation"]},
            id="a number as free amount",
        ),
        pytest.param(
            {"per_transaction_min_amount": 1, "per_transaction_max_amount": "-1"},
            {"per_transaction_min_amount": ["invalid_amount"], "per_transaction_max_amount": ["invalid_amount"]},
            id="no amounts as bounds",
        ),
        pytest.param(
            {"per_transaction_min_amount": "2", "per_transaction_max_amount": "1.99"},
            {"per_transaction_max_amount": ["per_transaction_max_lower_than_per_transaction_min"]},
            id="bounds that leave nothing",
        ),
        pytest.param(
            {"rate": "x", "fixed_amount": "x", "free_units_per_events": -1},
            {
                "rate": ["invalid_rate"],
                "fixed_amount": ["invalid_fixed_amount"],
                "free_units_per_events": ["invalid_free_units_per_events"],
            },
            id="everything at once",
        ),
    ],
)
def test_percentage_properties(given, wrong):
    assert refused(PERCENTAGE, {"rate": "1.2", **given}) == wrong


@pytest.mark.parametrize(
    ("tiers", "wrong"),
    [
        pytest.param([tier(0, 1000), tier(1001, None)], {}, id="a unit apart"),
        pytest.param([tier(0, 1000), tier(1000, None)], {}, id="shared bounds"),
        pytest.param(None, {RANGES: [f"missing_{RANGES}"]}, id="null"),
        pytest.param([], {RANGES: [f"missing_{RANGES}"]}, id="none"),
        pytest.param("x", {RANGES: [f"invalid_{RANGES}"]}, id="no list"),
        pytest.param([tier(0, 10)], {RANGES: [f"invalid_{RANGES}"]}, id="the last not open"),
        pytest.param([tier(0, 10), tier(12, None)], {RANGES: [f"invalid_{RANGES}"]}, id="a gap"),
        pytest.param([tier(0, None, 1)], {"rate": ["invalid_rate"]}, id="a number as rate"),
        pytest.param([tier(0, None, "1", 1)], {"flat_amount": ["invalid_amount"]}, id="a number as flat amount"),
        pytest.param(
            [{"from_value": 0, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"}],
            {"rate": ["invalid_rate"]},
            id="a price is no rate",
        ),
    ],
)
def test_graduated_percentage_properties(tiers, wrong):
    assert refused(GRADUATED_PERCENTAGE, {RANGES: tiers}) == wrong


def test_dynamic_takes_whatever_it_is_given():
    assert refused(DYNAMIC, {}) == {}
    assert refused(DYNAMIC, {"amount": 5}) == {}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (PACKAGE, {"amount": "0", "package_size": 1, "free_units": 0}),
        (PERCENTAGE, {"rate": "0"}),
        (GRADUATED_PERCENTAGE, {RANGES: [tier(0, None, "0", "0")]}),
        (DYNAMIC, {}),
    ],
    ids=str,
)
@pytest.mark.parametrize("units", ["0", "1234.5"])
def test_the_default_properties_are_sound_and_cost_nothing(model, expected, units):
    assert properties.defaults(model) == expected
    usage = ChargeUsage(D(units), 1, precise_total_cents=D(0))
    result = price(model, usage, properties.parse(model, properties.defaults(model)))
    assert (result.amount, result.unit_amount) == (0, 0)


@pytest.mark.parametrize(
    ("given", "needs"),
    [
        pytest.param({}, False, id="a rate"),
        pytest.param({"fixed_amount": "1"}, False, id="a fixed amount per event"),
        pytest.param({"free_units_per_events": 1}, True, id="free events"),
        pytest.param({"free_units_per_total_aggregation": "1"}, True, id="a free amount"),
        pytest.param({"free_units_per_total_aggregation": "0"}, False, id="a free amount of nothing"),
        pytest.param({"per_transaction_min_amount": "0"}, True, id="a lower bound"),
        pytest.param({"per_transaction_max_amount": "1"}, True, id="an upper bound"),
    ],
)
def test_a_percentage_needs_each_event_where_events_are_free_or_priced_one_by_one(given, needs):
    assert properties.needs_values(PERCENTAGE, properties.parse(PERCENTAGE, {"rate": "1", **given})) is needs


@pytest.mark.parametrize("model", [model for model in ChargeModel if model is not PERCENTAGE])
def test_no_other_model_needs_each_event(model):
    assert not properties.needs_values(model, properties.parse(model, properties.defaults(model)))


# Which switches go with which model.


def combination(model: ChargeModel, aggregation_type: str = "sum_agg", **given: Any) -> dict[str, list[str]]:
    """What is wrong with a charge in arrears, but for what is given."""
    usual: dict[str, Any] = {
        "recurring": False,
        "pay_in_advance": False,
        "prorated": False,
        "invoiceable": True,
        "regroup_paid_fees": None,
        "min_amount_cents": 0,
    }
    return properties.check_combination(model=model, aggregation_type=aggregation_type, **usual | given)


AGGREGATIONS = ["count_agg", "sum_agg", "max_agg", "unique_count_agg", "latest_agg", "weighted_sum_agg"]


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("model", [PERCENTAGE, GRADUATED_PERCENTAGE])
def test_a_latest_value_is_not_priced_by_rates(model, aggregation):
    expected = {"billable_metric": ["invalid_value"]} if aggregation == "latest_agg" else {}
    assert combination(model, aggregation) == expected


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_only_a_sum_is_priced_by_its_events(aggregation):
    wrong = {"charge_model": ["invalid_aggregation_type_or_charge_model"]}
    assert combination(DYNAMIC, aggregation) == ({} if aggregation == "sum_agg" else wrong)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_packages_go_with_every_metric(aggregation):
    assert combination(PACKAGE, aggregation) == {}


@pytest.mark.parametrize("model", [PACKAGE, PERCENTAGE, GRADUATED_PERCENTAGE, DYNAMIC])
def test_the_models_are_charged_in_advance_but_not_prorated(model):
    assert combination(model, pay_in_advance=True) == {}
    assert combination(model, recurring=True, prorated=True) == {
        "prorated": ["invalid_billable_metric_or_charge_model"]
    }
