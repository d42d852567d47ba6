"""Charges by graduated, volume, package and graduated_percentage: created, shown, refused, billed."""

from datetime import UTC, datetime
from typing import Any

import pytest

JANUARY_5 = datetime(2024, 1, 5, 12, tzinfo=UTC).timestamp()
GRADUATED = {
    "graduated_ranges": [
        {"from_value": 0, "to_value": 10, "per_unit_amount": "10", "flat_amount": "2"},
        {"from_value": 11, "to_value": 20, "per_unit_amount": "5", "flat_amount": "3"},
        {"from_value": 21, "to_value": None, "per_unit_amount": "5.00", "flat_amount": "3"},
    ]
}
VOLUME = {
    "volume_ranges": [
        {"from_value": 0, "to_value": 10000, "per_unit_amount": "0.0010", "flat_amount": "10"},
        {"from_value": 10001, "to_value": None, "per_unit_amount": "0.0008", "flat_amount": "10"},
    ]
}
PACKAGE = {"amount": "100", "package_size": 10, "free_units": 10}
RATES = {
    "graduated_percentage_ranges": [
        {"from_value": 0, "to_value": 1000, "rate": "1", "flat_amount": "2"},
        {"from_value": 1001, "to_value": None, "rate": "0.5", "flat_amount": "3"},
    ]
}


def charge(metric: Any, model: str, properties: Any = None, **fields: Any) -> dict[str, Any]:
    """A charge as a request has it."""
    body = {"billable_metric_id": metric["lago_id"], "charge_model": model, **fields}
    return body if properties is None else body | {"properties": properties}


def test_tiered_charges_are_shown_as_given_and_billed_with_their_details(story):
    seats = story.metric("seats", "sum_agg", field_name="n")
    pages = story.metric("pages", "sum_agg", field_name="n")
    story.plan(charges=[charge(seats, "graduated", GRADUATED), charge(pages, "volume", VOLUME)])
    shown = story.ok("GET", "/plans/plan")["plan"]["charges"]
    assert [(c["charge_model"], c["properties"]) for c in shown] == [("graduated", GRADUATED), ("volume", VOLUME)]

    story.customer(currency="EUR")
    story.subscribe()
    story.use("seats", at=JANUARY_5, n=12)
    story.use("pages", at=JANUARY_5, n="10000.5")
    usage = story.usage()
    assert [c["amount_cents"] for c in usage["charges_usage"]] == [11500, 1800]

    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    fees = {fee["item"]["code"]: fee for fee in invoice["fees"] if fee["item"]["type"] == "charge"}
    assert fees["seats"]["amount_cents"] == 11500  # 100 + 2 + 10 + 3
    assert fees["seats"]["units"] == "12.0"
    assert fees["seats"]["precise_unit_amount"] == "9.583333333333333"  # 115 / 12
    reached = fees["seats"]["amount_details"]["graduated_ranges"]
    assert [(t["from_value"], t["to_value"], t["units"], t["total_with_flat_amount"]) for t in reached] == [
        (0, 10, "10.0", "102.0"),
        (11, 20, "2.0", "13.0"),
    ]
    assert fees["pages"]["amount_cents"] == 1800  # 10000.5 x 0.0008 + 10 = 18.0004
    assert fees["pages"]["amount_details"] == {
        "per_unit_amount": "0.0008",
        "per_unit_total_amount": "8.0004",
        "flat_unit_amount": "10.0",
    }
    assert invoice["fees_amount_cents"] == 13300


