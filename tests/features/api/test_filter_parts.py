"""Filters of charges over HTTP: with their charge and one by one, of a plan and of a subscription, and what children
take over. Source: rules/usage 4.2; rules/catalog 11.1."""

from typing import Any

import pytest

from chalicelib.features.plans.overrides import cascade, children
from chalicelib.features.plans.records import Plan
from tests.support.charge_filters import CLOUDS, NOW, built, charge_of, kept, metric_with, priced, stored, usage
from tests.support.charging import ALL
from tests.support.story import work


@pytest.fixture
def catalog(story) -> Any:
    """A metric by cloud and region, and a plan with a charge of two filters."""
    metric = story.metric(filters=CLOUDS)
    filters = [priced("12", "Amazon", cloud=["aws"], region=[ALL]), priced("13", cloud=["gcp"])]
    story.plan(charges=[usage(metric, filters=filters)])
    return metric


def test_filters_are_shown_as_given(story, catalog):
    shown = charge_of(story)["filters"]
    assert [{k: v for k, v in f.items() if k != "lago_id"} for f in shown] == [
        {
            "charge_code": "calls",
            "invoice_display_name": "Amazon",
            "properties": {"amount": "12"},
            "values": {"cloud": ["aws"], "region": [ALL]},
        },
        {
            "charge_code": "calls",
            "invoice_display_name": None,
            "properties": {"amount": "13"},
            "values": {"cloud": ["gcp"]},
        },
    ]
    assert "group_properties" not in charge_of(story)
    # What was shown can be sent back.
    plan = story.ok("GET", "/plans/plan")["plan"]
    back = [{**charge, "id": charge["lago_id"]} for charge in plan["charges"]]
    assert story.ok("PUT", "/plans/plan", {"plan": {"charges": back}})["plan"]["charges"] == plan["charges"]
    answer = story.call("POST", "/plans", {"plan": {"charges": [usage(catalog, filters=[priced(cloud=["x"])])]}})
    assert answer.body["error_details"]["values"] == ["value_is_invalid"]


def test_single_filters_come_change_and_go(story, catalog):
    path = "/plans/plan/charges/calls/filters"
    first, second = charge_of(story)["filters"]
    assert story.ok("GET", f"{path}/{first['lago_id']}") == {"filter": first}
    body = priced("5", "Europe", region=["eu"]) | {"lago_id": first["lago_id"]}
    third = story.ok("POST", path, {"filter": body})["filter"]
    assert third == body | {"lago_id": third["lago_id"], "charge_code": "calls"}
    assert third["lago_id"] not in (first["lago_id"], second["lago_id"])
    listed = story.ok("GET", f"{path}?per_page=2")
    assert listed["filters"] == [third, second]  # The newest first.
    assert listed["meta"] == {"current_page": 1, "next_page": 2, "prev_page": None, "total_pages": 2, "total_count": 3}

    other = {"values": {"cloud": ["aws"]}, "invoice_display_name": None}
    changed = story.ok("PUT", f"{path}/{first['lago_id']}", {"filter": other})["filter"]
    assert changed == first | other
    assert charge_of(story)["filters"] == [changed, second, third]

    assert story.ok("DELETE", f"{path}/{second['lago_id']}") == {"filter": second}
    assert charge_of(story)["filters"] == [changed, third]
    for lost in (changed, third):
        story.ok("DELETE", f"{path}/{lost['lago_id']}", {"filter": {"cascade_updates": False}})
    assert story.ok("GET", path)["meta"]["total_count"] == 0
    assert charge_of(story)["properties"] == {"amount": "10"}


