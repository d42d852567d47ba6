"""Plans: the list, their details, the form with its calculator, overwriting, deletion, templates."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.console.plans import body, plan_form, ready
from chalicelib.features.plans import schemas
from tests.support import capacity
from tests.support.charging import tiers
from tests.support.console import Shown, Visitor, member_of
from tests.support.story import Story

JANUARY_5 = datetime(2024, 1, 5, 12, tzinfo=UTC).timestamp()
# The fields of one charge's price, by model; what they say in the API; events; the total.
PRICES: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "standard": ({"amount": "0.333"}, {"amount": "0.333"}),
    "graduated": (
        {
            "graduated_ranges.0.to_value": "10",
            "graduated_ranges.0.per_unit_amount": "10",
            "graduated_ranges.0.flat_amount": "2",
            "graduated_ranges.1.per_unit_amount": "0.5",
            "graduated_ranges.1.flat_amount": "3",
        },
        {"graduated_ranges": tiers((0, 10, "10", "2"), (11, None, "0.5", "3"))},
    ),
    "volume": (
        {
            "volume_ranges.0.to_value": "10.5",
            "volume_ranges.0.per_unit_amount": "1",
            "volume_ranges.0.flat_amount": "0",
            "volume_ranges.1.per_unit_amount": "0.80",
            "volume_ranges.1.flat_amount": "7",
        },
        {"volume_ranges": tiers((0, 10.5, "1", "0"), (10.5, None, "0.80", "7"))},  # type: ignore[arg-type]
    ),
    "package": (
        {"amount": "5", "package_size": "10", "free_units": "5"},
        {"amount": "5", "package_size": 10, "free_units": 5},
    ),
    "percentage": (
        {
            "rate": "1.5",
            "fixed_amount": "0.30",
            "free_units_per_events": "1",
            "free_units_per_total_aggregation": "3",
            "per_transaction_min_amount": "0.4",
            "per_transaction_max_amount": "20",
        },
        {
            "rate": "1.5",
            "fixed_amount": "0.30",
            "free_units_per_events": 1,
            "free_units_per_total_aggregation": "3",
            "per_transaction_min_amount": "0.4",
            "per_transaction_max_amount": "20",
        },
    ),
    "graduated_percentage": (
        {
            "graduated_percentage_ranges.0.to_value": "10",
            "graduated_percentage_ranges.0.rate": "10",
            "graduated_percentage_ranges.0.flat_amount": "2",
            "graduated_percentage_ranges.1.rate": "5",
            "graduated_percentage_ranges.1.flat_amount": "3",
        },
        {"graduated_percentage_ranges": tiers((0, 10, "10", "2"), (11, None, "5", "3"), price="rate")},
    ),
}


def drawn(visitor: Visitor, form: dict[str, Any], do: str, path: tuple[str, ...] = ("plans", "new")) -> dict[str, Any]:
    """The fields of the form after a button that draws it again."""
    shown = visitor.post(*path, form=form | {"_do": do})
    assert shown.status == 200, shown.words
    return dict(shown.fields)


def with_charge(
    visitor: Visitor, metric: Any, model: str = "standard", number: int = 0, **fields: Any
) -> dict[str, Any]:
    """The fields of a new plan with a charge."""
    form: dict[str, Any] = dict(fields) or dict(visitor.get("plans", "new").fields)
    form = drawn(visitor, form, "add:charges")
    at = f"charges.{number}."
    form |= {at + "billable_metric_id": metric["lago_id"], at + "charge_model": model}
    form = drawn(visitor, form, "draw")
    return form | {"name": "Plan", "code": "plan", "amount_cents": "0"}


def typed(visitor: Visitor, form: dict[str, Any], model: str) -> dict[str, Any]:
    """The fields with the price of a model in the first charge."""
    at = "charges.0.properties."
    if model in plan_form.TIERED:
        form = drawn(visitor, form, f"add:{at}{plan_form.TIERED[model]}")
    return form | {at + name: text for name, text in PRICES[model][0].items()}


def created(shown: Shown, visitor: Visitor) -> Any:
    """The plan that a form made, in the API's form."""
    assert shown.status == 303, shown.words[-1500:]
    lago_id = shown.location.rpartition("/")[2]
    plans = visitor.story.ok("GET", "/plans")["plans"]
    return next(plan for plan in plans if plan["lago_id"] == lago_id)


