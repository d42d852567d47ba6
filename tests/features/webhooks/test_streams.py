"""Each message of an endpoint has a number without gaps, and whoever was away gets all of them, in order."""

import contextlib
import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from chalicelib import limits
from chalicelib.features.webhooks import lane_store, numbering, streams
from chalicelib.features.webhooks.records import message_id, sequence_in
from chalicelib.features.webhooks.streams import ANNOUNCE
from chalicelib.platform import agenda, clock
from chalicelib.platform.settings import settings
from tests.support.messages import messages
from tests.support.receiving import Receiver, deliver, listen, run_due
from tests.support.story import Story


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


@contextlib.contextmanager
def later(monkeypatch, by: timedelta) -> Iterator[datetime]:
    """The same some time later."""
    now = clock.utc_now() + by
    with monkeypatch.context() as patched:
        patched.setattr(clock, "utc_now", lambda: now)
        yield now


@pytest.fixture
def impatient(monkeypatch) -> Iterator[None]:
    """Three failures within a minute pause an endpoint, which is probed every minute."""
    monkeypatch.setenv("WEBHOOK_PAUSE_FAILURES", "3")
    monkeypatch.setenv("WEBHOOK_PAUSE_MINUTES", "1")
    monkeypatch.setenv("WEBHOOK_PROBE_MINUTES", "1")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


def customers(story: Story, number: int, start: int = 0) -> None:
    for n in range(start, start + number):
        story.customer(f"c{n}")


def endpoint_of(story: Story, endpoint: dict) -> dict:
    return story.ok("GET", f"/webhook_endpoints/{endpoint['lago_id']}")["webhook_endpoint"]


# Numbers.


def test_numbers_begin_at_one_have_no_gap_and_follow_the_announcements(story, receiver):
    listen(story, receiver)
    customers(story, 5)
    deliver()
    assert receiver.sequences == [1, 2, 3, 4, 5]
    assert [body["customer"]["external_id"] for body in receiver.bodies] == [f"c{n}" for n in range(5)]
    assert [body["sequence"] for body in receiver.bodies] == [1, 2, 3, 4, 5]
    assert [headers["X-Tollgate-Attempt"] for headers, _ in receiver.calls] == ["1"] * 5
    ids = [headers["X-Lago-Unique-Key"] for headers, _ in receiver.calls]
    assert [sequence_in(each) for each in ids] == [1, 2, 3, 4, 5]
    assert [m.id for m in reversed(messages(story.ref.id))] == ids


def test_each_endpoint_counts_its_own_messages(story, receiver):
    one = listen(story, receiver, "/one", event_types=["customer.created"])
    two = listen(story, receiver, "/two")
    story.plan()
    customers(story, 2)
    deliver()
    found = {one["lago_id"]: [], two["lago_id"]: []}
    for told in messages(story.ref.id):
        found[told.message.endpoint_id].append((told.message.sequence, told.webhook_type))
    assert found[one["lago_id"]] == [(2, "customer.created"), (1, "customer.created")]
    assert [number for number, _ in found[two["lago_id"]]] == [3, 2, 1]


def test_many_announcements_are_numbered_in_few_transactions(story, receiver):
    listen(story, receiver)
    for n in range(10):
        listen(story, receiver, f"/{n}") if n else None
    customers(story, 30)
    numbering.number(story.ref)
    assert agenda.in_order(ANNOUNCE, story.ref.id, at_most=100) == []
    told = messages(story.ref.id)
    by_endpoint: dict[str, list[int]] = {}
    for each in told:
        by_endpoint.setdefault(each.message.endpoint_id, []).append(each.message.sequence)
    assert len(by_endpoint) == 10
    assert all(sorted(numbers) == list(range(1, 31)) for numbers in by_endpoint.values())


def test_an_announcement_is_numbered_once_by_however_many_workers(story, receiver):
    listen(story, receiver)
    customers(story, 8)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: numbering.number(story.ref), range(8)))
    deliver()
    assert sorted(receiver.sequences) == list(range(1, 9))
    assert lane_store.open_gate(story.ref.id, now=clock.utc_now())


