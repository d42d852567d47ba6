"""Pages of billable metrics: what the form holds is what the API gets, and the other way round."""

from typing import Any

import pytest

from tests.support import capacity
from tests.support.console import Visitor

FIELDS: dict[str, Any] = {
    "name": "Compute",
    "code": "compute",
    "description": "Of functions",
    "aggregation_type": "sum_agg",
    "field_name": "gb_seconds",
    "recurring": "false",
    "rounding_function": "ceil",
    "rounding_precision": "2",
    "expression": "event.properties.gb * event.properties.seconds",
    "filters.0.key": "region",
    "filters.0.values": "us-east\neu, west",
    "filters.1.key": "tier",
    "filters.1.values": "spot",
}


def made(visitor: Visitor, code: str = "compute"):
    return visitor.story.ok("GET", f"/billable_metrics/{code}")["billable_metric"]


def used(visitor: Visitor):
    """A metric that a plan charges."""
    metric = visitor.story.metric("compute", "sum_agg", name="Compute", field_name="gb")
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    visitor.story.plan("growth", name="Growth", charges=[charge])
    return metric


def test_a_metric_is_made_and_shown(visitor: Visitor):
    answer = visitor.post("billable_metrics", "new", form=FIELDS)
    assert answer.status == 303
    metric = made(visitor)
    same = ("name", "code", "description", "aggregation_type", "field_name", "rounding_function", "expression")
    assert {name: metric[name] for name in same} == {name: FIELDS[name] for name in same}
    assert (metric["rounding_precision"], metric["recurring"]) == (2, False)
    assert metric["filters"] == [
        {"key": "region", "values": ["us-east", "eu, west"]},
        {"key": "tier", "values": ["spot"]},
    ]
    shown = visitor.at(answer.location)
    for words in ("Sum", "Metered", "us-east eu, west", "No plan uses it", "Round up to 2 decimals"):
        assert words in shown.words, words
    assert "Sum of gb_seconds Metered region , tier" in visitor.get("billable_metrics").words


@pytest.mark.parametrize(
    ("changes", "code", "at"),
    [
        ({"field_name": ""}, "value_is_mandatory", "field_name"),
        ({"aggregation_type": "custom"}, "value_is_invalid", "aggregation_type"),
        ({"expression": "event.("}, "invalid_expression", "expression"),
        ({"rounding_precision": "16"}, "value_is_invalid", "rounding_precision"),
        ({"rounding_precision": "many"}, "value_is_invalid", "rounding_precision"),
        ({"filters.1.key": ""}, "value_is_mandatory", "filters.1.key"),
        ({"filters.1.values": " \n"}, "value_is_mandatory", "filters.1.values"),
        ({"filters.0.values": "x" * 256}, "value_is_too_long", None),
        ({"code": "taken"}, "value_already_exist", "code"),
    ],
)
def test_a_wrong_field_shows_its_code(visitor: Visitor, changes: dict[str, str], code: str, at: str | None):
    visitor.story.metric("taken")
    shown = visitor.post("billable_metrics", "new", form={**FIELDS, **changes})
    assert shown.status == 422
    assert shown.words.count(code) == 1
    assert at is None or f'id="f-{at}-error"' in shown.text
    assert shown.fields["filters.0.key"] == ["region"]
    assert len(visitor.story.ok("GET", "/billable_metrics")["billable_metrics"]) == 1


@pytest.mark.parametrize(
    ("kind", "recurring", "kept"),
    [("count_agg", "true", False), ("max_agg", "true", False), ("unique_count_agg", "true", True)],
)
def test_what_an_aggregation_does_not_use_is_not_sent(visitor: Visitor, kind: str, recurring: str, kept: bool):
    form = {**FIELDS, "aggregation_type": kind, "recurring": recurring}
    assert visitor.post("billable_metrics", "new", form=form).status == 303
    metric = made(visitor)
    assert metric["recurring"] is kept
    assert metric["field_name"] == (None if kind == "count_agg" else "gb_seconds")


def test_a_weighted_sum_weighs_by_the_second(visitor: Visitor):
    assert (
        visitor.post("billable_metrics", "new", form={**FIELDS, "aggregation_type": "weighted_sum_agg"}).status == 303
    )
    assert made(visitor)["weighted_interval"] == "seconds"


def test_rows_of_dimensions_are_added_and_removed(visitor: Visitor):
    more = visitor.post("billable_metrics", "new", form={**FIELDS, "_do": "add:filters"})
    assert (more.status, more.fields["filters.2.key"]) == (200, [""])
    less = visitor.post("billable_metrics", "new", form={**FIELDS, "_do": "remove:filters.0"})
    assert "filters.0.key" not in less.fields
    assert less.fields["filters.1.key"] == ["tier"]
    assert visitor.story.ok("GET", "/billable_metrics")["billable_metrics"] == []


def test_the_ready_event_follows_the_form(visitor: Visitor):
    shown = visitor.post("billable_metrics", "new", form={**FIELDS, "_do": "draw"})
    assert '"code": "compute"' in shown.words
    assert '"region": "us-east"' in shown.words
    assert "The formula makes 4 of it" in shown.words
    seats = {**FIELDS, "aggregation_type": "unique_count_agg", "recurring": "true", "expression": "", "_do": "draw"}
    shown = visitor.post("billable_metrics", "new", form=seats)
    assert '"gb_seconds": "user-1"' in shown.words
    assert '"operation_type": "add"' in shown.words
    broken = visitor.post("billable_metrics", "new", form={**FIELDS, "expression": "event.(", "_do": "draw"})
    assert "no result for this event yet" in broken.words