def test_a_month_without_usage_owes_the_first_flat_amounts(story):
    calls = story.metric()
    free = [{"from_value": 0, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"}]
    story.plan(
        charges=[
            charge(calls, "graduated", GRADUATED, code="flat"),
            charge(calls, "volume", VOLUME, code="volume"),
            charge(calls, "graduated", {"graduated_ranges": free}, code="free"),
        ]
    )
    story.customer(currency="EUR")
    story.subscribe()
    assert [c["amount_cents"] for c in story.usage()["charges_usage"]] == [200, 1000, 0]
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    fees = [fee for fee in invoice["fees"] if fee["item"]["type"] == "charge"]
    assert [(f["amount_cents"], f["units"], f["precise_unit_amount"]) for f in fees] == [
        (200, "0.0", "0.0"),
        (1000, "0.0", "0.0"),
    ]


@pytest.mark.parametrize("model", ["graduated", "volume"])
def test_a_charge_without_properties_gets_one_open_tier_for_nothing(story, model):
    plan = story.plan(charges=[charge(story.metric(), model)])
    open_tier = {"from_value": 0, "to_value": None, "per_unit_amount": "0", "flat_amount": "0"}
    assert plan["charges"][0]["properties"] == {f"{model}_ranges": [open_tier]}


@pytest.mark.parametrize(
    ("model", "properties", "details"),
    [
        pytest.param(
            "graduated",
            {"graduated_ranges": []},
            {"graduated_ranges": ["missing_graduated_ranges"]},
            id="no tiers",
        ),
        pytest.param(
            "graduated",
            {"graduated_ranges": [GRADUATED["graduated_ranges"][0]]},
            {"graduated_ranges": ["invalid_graduated_ranges"]},
            id="the last tier not open",
        ),
        pytest.param(
            "graduated",
            {"graduated_ranges": [{"from_value": 0, "to_value": None, "per_unit_amount": 1, "flat_amount": -0.5}]},
            {"per_unit_amount": ["invalid_amount"], "flat_amount": ["invalid_amount"]},
            id="numbers as amounts",
        ),
        pytest.param(
            "graduated",
            {"graduated_ranges": [{"from_value": 0.0, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"}]},
            {"graduated_ranges": ["invalid_graduated_ranges"]},
            id="a fraction as bound",
        ),
        pytest.param("volume", GRADUATED, {"volume_ranges": ["missing_volume_ranges"]}, id="another model's tiers"),
        pytest.param(
            "volume",
            {
                "volume_ranges": [
                    {"from_value": 0, "to_value": 10, "per_unit_amount": "1", "flat_amount": "0"},
                    {"from_value": 10, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"},
                ]
            },
            {"volume_ranges": ["invalid_volume_ranges"]},
            id="shared bounds",
        ),
    ],
)
def test_wrong_tiers_are_refused_with_their_codes(story, model, properties, details):
    body = {"name": "p", "code": "p", "interval": "monthly", "amount_cents": 0, "amount_currency": "EUR"}
    body["charges"] = [charge(story.metric(), model, properties)]
    answer = story.call("POST", "/plans", {"plan": body})
    assert (answer.status, answer.body["error_details"]) == (422, details)


def test_volume_in_advance_is_refused(story):
    body = {"name": "p", "code": "p", "interval": "monthly", "amount_cents": 0, "amount_currency": "EUR"}
    body["charges"] = [charge(story.metric(), "volume", VOLUME, pay_in_advance=True)]
    answer = story.call("POST", "/plans", {"plan": body})
    assert answer.status == 422
    assert "invalid_aggregation_type_or_charge_model" in answer.body["error_details"]["pay_in_advance"]


def test_packages_and_rates_by_tier_are_shown_as_given_and_billed_with_their_details(story):
    calls = story.metric("calls", "sum_agg", field_name="n")
    paid = story.metric("paid", "sum_agg", field_name="n")
    story.plan(charges=[charge(calls, "package", PACKAGE), charge(paid, "graduated_percentage", RATES)])
    shown = story.ok("GET", "/plans/plan")["plan"]["charges"]
    assert [(c["charge_model"], c["properties"]) for c in shown] == [
        ("package", PACKAGE),
        ("graduated_percentage", RATES),
    ]

    story.customer(currency="EUR")
    story.subscribe()
    story.use("calls", at=JANUARY_5, n=121)
    story.use("paid", at=JANUARY_5, n=3000)
    assert [(c["amount_cents"], c["units"]) for c in story.usage()["charges_usage"]] == [
        (120000, "121.0"),
        (2500, "3000.0"),
    ]

    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    fees = {fee["item"]["code"]: fee for fee in invoice["fees"] if fee["item"]["type"] == "charge"}
    assert fees["calls"]["amount_cents"] == 120000  # 111 units in 12 packages
    assert fees["calls"]["precise_unit_amount"] == "10.810810810810811"  # 1200 / 111
    assert fees["calls"]["amount_details"] == {
        "free_units": "10.0",
        "paid_units": "111.0",
        "per_package_size": 10,
        "per_package_unit_amount": "100.0",
    }
    assert fees["paid"]["amount_cents"] == 2500  # 1000 x 1 % + 2 + 2000 x 0.5 % + 3
    reached = fees["paid"]["amount_details"]["graduated_percentage_ranges"]
    assert [(t["from_value"], t["to_value"], t["units"], t["rate"], t["total_with_flat_amount"]) for t in reached] == [
        (0, 1000, "1000.0", "1.0", "12.0"),
        (1001, None, "2000.0", "0.5", "13.0"),
    ]


def test_a_month_without_usage_owes_no_package_but_the_first_flat_amount_of_rates(story):
    calls = story.metric()
    story.plan(charges=[charge(calls, "package", PACKAGE), charge(calls, "graduated_percentage", RATES, code="rates")])
    story.customer(currency="EUR")
    story.subscribe()
    assert [c["amount_cents"] for c in story.usage()["charges_usage"]] == [0, 200]
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    (fee,) = [fee for fee in invoice["fees"] if fee["item"]["type"] == "charge"]
    assert (fee["amount_cents"], fee["units"]) == (200, "0.0")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("package", {"amount": "0", "package_size": 1, "free_units": 0}),
        (
            "graduated_percentage",
            {
                "graduated_percentage_ranges": [
                    {"from_value": 0, "to_value": None, "rate": "0", "flat_amount": "0"},
                ]
            },
        ),
    ],
)
def test_charges_by_package_and_rate_without_properties_cost_nothing(story, model, expected):
    plan = story.plan(charges=[charge(story.metric(), model)])
    assert plan["charges"][0]["properties"] == expected


@pytest.mark.parametrize(
    ("model", "properties", "details"),
    [
        pytest.param(
            "package",
            {"amount": 1, "package_size": 0, "free_units": 1.5},
            {
                "amount": ["invalid_amount"],
                "package_size": ["invalid_package_size"],
                "free_units": ["invalid_free_units"],
            },
            id="packages of nothing",
        ),
        pytest.param(
            "graduated_percentage",
            {"graduated_percentage_ranges": []},
            {"graduated_percentage_ranges": ["missing_graduated_percentage_ranges"]},
            id="no tiers",
        ),
        pytest.param(
            "graduated_percentage",
            {"graduated_percentage_ranges": [{"from_value": 0, "to_value": 5, "rate": 1, "flat_amount": "-1"}]},
            {
                "graduated_percentage_ranges": ["invalid_graduated_percentage_ranges"],
                "rate": ["invalid_rate"],
                "flat_amount": ["invalid_amount"],
            },
            id="numbers as rates",
        ),
    ],
)
def test_wrong_packages_and_rates_are_refused_with_their_codes(story, model, properties, details):
    body = {"name": "p", "code": "p", "interval": "monthly", "amount_cents": 0, "amount_currency": "EUR"}
    body["charges"] = [charge(story.metric(), model, properties)]
    answer = story.call("POST", "/plans", {"plan": body})
    assert (answer.status, answer.body["error_details"]) == (422, details)


@pytest.mark.parametrize("model", ["package", "percentage", "graduated_percentage", "dynamic"])
def test_fixed_charges_take_none_of_these_models(story, model):
    story.ok("POST", "/add_ons", {"add_on": {"name": "a", "code": "a", "amount_cents": 1, "amount_currency": "EUR"}})
    body = {"name": "p", "code": "p", "interval": "monthly", "amount_cents": 0, "amount_currency": "EUR"}
    body["fixed_charges"] = [{"add_on_code": "a", "charge_model": model, "properties": PACKAGE}]
    answer = story.call("POST", "/plans", {"plan": body})
    assert (answer.status, answer.body["error_details"]) == (422, {"charge_model": ["value_is_invalid"]})