def test_a_worker_that_died_with_the_turn_delays_others_by_its_lease_at_the_most(story, receiver, monkeypatch):
    listen(story, receiver)
    customers(story, 1)
    assert lane_store.open_gate(story.ref.id, now=clock.utc_now())
    numbering.number(story.ref)
    assert len(agenda.in_order(ANNOUNCE, story.ref.id, at_most=9)) == 1
    with later(monkeypatch, limits.WEBHOOK_NUMBERING_LEASE + timedelta(seconds=1)):
        numbering.number(story.ref)
        assert agenda.in_order(ANNOUNCE, story.ref.id, at_most=9) == []


def test_the_id_of_a_message_tells_its_number_and_is_no_other_endpoints():
    one, two = (message_id("o", name, 7) for name in ("e", "f"))
    assert one != two
    assert sequence_in(one) == sequence_in(two) == 7
    assert sequence_in("nothing") is None
    assert sequence_in(one.upper()) is None


def test_the_same_payload_for_ten_endpoints_is_stored_once(story, receiver):
    for n in range(10):
        listen(story, receiver, f"/{n}")
    customers(story, 1)
    told = messages(story.ref.id)
    assert len(told) == 10
    assert len({each.message.payload_key for each in told}) == 1


# Attempts.


def test_a_failure_is_planned_again_and_the_numbers_after_it_go_on(story, receiver, monkeypatch):
    endpoint = listen(story, receiver)
    receiver.answers = [500]
    customers(story, 3)
    deliver()
    assert receiver.sequences == [1, 2, 3]
    first = messages(story.ref.id)[-1]
    assert (first.status, first.http_status, first.attempts) == ("retrying", 500, 1)
    wait = first.message.next_attempt_at - clock.utc_now()
    assert timedelta(seconds=1) < wait <= timedelta(seconds=4)
    assert run_due() == []
    with later(monkeypatch, timedelta(seconds=5)):
        assert len(run_due()) == 1
    assert receiver.sequences == [1, 2, 3, 1]
    assert receiver.calls[0][1] == receiver.calls[3][1]
    assert receiver.calls[3][0]["X-Tollgate-Attempt"] == "2"
    assert receiver.calls[0][0]["X-Lago-Unique-Key"] == receiver.calls[3][0]["X-Lago-Unique-Key"]
    shown = story.ok("GET", f"/webhooks/{first.id}")["webhook"]
    assert [(a["number"], a["http_status"], a["response"]) for a in shown["attempts"]] == [
        (1, 500, "thanks"),
        (2, 200, "thanks"),
    ]
    assert (shown["status"], shown["retries"], shown["http_status"]) == ("succeeded", 1, 200)
    assert shown["payload"] == receiver.bodies[0]
    assert endpoint_of(story, endpoint)["status"] == "active"


def test_after_seventeen_attempts_a_message_has_failed_and_can_be_sent_again(story, receiver, monkeypatch):
    receiver.answers = [500] * 17
    listen(story, receiver)
    customers(story, 1)
    deliver()
    by = timedelta(0)
    for _ in range(16):
        (told,) = messages(story.ref.id)
        by = told.message.next_attempt_at - clock.utc_now() + timedelta(seconds=1)
        with later(monkeypatch, by):
            run_due()
    (told,) = messages(story.ref.id)
    assert (told.status, told.attempts, len(receiver.calls)) == ("failed", 17, 17)
    with later(monkeypatch, timedelta(days=10)):
        assert run_due() == []
    story.ok("POST", f"/webhooks/{told.id}/retry")
    deliver()
    (told,) = messages(story.ref.id)
    assert (told.status, told.attempts, told.message.failures) == ("succeeded", 18, 0)