def test_filters_that_are_not_there(story, catalog):
    first = charge_of(story)["filters"][0]["lago_id"]
    path, body = "/plans/plan/charges/calls/filters", {"filter": priced(cloud=["aws"])}
    for method, url, sent, status, code in [
        ("GET", f"{path}/x", None, 404, "charge_filter_not_found"),
        ("PUT", f"{path}/x", None, 404, "charge_filter_not_found"),
        ("DELETE", f"{path}/x", None, 404, "charge_filter_not_found"),
        ("GET", "/plans/plan/charges/x/filters", None, 404, "charge_not_found"),
        ("POST", "/plans/plan/charges/x/filters", body, 404, "charge_not_found"),
        ("GET", f"/plans/x/charges/calls/filters/{first}", None, 404, "plan_not_found"),
        ("POST", path, {"other": {}}, 400, None),
        ("POST", path, {"filter": {}}, 400, None),
        ("PUT", f"{path}/{first}", {"filter": {}}, 400, None),
        ("POST", path, {"filter": {"values": {}}}, 422, "validation_errors"),
        ("PUT", f"{path}/{first}", {"filter": {"properties": {"amount": 1}}}, 422, "validation_errors"),
        ("PUT", f"{path}/{first}", {"filter": {"cascade_updates": "x"}}, 422, "validation_errors"),
        ("DELETE", f"{path}/{first}", {"filter": {"cascade_updates": 7}}, 422, "validation_errors"),
        ("GET", "/subscriptions/x/charges/calls/filters", None, 404, "subscription_not_found"),
    ]:
        answer = story.call(method, url, sent)
        assert (answer.status, answer.body.get("code")) == (status, code), (method, url, sent)
    assert len(charge_of(story)["filters"]) == 2


def test_filters_beside_a_default_fee(story, catalog):
    assert stored(story).charges[0].default_fee is True
    story.plan("other", charges=[usage(catalog, filters=[priced(cloud=["aws"])], properties={})])
    assert story.ok("GET", "/plans/other")["plan"]["charges"][0]["properties"] == {"amount": "0"}


def test_group_keys_of_a_charge_are_shown_as_given(story, catalog):
    properties = {"amount": "1", "pricing_group_keys": ["country", "user"]}
    entry = priced(cloud=["aws"]) | {"properties": {"amount": "2", "grouped_by": ["team"]}}
    body = {"charge": {"properties": properties, "filters": [entry]}}
    shown = story.ok("PUT", "/plans/plan/charges/calls", body)["charge"]
    assert (shown["properties"], shown["filters"][0]["properties"]) == (properties, entry["properties"])
    (charge,) = stored(story).charges
    assert (charge.group_keys, charge.filters[0].group_keys) == (("country", "user"), ("team",))


# A subscription's own.


def test_filters_of_a_subscription_are_its_own(story, catalog):
    story.subscribe()
    path = "/subscriptions/sub/charges/calls/filters"
    before = charge_of(story)
    first, second = before["filters"]
    assert story.ok("GET", path)["filters"] == [second, first]
    assert story.ok("GET", f"{path}/{first['lago_id']}")["filter"] == first

    # By the id of the plan's filter, before the subscription has a plan of its own and after.
    cheaper = story.ok("PUT", f"{path}/{first['lago_id']}", {"filter": {"properties": {"amount": "1"}}})["filter"]
    assert cheaper == first | {"properties": {"amount": "1"}, "lago_id": cheaper["lago_id"]}
    assert cheaper["lago_id"] != first["lago_id"]
    assert story.ok("GET", f"{path}/{first['lago_id']}")["filter"] == cheaper
    assert story.ok("GET", f"{path}/{cheaper['lago_id']}")["filter"] == cheaper

    made = story.ok("POST", path, {"filter": priced("2", region=["us"])})["filter"]
    assert [f["properties"]["amount"] for f in story.ok("GET", path)["filters"]] == ["2", "13", "1"]
    assert story.ok("DELETE", f"{path}/{second['lago_id']}")["filter"]["properties"] == {"amount": "13"}
    assert story.ok("GET", path)["filters"] == [made, cheaper]
    assert story.call("GET", f"{path}/{second['lago_id']}").body["code"] == "charge_filter_not_found"
    own = charge_of(story, "/subscriptions/sub/charges/calls")
    assert (own["filters"], own["lago_parent_id"]) == ([cheaper, made], before["lago_id"])
    assert charge_of(story) == before  # The plan stays as it is.

    refused = story.call("POST", path, {"filter": priced(cloud=["x"])})
    assert refused.body["error_details"] == {"values": ["value_is_invalid"]}
    story.ok("DELETE", "/subscriptions/sub")
    assert story.ok("GET", f"{path}?subscription_status=terminated")["filters"] == [made, cheaper]