def errors(shown: Shown) -> set[str]:
    """The fields at which a page shows refusals."""
    return set(re.findall(r'class="field-error" id="f-([^"]+)-error"', shown.text))


@pytest.mark.parametrize("model", PRICES)
def test_every_model_is_saved_and_shown_again_as_typed(visitor: Visitor, model: str):
    metric = visitor.story.metric("volume", "sum_agg", field_name="n")
    form = typed(visitor, with_charge(visitor, metric, model), model)
    plan = created(visitor.post("plans", "new", form=form), visitor)
    (charge,) = plan["charges"]
    assert (charge["charge_model"], charge["properties"]) == (model, PRICES[model][1])
    assert visitor.get("plans", plan["lago_id"]).status == 200
    again = visitor.get("plans", plan["lago_id"], "edit").fields
    assert {name: again[f"charges.0.properties.{name}"][-1] for name in PRICES[model][0]} == PRICES[model][0]
    before = visitor.story.ok("GET", "/plans/plan")["plan"]
    assert visitor.post("plans", plan["lago_id"], "edit", form=again).status == 303
    assert visitor.story.ok("GET", "/plans/plan")["plan"] == before


@pytest.mark.parametrize("model", PRICES)
def test_the_calculator_equals_the_fee_of_an_invoice(visitor: Visitor, model: str):
    story = visitor.story
    metric = story.metric("volume", "sum_agg", field_name="n")
    form = typed(visitor, with_charge(visitor, metric, model), model) | {"charges.0.min_amount_cents": "40"}
    form |= {"charges.0.calculator.units": "25.5", "charges.0.calculator.events": "3"}
    calculated = visitor.send(visitor.address("plans", "price", part="charges.0"), form)
    assert calculated.status == 200
    created(visitor.post("plans", "new", form=form), visitor)
    story.customer(currency="USD")
    story.subscribe()
    for _ in range(3):
        story.use("volume", at=JANUARY_5, n="8.5")
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    cents = sum(fee["amount_cents"] for fee in invoice["fees"])
    assert f"Costs, without tax ${cents // 100}.{cents % 100:02}" in calculated.words
    assert cents >= 4000


def test_a_dynamic_charge_has_nothing_to_calculate(visitor: Visitor):
    metric = visitor.story.metric("volume", "sum_agg", field_name="n")
    form = with_charge(visitor, metric, "dynamic")
    calculated = visitor.send(visitor.address("plans", "price", part="charges.0"), form)
    assert "The price comes with each event" in calculated.words
    plan = created(visitor.post("plans", "new", form=form), visitor)
    assert plan["charges"][0]["charge_model"] == "dynamic"
    assert visitor.get("plans", plan["lago_id"]).status == 200


def test_the_calculator_prices_a_filter_and_says_what_it_cannot_read(visitor: Visitor):
    metric = visitor.story.metric("volume", "sum_agg", field_name="n", filters=[{"key": "region", "values": ["eu"]}])
    form = drawn(visitor, with_charge(visitor, metric), "add:charges.0.filters")
    form |= {"charges.0.properties.amount": "1", "charges.0.filters.0.properties.amount": "3"}
    form |= {"charges.0.calculator.part": "charges.0.filters.0", "charges.0.calculator.units": "1,000"}
    price = visitor.address("plans", "price", part="charges.0")
    assert "1,000 × $3.00 $3,000.00" in visitor.send(price, form).words
    assert "value_is_invalid" in visitor.send(price, form | {"charges.0.calculator.units": "many"}).words
    assert "Complete the prices" in visitor.send(price, form | {"charges.0.filters.0.properties.amount": ""}).words


