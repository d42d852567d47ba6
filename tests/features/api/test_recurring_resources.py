"""What is refused of metrics declared as `recurring_count_agg`. Source: rules/usage 3.2."""

from typing import Any

import pytest

from chalicelib.platform import clock
from tests.support.capacity import counting
from tests.support.charging import ts
from tests.support.story import Answer, Story, meter

ADDED, NOT_FOUND = {"user": ["recurring_resource_already_added"]}, {"user": ["recurring_resource_not_found"]}
NO_OPERATION = {"operation_type": ["invalid_operation_type"]}
JAN_10 = ts("2024-01-10")


@pytest.fixture
def seats(story: Story) -> Story:
    """Metrics `seats` and `places` of users, as the first API declares them, and `people`, as the present one does."""
    story.metric("seats", "recurring_count_agg", field_name="user")
    story.metric("places", "recurring_count_agg", field_name="user", group={"key": "city", "values": ["Rome", "Bonn"]})
    story.metric("people", "unique_count_agg", field_name="user", recurring=True)
    return story


def body(number: int, user: Any, operation: Any = None, code: str = "seats", sub: str = "sub", **more: Any) -> Any:
    said = {} if operation is None else {"operation_type": operation}
    event = {"transaction_id": f"t{number}", "external_subscription_id": sub, "code": code, "timestamp": JAN_10}
    fields = {name: more.pop(name) for name in ("timestamp", "transaction_id") if name in more}
    return {**event, **fields, "properties": {"user": user, **said, **more}}


def send(story: Story, *args: Any, **how: Any) -> Answer:
    """One event, metered."""
    answer = story.call("POST", "/events", {"event": body(*args, **how)})
    meter()
    return answer


def batch(story: Story, *events: Any) -> Answer:
    answer = story.call("POST", "/events/batch", {"events": list(events)})
    meter()
    return answer


def details(answer: Answer) -> Any:
    assert answer.status in (200, 422), answer
    return answer.body.get("error_details")


def stored(story: Story) -> list[str]:
    return sorted(each["transaction_id"] for each in story.ok("GET", "/events")["events"])


def test_resources_are_added_and_removed_in_turn(seats):
    for number, operation, expected in [
        (1, "remove", NOT_FOUND),
        (2, "add", None),
        (3, "add", ADDED),
        (4, "remove", None),
        (5, "remove", NOT_FOUND),
        (6, "add", None),
    ]:
        assert details(send(seats, number, "ann", operation)) == expected
    assert details(send(seats, 7, "bob", "add")) is None
    assert details(send(seats, 8, "ann", "add", sub="other")) is None  # Each subscription has its own.
    assert stored(seats) == ["t2", "t4", "t6", "t7", "t8"]


@pytest.mark.parametrize("operation", [None, "", "ADD", "update", 1, ["add"], True])
def test_the_operation_has_to_be_said(seats, operation):
    assert details(send(seats, 1, "ann", operation)) == NO_OPERATION
    assert details(send(seats, 1, None, operation)) == NO_OPERATION
    assert stored(seats) == []


def test_all_that_is_wrong_is_told_at_once(seats):
    wrong = send(seats, 1, "ann", timestamp="soon", transaction_id="")
    assert details(wrong) == {
        "transaction_id": ["value_is_mandatory"],
        "timestamp": ["invalid_format"],
        **NO_OPERATION,
    }
    plain = {"code": "seats", "external_subscription_id": "sub", "properties": None}
    assert details(seats.call("POST", "/events", {"event": plain})) == {
        "transaction_id": ["value_is_mandatory"],
        **NO_OPERATION,
    }


def test_a_unique_count_refuses_nothing(seats):
    for number, operation in enumerate(["remove", "add", "add", None, "else"]):
        assert details(send(seats, number, "ann", operation, code="people")) is None


def test_values_are_compared_as_text_and_events_without_one_pass(seats):
    assert details(send(seats, 1, 7, "add")) is None
    assert details(send(seats, 2, "7", "add")) == ADDED
    assert details(send(seats, 3, None, "add")) is None
    assert details(send(seats, 4, {"a": 1}, "remove")) is None


def test_the_last_operation_in_time_decides(seats):
    send(seats, 1, "ann", "add", timestamp=ts("2024-01-20"))
    assert details(send(seats, 2, "ann", "remove", timestamp=ts("2024-01-10"))) is None  # Before it was added.
    assert details(send(seats, 3, "ann", "add", timestamp=ts("2024-01-30"))) == ADDED
    assert details(send(seats, 4, "ann", "remove", timestamp=ts("2024-01-30"))) is None


