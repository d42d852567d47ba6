"""Every line of the log says which request or message, organization and kind of task it belongs to, and none what another
one belonged to."""

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.features.metering import definitions, messages, write
from chalicelib.features.metering import log as log_of_events
from chalicelib.features.organizations import service as organizations
from chalicelib.features.webhooks import streams as webhooks
from chalicelib.platform import agenda, log
from chalicelib.platform.agenda import runner
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.log import logger
from tests.support.items import core
from tests.support.story import Story, request
from tests.support.usage import event, message

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
KEYS = ("request_id", "message_id", "organization", "kind")

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The lines logged so far, as they are written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logger.registered_formatter)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel("INFO")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.setLevel(before)
    logger.removeHandler(handler)


def keys_of(line: dict[str, Any]) -> dict[str, Any]:
    return {key: line[key] for key in KEYS if key in line}


def fail(*_: Any, **__: Any) -> Any:
    raise RuntimeError("x")


def a_task(organization: OrganizationRef, kind: agenda.Kind, subject: str) -> dict[str, Any]:
    """A stored task that is due, as a message."""
    task = agenda.task(kind, organization, subject, datetime.now(UTC) - timedelta(minutes=1))
    core.write(agenda.put(task, now=task.due_at))
    return {"messageId": f"of {subject}", "body": json.dumps({"pk": task.key[0], "sk": task.key[1]})}


# Requests.


def test_a_line_of_a_request_has_its_id_and_its_organization_and_the_next_request_has_its_own(aws, monkeypatch, lines):
    one, two = Story.begin(), Story.begin()
    monkeypatch.setattr(organizations, "changed", fail)
    for story in (one, two):
        assert story.call("PUT", "/organizations", {"organization": {"name": "x"}}).status == 500
    first, second = (line for line in lines() if line["message"] == "bug")
    assert [first["organization"], second["organization"]] == [one.ref.id, two.ref.id]
    assert first["request_id"] != second["request_id"]
    assert len(first["request_id"]) == 36
    logger.info("after")
    assert keys_of(lines()[-1]) == {}


def test_a_request_without_a_key_has_an_id_and_nobodys_organization(aws, monkeypatch, lines):
    story = Story.begin()
    story.ok("GET", "/organizations")
    monkeypatch.setattr("chalicelib.platform.auth.identify", fail)
    answer = request("GET", "/api/v1/organizations", None, {"Authorization": f"Bearer {story.api_key}"})
    assert answer.status == 500
    assert list(keys_of(lines()[-1])) == ["request_id"]


# Tasks.


def test_a_line_of_a_task_has_its_message_organization_and_kind_and_the_next_message_has_its_own(
    aws, monkeypatch, lines
):
    one, two = OrganizationRef("one", sandbox=False), OrganizationRef("two", sandbox=False)
    for kind in (webhooks.ANNOUNCE, webhooks.DELIVER):
        monkeypatch.setitem(runner._handlers, kind.name, fail)
    tasks = [a_task(one, webhooks.ANNOUNCE, "a"), a_task(two, webhooks.DELIVER, "b")]
    wiring.work([tasks[0], {"messageId": "unreadable", "body": "{"}, tasks[1]])
    failed = {line["message_id"]: keys_of(line) for line in lines() if line["message"].endswith("failed")}
    assert failed == {
        "of a": {"message_id": "of a", "organization": "one", "kind": webhooks.ANNOUNCE.name},
        "unreadable": {"message_id": "unreadable"},
        "of b": {"message_id": "of b", "organization": "two", "kind": webhooks.DELIVER.name},
    }


def test_messages_worked_on_at_once_do_not_mix(aws, monkeypatch, lines):
    together = threading.Barrier(8)

    def handler(task: agenda.Task, now: datetime) -> None:
        together.wait(20)
        logger.info("inside")
        together.wait(20)
        raise RuntimeError("x")

    monkeypatch.setitem(runner._handlers, webhooks.DELIVER.name, handler)
    records = [a_task(OrganizationRef(f"org {n}", sandbox=False), webhooks.DELIVER, str(n)) for n in range(8)]
    wiring.deliver(records)
    inside = [keys_of(line) for line in lines() if line["message"] == "inside"]
    assert sorted(inside, key=lambda keys: keys["message_id"]) == [
        {"message_id": f"of {n}", "organization": f"org {n}", "kind": webhooks.DELIVER.name} for n in range(8)
    ]


def test_a_task_that_a_request_runs_under_the_clock_has_the_request_and_its_kind(story, monkeypatch, lines):
    story.ok("POST", "/customers", {"customer": {"external_id": "c", "currency": "EUR"}})
    monkeypatch.setitem(runner._handlers, "event_errors", fail)
    due = datetime(2024, 1, 2, tzinfo=UTC)
    core.write(agenda.put(agenda.task(log_of_events.ERRORS, story.ref, "s", due), now=due))
    story.ok("PUT", "/test_clock", {"test_clock": {"now": "2024-01-03T00:00:00Z"}})
    failed = [line for line in lines() if line["message"] == "task failed"]
    assert {(line["organization"], line["kind"]) for line in failed} == {(story.ref.id, "event_errors")}
    assert len({line["request_id"] for line in failed}) == 1


# Metering.


def test_a_line_of_metering_has_the_organization_and_the_messages_that_it_concerns(aws, monkeypatch, lines):
    one, two = OrganizationRef("one", sandbox=True), OrganizationRef("two", sandbox=True)
    records = [message([event(f"t{n}", NOON)], organization) for n, organization in enumerate((one, two, one))]
    ids = [record["messageId"] for record in records]
    monkeypatch.setattr(definitions, "of", fail)
    monkeypatch.setattr(write, "count", fail)
    assert sorted(messages.handle([*records, {"messageId": "unreadable", "body": "{"}])) == sorted([*ids, "unreadable"])
    found = {(line["message"], line.get("organization")): line["message_id"] for line in lines()}
    of_one, of_two = f"{ids[0]} {ids[2]}", ids[1]
    assert found == {
        ("unreadable message", None): "unreadable",
        ("metrics not understood", "one"): of_one,
        ("metrics not understood", "two"): of_two,
        ("group not counted", "one"): of_one,
        ("group not counted", "two"): of_two,
    }
    logger.info("after")
    assert keys_of(lines()[-1]) == {}


def test_a_value_that_costs_something_is_asked_for_by_a_line_only(lines):
    asked: list[str] = []
    with log.about(organization="o", message_id=lambda: asked.append("x") or "m"):
        logger.debug("not written")
        assert asked == []
        logger.info("written")
    assert asked == ["x"]
    assert keys_of(lines()[-1]) == {"organization": "o", "message_id": "m"}


def test_blocks_lie_inside_each_other_and_notes_end_with_theirs(lines):
    with log.about(message_id="m"):
        with log.about(kind="inner"):
            log.note(organization="o")
            logger.info("1")
        logger.info("2")
        with ThreadPoolExecutor(1) as threads:
            threads.submit(logger.info, "3").result()
        logger.info("4", extra={"message_id": "its own"})
    assert [keys_of(line) for line in lines()] == [
        {"message_id": "m", "kind": "inner", "organization": "o"},
        {"message_id": "m"},
        {},
        {"message_id": "its own"},
    ]
