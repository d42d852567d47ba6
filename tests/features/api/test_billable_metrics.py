"""Billable metrics: what can be defined, refused, changed, and how the first API's forms are kept.

Source: rules/usage 2 to 4; rules/catalog 2, 3.
"""

import json
from typing import Any

from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.billable_metrics.store import METRICS
from chalicelib.features.plans import service as plans
from tests.support.messages import messages
from tests.support.story import work

ALL_TYPES = frozenset(
    {
        "count_agg",
        "sum_agg",
        "max_agg",
        "unique_count_agg",
        "latest_agg",
        "weighted_sum_agg",
        "recurring_count_agg",
    }
)
CLOUDS = {"key": "provider", "values": ["AWS", "Google"]}
REGIONS = {
    "key": "provider",
    "values": [
        {"name": "AWS", "key": "region", "values": ["Europe", "Asia"]},
        {"name": "Google", "key": "region", "values": ["Europe"]},
    ],
}


def create(story, code: str = "m", kind: str | None = "sum_agg", **fields: Any) -> Any:
    """The answer to a new metric."""
    body = {"name": code, "code": code, "aggregation_type": kind, "field_name": "f", **fields}
    return story.call("POST", "/billable_metrics", {"billable_metric": body})


def change(story, of: str = "m", /, **fields: Any) -> Any:
    """A metric after a change."""
    return story.ok("PUT", f"/billable_metrics/{of}", {"billable_metric": fields})["billable_metric"]


def kept(story, code: str = "m") -> Metric:
    """A metric as it is stored."""
    metric = METRICS.find(story.ok("GET", "/organizations")["organization"]["lago_id"], code)
    assert metric is not None
    return metric


def attach(story, code: str = "m") -> None:
    """Let a plan use a metric."""
    metric = story.ok("GET", f"/billable_metrics/{code}")["billable_metric"]
    story.plan(f"plan-{code}", charges=[{"billable_metric_id": metric["lago_id"], "charge_model": "standard"}])


# Aggregations.

ACCEPTED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"kind": "count_agg"}, {"field_name": None, "recurring": False}),
    ({"kind": "count_agg", "expression": "1 +"}, {"field_name": None, "expression": ""}),
    ({"kind": "sum_agg"}, {"field_name": "f", "recurring": False}),
    ({"kind": "sum_agg", "recurring": True}, {"recurring": True}),
    ({"kind": "sum_agg", "recurring": None}, {"recurring": False}),
    ({"kind": "max_agg", "recurring": False}, {"aggregation_type": "max_agg"}),
    ({"kind": "latest_agg"}, {"aggregation_type": "latest_agg"}),
    ({"kind": "unique_count_agg", "recurring": True}, {"recurring": True}),
    ({"kind": "weighted_sum_agg", "weighted_interval": "seconds"}, {"weighted_interval": "seconds"}),
    ({"kind": "weighted_sum_agg", "weighted_interval": "seconds", "recurring": True}, {"recurring": True}),
    ({"kind": "recurring_count_agg"}, {"aggregation_type": "recurring_count_agg", "recurring": True}),
    ({"kind": "recurring_count_agg", "recurring": False}, {"recurring": True}),
    ({"rounding_function": "ceil", "rounding_precision": -2}, {"rounding_function": "ceil", "rounding_precision": -2}),
    ({"expression": "round(event.properties.a * 2)"}, {"expression": "round(event.properties.a * 2)"}),
    ({"expression": " "}, {"expression": ""}),
    ({"filters": None}, {"filters": []}),
    ({"filters": [{"key": "a", "values": ["1", "2", "1"]}]}, {"filters": [{"key": "a", "values": ["1", "2"]}]}),
    (
        {"filters": [{"key": "a", "values": ["1"]}, {"key": "b", "values": ["x"]}, {"key": "a", "values": ["2"]}]},
        {"filters": [{"key": "a", "values": ["1", "2"]}, {"key": "b", "values": ["x"]}]},
    ),
]

