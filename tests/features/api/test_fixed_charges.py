"""Fixed charges and minimum commitments of plans, as requests make them."""

from typing import Any

import pytest

from chalicelib.features.plans.store import PLANS

RANGES = [
    {"from_value": 0, "to_value": 10, "per_unit_amount": "5", "flat_amount": "0"},
    {"from_value": 11, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"},
]
MODELS = {
    "standard": {"amount": "2"},
    "graduated": {"graduated_ranges": RANGES},
    "volume": {"volume_ranges": RANGES},
}
PLAN = {"name": "p", "code": "p", "interval": "monthly", "amount_cents": 100, "amount_currency": "EUR"}


@pytest.fixture
def add_on(story) -> Any:
    """An add-on."""
    body = {"name": "Seat", "code": "seat", "amount_cents": 100, "amount_currency": "EUR"}
    return story.ok("POST", "/add_ons", {"add_on": body})["add_on"]


def seats(model: str = "standard", **fields: Any) -> dict[str, Any]:
    """A fixed charge as a request has it."""
    return {"add_on_code": "seat", "charge_model": model, "properties": MODELS[model], **fields}


def stored(story) -> Any:
    """The plan as it is kept."""
    organization_id = story.ok("GET", "/organizations")["organization"]["lago_id"]
    return PLANS.find(organization_id, "p")


def put(story, **fields: Any) -> Any:
    """A change of the plan."""
    return story.ok("PUT", "/plans/p", {"plan": fields})["plan"]


def test_fixed_charges_are_shown_as_given(story, add_on):
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20}})
    given = [
        seats(units=10, pay_in_advance=True, prorated=True, tax_codes=["vat"], invoice_display_name="Seats"),
        {**seats("graduated", units="2.50"), "add_on_code": None, "add_on_id": add_on["lago_id"]},
        seats("volume", code="big"),
    ]
    plan = story.plan("p", fixed_charges=given)
    shown = plan["fixed_charges"]
    assert story.ok("GET", "/plans/p")["plan"] == plan
    assert [c["code"] for c in shown] == ["seat", "seat_2", "big"]
    assert [c["units"] for c in shown] == ["10.0", "2.5", "0.0"]
    assert [c["properties"] for c in shown] == [MODELS["standard"], MODELS["graduated"], MODELS["volume"]]
    assert [c["invoice_display_name"] for c in shown] == ["Seats", "Seat", "Seat"]
    assert [(c["pay_in_advance"], c["prorated"]) for c in shown] == [(True, True), (False, False), (False, False)]
    assert [t["code"] for t in shown[0].pop("taxes")] == ["vat"]
    assert shown[0].pop("lago_id")
    assert shown[0] == {
        "lago_add_on_id": add_on["lago_id"],
        "add_on_code": "seat",
        "code": "seat",
        "charge_model": "standard",
        "pay_in_advance": True,
        "prorated": True,
        "properties": {"amount": "2"},
        "units": "10.0",
        "invoice_display_name": "Seats",
        "lago_parent_id": None,
        "created_at": "2024-01-01T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        pytest.param({"charge_model": None}, {"charge_model": ["value_is_invalid"]}, id="no model"),
        pytest.param({"charge_model": "package"}, {"charge_model": ["value_is_invalid"]}, id="a model of usage"),
        pytest.param({"properties": {"amount": 1}}, {"amount": ["invalid_amount"]}, id="an amount as a number"),
        pytest.param({"properties": "x"}, {"properties": ["value_is_invalid"]}, id="no properties at all"),
        pytest.param(
            {"charge_model": "graduated", "properties": {"graduated_ranges": []}},
            {"graduated_ranges": ["missing_graduated_ranges"]},
            id="no ranges",
        ),
        pytest.param({"units": "many"}, {"units": ["value_is_invalid"]}, id="units in words"),
        pytest.param({"units": True}, {"units": ["value_is_invalid"]}, id="units as a switch"),
        pytest.param({"units": "0.0000000000000001"}, {"units": ["value_is_invalid"]}, id="units of 16 decimals"),
        pytest.param({"units": -1}, {"units": ["value_is_out_of_range"]}, id="negative units"),
        pytest.param({"units": 10**15}, {"units": ["value_is_out_of_range"]}, id="units without measure"),
        pytest.param({"pay_in_advance": "x"}, {"pay_in_advance": ["value_is_invalid"]}, id="no switch"),
        pytest.param(
            {"apply_units_immediately": 3}, {"apply_units_immediately": ["value_is_invalid"]}, id="no switch either"
        ),
        pytest.param(
            {**seats("volume"), "pay_in_advance": True},
            {"pay_in_advance": ["invalid_charge_model"]},
            id="volume in advance",
        ),
        pytest.param(
            {**seats("graduated"), "pay_in_advance": True, "prorated": True},
            {"prorated": ["invalid_charge_model"]},
            id="graduated, prorated and in advance",
        ),
    ],
)
def test_wrong_fixed_charges_are_refused(story, add_on, fields, details):
    answer = story.call("POST", "/plans", {"plan": {**PLAN, "fixed_charges": [seats(**{}) | fields]}})
    assert (answer.status, answer.body["error_details"]) == (422, details)
    assert story.call("GET", "/plans/p").status == 404


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"pay_in_advance": True}, id="graduated in advance"),
        pytest.param({"prorated": True}, id="graduated and prorated"),
        pytest.param({"units": None, "pay_in_advance": None}, id="null means the default"),
    ],
)
def test_these_go_together(story, add_on, fields):
    assert story.plan("p", fixed_charges=[seats("graduated", **fields)])["fixed_charges"]