def test_the_same_value_in_another_dimension_is_another_resource(seats):
    assert details(send(seats, 1, "ann", "add", code="places", city="Rome")) is None
    assert details(send(seats, 2, "ann", "add", code="places", city="Bonn")) is None
    assert details(send(seats, 3, "ann", "add", code="places", city="Rome")) == ADDED
    assert details(send(seats, 4, "ann", "remove", code="places")) == NOT_FOUND


def test_a_repeat_is_no_refusal(seats):
    assert details(send(seats, 1, "ann", "add")) is None
    assert details(send(seats, 1, "ann", "add")) is None
    assert details(send(seats, 1, "ann", "sideways")) is None
    send(seats, 2, "ann", "remove")
    assert details(send(seats, 1, "ann", "add")) is None
    assert details(batch(seats, body(2, "ann", "remove"), body(1, "ann", "add"), body(3, "ann", "add"))) is None
    assert stored(seats) == ["t1", "t2", "t3"]
    assert details(batch(seats, body(4, "bob", "add"), body(4, "bob", "add"), body(5, "bob", "remove"))) is None
    assert details(send(seats, 1, "ann", "add", sub="other")) is None  # Another event.


def test_a_batch_counts_what_stands_earlier_in_it(seats):
    moves = [body(1, "ann", "add"), body(2, "ann", "remove"), body(3, "ann", "add"), body(4, "bob", "add", sub="other")]
    assert details(batch(seats, *moves)) is None
    wrong = batch(
        seats,
        body(5, "ann", "add"),
        body(6, "ann", "remove"),
        body(7, "ann", "remove"),
        body(8, "cid"),
        body(9, "cid", code="people"),
        body(10, "bob", "add"),
        body(11, "bob", "add", sub="other"),
        body(12, "dan", "add", timestamp="soon"),
        body(13, "dan", "remove"),
    )
    assert details(wrong) == {
        "0": ADDED,
        "2": NOT_FOUND,
        "3": NO_OPERATION,
        "6": ADDED,
        "7": {"timestamp": ["invalid_format"]},
        "8": NOT_FOUND,
    }
    assert stored(seats) == ["t1", "t2", "t3", "t4"]


def test_one_event_for_several_subscriptions(seats):
    event = body(1, "ann", "add")
    del event["external_subscription_id"]
    for subs, expected in ([["b"], None], [["a", "b", "c"], {"1": ADDED}]):
        shared = {**event, "transaction_id": f"t-{len(subs)}", "external_subscription_ids": subs}
        assert details(seats.call("POST", "/events/batch", {"event": shared})) == expected
        meter()


def test_a_metric_that_is_declared_anew_asks_for_what_it_is(seats):
    assert details(send(seats, 1, "ann", code="people")) is None
    seats.ok("PUT", "/billable_metrics/people", {"billable_metric": {"aggregation_type": "recurring_count_agg"}})
    assert details(send(seats, 2, "ann", "add", code="people")) == ADDED
    assert details(send(seats, 1, "ann", code="people")) is None
    seats.ok("PUT", "/billable_metrics/people", {"billable_metric": {"aggregation_type": "unique_count_agg"}})
    assert details(send(seats, 3, "ann", code="people")) is None
    meter()
    seats.ok("DELETE", "/billable_metrics/seats")
    assert details(send(seats, 4, "ann", "remove")) is None


def test_events_on_their_way_count_in_a_sandbox(seats, monkeypatch):
    from chalicelib.features.events import service

    monkeypatch.setattr(service, "_SANDBOX_READ_WAIT_SECONDS", 60.0)
    monkeypatch.setattr(service.time, "sleep", lambda seconds: meter())
    seats.call("POST", "/events", {"event": body(1, "ann", "add")})
    assert details(seats.call("POST", "/events", {"event": body(2, "ann", "add")})) == ADDED


def test_only_events_of_such_metrics_are_looked_up_and_nothing_is_written(aws):
    story = Story.begin(sandbox=False)
    story.metric("calls")
    now = {"timestamp": int(clock.utc_now().timestamp())}
    send(story, 1, "ann", "add", code="calls", **now)
    with counting() as plain:
        story.call("POST", "/events", {"event": body(2, "ann", "add", code="calls", **now)})
    assert plain.total == plain.requests["send_message"] == 1
    story.metric("seats", "recurring_count_agg", field_name="user")
    send(story, 3, "ann", "add", code="calls", **now)
    with counting() as beside:
        story.call("POST", "/events", {"event": body(4, "ann", "add", code="calls", **now)})
    assert beside.total == 1
    assert details(send(story, 5, "ann", "add", **now)) is None
    with counting() as asked:
        assert details(story.call("POST", "/events", {"event": body(6, "ann", "add", **now)})) == ADDED
    assert asked.write_units == 0
    assert asked.total <= 6  # Among others: whose the subscription is now.