def test_a_subscription_may_override_all_filters_at_once(story, catalog):
    charge = charge_of(story)
    overridden = {"id": charge["lago_id"], "filters": [priced("1", cloud=["gcp"]), priced("2", cloud=["aws"])]}
    story.subscribe(plan_overrides={"charges": [overridden]})
    own = charge_of(story, "/subscriptions/sub/charges/calls")
    assert [(f["values"], f["properties"]["amount"]) for f in own["filters"]] == [
        ({"cloud": ["gcp"]}, "1"),
        ({"cloud": ["aws"]}, "2"),
    ]


# What children take over.


def amounts(charge: Any) -> list[tuple[str, str]]:
    """The price of each filter by its values."""
    return [
        (" ".join(f"{k}:{','.join(v)}" for k, v in sorted(f["values"].items())), f["properties"]["amount"])
        for f in charge["filters"]
    ]


def test_children_follow_filter_by_filter(story, catalog):
    story.subscribe()
    own = "/subscriptions/sub/charges/calls"
    path = "/plans/plan/charges/calls/filters"
    first, second = charge_of(story)["filters"]
    story.ok("PUT", f"{own}/filters/{first['lago_id']}", {"filter": {"properties": {"amount": "1"}}})
    story.ok("POST", f"{own}/filters", {"filter": priced("2", region=["us"])})
    mine = [f["lago_id"] for f in charge_of(story, own)["filters"]]

    def send(method: str, url: str, **fields: Any) -> None:
        story.ok(method, url, {"filter": {"cascade_updates": True, **fields}})
        work()

    # An overridden price stays, its name and values follow; what was not overridden follows whole.
    send("PUT", f"{path}/{first['lago_id']}", properties={"amount": "20"}, invoice_display_name="New")
    send("PUT", f"{path}/{second['lago_id']}", properties={"amount": "30"}, values={"cloud": ["gcp"], "region": ["eu"]})
    after = charge_of(story, own)
    assert amounts(after) == [(f"cloud:aws region:{ALL}", "1"), ("cloud:gcp region:eu", "30"), ("region:us", "2")]
    assert [f["lago_id"] for f in after["filters"]] == mine
    assert after["filters"][0]["invoice_display_name"] == "New"

    # An added one comes, unless the child has its own of these values; a removed one goes.
    send("POST", path, **priced("4", cloud=["aws"]))
    send("POST", path, **priced("5", region=["us"]))
    send("DELETE", f"{path}/{first['lago_id']}")
    assert amounts(charge_of(story, own)) == [("cloud:gcp region:eu", "30"), ("region:us", "2"), ("cloud:aws", "4")]
    assert [f["lago_id"] for f in charge_of(story, own)["filters"]][:2] == mine[1:]

    # Unless it is passed on nothing changes.
    story.ok("DELETE", f"{path}/{second['lago_id']}")
    work()
    assert ("cloud:gcp region:eu", "30") in amounts(charge_of(story, own))


def test_children_take_the_filters_of_another_model():
    charge = kept(*built(metric_with(), filters=[priced(cloud=["aws"]), priced(cloud=["gcp"])])[0])
    base = {"created_at": NOW, "updated_at": NOW, "name": "p", "code": "p", "interval": "monthly"}
    before = Plan(id="p", **base, amount_cents=0, amount_currency="EUR", charges=(charge,))
    copy = children.charge_copy(charge)
    overridden = copy.filters[0].model_copy(update={"properties": {"amount": "7"}})
    copy = copy.model_copy(update={"filters": (overridden, copy.filters[1])})
    child = before.model_copy(update={"id": "child", "parent_id": "p", "charges": (copy,)})
    ranges = {"volume_ranges": [{"from_value": 0, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"}]}
    other = tuple(f.model_copy(update={"properties": ranges}) for f in charge.filters)
    volume = charge.model_copy(update={"charge_model": "volume", "properties": ranges, "filters": other})
    (after,) = cascade.followed(child, before, before.model_copy(update={"charges": (volume,)}), now=NOW).charges
    assert [(f.id, f.parent_id, f.properties) for f in after.filters] == [
        (copy.filters[0].id, charge.filters[0].id, ranges),
        (copy.filters[1].id, charge.filters[1].id, ranges),
    ]
