"""What an event may look like, and how it is shown. Source: rules/usage 1.1 to 1.3."""

from typing import Any

import pytest

from chalicelib.platform.settings import settings
from tests.support.story import Answer, Story, meter

EVENT = {"transaction_id": "t", "external_subscription_id": "sub", "code": "calls"}


def send(story: Story, **fields: Any) -> Answer:
    return story.call("POST", "/events", {"event": {**EVENT, **fields}})


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (1650893379, "2022-04-25T13:29:39.000Z"),
        (1650893379.123, "2022-04-25T13:29:39.123Z"),
        ("1650893379.123", "2022-04-25T13:29:39.123Z"),
        (" 1650893379 ", "2022-04-25T13:29:39.000Z"),
        ("1650893379.123999", "2022-04-25T13:29:39.123Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (4102444800, "2100-01-01T00:00:00.000Z"),
        (None, "2024-01-01T00:00:00.000Z"),
    ],
)
def test_timestamps_are_unix_seconds_and_shown_with_milliseconds(story, given, shown):
    assert send(story, timestamp=given).body["event"]["timestamp"] == shown
    meter()
    assert story.ok("GET", "/events/t")["event"]["timestamp"] == shown


@pytest.mark.parametrize(
    "given", ["2022-04-25T13:29:39Z", "", "soon", "1e9", -1, "-1", True, [1], 1e30, "253402300800"]
)
def test_other_timestamps_are_refused(story, given):
    assert send(story, timestamp=given).body["error_details"] == {"timestamp": ["invalid_format"]}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("12.5", "12.5"),
        (12.5, "12.5"),
        (7, "7"),
        ("-1", "-1"),
        ("9999999999999999999999999.123456789012345", "9999999999999999999999999.123456789012345"),
        ("0.1234567890123456", "0.123456789012346"),
        (None, None),
    ],
)
def test_a_price_has_25_digits_and_15_decimals(story, given, shown):
    assert send(story, precise_total_amount_cents=given).body["event"]["precise_total_amount_cents"] == shown
    meter()
    assert story.ok("GET", "/events/t")["event"]["precise_total_amount_cents"] == shown


@pytest.mark.parametrize("given", ["", "much", "1e3", "12345678901234567890123456", True, ["1"], "NaN"])
def test_other_prices_are_refused(story, given):
    answer = send(story, precise_total_amount_cents=given)
    assert answer.body["error_details"] == {"precise_total_amount_cents": ["value_is_invalid"]}


def test_an_event_is_shown_whole_at_once_and_later(story):
    story.plan()
    customer = story.customer()
    subscription = story.subscribe()
    properties = {"gb": "0.5", "n": 3, "nothing": None, "list": [1]}
    shown = send(story, properties=properties, timestamp=1704067200, unknown=1).body["event"]
    assert {name: value for name, value in shown.items() if name != "lago_id"} == {
        "transaction_id": "t",
        "lago_customer_id": None,  # Whose it is, its timestamp decides when usage is read.
        "code": "calls",
        "timestamp": "2024-01-01T00:00:00.000Z",
        "precise_total_amount_cents": None,
        "properties": properties,
        "lago_subscription_id": None,
        "external_subscription_id": "sub",
        "created_at": "2024-01-01T00:00:00Z",
    }
    meter()
    later = story.ok("GET", "/events/t")["event"]
    assert later == shown | {
        "lago_customer_id": customer["lago_id"],
        "lago_subscription_id": subscription["lago_id"],
        "created_at": later["created_at"],
    }


def test_a_repeat_is_answered_like_the_first_and_another_subscriptions_event_is_another(story):
    first = send(story, properties={"n": 1}).body["event"]
    again = send(story, properties={"n": 2})
    assert (again.status, again.body["event"]["lago_id"]) == (200, first["lago_id"])
    assert send(story, external_subscription_id="other").body["event"]["lago_id"] != first["lago_id"]
    meter()
    assert story.ok("GET", "/events")["meta"]["total_count"] == 2
    assert story.ok("GET", "/events/t?external_subscription_id=sub")["event"]["properties"] == {"n": 1}


def test_the_oldest_form_names_the_customer(story):
    story.plan()
    story.customer()
    story.subscribe(external_id="only")
    event = {"transaction_id": "t", "code": "calls", "external_customer_id": "cust"}
    sent = story.ok("POST", "/events", {"event": event})["event"]
    assert sent["external_subscription_id"] == "only"
    missing = {"external_subscription_id": ["value_is_mandatory"]}
    unknown = story.call("POST", "/events", {"event": {**event, "external_customer_id": "nobody"}})
    assert unknown.body["error_details"] == missing
    story.subscribe(external_id="second")
    assert story.call("POST", "/events", {"event": event}).body["error_details"] == missing


@pytest.mark.parametrize("body", [{}, {"event": None}, {"event": {}}, {"event": []}, {"events": [EVENT]}])
def test_an_event_needs_its_root(story, body):
    assert story.call("POST", "/events", body).status == 400


def test_the_environment_says_how_large_a_batch_may_be(story, monkeypatch):
    batch = {"events": [{**EVENT, "transaction_id": f"t{n}"} for n in range(3)]}
    monkeypatch.setenv("EVENTS_PER_BATCH_MAX", "2")
    settings.cache_clear()
    assert story.call("POST", "/events/batch", batch).body["error_details"] == {"events": ["too_many_events"]}
    monkeypatch.setenv("EVENTS_PER_BATCH_MAX", "3")
    settings.cache_clear()
    assert len(story.ok("POST", "/events/batch", batch)["events"]) == 3
