"""Events as they came in: lists and their filters, warnings, the hourly message about them, and formulas at the door.

Source: usage.md sections 1.2, 1.4, 1.5 and 2.
"""

import contextlib
import json
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib import limits
from chalicelib.features import registry
from chalicelib.features.billable_metrics import formulas
from chalicelib.features.billable_metrics.store import METRICS
from chalicelib.features.events import jobs as event_jobs
from chalicelib.features.events.event import Event, Source
from chalicelib.features.metering import log, service, store
from chalicelib.features.webhooks import store as webhook_store
from chalicelib.platform import agenda, auth, clock, table
from chalicelib.platform.settings import settings
from tests.support.capacity import counting
from tests.support.faults import Killed, Plan, failing
from tests.support.story import Story, meter, received, request, work
from tests.support.usage import event, message

NOON = datetime(2024, 1, 10, 12, tzinfo=UTC)
NONE = {"invalid_code": [], "missing_aggregation_property": [], "missing_group_key": [], "invalid_filter_values": []}


def send(story, number: int, code: str = "calls", *, at: datetime = NOON, sub: str = "sub", headers=None, **fields):
    """One event `t<number>`; the answer."""
    body = {"transaction_id": f"t{number}", "external_subscription_id": sub, "code": code, **fields}
    body = {"timestamp": int(at.timestamp()), **body}
    key = {"Authorization": f"Bearer {story.api_key}", **(headers or {})}
    return request("POST", "/api/v1/events", {"event": body}, key)


def names(body) -> list[str]:
    return [each["transaction_id"] for each in body["events"]]


def logs(story, query: str = ""):
    meter()
    return story.ok("GET", f"/event_logs{query}")


def organization_of(story):
    return auth.identify({"authorization": f"Bearer {story.api_key}"})


# Lists.


@pytest.fixture
def many(story):
    """Five events over three days, two codes, two subscriptions; `sub` started at noon and a half second."""
    story.plan()
    story.customer()
    story.subscribe(subscription_at="2024-01-10T12:00:00.500Z")
    story.travel("2024-01-10T13:00:00Z")
    send(story, 1, at=NOON - timedelta(days=1))
    send(story, 2, at=NOON - timedelta(seconds=1))
    send(story, 3, at=NOON)
    send(story, 4, "other", at=NOON + timedelta(days=1))
    send(story, 5, at=NOON, sub="unknown")
    meter()
    return story


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["t4", "t3", "t5", "t2", "t1"]),
        ("?code=other", ["t4"]),
        ("?code=none", []),
        ("?timestamp_from=2024-01-10T12:00:00Z", ["t4", "t3", "t5"]),
        ("?timestamp_to=2024-01-10T12:00:00Z", ["t3", "t5", "t2", "t1"]),
        ("?timestamp_from=2024-01-10&timestamp_to=2024-01-10T11:59:59.000Z", ["t2"]),
        ("?external_subscription_id=sub", ["t4", "t3", "t2", "t1"]),
        ("?external_subscription_id=sub&code=calls", ["t3", "t2", "t1"]),
        ("?external_subscription_id=sub&timestamp_from=2024-01-10T12:00:00Z", ["t4", "t3"]),
        ("?external_subscription_id=sub&timestamp_to=2024-01-10T12:00:00Z", ["t3", "t2", "t1"]),
        ("?external_subscription_id=sub&timestamp_from=2024-01-10T13:00:00Z&timestamp_to=2024-01-10T11:00:00Z", []),
        ("?external_subscription_id=sub&timestamp_from_started_at=true", ["t4", "t3"]),
        ("?external_subscription_id=sub&timestamp_from_started_at=true&timestamp_from=2024-01-09", ["t4", "t3"]),
        ("?external_subscription_id=sub&timestamp_from_started_at=true&timestamp_from=2024-01-11", ["t4"]),
        ("?external_subscription_id=sub&timestamp_from_started_at=false", ["t4", "t3", "t2", "t1"]),
        ("?external_subscription_id=unknown&timestamp_from_started_at=true", ["t5"]),
        ("?external_subscription_id=sub&per_page=1&page=2", ["t3"]),
        ("?timestamp_from=1900-01-01&timestamp_to=9000-01-01", ["t4", "t3", "t5", "t2", "t1"]),
    ],
)
def test_lists_are_filtered(many, query, expected):
    assert names(many.ok("GET", f"/events{query}")) == expected