def test_an_endpoint_that_asks_for_time_gets_it(story, receiver, monkeypatch):
    listen(story, receiver)
    receiver.answers = [(503, {"Retry-After": "120"})]
    customers(story, 2)
    deliver()
    assert receiver.sequences == [1]  # Nothing else either.
    with later(monkeypatch, timedelta(seconds=119)):
        run_due()
    assert receiver.sequences == [1]
    with later(monkeypatch, timedelta(seconds=125)):
        run_due()
        run_due()
    assert sorted(receiver.sequences) == [1, 1, 2]


def test_five_deliveries_of_one_message_of_the_queue_make_one_call(story, receiver):
    from chalicelib.wiring import deliver as handler
    from tests.support.story import received

    listen(story, receiver)
    customers(story, 1)
    numbered = received(settings().webhooks_queue)
    for _ in range(5):
        handler(numbered)
    lanes = received(settings().webhooks_queue)
    for _ in range(5):
        handler(lanes)
    assert receiver.sequences == [1]


# Pauses.


def test_an_endpoint_that_keeps_failing_is_paused_probed_resumed_and_caught_up_in_order(
    story, receiver, monkeypatch, impatient
):
    endpoint = listen(story, receiver)
    receiver.always = lambda number: 500
    customers(story, 6)
    deliver()
    shown = endpoint_of(story, endpoint)
    assert (shown["status"], shown["pause_reason"], len(receiver.calls)) == ("paused", "failures", 3)
    customers(story, 4, start=6)
    deliver()
    assert len(receiver.calls) == 3
    assert endpoint_of(story, endpoint)["last_sequence"] == 10  # Numbers go on.
    with later(monkeypatch, timedelta(seconds=61)):
        run_due()
    assert receiver.sequences[3:] == [1]
    assert endpoint_of(story, endpoint)["status"] == "paused"
    receiver.always = lambda number: 200
    with later(monkeypatch, timedelta(seconds=130)):
        run_due()
    assert receiver.sequences[4:] == list(range(1, 11))
    assert endpoint_of(story, endpoint)["status"] == "active"
    assert {told.status for told in messages(story.ref.id)} == {"succeeded"}


def test_a_probe_brings_no_message_nearer_to_its_end(story, receiver, monkeypatch, impatient):
    listen(story, receiver)
    receiver.always = lambda number: 500
    customers(story, 3)
    deliver()
    for minutes in range(1, 30):
        with later(monkeypatch, timedelta(minutes=2 * minutes)):
            run_due()
    oldest = messages(story.ref.id)[-1]
    assert (oldest.status, oldest.message.failures) == ("retrying", 1)
    assert oldest.attempts == 30
    assert len(story.ok("GET", f"/webhooks/{oldest.id}")["webhook"]["attempts"]) == 30


def test_gone_pauses_an_endpoint_and_what_it_refused_goes_out_when_it_is_resumed(story, receiver, monkeypatch):
    endpoint = listen(story, receiver)
    receiver.answers = [410]
    customers(story, 3)
    deliver()
    shown = endpoint_of(story, endpoint)
    assert (shown["status"], shown["pause_reason"], receiver.sequences) == ("paused", "gone", [1])
    with later(monkeypatch, timedelta(days=2)):
        run_due()
    assert receiver.sequences == [1]
    answer = story.ok("POST", f"/webhook_endpoints/{endpoint['lago_id']}/resume")["webhook_endpoint"]
    assert (answer["status"], answer["paused_at"], answer["pause_reason"]) == ("active", None, None)
    deliver()
    assert receiver.sequences == [1, 1, 2, 3]