@pytest.mark.parametrize("reference", [{"add_on_code": "none"}, {"add_on_id": "none"}, {"add_on_code": None}])
def test_an_unknown_add_on_is_404(story, add_on, reference):
    body = {"charge_model": "standard", **reference}
    answer = story.call("POST", "/plans", {"plan": {**PLAN, "fixed_charges": [body]}})
    assert (answer.status, answer.body["code"]) == (404, "add_on_not_found")


def test_all_findings_of_a_plan_come_at_once(story, add_on):
    body = {
        **PLAN,
        "interval": "daily",
        "fixed_charges": [seats(units=-1), seats(code="a"), seats(code="a")],
        "minimum_commitment": {"invoice_display_name": "x"},
        "usage_thresholds": [{"amount_cents": 1}],
    }
    assert story.call("POST", "/plans", {"plan": body}).body["error_details"] == {
        "interval": ["value_is_invalid"],
        "units": ["value_is_out_of_range"],
        "code": ["value_already_exist"],
        "amount_cents": ["value_is_mandatory"],
        "usage_thresholds": ["value_is_invalid"],
    }


def test_fixed_charges_replace_the_whole_set_and_stay_when_absent(story, add_on):
    plan = story.plan("p", fixed_charges=[seats(units=1), seats(code="b"), seats(code="c")])
    first, second, _ = plan["fixed_charges"]
    assert len(put(story, name="P")["fixed_charges"]) == 3
    changed = put(story, fixed_charges=[{"id": second["lago_id"], "code": "bb"}, seats(code="c", units=3)])
    assert [(c["code"], c["units"]) for c in changed["fixed_charges"]] == [("bb", "0.0"), ("c", "3.0")]
    assert changed["fixed_charges"][0]["lago_id"] == second["lago_id"]
    assert first["lago_id"] not in {c["lago_id"] for c in changed["fixed_charges"]}
    assert put(story, fixed_charges=[])["fixed_charges"] == []


def test_what_decides_the_computation_is_fixed_once_a_subscription_has_the_plan(story, add_on):
    (charge,) = story.plan("p", fixed_charges=[seats(units=1)])["fixed_charges"]
    body = {
        "id": charge["lago_id"],
        "charge_model": "volume",
        "pay_in_advance": True,
        "prorated": True,
        "code": "x",
        "add_on_code": "none",
    }
    organization_id = story.ok("GET", "/organizations")["organization"]["lago_id"]
    before = PLANS.find(organization_id, "p")
    PLANS.replace(organization_id, before, before.model_copy(update={"taken": True}))
    changing = {"units": 4, "properties": {"amount": "3"}, "invoice_display_name": "Places"}
    (after,) = put(story, fixed_charges=[body | changing])["fixed_charges"]
    assert after == charge | {"units": "4.0", "properties": {"amount": "3"}, "invoice_display_name": "Places"}