REFUSED: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({"kind": "custom_agg"}, {"aggregation_type": ["value_is_invalid"]}),
    ({"kind": None}, {"aggregation_type": ["value_is_invalid"]}),
    ({"kind": 7}, {"aggregation_type": ["value_is_invalid"]}),
    ({"field_name": None}, {"field_name": ["value_is_mandatory"]}),
    ({"field_name": " "}, {"field_name": ["value_is_mandatory"]}),
    ({"kind": "recurring_count_agg", "field_name": None}, {"field_name": ["value_is_mandatory"]}),
    ({"kind": "count_agg", "recurring": True}, {"recurring": ["not_compatible_with_aggregation_type"]}),
    ({"kind": "max_agg", "recurring": True}, {"recurring": ["not_compatible_with_aggregation_type"]}),
    ({"kind": "latest_agg", "recurring": True}, {"recurring": ["not_compatible_with_aggregation_type"]}),
    ({"recurring": "maybe"}, {"recurring": ["value_is_invalid"]}),
    ({"kind": "weighted_sum_agg"}, {"weighted_interval": ["value_is_invalid"]}),
    ({"kind": "weighted_sum_agg", "weighted_interval": "hours"}, {"weighted_interval": ["value_is_invalid"]}),
    ({"rounding_function": "up"}, {"rounding_function": ["value_is_invalid"]}),
    ({"rounding_precision": "two"}, {"rounding_precision": ["value_is_invalid"]}),
    ({"rounding_precision": 16}, {"rounding_precision": ["value_is_invalid"]}),
    ({"expression": "1 +"}, {"expression": ["invalid_expression"]}),
    ({"expression": "amount * 2"}, {"expression": ["invalid_expression"]}),
    ({"expression": ["1"]}, {"expression": ["value_is_invalid"]}),
    ({"filters": {}}, {"filters": ["value_is_invalid"]}),
    ({"filters": ["a"]}, {"key": ["value_is_mandatory"]}),
    ({"filters": [{"values": ["a"]}]}, {"key": ["value_is_mandatory"]}),
    ({"filters": [{"key": "a"}]}, {"values": ["value_is_mandatory"]}),
    ({"filters": [{"key": "a", "values": []}]}, {"values": ["value_is_mandatory"]}),
    ({"filters": [{"key": "a", "values": [""]}]}, {"values": ["value_is_mandatory"]}),
    ({"filters": [{"key": "a", "values": [1]}]}, {"values": ["value_is_mandatory"]}),
    ({"filters": [{"key": "a", "values": ["__ALL_FILTER_VALUES__"]}]}, {"values": ["value_is_invalid"]}),
    ({"filters": [{"key": "a", "values": ["x" * 256]}]}, {"values": ["value_is_too_long"]}),
    ({"filters": [{"key": "k" * 256, "values": ["x"]}]}, {"key": ["value_is_too_long"]}),
    ({"filters": [{"key": "a", "values": [f"{n:0200}" for n in range(2000)]}]}, {"base": ["value_is_too_long"]}),
    ({"group": []}, {"group": ["value_is_invalid"]}),
    ({"group": "provider"}, {"group": ["value_is_invalid"]}),
    ({"group": {"key": "a"}}, {"group": ["value_is_invalid"]}),
    ({"group": {"key": 1, "values": ["x"]}}, {"group": ["value_is_invalid"]}),
    ({"group": {"key": " ", "values": ["x"]}}, {"group": ["value_is_invalid"]}),
    ({"group": {"key": "a", "values": []}}, {"group": ["value_is_invalid"]}),
    ({"group": {"key": "a", "values": [1]}}, {"group": ["value_is_invalid"]}),
    ({"group": {"key": "a", "values": ["__ALL_FILTER_VALUES__"]}}, {"group": ["value_is_invalid"]}),
    ({"group": {"key": "a", "values": ["x", REGIONS["values"][0]]}}, {"group": ["value_is_invalid"]}),
    ({"group": {"key": "a", "values": [{"name": "x", "values": ["y"]}]}}, {"group": ["value_is_invalid"]}),
    ({"group": {"key": "a", "values": [{"key": "b", "values": ["y"]}]}}, {"group": ["value_is_invalid"]}),
    ({"group": {"key": "a", "values": [{"name": "x", "key": "b", "values": []}]}}, {"group": ["value_is_invalid"]}),
    ({"group": {"key": "a", "values": [{"name": "x", "key": "a", "values": ["y"]}]}}, {"group": ["value_is_invalid"]}),
    ({"group": CLOUDS, "filters": [{"key": "provider", "values": ["AWS"]}]}, {"group": ["value_is_invalid"]}),
]


def test_what_a_metric_may_be(story):
    for number, (fields, shown) in enumerate(ACCEPTED):
        answer = create(story, f"m{number}", **fields)
        assert answer.status == 200, (fields, answer)
        metric = answer.body["billable_metric"]
        assert {name: metric[name] for name in shown} == shown, fields
        assert story.ok("GET", f"/billable_metrics/m{number}")["billable_metric"] == metric


def test_what_a_metric_may_not_be(story):
    for fields, details in REFUSED:
        answer = create(story, **fields)
        assert (answer.status, answer.body.get("error_details")) == (422, details), fields
    assert story.ok("GET", "/billable_metrics")["meta"]["total_count"] == 0


def test_all_findings_come_at_once(story):
    answer = create(
        story, kind="max_agg", field_name=None, recurring=True, expression=")", rounding_function=1, filters=0
    )
    assert answer.body["error_details"] == {
        "field_name": ["value_is_mandatory"],
        "recurring": ["not_compatible_with_aggregation_type"],
        "expression": ["invalid_expression"],
        "rounding_function": ["value_is_invalid"],
        "filters": ["value_is_invalid"],
    }


