"""The hourly message about events that no metric can use. Source: rules/usage 1.5."""

import contextlib
import json
from datetime import timedelta

import pytest

from chalicelib import limits, wiring
from chalicelib.features.events import faulty as singly
from chalicelib.features.metering import layout, log, messages
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import runner
from chalicelib.platform.settings import settings
from chalicelib.platform.usage_table import usage
from chalicelib.tasks import events as event_jobs
from tests.support.events import faulty_events, send
from tests.support.faults import Killed, Plan, failing
from tests.support.messages import messages as messages_of
from tests.support.story import Story, meter, received, work

NONE = {"invalid_code": [], "missing_aggregation_property": [], "missing_group_key": [], "invalid_filter_values": []}
TOLD = {
    "invalid_code": ["t2"],
    "missing_aggregation_property": ["t4", "t5"],
    "missing_group_key": ["t7", "t9"],
    "invalid_filter_values": ["t5", "t8"],
}


@pytest.fixture
def faulty(story):
    """Events with every fault, and without any."""
    faulty_events(story)
    return story


def endpoint(story) -> None:
    body = {"webhook_url": "http://127.0.0.1:9/hook", "event_types": ["events.errors"]}
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": body})


def told(story) -> list[dict]:
    """The bodies of the messages about faults, oldest first."""
    work()
    found = messages_of(story.ref.id)
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
    assert messages.handle(rest) == []
    organization = story.ref
    pk = layout.in_flight_pk(organization.id)
    for item in list(usage.query(pk)):  # The message died: its mark no longer holds the clock up.
        usage.write(usage.delete((item["pk"], item["sk"])))
    story.ok("PUT", "/test_clock", {"test_clock": {"now": "2024-01-01T02:00:00Z"}})
    assert messages.handle([late]) == []
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
    organization = story.ref
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
    wiring.tick()  # The push may be lost with its worker.
    assert [sorted(each["events_errors"]["invalid_code"]) for each in told(story)] == [["t0", "t1", "t2"]]


def test_each_event_with_a_fault_is_told_alone_as_the_api_shows_it(faulty):
    body = {"webhook_url": "http://127.0.0.1:9/hook", "event_types": ["event.error"]}
    faulty.ok("POST", "/webhook_endpoints", {"webhook_endpoint": body})
    faulty.travel("2024-01-01T01:00:00Z")
    (due,) = _single()
    for _ in range(2):
        assert runner.run(due, now=due.due_at) is None
    work()
    found = {m["event_error"]["event"]["transaction_id"]: m["event_error"] for m in _messages(faulty)}
    assert {name: each["message"] for name, each in found.items()} == {
        "t2": "invalid_code",
        "t4": "missing_aggregation_property",
        "t5": "missing_aggregation_property, invalid_filter_values",
        "t7": "missing_group_key",
        "t8": "invalid_filter_values",
        "t9": "missing_group_key",
    }
    assert len(_messages(faulty)) == len(found)
    for name, each in found.items():
        assert (each["status"], each["error"]) == (422, "Unprocessable entity")
        assert each["event"] == faulty.ok("GET", f"/events/{name}")["event"]


def _single() -> list[agenda.Task]:
    until = clock.utc_now() + timedelta(hours=2)
    found = [task for n in range(limits.DUE_SHARDS) for task in agenda.due(n, until=until)]
    return [task for task in found if task.kind is singly.TELL]


def _messages(story) -> list[dict]:
    return [json.loads(m.payload) for m in messages_of(story.ref.id)]


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