def test_changes_of_units_are_remembered(story, add_on):
    (charge,) = story.plan("p", fixed_charges=[seats(units="10.0")])["fixed_charges"]
    for day, fields in (
        ("05", {"units": 20}),
        ("06", {"units": "20.00", "apply_units_immediately": True}),  # No change.
        ("07", {"units": 15, "apply_units_immediately": True}),
        ("08", {"invoice_display_name": "x"}),
    ):
        story.travel(f"2024-01-{day}T00:00:00Z")
        put(story, fixed_charges=[{"id": charge["lago_id"], **fields}])
    (kept,) = stored(story).fixed_charges
    assert (kept.first_units, kept.units) == ("10", "15")
    assert [(c.units, c.at.day, c.immediately) for c in kept.changes] == [("20", 5, False), ("15", 7, True)]


def test_fixed_charges_of_deleted_add_ons_leave_their_plans(story, add_on):
    story.plan("p", fixed_charges=[seats(units=1)])
    story.ok("DELETE", "/add_ons/seat")
    assert story.ok("GET", "/plans/p")["plan"]["fixed_charges"] == []
    assert story.call("GET", "/plans/p/fixed_charges/seat").body["code"] == "fixed_charge_not_found"
    assert story.ok("GET", "/plans/p/fixed_charges")["meta"]["total_count"] == 0


# The minimum commitment.


def test_a_minimum_commitment_is_shown_with_its_plan(story):
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20}})
    body = {"amount_cents": 5000, "invoice_display_name": "At least", "tax_codes": ["vat"]}
    shown = story.plan("p", interval="yearly", minimum_commitment=body)["minimum_commitment"]
    assert [t["code"] for t in shown.pop("taxes")] == ["vat"]
    assert shown.pop("lago_id")
    assert shown == {
        "plan_code": "p",
        "amount_cents": 5000,
        "invoice_display_name": "At least",
        "interval": "yearly",
        "created_at": "2024-01-01T00:00:00Z",
        "updated_at": "2024-01-01T00:00:00Z",
    }


def test_a_minimum_commitment_keeps_its_id_when_changed(story):
    first = story.plan("p", minimum_commitment={"amount_cents": 5000, "invoice_display_name": "x"})[
        "minimum_commitment"
    ]
    story.travel("2024-01-02T00:00:00Z")
    assert put(story, name="P")["minimum_commitment"] == first
    second = put(story, minimum_commitment={"amount_cents": 6000})["minimum_commitment"]
    assert second == first | {"amount_cents": 6000, "updated_at": "2024-01-02T00:00:00Z"}
    third = put(story, minimum_commitment={"invoice_display_name": None})["minimum_commitment"]
    assert third == second | {"invoice_display_name": None}


@pytest.mark.parametrize("nothing", [None, {}, {"amount_cents": 0}], ids=["null", "empty", "zero"])
def test_a_minimum_commitment_of_nothing_is_none(story, nothing):
    assert "minimum_commitment" not in story.plan("q", minimum_commitment=nothing)
    story.plan("p", minimum_commitment={"amount_cents": 1})
    assert "minimum_commitment" not in put(story, minimum_commitment=nothing)


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ({"amount_cents": -1}, {"amount_cents": ["value_is_out_of_range"]}),
        ({"amount_cents": "x"}, {"amount_cents": ["value_is_invalid"]}),
        ({"invoice_display_name": "x"}, {"amount_cents": ["value_is_mandatory"]}),
        ([], {"minimum_commitment": ["value_is_invalid"]}),
        ("x", {"minimum_commitment": ["value_is_invalid"]}),
    ],
)
def test_wrong_minimum_commitments_are_refused(story, body, details):
    answer = story.call("POST", "/plans", {"plan": {**PLAN, "minimum_commitment": body}})
    assert (answer.status, answer.body["error_details"]) == (422, details)
