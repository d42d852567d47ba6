"""What charges have of the first API: prices of groups, and recurring counts. Source: rules/usage 3, 4.3."""

from typing import Any

import pytest

from chalicelib.features.billable_metrics.groups import groups_of
from chalicelib.features.billable_metrics.records import Metric
from tests.support.charge_filters import (
    CLOUD,
    GROUPED,
    REGIONS,
    built,
    charge_of,
    kept,
    metric_with,
    priced,
    stored,
    usage,
)


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


def test_a_charge_of_the_first_apis_recurring_count_is_prorated(story):
    metric = story.metric("seats", "recurring_count_agg", field_name="user")
    story.plan(
        charges=[usage(metric), usage(metric, prorated=False), usage(metric, charge_model="package", properties={})]
    )
    assert [c["prorated"] for c in story.ok("GET", "/plans/plan")["plan"]["charges"]] == [True, False, False]
    answer = story.call("POST", "/plans/plan/charges", {"charge": usage(metric, pay_in_advance=True)})
    assert answer.body["error_details"] == {"pay_in_advance": ["invalid_aggregation_type_or_charge_model"]}
