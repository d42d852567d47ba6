"""Events as they came in: lists and their filters, the log and its warnings. Source: rules/usage 1.2, 1.4, 1.5."""

from datetime import timedelta

import pytest

from chalicelib import limits
from chalicelib.features.billable_metrics.store import METRICS
from chalicelib.features.metering import messages
from chalicelib.features.metering.event import Event, Source
from chalicelib.platform import clock
from chalicelib.platform.settings import settings
from tests.support.capacity import counting
from tests.support.events import NOON, faulty_events, logs, names, send
from tests.support.faults import Killed, Plan, failing
from tests.support.story import Story, meter, received
from tests.support.usage import event, message

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
        ("", ["t4", "t5", "t3", "t2", "t1"]),
        ("?code=other", ["t4"]),
        ("?code=none", []),
        ("?timestamp_from=2024-01-10T12:00:00Z", ["t4", "t5", "t3"]),
        ("?timestamp_to=2024-01-10T12:00:00Z", ["t5", "t3", "t2", "t1"]),
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
        ("?timestamp_from=1900-01-01&timestamp_to=9000-01-01", ["t4", "t5", "t3", "t2", "t1"]),
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
    assert names(story.ok("GET", "/events")) == ["t2", "t1"]
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


@pytest.fixture
def faulty(story):
    """Events with every fault, and without any."""
    faulty_events(story)
    return story


WARNINGS = {
    "t2": ["unknown_code"],
    "t4": ["property_mismatch"],
    "t5": ["property_mismatch", "dimension_mismatch"],
    "t7": ["dimension_mismatch"],
    "t8": ["dimension_mismatch"],
    "t9": ["dimension_mismatch"],
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


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("at", range(5))
def test_what_a_killed_worker_counted_is_listed_once(story, at, after):
    """Its writes: the events, the task that tells of faults, the log, its number, and that the message has arrived."""
    send(story, 1, "nothing")
    (record,) = received(settings().events_queue)
    with failing(Plan(at, after=after)), pytest.raises(Killed):
        messages.handle([record])
    again = {**record, "attributes": {"ApproximateReceiveCount": "2"}}
    for _ in range(2):
        assert messages.handle([again]) == []
        (shown,) = story.ok("GET", "/event_logs?warnings[]=any")["event_logs"]
        assert shown["warnings"] == ["unknown_code"]
        assert story.ok("GET", "/events")["meta"]["total_count"] == 1


def test_metrics_that_cannot_be_read_keep_no_event_from_counting(story, monkeypatch):
    def unreachable(*_):
        raise OSError("no table")

    monkeypatch.setattr(type(METRICS), "find_many", unreachable)
    send(story, 1, "nothing")
    meter()
    monkeypatch.undo()
    assert names(story.ok("GET", "/events")) == ["t1"]


# What it costs.


def test_metrics_are_read_once_for_many_batches_outside_of_sandboxes(aws):
    organization = clock.OrganizationRef("org-of-warnings", sandbox=False)
    messages.handle([message([event("a", clock.utc_now())], organization)])
    with counting() as second:
        messages.handle([message([event("b", clock.utc_now())], organization)])
    assert second.requests["batch_get_item"] == 0


def test_a_source_is_cut_to_what_a_log_can_hold():
    assert Source.of("1.2.3.4", "curl/8\n") == Source("1.2.3.4", "curl/8?")
    assert len(Source.of("x" * 99, "y" * 999).client) == 150
    assert Event("t", "s", "c", 1, {}).sent is None