def test_a_fixed_charge_says_what_its_units_cost(visitor: Visitor):
    story = visitor.story
    add_on = story.ok(
        "POST", "/add_ons", {"add_on": {"name": "Seat", "code": "seat", "amount_cents": 100, "amount_currency": "USD"}}
    )["add_on"]
    form = drawn(visitor, dict(visitor.get("plans", "new").fields), "add:fixed_charges")
    at = "fixed_charges.0."
    form |= {"name": "Plan", "code": "plan", "amount_cents": "0", at + "add_on_id": add_on["lago_id"]}
    form |= {
        at + "units": "3",
        at + "properties.amount": "12.5",
        at + "prorated": "true",
        at + "pay_in_advance": "true",
    }
    calculated = visitor.send(visitor.address("plans", "price", part="fixed_charges.0"), form)
    assert "Costs per period, without tax $37.50" in calculated.words
    plan = created(visitor.post("plans", "new", form=form), visitor)
    (fixed,) = plan["fixed_charges"]
    assert (fixed["units"], fixed["properties"], fixed["prorated"], fixed["pay_in_advance"]) == (
        "3.0",
        {"amount": "12.5"},
        True,
        True,
    )
    again = visitor.get("plans", plan["lago_id"], "edit").fields
    assert again["fixed_charges.0.invoice_display_name"] == [""]  # Not the add-on's, which the API shows.


def test_every_field_reaches_the_api(visitor: Visitor):
    story = visitor.story
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": "20"}})
    metric = story.metric("calls", "count_agg", filters=[{"key": "cloud.region", "values": ["eu", "us"]}])
    form = with_charge(visitor, metric)
    form = drawn(visitor, form, "add:charges.0.filters")
    form = drawn(visitor, form | {"interval": "yearly"}, "add:metadata")
    form |= {
        "description": "For teams",
        "amount_cents": "1,200.50",
        "pay_in_advance": "true",
        "trial_period": "14",
        "invoice_display_name": "Base",
        "tax_codes": ["", "vat"],
        "bill_charges_monthly": "true",
        "bill_fixed_charges_monthly": "true",
        "minimum_commitment.amount_cents": "5000",
        "minimum_commitment.invoice_display_name": "At least",
        "minimum_commitment.tax_codes": ["", "vat"],
        "metadata.0.key": "segment",
        "metadata.0.value": "smb",
        "charges.0.code": "by-region",
        "charges.0.pay_in_advance": "true",
        "charges.0.invoiceable": "false",
        "charges.0.regroup_paid_fees": "true",
        "charges.0.invoice_display_name": "Calls",
        "charges.0.tax_codes": ["", "vat"],
        "charges.0.properties.amount": "0.10",
        "charges.0.properties.pricing_group_keys": "team\nproject",
        "charges.0.filters.0.values.k:cloud%2Eregion": ["", "eu", "us"],
        "charges.0.filters.0.properties.amount": "0.2",
        "charges.0.filters.0.invoice_display_name": "Regions",
    }
    plan = created(visitor.post("plans", "new", form=form), visitor)
    assert plan["amount_cents"] == 120050
    for name in ("pay_in_advance", "bill_charges_monthly", "bill_fixed_charges_monthly"):
        assert plan[name] is True
    assert (plan["description"], plan["trial_period"], plan["invoice_display_name"]) == ("For teams", 14, "Base")
    assert plan["metadata"] == {"segment": "smb"}
    assert [tax["code"] for tax in plan["taxes"]] == ["vat"]
    commitment = plan["minimum_commitment"]
    assert (commitment["amount_cents"], commitment["invoice_display_name"]) == (500000, "At least")
    (charge,) = plan["charges"]
    assert (charge["code"], charge["invoiceable"], charge["regroup_paid_fees"]) == ("by-region", False, "invoice")
    assert charge["properties"] == {"amount": "0.10", "pricing_group_keys": ["team", "project"]}
    assert charge["filters"][0]["values"] == {"cloud.region": ["eu", "us"]}
    assert charge["filters"][0]["properties"] == {"amount": "0.2"}
    assert charge["filters"][0]["invoice_display_name"] == "Regions"
    again = visitor.get("plans", plan["lago_id"], "edit").fields
    assert visitor.post("plans", plan["lago_id"], "edit", form=again).status == 303
    assert visitor.story.ok("GET", "/plans/plan")["plan"] == plan