# The first API's recurring count.


def test_a_recurring_count_is_stored_as_a_recurring_unique_count(story):
    create(story, kind="recurring_count_agg")
    metric = kept(story)
    assert (metric.aggregation_type, metric.recurring, metric.seed_type) == (
        "unique_count_agg",
        True,
        "recurring_count_agg",
    )
    assert change(story, name="Seats")["aggregation_type"] == "recurring_count_agg"
    now_unique = change(story, aggregation_type="unique_count_agg")
    assert (now_unique["aggregation_type"], now_unique["recurring"]) == ("unique_count_agg", True)
    assert kept(story).seed_type is None
    assert change(story, aggregation_type="recurring_count_agg", recurring=False)["recurring"] is True


# Changing.


def test_what_decides_units_is_fixed_while_a_plan_uses_the_metric(story):
    create(story, kind="sum_agg", rounding_function="round", rounding_precision=1, expression="1 + 1")
    attach(story)
    before = story.ok("GET", "/billable_metrics/m")["billable_metric"]
    ignored = {
        "code": "x",
        "aggregation_type": "recurring_count_agg",
        "field_name": "g",
        "recurring": True,
        "rounding_function": "floor",
        "rounding_precision": 9,
        "weighted_interval": "seconds",
        "expression": ")",
    }
    filters = [{"key": "a", "values": ["1"]}]
    after = change(story, **ignored, name="New", description="d", filters=filters)
    assert after == before | {"name": "New", "description": "d", "filters": filters}
    assert change(story, group=CLOUDS)["group"] == CLOUDS
    story.ok("DELETE", "/plans/plan-m")
    assert change(story, recurring=True, field_name="g", expression=None)["field_name"] == "g"


def test_a_change_is_checked_with_what_stays(story):
    create(story, recurring=True)
    body = {"billable_metric": {"aggregation_type": "max_agg"}}
    refused = story.call("PUT", "/billable_metrics/m", body)
    assert refused.body["error_details"] == {"recurring": ["not_compatible_with_aggregation_type"]}
    assert change(story, aggregation_type="max_agg", recurring=False)["aggregation_type"] == "max_agg"
    counted = change(story, aggregation_type="count_agg")
    assert (counted["aggregation_type"], counted["field_name"]) == ("count_agg", None)
    refused = story.call("PUT", "/billable_metrics/m", {"billable_metric": {"aggregation_type": "sum_agg"}})
    assert refused.body["error_details"] == {"field_name": ["value_is_mandatory"]}


# Groups.


def test_a_group_is_shown_as_given_and_kept_as_filters(story):
    one = create(story, "one", group=CLOUDS | {"other": 1}).body["billable_metric"]
    assert (one["group"], one["filters"]) == (CLOUDS, [{"key": "provider", "values": ["AWS", "Google"]}])
    two = create(story, "two", group=REGIONS).body["billable_metric"]
    assert two["group"] == REGIONS
    assert two["filters"] == [
        {"key": "provider", "values": ["AWS", "Google"]},
        {"key": "region", "values": ["Europe", "Asia"]},
    ]
    plain = create(story, "plain", filters=two["filters"], group={}).body["billable_metric"]
    assert "group" not in plain
    assert story.ok("GET", "/billable_metrics")["billable_metrics"] == [plain, two, one]


def test_groups_are_listed_with_ids_that_stay(story):
    create(story, "two", group=REGIONS)
    create(story, "one", group=CLOUDS)
    create(story, "none", filters=[{"key": "a", "values": ["1"]}])
    two = story.ok("GET", "/billable_metrics/two/groups")
    assert [(g["key"], g["value"]) for g in two["groups"]] == [("AWS", "Europe"), ("AWS", "Asia"), ("Google", "Europe")]
    assert all(g["lago_id"] == g["lago_group_id"] for g in two["groups"])
    assert two["meta"]["total_count"] == 3
    second = story.ok("GET", "/billable_metrics/two/groups?per_page=2&page=2")
    assert second["groups"] == two["groups"][2:]
    one = story.ok("GET", "/billable_metrics/one/groups")["groups"]
    assert [(g["key"], g["value"]) for g in one] == [(None, "AWS"), (None, "Google")]
    assert len({g["lago_id"] for g in (*one, *two["groups"])}) == 5
    change(story, "one", group={"key": "provider", "values": ["Azure", "Google"]})
    later = story.ok("GET", "/billable_metrics/one/groups")["groups"]
    assert [g["value"] for g in later] == ["Azure", "Google"]
    assert later[1] == one[1]
    assert story.ok("GET", "/billable_metrics/none/groups")["groups"] == []
    assert story.call("GET", "/billable_metrics/x/groups").body["code"] == "billable_metric_not_found"


