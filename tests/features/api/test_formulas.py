"""Formulas of metrics, evaluated at the door. Source: rules/usage 2."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib import limits
from chalicelib.features.billable_metrics import formulas
from chalicelib.platform import clock
from tests.support.capacity import counting
from tests.support.events import logs, send
from tests.support.items import core
from tests.support.story import Story, meter


@pytest.fixture
def computed(story):
    """A metric whose property is computed."""
    story.metric("cpu", "sum_agg", field_name="hours", expression="event.properties.ms / 3600000 + 0.5")
    story.plan(
        charges=[
            {
                "billable_metric_id": story.ok("GET", "/billable_metrics/cpu")["billable_metric"]["lago_id"],
                "charge_model": "standard",
                "properties": {"amount": "1"},
            }
        ]
    )
    story.customer()
    story.subscribe()
    return story


def test_a_formula_is_evaluated_at_the_door_and_billed(computed):
    answer = send(computed, 1, "cpu", at=datetime(2024, 1, 1, tzinfo=UTC), properties={"ms": 5400000, "hours": "x"})
    assert answer.body["event"]["properties"] == {"ms": 5400000, "hours": 2}
    send(computed, 2, "cpu", at=datetime(2024, 1, 1, tzinfo=UTC), properties={"ms": "900000"})
    (usage,) = computed.usage()["charges_usage"]
    assert (usage["units"], usage["amount_cents"], usage["events_count"]) == ("2.75", 275, 2)
    assert computed.ok("GET", "/events/t2")["event"]["properties"] == {"ms": "900000", "hours": 0.75}
    second, first = logs(computed)["event_logs"]
    assert first["payload"]["properties"] == {"ms": 5400000, "hours": "x"}  # As it was sent.
    assert second["payload"]["properties"] == {"ms": "900000"}
    assert (first["warnings"], second["warnings"]) == ([], [])


def test_an_event_whose_formula_fails_is_refused(computed):
    answer = send(computed, 1, "cpu", properties={})
    expected = {"expression": ["expression_evaluation_failed"]}
    assert (answer.status, answer.body["error_details"]) == (422, expected)
    events = [
        {"transaction_id": "a", "external_subscription_id": "sub", "code": "cpu", "properties": {"ms": 1}},
        {"transaction_id": "b", "external_subscription_id": "sub", "code": "cpu", "properties": {"ms": "x"}},
        {"transaction_id": "c", "external_subscription_id": "sub", "code": "", "properties": {}},
    ]
    batch = computed.call("POST", "/events/batch", {"events": events})
    assert (batch.status, batch.body["error_details"]) == (
        422,
        {"1": expected, "2": {"code": ["value_is_mandatory"]}},
    )
    meter()
    assert computed.ok("GET", "/events")["meta"]["total_count"] == 0


def test_formulas_follow_their_metric(computed, monkeypatch):
    monkeypatch.setattr(limits, "CLOCK_INLINE_SECONDS", 0)  # These events stay in the queue.

    def properties(number: int, code: str = "cpu"):
        return send(computed, number, code, properties={"ms": 3600000}).body["event"]["properties"]

    organization = computed.ref
    computed.ok("DELETE", "/plans/plan")  # What a live plan uses is fixed.
    assert properties(1)["hours"] == 1.5
    put = "/billable_metrics/cpu"
    computed.ok("PUT", put, {"billable_metric": {"expression": "1 + 1"}})
    assert properties(2)["hours"] == 2
    computed.ok("PUT", put, {"billable_metric": {"code": "gpu", "field_name": "h"}})
    assert (properties(3), properties(4, "gpu")) == ({"ms": 3600000}, {"ms": 3600000, "h": 2})
    computed.ok("PUT", "/billable_metrics/gpu", {"billable_metric": {"expression": None}})
    assert formulas.of(organization) == {}
    computed.ok("PUT", "/billable_metrics/gpu", {"billable_metric": {"expression": "3"}})
    assert properties(5, "gpu")["h"] == 3
    computed.ok("DELETE", "/billable_metrics/gpu")
    assert properties(6, "gpu") == {"ms": 3600000}


def test_formulas_are_kept_for_a_while_outside_of_sandboxes(aws, monkeypatch):
    story = Story.begin(sandbox=False)
    send(story, 1, "cpu", at=clock.utc_now())
    with counting() as second:
        assert send(story, 2, "cpu", at=clock.utc_now()).body["event"]["properties"] == {}
    assert second.total == second.requests["send_message"] == 1
    story.metric("cpu", "sum_agg", field_name="n", expression="1")  # In this process at once.
    assert send(story, 3, "cpu", at=clock.utc_now()).body["event"]["properties"] == {"n": 1}
    core.delete((f"{story.ref.id}#metric-formulas", "cpu")).alone()  # By another one.
    assert send(story, 4, "cpu", at=clock.utc_now()).body["event"]["properties"] == {"n": 1}
    monkeypatch.setattr(limits, "METRICS_KEPT", timedelta(seconds=-1))
    assert send(story, 5, "cpu", at=clock.utc_now()).body["event"]["properties"] == {}