def test_the_form_has_every_field_of_the_schemas(visitor: Visitor):
    metric = visitor.story.metric("calls", filters=[{"key": "region", "values": ["eu"]}])
    form = drawn(visitor, with_charge(visitor, metric), "add:charges.0.filters")
    form = drawn(visitor, form | {"interval": "yearly"}, "add:fixed_charges")
    made = body.of_form(
        plan_form.PlanForm(values={name: list(v) if isinstance(v, list) else [v] for name, v in form.items()})
    )
    # Made elsewhere: parts of their own names, what the first API has for filters, and what is not billed yet.
    elsewhere = {"cascade_updates", "usage_thresholds"}
    assert set(schemas.PlanInput.model_fields) - elsewhere == set(made)
    assert set(schemas.ChargeInput.model_fields) - {"id", "group_properties"} == set(made["charges"][0])
    assert set(schemas.ChargeFilterInput.model_fields) - {"id"} == set(made["charges"][0]["filters"][0])
    assert set(schemas.FixedChargeInput.model_fields) - {"id", "add_on_code"} == set(made["fixed_charges"][0])


def test_refusals_stand_at_the_very_fields(visitor: Visitor):
    metric = visitor.story.metric("calls", "sum_agg", field_name="n", filters=[{"key": "region", "values": ["eu"]}])
    form = with_charge(visitor, metric)
    form = with_charge(visitor, metric, "graduated", 1, **form)
    form = drawn(visitor, form, "add:charges.1.properties.graduated_ranges")
    form = drawn(visitor, form, "add:charges.0.filters")
    form = drawn(visitor, form, "add:charges")
    form |= {
        "name": "",
        "code": "plan",
        "amount_cents": "1.005",
        "charges.0.properties.amount": "0.1",
        "charges.0.filters.0.properties.amount": "x",
        "charges.1.properties.graduated_ranges.0.to_value": "10",
        "charges.1.properties.graduated_ranges.0.per_unit_amount": "1",
        "charges.1.properties.graduated_ranges.1.per_unit_amount": "-1",
        "charges.1.prorated": "true",
        "charges.1.min_amount_cents": "abc",
        "charges.2.properties.amount": "1",
    }
    shown = visitor.post("plans", "new", form=form)
    assert shown.status == 422
    assert errors(shown) == {
        "name",
        "amount_cents",
        "charges.0.filters.0.properties.amount",
        "charges.1.properties.graduated_ranges.1.per_unit_amount",
        "charges.1.prorated",
        "charges.1.min_amount_cents",
        "charges.2.billable_metric_id",
    }
    assert "value_is_mandatory" in shown.words  # Of the filter's values, at the group.
    assert shown.fields["charges.0.filters.0.properties.amount"] == ["x"]
    assert visitor.story.ok("GET", "/plans")["plans"] == []


def test_a_code_in_use_is_told_at_the_code_and_a_second_click_makes_one_plan(visitor: Visitor):
    metric = visitor.story.metric("calls")
    form = with_charge(visitor, metric) | {"charges.0.properties.amount": "1"}
    first, second = (visitor.post("plans", "new", form=form) for _ in range(2))
    assert first.location == second.location
    assert len(visitor.story.ok("GET", "/plans")["plans"]) == 1
    other = visitor.post("plans", "new", form=form | {"name": "Another"})
    assert other.status == 422
    assert errors(other) == {"code"}


def test_a_code_is_proposed_from_the_name(visitor: Visitor):
    form = dict(visitor.get("plans", "new").fields) | {"name": "Scale – 2024", "amount_cents": "5"}
    assert created(visitor.post("plans", "new", form=form), visitor)["code"] == "scale_2024"