def test_a_list_that_asks_for_nonsense_is_refused(many):
    for query, field, code in [
        ("?timestamp_from=yesterday", "timestamp_from", "invalid_date"),
        ("?external_subscription_id=sub&timestamp_to=1", "timestamp_to", "invalid_date"),
        ("?timestamp_from_started_at=true", "external_subscription_id", "value_is_mandatory"),
    ]:
        answer = many.call("GET", f"/events{query}")
        assert (answer.status, answer.body["error_details"]) == (422, {field: [code]})
    many.terminate()  # Its start is still known.
    assert names(many.ok("GET", "/events?external_subscription_id=sub&timestamp_from_started_at=true")) == ["t4", "t3"]


def test_a_repeat_with_other_contents_is_listed_by_neither(story):
    send(story, 1, at=NOON)
    meter()
    send(story, 1, "other", at=NOON + timedelta(hours=1))
    meter()
    send(story, 2, at=NOON)
    send(story, 2, "other", at=NOON)  # In one batch: the first stays as well.
    meter()
    assert names(story.ok("GET", "/events?code=other")) == []
    assert names(story.ok("GET", "/events")) == ["t1", "t2"]
    assert [(e["transaction_id"], e["code"]) for e in logs(story)["event_logs"]] == [("t2", "calls"), ("t1", "calls")]


# The log.


def test_the_log_shows_what_came_from_whom(story):
    story.metric("calls")
    story.plan()
    story.customer("c", name="Zoë")
    story.subscribe(customer="c")
    client = {"User-Agent": "Lago Python v1.55.0 é" + "x" * 300}
    sent = {"timestamp": "1704888000.250", "properties": {"n": 1.50}, "kept_by": ["nobody"]}
    send(story, 1, headers=client, **sent)
    send(story, 2, sub="unknown", properties=None)
    body = logs(story)
    second, first = body["event_logs"]
    assert body["meta"]["total_count"] == 2
    event_ = story.ok("GET", "/events/t1")["event"]
    assert first == {
        "lago_id": event_["lago_id"],
        "transaction_id": "t1",
        "code": "calls",
        "billable_metric_name": "calls",
        "timestamp": "2024-01-10T12:00:00.250Z",
        "received_at": first["received_at"],
        "external_customer_id": "c",
        "lago_customer_id": event_["lago_customer_id"],
        "external_subscription_id": "sub",
        "lago_subscription_id": event_["lago_subscription_id"],
        "source_ip": "127.0.0.1",
        "api_client": ("Lago Python v1.55.0 ?" + "x" * 300)[:150],
        "warnings": [],
        "payload": {"transaction_id": "t1", "external_subscription_id": "sub", "code": "calls", **sent},
    }
    assert first["received_at"] > "2025"
    assert (second["external_customer_id"], second["api_client"]) == (None, None)
    assert second["payload"] == {
        "transaction_id": "t2",
        "external_subscription_id": "unknown",
        "code": "calls",
        "timestamp": 1704888000,
    }


def test_an_event_that_names_its_customer_is_shown_as_it_was_sent(story):
    story.plan()
    story.customer("c")
    story.subscribe(customer="c")
    story.ok("POST", "/events", {"event": {"transaction_id": "t", "code": "calls", "external_customer_id": "c"}})
    (shown,) = logs(story)["event_logs"]
    assert shown["external_subscription_id"] == "sub"
    assert shown["payload"] == {"transaction_id": "t", "code": "calls", "external_customer_id": "c"}


def test_what_a_request_says_besides_is_kept_up_to_a_length(story):
    for number, size in ((1, limits.EVENT_SENT_BYTES_MAX - 100), (2, limits.EVENT_SENT_BYTES_MAX)):
        send(story, number, note="x" * size)
    long, short = logs(story)["event_logs"]
    assert "note" in short["payload"]
    assert "note" not in long["payload"]
    assert long["payload"]["code"] == "calls"


REGIONS = {
    "key": "provider",
    "values": [
        {"name": "AWS", "key": "region", "values": ["Europe", "Asia"]},
        {"name": "Google", "key": "region", "values": ["Europe"]},
    ],
}


@pytest.fixture
def faulty(story):
    """Events with every fault, and without any."""
    story.metric("calls")
    story.metric("miles", "sum_agg", field_name="n", filters=[{"key": "cloud", "values": ["aws", "gcp"]}])
    story.metric("hours", group=REGIONS)
    send(story, 1)
    send(story, 2, "nothing")
    send(story, 3, "miles", properties={"n": "12.5", "cloud": "aws"})
    send(story, 4, "miles", properties={"n": "far"})
    send(story, 5, "miles", properties={"cloud": "azure"})
    send(story, 6, "hours", properties={"provider": "AWS", "region": "Asia"})
    send(story, 7, "hours", properties={"provider": "AWS"})
    send(story, 8, "hours", properties={"provider": "Google", "region": "Asia"})
    send(story, 9, "hours")
    return story


