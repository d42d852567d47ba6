"""Filters of charges: their checks, the first API's groups, single filters by their routes, what children take over.
Source: usage.md sections 4.2 and 4.3, catalog.md section 2, api-inventory.md "Parts of a plan"."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.domain.errors import NotFound
from chalicelib.features.billable_metrics.groups import groups_of
from chalicelib.features.billable_metrics.store import Metric, MetricFilter
from chalicelib.features.plans import cascade, charge_filters, children
from chalicelib.features.plans.charge_filters import OneFilter
from chalicelib.features.plans.schemas import ChargeInput
from chalicelib.features.plans.store import PLANS, Charge, ChargeFilter, Plan
from tests.support.story import work

NOW = datetime(2024, 1, 1, tzinfo=UTC)
ALL = "__ALL_FILTER_VALUES__"
CLOUDS = [{"key": "cloud", "values": ["aws", "gcp"]}, {"key": "region", "values": ["eu", "us"]}]
CLOUD = {"key": "cloud", "values": ["aws", "gcp"]}
REGIONS = {
    "key": "cloud",
    "values": [
        {"name": "aws", "key": "region", "values": ["eu", "us"]},
        {"name": "gcp", "key": "region", "values": ["eu"]},
    ],
}


def metric_with(filters: list[dict[str, Any]] = CLOUDS, **fields: Any) -> Metric:
    own = tuple(MetricFilter(key=f["key"], values=tuple(f["values"])) for f in filters)
    base = {"id": "metric", "created_at": NOW, "updated_at": NOW, "name": "m", "code": "m"}
    return Metric(**base, aggregation_type="count_agg", filters=own, **fields)


GROUPED = metric_with(group=REGIONS)


def priced(amount: str = "1", name: str | None = None, /, **values: Any) -> dict[str, Any]:
    """A filter as a request has it."""
    entry = {"properties": {"amount": amount}, "values": values}
    return entry if name is None else entry | {"invoice_display_name": name}


def built(metric: Metric, old: Charge | None = None, model: str = "standard", **fields: Any) -> Any:
    return charge_filters.build(ChargeInput(charge_model=model, **fields), metric, old)


def kept(*filters: ChargeFilter, **fields: Any) -> Charge:
    """A charge that has these filters."""
    base = {"id": "c", "code": "c", "metric_id": "metric", "charge_model": "standard", "created_at": NOW}
    return Charge(**{**base, "properties": {"amount": "1"}, "filters": filters, **fields})


# Checks.


@pytest.mark.parametrize(
    "values",
    [
        {"cloud": ["aws"]},
        {"cloud": ["aws", "gcp"], "region": ["eu"]},
        {"region": [ALL]},
        {"cloud": [ALL, "aws"]},
    ],
)
def test_what_a_filter_may_take(values):
    (made,), wrong = built(metric_with(), filters=[priced("2", "Name", **values)])
    assert wrong == {}
    assert ({key: list(v) for key, v in made.values.items()}, made.properties) == (values, {"amount": "2"})
    assert (made.invoice_display_name, made.group_id, made.parent_id) == ("Name", None, None)


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ({"properties": {"amount": "1"}}, {"values": ["value_is_mandatory"]}),
        (priced() | {"values": None}, {"values": ["value_is_mandatory"]}),
        (priced(), {"values": ["value_is_mandatory"]}),
        (priced(cloud=[]), {"values": ["value_is_mandatory"]}),
        (priced(cloud=None), {"values": ["value_is_mandatory"]}),
        (priced(cloud="aws"), {"values": ["value_is_invalid"]}),
        (priced(cloud=[1]), {"values": ["value_is_invalid"]}),
        (priced() | {"values": ["cloud"]}, {"values": ["value_is_invalid"]}),
        (priced(cloud=["AWS"]), {"values": ["value_is_invalid"]}),
        (priced(cloud=["aws", "azure"]), {"values": ["value_is_invalid"]}),
        (priced(zone=["a"]), {"values": ["value_is_invalid"]}),
        (priced(zone=[ALL]), {"values": ["value_is_invalid"]}),
        ({"values": {"cloud": ["aws"]}}, {"properties": ["value_is_mandatory"]}),
        ({"values": {"cloud": ["aws"]}, "properties": {}}, {"properties": ["value_is_mandatory"]}),
        ({"values": {"cloud": ["aws"]}, "properties": []}, {"properties": ["value_is_invalid"]}),
        (priced(1, cloud=["aws"]), {"amount": ["invalid_amount"]}),
        (priced("-1", cloud=["x"]), {"amount": ["invalid_amount"], "values": ["value_is_invalid"]}),
        (priced(cloud=["aws"]) | {"invoice_display_name": []}, {"invoice_display_name": ["value_is_invalid"]}),
    ],
)
def test_what_a_filter_may_not_be(entry, wrong):
    assert built(metric_with(), filters=[priced(cloud=["gcp"]), entry]) == ((), wrong)


def test_properties_are_those_of_the_charges_model():
    volume = {"volume_ranges": [{"from_value": 0, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"}]}
    entry = {"values": {"cloud": ["aws"]}, "properties": volume}
    (made,), wrong = built(metric_with(), model="volume", filters=[entry])
    assert (made.properties, wrong) == (volume, {})
    assert built(metric_with(), model="graduated", filters=[entry]) == (
        (),
        {"graduated_ranges": ["missing_graduated_ranges"]},
    )


def test_of_two_levels_only_pairs_that_exist_can_be_taken():
    metric = GROUPED
    for values, fits in [
        ({"cloud": ["aws"], "region": ["us"]}, True),
        ({"cloud": ["gcp"], "region": ["us"]}, False),
        ({"cloud": ["gcp"], "region": ["us", "eu"]}, True),
        ({"cloud": ["gcp"], "region": [ALL]}, True),
        ({"cloud": [ALL], "region": ["us"]}, True),
        ({"region": ["us"]}, True),
        ({"cloud": ["azure"]}, False),
    ]:
        assert (built(metric, filters=[priced(**values)])[1] == {}) is fits, values


@pytest.mark.parametrize(
    ("properties", "wrong"),
    [
        ({"pricing_group_keys": ["user", "team"]}, {}),
        ({"grouped_by": ["user"]}, {}),
        ({"grouped_by": [], "pricing_group_keys": None}, {}),
        ({"grouped_by": ["user"], "pricing_group_keys": ["user"]}, {}),
        ({"grouped_by": ["user"], "pricing_group_keys": ["team"]}, {"grouped_by": ["value_is_invalid"]}),
        ({"pricing_group_keys": "user"}, {"pricing_group_keys": ["value_is_invalid"]}),
        ({"pricing_group_keys": [1]}, {"pricing_group_keys": ["value_is_invalid"]}),
        ({"pricing_group_keys": [" "]}, {"pricing_group_keys": ["value_is_invalid"]}),
        ({"grouped_by": ["k" * 256]}, {"grouped_by": ["value_is_invalid"]}),
        ({"grouped_by": {"user": 1}, "amount": 1}, {"grouped_by": ["value_is_invalid"], "amount": ["invalid_amount"]}),
    ],
)
def test_group_keys_are_lists_of_names(properties, wrong):
    entry = {"values": {"cloud": ["aws"]}, "properties": {"amount": "1"} | properties}
    made, found = built(metric_with(), filters=[entry])
    assert found == wrong
    if not wrong:
        assert made[0].properties == entry["properties"]
        assert made[0].group_keys == tuple(properties.get("pricing_group_keys") or properties.get("grouped_by") or ())


# Which filter is which.


def test_filters_of_equal_values_stay_what_they_are():
    first, second = built(metric_with(), filters=[priced(cloud=["aws", "gcp"]), priced("2", region=["eu"])])[0]
    entries = [priced("9", cloud=["aws"]), priced("3", "x", region=["eu"]), priced("4", cloud=["gcp", "aws"])]
    after, wrong = built(metric_with(), kept(first, second), filters=entries)
    assert wrong == {}
    assert [f.id for f in after[:2]] == [first.id, second.id]  # In the order of their age.
    assert [f.properties["amount"] for f in after] == ["4", "3", "9"]
    assert (after[0].values, after[1].invoice_display_name) == ({"cloud": ("gcp", "aws")}, "x")
    assert after[2].id not in (first.id, second.id)


def test_identical_filters_stay_two():
    twice, wrong = built(metric_with(), filters=[priced("1", cloud=["aws"]), priced("2", cloud=["aws"])])
    assert wrong == {}
    assert len({f.id for f in twice}) == 2
    again, _ = built(metric_with(), kept(*twice), filters=[priced("3", cloud=["aws"]), priced("4", cloud=["aws"])])
    assert [(f.id, f.properties["amount"]) for f in again] == [(twice[0].id, "3"), (twice[1].id, "4")]


def test_an_id_names_a_filter_whatever_its_values():
    first, second = built(metric_with(), filters=[priced(cloud=["aws"]), priced(cloud=["gcp"])])[0]
    entries = [priced("5", cloud=["aws"]) | {"lago_id": second.id}, priced("6", region=["eu"]) | {"lago_id": "other"}]
    after, _ = built(metric_with(), kept(first, second), filters=entries)
    assert [f.properties["amount"] for f in after] == ["5", "6"]
    assert after[0].id == second.id
    assert after[1].id not in ("other", first.id, second.id)


def test_what_is_not_named_stays_and_null_clears():
    before = built(metric_with(), filters=[priced(cloud=["aws"])])[0]
    assert built(metric_with(), kept(*before)) == (before, {})
    assert built(metric_with(), kept(*before), filters=None) == ((), {})
    assert built(metric_with(), kept(*before), filters=[]) == ((), {})


def test_what_the_metric_lists_no_more_may_stay_but_not_come():
    before = built(metric_with(), filters=[priced(cloud=["aws"])])[0]
    fewer = metric_with([{"key": "cloud", "values": ["gcp"]}])
    after, wrong = built(fewer, kept(*before), filters=[priced("2", cloud=["aws"])])
    assert (after[0].id, wrong) == (before[0].id, {})
    named = priced("2", cloud=["aws", "gcp"]) | {"id": before[0].id}
    assert built(fewer, kept(*before), filters=[named]) == ((), {"values": ["value_is_invalid"]})


def test_filters_must_go_with_another_model_or_metric():
    before = built(metric_with(), filters=[priced(cloud=["aws"])])[0]
    assert built(metric_with(), kept(*before), model="volume") == ((), {"volume_ranges": ["missing_volume_ranges"]})
    old = kept(*before, metric_id="other")
    assert built(metric_with(), old)[0] == before
    assert built(metric_with([]), old) == ((), {"values": ["value_is_invalid"]})
    assert built(metric_with([]), old, filters=[priced(cloud=["aws"])]) == ((), {"values": ["value_is_invalid"]})


def test_one_filter_is_changed_beside_the_others():
    filters = built(metric_with(), filters=[priced(cloud=["aws"]), priced(cloud=["gcp"])])[0]
    changed = OneFilter(filters[0].id, {"properties": {"amount": "7"}}).entries(filters)
    after, _ = built(metric_with(), kept(*filters), filters=changed)
    assert after == (filters[0].model_copy(update={"properties": {"amount": "7"}}), filters[1])
    added = OneFilter(None, priced("8", cloud=["aws"]) | {"lago_id": filters[0].id, "id": filters[1].id})
    after, _ = built(metric_with(), kept(*filters), filters=added.entries(filters))
    assert after[:2] == filters
    assert (len(after), after[2].properties) == (3, {"amount": "8"})
    assert built(metric_with(), kept(*filters), filters=OneFilter(filters[1].id, None).entries(filters))[0] == (
        filters[0],
    )
    with pytest.raises(NotFound, match="charge_filter_not_found"):
        OneFilter("x", {}).entries(filters)


# The first API's groups.


def groups(metric: Metric = GROUPED) -> dict[str, str]:
    """Ids of groups by their name."""
    return {group.choice.display_name: group.id for group in groups_of(metric)}


def grouped(name: str, amount: str = "1", **fields: Any) -> dict[str, Any]:
    return {"group_id": groups()[name], "values": {"amount": amount}, **fields}


def test_group_properties_become_filters():
    made, wrong = built(GROUPED, group_properties=[grouped("gcp • eu", "2"), grouped("aws • us", "3")])
    assert wrong == {}
    assert [(f.values, f.properties, f.group_id) for f in made] == [
        ({"cloud": ("gcp",), "region": ("eu",)}, {"amount": "2"}, groups()["gcp • eu"]),
        ({"cloud": ("aws",), "region": ("us",)}, {"amount": "3"}, groups()["aws • us"]),
    ]
    one = metric_with([CLOUD], group=CLOUD)
    entry = {"group_id": groups(one)["aws"], "values": {"amount": "4"}, "invoice_display_name": "Amazon"}
    (made_one,), _ = built(one, group_properties=[entry])
    assert (made_one.values, made_one.invoice_display_name) == ({"cloud": ("aws",)}, "Amazon")


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ([{"group_id": "x", "values": {"amount": "1"}}], {"group_properties": ["value_is_invalid"]}),
        ([{"values": {"amount": "1"}}], {"group_properties": ["value_is_invalid"]}),
        (lambda: [grouped("gcp • eu"), grouped("gcp • eu")], {"group_properties": ["value_is_invalid"]}),
        (lambda: [{"group_id": groups()["gcp • eu"]}], {"values": ["value_is_mandatory"]}),
        (lambda: [grouped("gcp • eu", values={})], {"values": ["value_is_mandatory"]}),
        (lambda: [grouped("gcp • eu", "x")], {"amount": ["invalid_amount"]}),
    ],
)
def test_wrong_group_properties(given, wrong):
    entries = given() if callable(given) else given
    assert built(GROUPED, group_properties=entries) == ((), wrong)


def test_a_metric_without_groups_has_no_group_properties():
    assert built(metric_with(), group_properties=[grouped("gcp • eu")]) == (
        (),
        {"group_properties": ["value_is_invalid"]},
    )


def test_group_properties_replace_those_of_groups_alone():
    wide = priced("5", cloud=["aws", "gcp"])
    before = built(GROUPED, filters=[wide, priced("2", cloud=["gcp"], region=["eu"])])[0]
    assert [f.group_id for f in before] == [None, groups()["gcp • eu"]]  # Known by their values as well.
    after, _ = built(GROUPED, kept(*before), group_properties=[grouped("aws • us"), grouped("gcp • eu", "9")])
    assert [f.properties["amount"] for f in after] == ["5", "9", "1"]
    assert [f.id for f in after[:2]] == [f.id for f in before]
    assert [f.group_id for f in built(GROUPED, kept(*after), group_properties=[])[0]] == [None]


def test_both_forms_at_once_may_not_contradict_each_other():
    filters = [priced("5", cloud=["aws", "gcp"]), priced("2", cloud=["gcp"], region=["eu"])]
    assert len(built(GROUPED, filters=filters, group_properties=[grouped("gcp • eu", "2")])[0]) == 2
    for others in ([grouped("gcp • eu", "3")], [grouped("gcp • eu", "2"), grouped("aws • us")]):
        found = built(GROUPED, filters=filters, group_properties=others)
        assert found == ((), {"group_properties": ["value_is_invalid"]})


def test_a_group_keeps_its_id_when_it_leaves_the_metric():
    before = built(GROUPED, group_properties=[grouped("gcp • eu")])[0]
    fewer = metric_with([CLOUD], group=CLOUD)
    after, wrong = built(fewer, kept(*before), group_properties=[grouped("gcp • eu", "2")])
    assert wrong == {}
    assert (after[0].id, after[0].group_id, after[0].properties) == (
        before[0].id,
        groups()["gcp • eu"],
        {"amount": "2"},
    )


# Over the API.


@pytest.fixture
def catalog(story) -> Any:
    """A metric by cloud and region, and a plan with a charge of two filters."""
    metric = story.metric(filters=CLOUDS)
    filters = [priced("12", "Amazon", cloud=["aws"], region=[ALL]), priced("13", cloud=["gcp"])]
    story.plan(charges=[usage(metric, filters=filters)])
    return metric


def usage(metric: Any, **fields: Any) -> dict[str, Any]:
    properties = {"properties": {"amount": "10"}}
    return {"billable_metric_id": metric["lago_id"], "charge_model": "standard", **properties, **fields}


def charge_of(story, path: str = "/plans/plan/charges/calls") -> Any:
    return story.ok("GET", path)["charge"]


def stored(story, plan_id: str | None = None) -> Plan:
    organization_id = story.ok("GET", "/organizations")["organization"]["lago_id"]
    plan = PLANS.get(organization_id, plan_id) if plan_id else PLANS.find(organization_id, "plan")
    assert plan is not None
    return plan


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


def test_group_properties_are_shown_as_given(story):
    metric = story.metric(group=REGIONS)
    ids = {
        (g["key"], g["value"]): g["lago_group_id"] for g in story.ok("GET", "/billable_metrics/calls/groups")["groups"]
    }
    given = [
        {"group_id": ids["aws", "eu"], "values": {"amount": "1"}, "invoice_display_name": None},
        {"group_id": ids["gcp", "eu"], "values": {"amount": "2"}, "invoice_display_name": "Google"},
    ]
    body = usage(metric, group_properties=given)
    del body["properties"]
    story.plan(charges=[body])
    charge = charge_of(story)
    assert (charge["group_properties"], charge["properties"]) == (given, {})
    assert [(f["values"], f["invoice_display_name"]) for f in charge["filters"]] == [
        ({"cloud": ["aws"], "region": ["eu"]}, None),
        ({"cloud": ["gcp"], "region": ["eu"]}, "Google"),
    ]
    assert stored(story).charges[0].default_fee is False  # Nothing is owed outside the groups.
    assert stored(story).charges[0].properties == {"amount": "0"}

    # What was shown can be sent back, and changes nothing; nor does another model, whose properties are none as well.
    assert story.ok("PUT", "/plans/plan/charges/calls", {"charge": charge})["charge"] == charge
    package = [each | {"values": {"amount": "1", "package_size": 5, "free_units": 0}} for each in given]
    body = {"charge_model": "package", "group_properties": package}
    assert story.ok("PUT", "/plans/plan/charges/calls", {"charge": body})["charge"]["properties"] == {}
    assert stored(story).charges[0].properties["package_size"] == 1

    # With a price of its own, or without groups, the charge bills the rest.
    body = {"charge_model": "standard", "properties": {"amount": "9"}, "group_properties": given}
    assert story.ok("PUT", "/plans/plan/charges/calls", {"charge": body})["charge"]["properties"] == {"amount": "9"}
    assert stored(story).charges[0].default_fee is True
    story.plan("other", charges=[usage(metric, group_properties=given, properties=None)])
    gone = story.ok("PUT", "/plans/other/charges/calls", {"charge": {"group_properties": []}})["charge"]
    assert (gone["properties"], gone["filters"], gone["group_properties"]) == ({"amount": "0"}, [], [])


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


def test_a_charge_of_the_first_apis_recurring_count_is_prorated(story):
    metric = story.metric("seats", "recurring_count_agg", field_name="user")
    story.plan(
        charges=[usage(metric), usage(metric, prorated=False), usage(metric, charge_model="package", properties={})]
    )
    assert [c["prorated"] for c in story.ok("GET", "/plans/plan")["plan"]["charges"]] == [True, False, False]
    answer = story.call("POST", "/plans/plan/charges", {"charge": usage(metric, pay_in_advance=True)})
    assert answer.body["error_details"] == {"pay_in_advance": ["invalid_aggregation_type_or_charge_model"]}


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
