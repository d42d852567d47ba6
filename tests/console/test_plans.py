"""Plans: their details, overwriting, deletion, templates."""

from typing import Any

import pytest

from chalicelib.console.plans import ready
from tests.support import capacity
from tests.support.console import Visitor, member_of
from tests.support.plan_forms import created, errors
from tests.support.story import Story


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