def test_the_code_may_be_given(visitor: Visitor):
    assert visitor.get("billable_metrics", "new", code="api_cals").fields["code"] == ["api_cals"]


def test_a_metric_is_changed(visitor: Visitor):
    visitor.post("billable_metrics", "new", form=FIELDS)
    place = ("billable_metrics", made(visitor)["lago_id"], "edit")
    fields = visitor.get(*place).fields
    assert {name: fields[name] for name in FIELDS} == {name: [value] for name, value in FIELDS.items()}
    for _ in range(2):
        assert visitor.post(*place, form={**FIELDS, "code": "gpu", "filters.1.key": "", "filters.1.values": ""})
    metric = made(visitor, "gpu")
    assert [each["key"] for each in metric["filters"]] == ["region"]


def test_dimensions_that_were_left_alone_stay_as_they_are(visitor: Visitor):
    group = {"key": "region", "values": ["us", "eu"]}
    metric = visitor.story.metric("compute", "sum_agg", field_name="gb", group=group)
    odd = visitor.story.metric("odd", "sum_agg", field_name="gb", filters=[{"key": "k", "values": [" a ", "b\nc"]}])
    for each in (metric, odd):
        place = ("billable_metrics", each["lago_id"], "edit")
        fields = {name: values[-1] for name, values in visitor.get(*place).fields.items() if name != "csrf"}
        assert visitor.post(*place, form={**fields, "name": "New"}).status == 303
    assert made(visitor)["group"] == group
    assert made(visitor, "odd")["filters"] == [{"key": "k", "values": [" a ", "b\nc"]}]


def test_what_plans_rely_on_is_locked_with_the_reason(visitor: Visitor):
    metric = used(visitor)
    place = ("billable_metrics", metric["lago_id"], "edit")
    shown = visitor.get(*place)
    assert "Code, aggregation and what belongs to it are fixed, as plans use this metric: Growth growth" in shown.words
    fields = {name: values[-1] for name, values in shown.fields.items()}
    for forged in ({}, {"code": "other", "field_name": "x", "aggregation_type": "count_agg"}):
        assert visitor.post(*place, form={**fields, "name": "Computing", **forged}).status == 303
    after = made(visitor)
    assert (after["name"], after["field_name"], after["aggregation_type"]) == ("Computing", "gb", "sum_agg")


def test_a_deletion_says_which_plans_lose_a_charge(visitor: Visitor):
    metric = used(visitor)
    place = ("billable_metrics", metric["lago_id"], "delete")
    assert "These plans lose the charge that prices it" in visitor.get(*place).words
    assert "Growth" in visitor.get(*place).words
    for _ in range(2):
        assert visitor.post(*place).status == 303
    assert visitor.story.call("GET", "/billable_metrics/compute").status == 404
    assert visitor.get("billable_metrics", place[1]).status == 404


def test_its_last_events_are_shown_with_their_warnings(visitor: Visitor):
    metric = used(visitor)
    visitor.story.customer()
    visitor.story.subscribe("growth")
    good = visitor.story.use("compute", at=1704070000, gb=2)
    bad = visitor.story.use("compute", at=1704070001)
    visitor.story.usage()
    shown = visitor.get("billable_metrics", metric["lago_id"], part="events")
    assert good in shown.words
    assert bad in shown.words
    visitor.headers["HX-Request"] = "true"
    part = visitor.get("billable_metrics", metric["lago_id"], part="events")
    assert part.words.startswith("Last events")
    assert "<html" not in part.text
    assert part.text.count('class="warned"') == 1


def test_a_name_is_text(visitor: Visitor):
    script = "<script>alert(1)</script>"
    metric = visitor.story.metric("m", "sum_agg", name=script, field_name=script, description=script)
    for place in ([], [metric["lago_id"]], [metric["lago_id"], "edit"], [metric["lago_id"], "delete"]):
        assert "<script>alert" not in visitor.get("billable_metrics", *place).text


def test_the_pages_cost_few_requests(visitor: Visitor):
    its = ["billable_metrics", used(visitor)["lago_id"]]
    for place in (["billable_metrics"], ["billable_metrics", "new"], its, [*its, "edit"], [*its, "delete"]):
        with capacity.counting() as meter:
            assert visitor.get(*place).status == 200
        assert sum(meter.requests.values()) <= 8, place
    visitor.headers["HX-Request"] = "true"
    with capacity.counting() as meter:
        assert visitor.get(*its, part="events").status == 200
    assert sum(meter.requests.values()) <= 8


def test_the_list_says_how_many_plans_charge_a_metric(visitor: Visitor):
    metric = used(visitor)
    charges = [
        {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": str(each)}}
        for each in (1, 2)
    ]
    visitor.story.plan("scale", charges=charges)
    visitor.story.metric("idle", name="Idle")
    words = visitor.get("billable_metrics").words
    assert "Sum of gb Metered – 2 " in words
    assert "Count Metered – 0 " in words