WARNINGS = {
    "t2": ["unknown_code"],
    "t4": ["property_mismatch"],
    "t5": ["property_mismatch", "dimension_mismatch"],
    "t7": ["dimension_mismatch"],
    "t8": ["dimension_mismatch"],
    "t9": ["dimension_mismatch"],
}
TOLD = {
    "invalid_code": ["t2"],
    "missing_aggregation_property": ["t4", "t5"],
    "missing_group_key": ["t7", "t9"],
    "invalid_filter_values": ["t5", "t8"],
}


def test_events_that_their_metric_cannot_use_carry_warnings(faulty):
    shown = logs(faulty)["event_logs"]
    assert [each["transaction_id"] for each in shown] == [f"t{n}" for n in range(9, 0, -1)]
    assert {each["transaction_id"]: each["warnings"] for each in shown if each["warnings"]} == WARNINGS
    for query, number in [
        ("?warnings[]=any", 6),
        ("?warning=unknown_code", 1),
        ("?warnings[]=unknown_code&warnings[]=property_mismatch", 3),
        ("?warnings[]=dimension_mismatch&code=miles", 1),
        ("?transaction_id=t3", 1),
        ("?external_subscription_id=none", 0),
    ]:
        body = logs(faulty, query)
        assert (len(body["event_logs"]), body["meta"]["total_count"]) == (number, number), query
    answer = faulty.call("GET", "/event_logs?warnings[]=odd")
    assert (answer.status, answer.body["error_details"]) == (422, {"warnings": ["value_is_invalid"]})


def test_no_organization_sees_the_log_of_another(faulty):
    assert logs(Story.begin(name="Other"))["event_logs"] == []


def test_what_a_worker_could_not_count_is_listed_once_it_is(story):
    send(story, 1, "nothing")
    records = received(settings().events_queue)
    with failing(Plan(2, after=False)), pytest.raises(Killed):  # After the log and the task, before the event.
        service.handle(records)
    assert story.ok("GET", "/event_logs?warnings[]=any")["event_logs"] == []
    assert service.handle(records) == []
    (shown,) = story.ok("GET", "/event_logs?warnings[]=any")["event_logs"]
    assert shown["warnings"] == ["unknown_code"]


def test_metrics_that_cannot_be_read_keep_no_event_from_counting(story, monkeypatch):
    def unreachable(*_):
        raise OSError("no table")

    monkeypatch.setattr(type(METRICS), "find_many", unreachable)
    send(story, 1, "nothing")
    meter()
    monkeypatch.undo()
    assert names(story.ok("GET", "/events")) == ["t1"]


# The hourly message.


def endpoint(story) -> None:
    body = {"webhook_url": "http://127.0.0.1:9/hook", "event_types": ["events.errors"]}
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": body})


def told(story) -> list[dict]:
    """The bodies of the messages about faults, oldest first."""
    work()
    found = webhook_store.messages(organization_of(story).id)
    assert {m.webhook_type for m in found} <= {"events.errors"}
    return [json.loads(m.payload) for m in reversed(found)]


def test_faults_of_an_hour_are_told_once_when_the_clock_has_passed_it(faulty):
    endpoint(faulty)
    faulty.travel("2024-01-01T00:59:59Z")
    assert told(faulty) == []
    faulty.travel("2024-01-01T01:00:00Z")
    (body,) = told(faulty)
    assert body["events_errors"] == TOLD
    assert (body["webhook_type"], body["object_type"]) == ("events.errors", "events_errors")
    # An hour without faults has no message, and what was told is not told again.
    send(faulty, 10)
    send(faulty, 2, "nothing")
    faulty.travel("2024-01-01T03:00:00Z")
    assert len(told(faulty)) == 1
    send(faulty, 11, "nothing")
    faulty.travel("2024-02-01T00:00:00Z")
    assert [each["events_errors"] for each in told(faulty)[1:]] == [{**NONE, "invalid_code": ["t11"]}]