def test_a_paused_endpoint_gets_nothing_until_it_is_resumed(story, receiver):
    endpoint = listen(story, receiver)
    path = f"/webhook_endpoints/{endpoint['lago_id']}"
    for _ in range(2):
        answer = story.ok("POST", f"{path}/pause")["webhook_endpoint"]
        assert (answer["status"], answer["pause_reason"]) == ("paused", "manual")
        assert answer["paused_at"] is not None
    customers(story, 3)
    deliver()
    assert receiver.calls == []
    assert {told.status for told in messages(story.ref.id)} == {"pending"}
    for _ in range(2):
        assert story.ok("POST", f"{path}/resume")["webhook_endpoint"]["status"] == "active"
    deliver()
    assert receiver.sequences == [1, 2, 3]
    assert story.call("POST", "/webhook_endpoints/nothing/pause").body["code"] == "webhook_endpoint_not_found"
    assert story.call("POST", "/webhook_endpoints/nothing/resume").status == 404


# Asked for again.


def test_what_succeeded_is_sent_again_when_somebody_asks(story, receiver):
    listen(story, receiver)
    customers(story, 2)
    deliver()
    first = messages(story.ref.id)[-1]
    answer = story.ok("POST", f"/webhooks/{first.id}/retry")["webhook"]
    assert (answer["lago_id"], answer["status"]) == (first.id, "retrying")
    deliver()
    assert receiver.sequences == [1, 2, 1]
    assert receiver.calls[2][0]["X-Tollgate-Attempt"] == "2"
    assert receiver.calls[2][1] == receiver.calls[0][1]


def test_a_retry_takes_the_place_of_the_planned_attempt(story, receiver, monkeypatch):
    listen(story, receiver)
    receiver.answers = [500]
    customers(story, 1)
    deliver()
    (told,) = messages(story.ref.id)
    for _ in range(3):
        story.ok("POST", f"/webhooks/{told.id}/retry")
    deliver()
    assert receiver.sequences == [1, 1]
    with later(monkeypatch, timedelta(days=1)):
        run_due()
    assert receiver.sequences == [1, 1]


def test_a_range_of_numbers_is_replayed_in_order(story, receiver):
    endpoint = listen(story, receiver)
    story.plan()
    customers(story, 5)
    deliver()
    path = f"/webhook_endpoints/{endpoint['lago_id']}/replay"
    replay = story.ok("POST", path, {"replay": {"from_sequence": 2, "to_sequence": 4}})["replay"]
    assert (replay["messages"], replay["status"]) == (3, "pending")
    deliver()
    assert receiver.sequences[6:] == [2, 3, 4]
    assert story.ok("GET", f"{path}s/{replay['lago_id']}")["replay"] == {**replay, "status": "done"}
    only = story.ok("POST", path, {"replay": {"from_sequence": 1, "webhook_types": ["plan.created"]}})["replay"]
    assert only["messages"] == 1
    deliver()
    assert receiver.sequences[9:] == [1]


def test_a_range_of_times_is_replayed(story, receiver):
    endpoint = listen(story, receiver)
    customers(story, 3)
    deliver()
    stamps = [row["created_at"] for row in story.ok("GET", "/webhooks")["webhooks"]]
    path = f"/webhook_endpoints/{endpoint['lago_id']}/replay"
    before = (clock.utc_now() - timedelta(hours=1)).isoformat()
    later_on = (clock.utc_now() + timedelta(hours=1)).isoformat()
    assert story.ok("POST", path, {"replay": {"from": before, "to": later_on}})["replay"]["messages"] == 3
    deliver()
    assert receiver.sequences[3:] == [1, 2, 3]
    nothing = story.ok("POST", path, {"replay": {"from": later_on}})["replay"]
    assert (nothing["messages"], nothing["status"]) == (0, "done")
    assert len(stamps) == 3


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "base"),
        ({"webhook_types": ["plan.created"]}, "base"),
        ({"from_sequence": 1, "from": "2024-01-01T00:00:00Z"}, "base"),
        ({"from_sequence": 0}, "from_sequence"),
        ({"from_sequence": "x"}, "from_sequence"),
        ({"from_sequence": 5, "to_sequence": 4}, "to_sequence"),
        ({"from": "2024-01-02T00:00:00Z", "to": "2024-01-01T00:00:00Z"}, "to"),
        ({"from": "yesterday"}, "from"),
        ({"from_sequence": 1, "webhook_types": ["no.such"]}, "webhook_types"),
    ],
)
def test_a_replay_of_no_range_is_refused(story, receiver, values, field):
    endpoint = listen(story, receiver)
    answer = story.call("POST", f"/webhook_endpoints/{endpoint['lago_id']}/replay", {"replay": values})
    assert (answer.status, list(answer.body["error_details"])) == (422, [field])