def test_group_and_filters_are_one_thing_in_two_forms(story):
    filters = create(story, group=CLOUDS).body["billable_metric"]["filters"]
    assert change(story, name="n")["group"] == CLOUDS
    assert change(story, filters=filters)["group"] == CLOUDS  # Nothing new.
    assert change(story, filters=filters[::-1], group=CLOUDS)["group"] == CLOUDS
    fewer = {"key": "provider", "values": ["AWS"]}
    refused = story.call("PUT", "/billable_metrics/m", {"billable_metric": {"filters": filters, "group": fewer}})
    assert refused.body["error_details"] == {"group": ["value_is_invalid"]}
    assert change(story, group=fewer)["filters"] == [fewer]
    other = change(story, filters=filters)
    assert (other["filters"], "group" in other) == (filters, False)
    assert change(story, group=None)["filters"] == filters  # There was none.
    assert change(story, group=CLOUDS)["group"] == CLOUDS
    gone = change(story, group=None)
    assert (gone["filters"], "group" in gone) == ([], False)


# Trying a formula.


TRY = "/billable_metrics/evaluate_expression"


def test_a_formula_is_tried_on_an_event(story):
    event = {"code": "c", "timestamp": "1651240791", "properties": {"gb": 10, "part": "0.5", "name": "x"}}
    for expression, value in [
        ("round(event.properties.gb / 3)", 3),
        ("event.properties.gb * event.properties.part + 0.25", 5.25),
        ("event.timestamp", 1651240791),
        ("concat(event.code, '-', event.properties.name)", "c-x"),
        ("1000000000 * 1000000000", 10**18),
    ]:
        answer = story.ok("POST", TRY, {"expression": expression, "event": event})
        assert answer == {"expression_result": {"value": value}}, expression
    now = story.ok("POST", TRY, {"expression": "event.timestamp", "event": {"code": "c", "timestamp": None}})
    assert now["expression_result"]["value"] == 1704067200  # The organization's now.
    assert story.ok("GET", "/billable_metrics")["meta"]["total_count"] == 0


def test_a_formula_may_fail(story):
    event = {"code": "c", "properties": {}}
    for body, details in [
        (None, {"expression": ["value_is_mandatory"]}),
        ({"event": event}, {"expression": ["value_is_mandatory"]}),
        ({"expression": " ", "event": event}, {"expression": ["value_is_mandatory"]}),
        ({"expression": 1, "event": event}, {"expression": ["value_is_invalid"]}),
        ({"expression": "1+" * 6000, "event": event}, {"expression": ["value_is_too_long"]}),
        ({"expression": "1 +", "event": event}, {"expression": ["invalid_expression"]}),
        ({"expression": "event.properties.a", "event": event}, {"event": ["invalid_event"]}),
        ({"expression": "event.properties.a"}, {"event": ["invalid_event"]}),
        ({"expression": "1 / 0", "event": event}, {"event": ["invalid_event"]}),
        ({"expression": "1", "event": "x"}, {"event": ["value_is_invalid"]}),
        ({"expression": "1", "event": {"timestamp": "today"}}, {"timestamp": ["invalid_format"]}),
        ({"expression": "1", "event": {"properties": []}}, {"properties": ["value_is_invalid"]}),
    ]:
        answer = story.call("POST", TRY, body)
        assert (answer.status, answer.body.get("error_details")) == (422, details), body


# What is told.


def test_webhooks_tell_of_each_change_once(story):
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    made = create(story).body["billable_metric"]
    assert create(story).status == 422  # Told to nobody.
    changed = change(story, name="Meter")
    story.ok("DELETE", "/billable_metrics/m")
    work()
    told = [json.loads(message.payload) for message in reversed(messages(story.ref.id))]
    expected = [("created", made), ("updated", changed), ("deleted", changed)]
    assert told == [
        {
            "webhook_type": f"billable_metric.{name}",
            "object_type": "billable_metric",
            "organization_id": story.ref.id,
            "sequence": number,
            "billable_metric": shown,
        }
        for number, (name, shown) in enumerate(expected, 1)
    ]


def test_the_plans_that_use_a_metric(story):
    metric = story.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    made = [story.plan(code, [charge])["lago_id"] for code in ("a", "b", "c")]
    story.plan("other")

    def using(most: int = 10) -> set[str]:
        return {plan.id for plan in plans.using_metric(story.ref.id, metric["lago_id"], most=most)}

    assert using() == set(made)
    assert len(using(2)) == 2
    story.customer()
    story.subscribe("a", plan_overrides={"amount_cents": 5})
    assert len(using()) == 4
    story.ok("DELETE", "/plans/b")
    assert made[1] not in using()