def test_a_message_that_came_after_its_hour_was_told_is_told_alone(story):
    endpoint(story)
    send(story, 1, "nothing")
    send(story, 2, "nothing")
    late, *rest = received(settings().events_queue)
    assert service.handle(rest) == []
    organization = organization_of(story)
    pk = store.in_flight_pk(organization.id)
    for item in list(table.usage.query(pk)):  # The message died: its mark no longer holds the clock up.
        table.usage.write(table.usage.delete((item["pk"], item["sk"])))
    story.ok("PUT", "/test_clock", {"test_clock": {"now": "2024-01-01T02:00:00Z"}})
    assert service.handle([late]) == []
    story.travel("2024-01-01T03:00:00Z")
    assert sorted(each["events_errors"]["invalid_code"] for each in told(story)) == [["t1"], ["t2"]]


def production() -> Story:
    made = Story.begin(sandbox=False)
    endpoint(made)
    return made


def test_without_a_clock_of_its_own_an_organization_is_told_after_the_real_hour(aws):
    story = production()
    send(story, 1, "nothing", at=clock.utc_now())
    meter()
    organization = organization_of(story)
    (due,) = _due()
    assert (due.kind.name, due.organization) == ("event_errors", organization)
    hour = due.due_at - timedelta(hours=1)
    assert hour.strftime("%Y-%m-%dT%H") == due.subject
    assert due.run_at - due.due_at == limits.USAGE_GRACE  # Events accepted in the hour may still be queued at its end.
    event_jobs.tell(due, due.due_at)
    assert [each["events_errors"]["invalid_code"] for each in told(story)] == [["t1"]]
    assert list(_due()) == []


def _due() -> list[agenda.Task]:
    until = clock.utc_now() + timedelta(hours=2)
    found = [task for n in range(limits.DUE_SHARDS) for task in agenda.due(n, until=until)]
    return [task for task in found if task.kind is log.ERRORS]


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
def test_a_worker_killed_at_any_write_tells_once(aws, after, monkeypatch):
    monkeypatch.setattr(event_jobs, "_MARKS_AT_ONCE", 1)  # Two of the marks are left for after the commit.
    story = production()
    for number in range(3):
        send(story, number, "nothing", at=clock.utc_now())
        meter()
    for at in range(4):
        for task in _due():
            with failing(Plan(at, after=after)), contextlib.suppress(Killed):
                event_jobs.tell(task, task.due_at)
    for task in _due():
        event_jobs.tell(task, task.due_at)
    registry.tick()  # The push may be lost with its worker.
    assert [sorted(each["events_errors"]["invalid_code"]) for each in told(story)] == [["t0", "t1", "t2"]]


def test_many_faults_are_told_up_to_a_number(story, monkeypatch):
    monkeypatch.setattr(limits, "EVENT_ERRORS_MAX", 100)
    endpoint(story)
    events = [{"transaction_id": f"t{n:03d}", "external_subscription_id": "s", "code": "none"} for n in range(90)]
    for batch in range(3):
        renamed = [{**e, "transaction_id": f"{batch}-{e['transaction_id']}"} for e in events]
        story.ok("POST", "/events/batch", {"events": renamed})
    story.travel("2024-01-01T01:00:00Z")
    (body,) = told(story)
    assert 100 <= len(body["events_errors"]["invalid_code"]) < 200


# What it costs.


def test_metrics_are_read_once_for_many_batches_outside_of_sandboxes(aws):
    organization = clock.OrganizationRef("org-of-warnings", sandbox=False)
    service.handle([message([event("a", clock.utc_now())], organization)])
    with counting() as second:
        service.handle([message([event("b", clock.utc_now())], organization)])
    assert second.requests["batch_get_item"] == 0


def test_a_source_is_cut_to_what_a_log_can_hold():
    assert Source.of("1.2.3.4", "curl/8\n") == Source("1.2.3.4", "curl/8?")
    assert len(Source.of("x" * 99, "y" * 999).client) == 150
    assert Event("t", "s", "c", 1, {}).sent is None


# Formulas.


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


def test_formulas_follow_their_metric(computed):
    def properties(number: int, code: str = "cpu"):
        return send(computed, number, code, properties={"ms": 3600000}).body["event"]["properties"]

    organization = organization_of(computed)
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
    table.core.write(table.core.delete((f"{organization_of(story).id}#metric-formulas", "cpu")))  # By another one.
    assert send(story, 4, "cpu", at=clock.utc_now()).body["event"]["properties"] == {"n": 1}
    monkeypatch.setattr(limits, "METRICS_KEPT", timedelta(seconds=-1))
    assert send(story, 5, "cpu", at=clock.utc_now()).body["event"]["properties"] == {}
