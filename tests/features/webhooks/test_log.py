"""The log of messages: filters, pages, and the pull in order."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from chalicelib import limits
from chalicelib.platform import clock
from tests.support import capacity
from tests.support.receiving import Receiver, deliver, listen
from tests.support.story import Story


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


@pytest.fixture
def told(story, receiver) -> Story:
    """Two endpoints; 1 plan and 6 customers; the second message of the first endpoint failed."""
    receiver.answers = [200, 500]
    listen(story, receiver, "/one")
    story.plan()
    story.customer("c0")
    deliver()
    listen(story, receiver, "/two", event_types=["customer.created"])
    for n in range(1, 6):
        story.customer(f"c{n}")
    deliver()
    return story


def rows(story: Story, query: str = "") -> list[dict]:
    return story.ok("GET", f"/webhooks{query}")["webhooks"]


def test_a_message_has_exactly_these_fields(told):
    first = rows(told)[0]
    assert list(first) == [
        "lago_id",
        "webhook_endpoint_id",
        "sequence",
        "webhook_type",
        "object_type",
        "object_id",
        "status",
        "http_status",
        "retries",
        "last_retried_at",
        "created_at",
        "updated_at",
    ]
    whole = told.ok("GET", f"/webhooks/{first['lago_id']}")["webhook"]
    assert {name: whole[name] for name in first} == first
    assert set(whole) - set(first) == {"payload", "attempts"}
    assert whole["payload"]["sequence"] == first["sequence"]
    assert whole["payload"]["customer"]["lago_id"] == first["object_id"]
    (attempt,) = whole["attempts"]
    assert list(attempt) == ["number", "at", "duration_ms", "http_status", "error", "response"]


def test_newest_come_first_over_all_endpoints(told):
    found = rows(told)
    assert len(found) == 12
    times = [(row["created_at"], row["lago_id"]) for row in found]
    assert times == sorted(times, reverse=True)


def test_filters(told):
    one, two = (e["lago_id"] for e in reversed(told.ok("GET", "/webhook_endpoints")["webhook_endpoints"]))
    assert [row["sequence"] for row in rows(told, f"?webhook_endpoint_id={one}")] == [7, 6, 5, 4, 3, 2, 1]
    assert [row["sequence"] for row in rows(told, f"?webhook_endpoint_id={two}")] == [5, 4, 3, 2, 1]
    assert [row["webhook_type"] for row in rows(told, "?webhook_type=plan.created")] == ["plan.created"]
    assert [(row["sequence"], row["http_status"]) for row in rows(told, "?status=retrying")] == [(2, 500)]
    assert [row["sequence"] for row in rows(told, "?http_status=500")] == [2]
    assert len(rows(told, "?status=succeeded&http_status=200")) == 11
    assert rows(told, "?webhook_endpoint_id=nothing") == []
    day = clock.utc_now()
    assert len(rows(told, f"?from={(day - timedelta(hours=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}")) == 12
    assert rows(told, f"?from={(day + timedelta(hours=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}") == []
    assert rows(told, f"?to={(day - timedelta(hours=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}") == []
    last = rows(told)[0]
    assert last["lago_id"] in {row["lago_id"] for row in rows(told, f"?from={last['created_at']}")}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?status=x", "status"),
        ("?webhook_type=x", "webhook_type"),
        ("?http_status=abc", "http_status"),
        ("?from=x", "from"),
        ("?to=x", "to"),
        ("?from=2024-01-02&to=2024-01-01", "to"),
        ("?page=x", "page"),
    ],
)
def test_a_wrong_filter_is_refused_under_its_name(story, query, field):
    answer = story.call("GET", f"/webhooks{query}")
    assert (answer.status, list(answer.body["error_details"])) == (422, [field])


def test_pages_go_on_where_the_last_one_ended(told):
    everything = [row["lago_id"] for row in rows(told)]
    found = []
    for page in range(1, 5):
        answer = told.ok("GET", f"/webhooks?per_page=5&page={page}")
        found += [row["lago_id"] for row in answer["webhooks"]]
        assert answer["meta"]["total_count"] == 12
        assert answer["meta"]["next_page"] == (page + 1 if page < 3 else None)
    assert found == everything
    jumped = told.ok("GET", "/webhooks?per_page=4&page=3")["webhooks"]
    assert [row["lago_id"] for row in jumped] == everything[8:]


def test_pages_of_a_filter(told):
    found = []
    for page in range(1, 4):
        answer = told.ok("GET", f"/webhooks?per_page=5&page={page}&webhook_type=customer.created")
        found += answer["webhooks"]
        assert answer["meta"]["total_count"] == 11
    assert len(found) == 11


@pytest.mark.parametrize("query", ["", "&webhook_type=customer.created", "&status=succeeded"])
def test_pages_that_are_cut_short_are_newest_first_all_the_same(story, receiver, monkeypatch, query):
    """A page looks at few blocks. What an endpoint has behind them may be newer than what the others still have."""
    monkeypatch.setattr(limits, "WEBHOOK_BLOCK", 2)
    listen(story, receiver, "/one")
    listen(story, receiver, "/rare", event_types=["plan.created"])
    listen(story, receiver, "/two", event_types=["customer.created"])
    story.plan()
    for n in range(10):
        story.customer(f"c{n}")
    deliver()
    whole = [row["lago_id"] for row in rows(story, f"?per_page=100{query}")]
    monkeypatch.setattr(limits, "WEBHOOK_BLOCKS_READ", 1)
    found, page = [], 1
    while page is not None:
        answer = story.ok("GET", f"/webhooks?per_page=5&page={page}{query}")
        found += [row["lago_id"] for row in answer["webhooks"]]
        page = answer["meta"]["next_page"]
        assert page is None or page < 30
    assert found == whole
    assert len(whole) == (20 if "customer" in query else 22)


def test_times_of_many_endpoints_cost_few_requests(story, receiver):
    for n in range(5):
        listen(story, receiver, f"/{n}")
    for n in range(20):
        story.customer(f"c{n}")
    deliver()
    some = rows(story, "?per_page=100")
    since, until = some[-31]["created_at"], some[29]["created_at"]
    query = f"?per_page=100&from={since}&to={until}"
    rows(story, query)
    with capacity.counting() as meter:
        found = rows(story, query)
    assert found == [row for row in some if since <= row["created_at"] <= until]
    assert meter.total <= 8, meter.requests


def test_the_pull_gives_all_behind_a_number_in_order_with_payloads(told):
    one = told.ok("GET", "/webhook_endpoints")["webhook_endpoints"][-1]["lago_id"]
    answer = told.ok("GET", f"/webhook_endpoints/{one}/messages?after_sequence=3&per_page=2")
    assert [row["sequence"] for row in answer["webhooks"]] == [4, 5]
    assert [row["payload"]["sequence"] for row in answer["webhooks"]] == [4, 5]
    assert answer["meta"]["last_sequence"] == 7
    everything = told.ok("GET", f"/webhook_endpoints/{one}/messages?per_page=1000")
    assert [row["sequence"] for row in everything["webhooks"]] == [1, 2, 3, 4, 5, 6, 7]
    assert told.ok("GET", f"/webhook_endpoints/{one}/messages?after_sequence=7")["webhooks"] == []
    refused = told.call("GET", f"/webhook_endpoints/{one}/messages?after_sequence=x")
    assert list(refused.body["error_details"]) == ["after_sequence"]
    assert told.call("GET", "/webhook_endpoints/nothing/messages").body["code"] == "webhook_endpoint_not_found"


def test_large_payloads_end_a_pull_early(told, monkeypatch):
    monkeypatch.setattr(limits, "WEBHOOK_PULL_BYTES_MAX", 2_000)
    one = told.ok("GET", "/webhook_endpoints")["webhook_endpoints"][-1]["lago_id"]
    found, after = [], 0
    while rows := told.ok("GET", f"/webhook_endpoints/{one}/messages?per_page=100&after_sequence={after}")["webhooks"]:
        assert len(rows) < 7
        found += [row["sequence"] for row in rows]
        after = found[-1]
    assert found == [1, 2, 3, 4, 5, 6, 7]


def test_what_is_older_than_ninety_days_is_in_no_list(told, monkeypatch):
    (first,) = rows(told, "?webhook_type=plan.created")
    one = first["webhook_endpoint_id"]
    now = clock.utc_now() + limits.WEBHOOK_LOG_KEPT + timedelta(hours=1)
    monkeypatch.setattr(clock, "utc_now", lambda: now)
    assert rows(told) == []
    assert told.call("GET", f"/webhooks/{first['lago_id']}").body["code"] == "webhook_not_found"
    assert told.ok("GET", f"/webhook_endpoints/{one}/messages")["webhooks"] == []
    replay = told.ok("POST", f"/webhook_endpoints/{one}/replay", {"replay": {"from_sequence": 1}})["replay"]
    assert (replay["messages"], replay["status"]) == (0, "done")