def test_what_a_subscription_has_taken_is_locked(visitor: Visitor):
    story = visitor.story
    metric = story.metric("calls")
    plan = story.plan(
        "plan", [{"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}]
    )
    story.customer(currency="EUR")
    story.subscribe()
    shown = visitor.get("plans", plan["lago_id"], "edit")
    assert "Subscriptions have this plan" in shown.words
    assert 'name="code" type="text" value="plan" autocomplete="off" readonly' in shown.text
    form = dict(shown.fields) | {"code": "other", "name": "Renamed", "charges.0.properties.amount": "2"}
    assert visitor.post("plans", plan["lago_id"], "edit", form=form).status == 303
    after = story.ok("GET", "/plans/plan")["plan"]
    assert (after["name"], after["charges"][0]["properties"]) == ("Renamed", {"amount": "2"})
    assert "sub" in visitor.get("plans", plan["lago_id"], tab="subscriptions").words


def test_overwritten_plans_follow_where_it_is_asked(visitor: Visitor):
    story = visitor.story
    plan = story.plan(amount_cents=1000)
    story.customer(currency="EUR")
    story.subscribe(plan_overrides={"name": "Special"})
    form = dict(visitor.get("plans", plan["lago_id"], "edit").fields) | {"amount_cents": "20.00"}
    assert visitor.post("plans", plan["lago_id"], "edit", form=form | {"cascade_updates": "true"}).status == 303
    assert story.ok("GET", "/subscriptions/sub")["subscription"]["plan"]["amount_cents"] == 2000


def test_an_overwrite_is_a_plan_of_its_own(visitor: Visitor):
    story = visitor.story
    metric = story.metric("calls")
    story.plan(
        "plan", [{"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}]
    )
    story.customer(currency="EUR")
    story.subscribe()
    before = story.ok("GET", "/plans/plan")["plan"]
    shown = visitor.get("plans", before["lago_id"], "overwrite")
    assert "The original and its subscriptions do not change." in shown.words
    assert "readonly" not in shown.text
    form = dict(shown.fields) | {
        "name": "Copy",
        "code": "copy",
        "interval": "weekly",
        "charges.0.properties.amount": "9",
    }
    copy = created(visitor.post("plans", before["lago_id"], "overwrite", form=form), visitor)
    assert (copy["code"], copy["interval"], copy["charges"][0]["properties"]) == ("copy", "weekly", {"amount": "9"})
    assert story.ok("GET", "/plans/plan")["plan"] == before
    assert story.ok("GET", "/subscriptions/sub")["subscription"]["plan_code"] == "plan"


def test_only_filters_keep_their_price_alone(visitor: Visitor):
    """A charge of the first API, whose usage without a group is not billed, stays so when it is saved."""
    story = visitor.story
    metric = story.metric("calls", group={"key": "region", "values": ["eu", "us"]})
    groups = story.ok("GET", "/billable_metrics/calls/groups")["groups"]
    prices = [{"group_id": each["lago_group_id"], "values": {"amount": "1"}} for each in groups]
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "group_properties": prices}
    plan = story.plan("plan", [charge])
    assert plan["charges"][0]["properties"] == {}
    form = visitor.get("plans", plan["lago_id"], "edit").fields
    assert visitor.post("plans", plan["lago_id"], "edit", form=form).status == 303
    assert story.ok("GET", "/plans/plan")["plan"] == plan


def test_deletion_names_what_ends_and_asks_for_the_code(visitor: Visitor):
    story = visitor.story
    free, used = story.plan("free"), story.plan("used")
    story.customer(currency="EUR")
    story.subscribe("used", name="Production")
    shown = visitor.get("plans", used["lago_id"], "delete")
    assert "1 subscription of this plan ends" in shown.words
    assert "Production" in shown.words
    refused = visitor.post("plans", used["lago_id"], "delete", form={"code": "free"})
    assert refused.status == 422
    assert errors(refused) == {"code"}
    assert visitor.post("plans", used["lago_id"], "delete", form={"code": "used"}).status == 303
    assert visitor.post("plans", used["lago_id"], "delete", form={"code": "used"}).status == 404
    assert visitor.post("plans", free["lago_id"], "delete").status == 303
    assert story.ok("GET", "/plans")["plans"] == []


@pytest.mark.parametrize("key", ready.all_ready())
def test_a_ready_plan_makes_its_metrics_and_only_once(visitor: Visitor, key: str):
    chosen = ready.all_ready()[key]
    assert chosen.name in visitor.get("plans", "templates").words
    form = dict(visitor.get("plans", "new", template=key).fields)
    assert visitor.story.ok("GET", "/billable_metrics")["billable_metrics"] == []
    plan = created(visitor.post("plans", "new", form=form), visitor)
    assert plan["code"] == chosen.plan["code"]
    assert [c["billable_metric_code"] for c in plan["charges"]] == [each["code"] for each in chosen.metrics]
    assert visitor.post("plans", "new", form=form).location.endswith(plan["lago_id"])
    again = dict(visitor.get("plans", "new", template=key).fields) | {"code": "second", "name": "Second"}
    created(visitor.post("plans", "new", form=again), visitor)
    assert len(visitor.story.ok("GET", "/billable_metrics")["billable_metrics"]) == len(chosen.metrics)


def test_pages_cost_few_requests(visitor: Visitor):
    story = visitor.story
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": "20"}})
    metric = story.metric("calls")
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    plan = story.plan("plan", [charge], tax_codes=["vat"])
    story.customer(currency="EUR")
    story.subscribe(plan_overrides={"name": "Special"})
    story.subscribe(external_id="other")
    at = ("plans", plan["lago_id"])
    below = [at, (*at, "edit"), (*at, "overwrite"), (*at, "delete")]
    pages: list[Any] = [(path, {}) for path in [("plans",), ("plans", "new"), ("plans", "templates"), *below]]
    pages += [(at, {"tab": "subscriptions"}), (("plans", "new"), {"template": "tiers"})]
    for path, query in pages:
        with capacity.counting() as meter:
            assert visitor.get(*path, **query).status == 200
        assert sum(meter.requests.values()) <= 8, (path, query, meter.requests)


def test_what_is_not_there_is_not_found(visitor: Visitor):
    plan = member_of(Story.begin(), "other@example.com").story.plan()
    for path in ((), ("edit",), ("overwrite",), ("delete",)):
        assert visitor.get("plans", plan["lago_id"], *path).status == 404
    assert visitor.post("plans", plan["lago_id"], "edit", form={"name": "x"}).status == 404
    assert visitor.post("plans", plan["lago_id"], "delete").status == 404
    assert visitor.send(visitor.address("plans", "price", part="charges.0"), {}).status == 404


def test_names_and_codes_are_text(visitor: Visitor):
    name = "<script>alert(1)</script>"
    metric = visitor.story.metric("calls", name=name, filters=[{"key": name, "values": [name]}])
    properties = {"amount": "1"}
    filters = [{"values": {name: [name]}, "properties": properties, "invoice_display_name": name}]
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": properties}
    plan = visitor.story.plan("plan", [charge | {"filters": filters, "invoice_display_name": name}], name=name)
    visitor.story.customer(currency="EUR")
    visitor.story.subscribe(name=name)
    for path, query in (
        ((), {}),
        (("edit",), {}),
        (("overwrite",), {}),
        (("delete",), {}),
        ((), {"tab": "subscriptions"}),
    ):
        shown = visitor.get("plans", plan["lago_id"], *path, **query)
        assert shown.status == 200
        assert "<script>alert" not in shown.text
    edit = visitor.get("plans", plan["lago_id"], "edit")
    assert visitor.post("plans", plan["lago_id"], "edit", form=edit.fields).status == 303


@pytest.mark.parametrize(
    ("above", "present", "begin"),
    [
        pytest.param("10", "", "11", id="the whole number after a whole bound"),
        pytest.param("10", "10", "10", id="bounds that are shared stay so"),
        pytest.param("10.5", "", "10.5", id="a fraction is shared"),
        pytest.param("20", "11", "21", id="it follows the range above"),
        pytest.param("x", "", "x", id="what is no number is left to the API"),
    ],
)
def test_a_range_begins_where_the_one_above_ends(above: str, present: str, begin: str):
    assert plan_form.begin_after(above, present) == begin


def test_the_list_says_how_many_subscriptions_a_plan_has(visitor: Visitor):
    story = visitor.story
    story.plan("growth", name="Growth", amount_cents=1000)
    story.customer(currency="EUR")
    story.subscribe("growth", "one")
    story.subscribe("growth", "two", plan_overrides={"amount_cents": 5})
    assert 'aria-label="2 active subscriptions of Growth"' in visitor.get("plans").text
    with capacity.counting() as meter_:
        visitor.get("plans")
    assert sum(meter_.requests.values()) <= 8