def test_nobody_elses_messages_are_found_sent_or_replayed(story, receiver):
    endpoint = listen(story, receiver)
    customers(story, 1)
    deliver()
    (told,) = messages(story.ref.id)
    other = Story.begin()
    for method, path, body in (
        ("GET", f"/webhooks/{told.id}", None),
        ("POST", f"/webhooks/{told.id}/retry", None),
        ("GET", f"/webhook_endpoints/{endpoint['lago_id']}/messages", None),
        ("POST", f"/webhook_endpoints/{endpoint['lago_id']}/replay", {"replay": {"from_sequence": 1}}),
        ("POST", f"/webhook_endpoints/{endpoint['lago_id']}/pause", None),
    ):
        assert other.call(method, path, body).status == 404
    assert other.ok("GET", "/webhooks")["webhooks"] == []


def test_a_deleted_endpoint_gets_nothing_more_and_its_messages_stay_in_the_log(story, receiver):
    endpoint = listen(story, receiver)
    customers(story, 1)
    deliver()
    receiver.always = lambda number: 500
    customers(story, 2, start=1)
    numbering.number(story.ref)
    story.ok("DELETE", f"/webhook_endpoints/{endpoint['lago_id']}")
    deliver()
    assert receiver.sequences == [1]
    found = story.ok("GET", "/webhooks")["webhooks"]
    assert [(row["sequence"], row["status"]) for row in found] == [(3, "failed"), (2, "failed"), (1, "succeeded")]
    answer = story.call("POST", f"/webhooks/{found[0]['lago_id']}/retry")
    assert (answer.status, answer.body["code"]) == (404, "webhook_endpoint_not_found")
    assert (
        story.call("POST", "/webhooks/00000000-0000-0000-0000-000000000000/retry").body["code"] == "webhook_not_found"
    )


# All at once.


def test_whatever_an_endpoint_does_every_number_arrives(story, receiver, monkeypatch, impatient):
    """A hundred messages to an endpoint that fails at random, answers 410, and is resumed by hand."""
    draw = random.Random(20)
    endpoint = listen(story, receiver)
    receiver.always = lambda number: draw.choice([200, 200, 500, 503, 404, 410])
    for n in range(0, 100, 10):
        customers(story, 10, start=n)
        deliver()
        with later(monkeypatch, timedelta(minutes=3 * n)):
            run_due(within=timedelta(minutes=1))
        if draw.random() < 0.5:
            story.ok("POST", f"/webhook_endpoints/{endpoint['lago_id']}/resume")
            deliver()
    receiver.always = lambda number: 200
    story.ok("POST", f"/webhook_endpoints/{endpoint['lago_id']}/resume")
    deliver()
    with later(monkeypatch, timedelta(days=3)):
        while run_due():
            pass
    assert set(receiver.sequences) == set(range(1, 101))
    assert {told.status for told in messages(story.ref.id)} == {"succeeded"}
    by_number: dict[int, set[bytes]] = {}
    for headers, body in receiver.calls:
        by_number.setdefault(int(headers["X-Tollgate-Sequence"]), set()).add(body)
    assert all(len(bodies) == 1 for bodies in by_number.values())
    assert {json.loads(*bodies)["sequence"] for bodies in by_number.values()} == set(range(1, 101))


def test_a_stream_of_an_earlier_version_begins_with_its_first_message(story, receiver):
    endpoint = listen(story, receiver)
    task = streams.task_of(story.ref, endpoint["lago_id"])
    agenda.remove(task).alone()
    customers(story, 1)
    deliver()
    assert receiver.sequences == [1]
