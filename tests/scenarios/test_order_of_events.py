"""Events of one instant: the order of reception decides, which inside a batch is the order of the array, never that of the
transaction ids. Source: rules/usage 3, 7."""

import itertools
from typing import Any

import pytest

from chalicelib import limits, wiring
from chalicelib.features.metering.messages import _Preparer
from chalicelib.platform.settings import settings
from tests.support.charging import bills, moves, priced, tiers, ts, values
from tests.support.in_advance import advance
from tests.support.story import Story, meter, received, work

AT = "2024-01-15T12:00:00"
# Sent in the order of the array, with ids that sort the other way round.
BACKWARDS = [f"id-{99 - n}" for n in range(100)]


def send(story: Story, code: str, properties: list[dict[str, Any]], at: str | None = AT) -> None:
    """One batch of events of one instant; without one, of the instant of reception."""
    stamped = {} if at is None else {"timestamp": ts(at)}
    common = {"external_subscription_id": "sub", "code": code, **stamped}
    ids = [f"{code}-{each}" for each in BACKWARDS]
    events = [{**common, "transaction_id": ids[n], "properties": each} for n, each in enumerate(properties)]
    story.ok("POST", "/events/batch", {"events": events})


def properties_of(events: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [properties for _, properties in events]


def operations(*steps: tuple[str, str]) -> list[dict[str, Any]]:
    """(value, operation) of each event."""
    return properties_of(moves(*(("", value, operation) for value, operation in steps)))


def numbers(*listed: Any) -> list[dict[str, Any]]:
    return properties_of(values(*(("", each) for each in listed)))


TEN_PERCENT = {"rate": "10"}
# Code: aggregation, charge, what one batch brings, units and cents of the month.
CASES: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]], tuple[str, int]]] = {
    "added_and_removed": (
        "unique_count_agg",
        {"properties": {"amount": "10"}},
        operations(("x", "add"), ("x", "remove")),
        ("0.0", 0),
    ),
    "removed_and_added": (
        "unique_count_agg",
        {"properties": {"amount": "10"}},
        operations(("x", "remove"), ("x", "add")),
        ("1.0", 1000),
    ),
    "back_again": (
        "unique_count_agg",
        {"properties": {"amount": "10"}},
        operations(("x", "add"), ("x", "remove"), ("y", "add"), ("x", "add")),
        ("2.0", 2000),
    ),
    "latest": ("latest_agg", {}, numbers(1, 2, 3), ("3.0", 300)),
    "maximum": ("max_agg", {}, numbers(1, 3, 2), ("3.0", 300)),
    # The first event is free, then 10 %: of 1, not of 100.
    "first_free": (
        "sum_agg",
        {"model": "percentage", "properties": {**TEN_PERCENT, "free_units_per_events": 1}},
        numbers(100, 1),
        ("101.0", 10),
    ),
    # 30 are free: the 10 and 20 of the 50; at least 2.00 each: 30 x 10 % + 2.00.
    "free_amount": (
        "sum_agg",
        {
            "model": "percentage",
            "properties": {**TEN_PERCENT, "free_units_per_total_aggregation": "30", "per_transaction_min_amount": "2"},
        },
        numbers(10, 50, 5),
        ("65.0", 500),
    ),
}


def set_up(story: Story, **more: Any) -> None:
    charges = []
    for code, (kind, charge, _, _) in CASES.items():
        metric = story.metric(code, kind, field_name="v")
        charges.append(priced(metric, **charge, invoice_display_name=code, **more))
    story.plan(charges=charges)
    story.customer()
    story.subscribe()


def assert_right(story: Story) -> None:
    """Usage as it is read, and the invoice of the month."""
    expected = {code: each[3] for code, each in CASES.items()}
    usage = {each["billable_metric"]["code"]: each for each in story.usage()["charges_usage"]}
    assert {code: (each["units"], each["amount_cents"]) for code, each in usage.items()} == expected
    story.travel("2024-02-01T00:00:00Z")
    fees = {fee["item"]["code"]: (fee["units"], fee["amount_cents"]) for fee in story.invoices()[-1]["fees"]}
    assert {code: fees.get(code, ("0.0", 0)) for code in expected} == expected


@pytest.mark.parametrize("at", [AT, None], ids=["the same timestamp", "no timestamp"])
def test_a_batch_is_taken_in_the_order_of_its_array(story, at):
    set_up(story)
    story.travel(f"{AT}Z")
    for code, (_, _, events, _) in CASES.items():
        send(story, code, events, at)
    assert_right(story)


@pytest.mark.parametrize("order", [1, -1], ids=["the first message first", "the last message first"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_request_of_several_messages_keeps_its_order(story, monkeypatch, order, times):
    """Whatever message comes first, and however often."""
    set_up(story)
    with monkeypatch.context() as small:
        small.setattr(limits, "MESSAGE_BYTES_MAX", limits.MESSAGE_HEAD_BYTES_MAX + 1)  # One event each.
        for code, (_, _, events, _) in CASES.items():
            send(story, code, events)
    records = list(itertools.chain.from_iterable(iter(lambda: received(settings().events_queue), [])))
    assert len(records) == sum(len(each[2]) for each in CASES.values())
    for record in records[::order] * times:
        assert wiring.meter([record]) == {"batchItemFailures": []}
    assert_right(story)


def test_one_request_after_the_other_goes_by_reception(story):
    set_up(story)
    ids = iter(BACKWARDS)
    for code, (_, _, events, _) in CASES.items():
        for each in events:
            event = {"transaction_id": next(ids), "external_subscription_id": "sub", "code": code, "properties": each}
            story.ok("POST", "/events", {"event": {**event, "timestamp": ts(AT)}})
    # They come to the meter in any order, and together.
    records = list(itertools.chain.from_iterable(iter(lambda: received(settings().events_queue), [])))
    assert wiring.meter(records[::-1]) == {"batchItemFailures": []}
    assert_right(story)


def test_groups_and_filters_take_a_batch_in_its_order(story):
    """Per filter and group the last value, and values added and removed, kept by rollups or recounted."""
    listed = [{"key": "cloud", "values": ["aws", "gcp"]}]
    grouped = {"amount": "1", "pricing_group_keys": ["user"]}
    filters = [{"values": {"cloud": ["aws"]}, "properties": {"amount": "2"}}]
    last = story.metric("last", "latest_agg", field_name="v", filters=listed)
    seats = story.metric("seats", "unique_count_agg", field_name="v", filters=listed)
    story.plan(charges=[priced(each, properties=grouped, filters=filters) for each in (last, seats)])
    story.customer()
    story.subscribe()
    send(
        story,
        "last",
        [{"v": n, "cloud": cloud, "user": "u"} for n, cloud in enumerate(("aws", "gcp", "aws", "gcp"), 1)],
    )
    steps = [("aws", "add"), ("gcp", "remove"), ("aws", "remove"), ("gcp", "add")]
    send(story, "seats", [{"v": "s", "cloud": cloud, "user": "u", "operation_type": do} for cloud, do in steps])
    by_code = {each["billable_metric"]["code"]: each["filters"] for each in story.usage()["charges_usage"]}
    shown = {code: [(f["values"], f["units"]) for f in own] for code, own in by_code.items()}
    aws = {"cloud": ["aws"]}
    assert shown["last"] == [(aws, "3.0"), (None, "4.0")]
    assert shown["seats"] == [(aws, "0.0"), (None, "1.0")]


# In advance.


def fees_in_order(story: Story, code: str) -> list[tuple[str, int]]:
    meter()
    work()
    fees = story.ok("GET", "/fees?per_page=1000")["fees"]
    by_id = {fee["event_transaction_id"]: (fee["units"], fee["amount_cents"]) for fee in fees}
    return [by_id[f"{code}-{each}"] for each in BACKWARDS if f"{code}-{each}" in by_id]


IN_ADVANCE = [
    pytest.param(
        "unique_count_agg",
        {"properties": {"amount": "10"}},
        operations(("a", "add"), ("b", "add"), ("a", "add"), ("c", "add")),
        [("1.0", 1000), ("1.0", 1000), ("0.0", 0), ("1.0", 1000)],
        id="the third is a value that is there already",
    ),
    pytest.param(
        "sum_agg",
        {"model": "percentage", "properties": {**TEN_PERCENT, "free_units_per_events": 1}},
        numbers(100, 1),
        [("100.0", 0), ("1.0", 10)],
        id="the first event is free",
    ),
    pytest.param(
        "sum_agg",
        {"model": "graduated", "properties": {"graduated_ranges": tiers((0, 10, "1", "0"), (11, None, "2", "0"))}},
        numbers(10, 5, -5, 5),
        [("10.0", 1000), ("5.0", 1000), ("0.0", 0), ("5.0", 0)],
        id="the first fills the first tier",
    ),
    pytest.param(
        "count_agg",
        {"model": "package", "properties": {"amount": "10", "package_size": 2, "free_units": 0}},
        [{}, {}, {}],
        [("1.0", 1000), ("1.0", 0), ("1.0", 1000)],
        id="each second opens a package",
    ),
]


@pytest.mark.parametrize("invoiceable", [True, False], ids=["invoices", "fees alone"])
@pytest.mark.parametrize(("kind", "charge", "events", "expected"), IN_ADVANCE)
def test_events_in_advance_are_charged_in_the_order_of_the_array(story, kind, charge, events, expected, invoiceable):
    metric = story.metric("m", kind, **({} if kind == "count_agg" else {"field_name": "v"}))
    story.plan(
        charges=[advance(metric, charge["properties"], charge.get("model", "standard"), invoiceable=invoiceable)]
    )
    story.customer()
    story.subscribe()
    send(story, "m", events, at="2024-01-01T00:00:00")
    assert fees_in_order(story, "m") == expected
    usage = story.usage()["charges_usage"][0]["amount_cents"]
    assert usage == sum(cents for _, cents in expected)
    if invoiceable:  # They are numbered as they came.
        assert [invoice["total_amount_cents"] for invoice in story.invoices()] == [cents for _, cents in expected]


# As it is shown.


def test_lists_show_the_last_of_the_array_first(story):
    story.metric("latest", "latest_agg", field_name="v")
    send(story, "latest", numbers(1, 2, 3))
    meter()
    expected = [3, 2, 1]
    for path in ("/events?external_subscription_id=sub", "/events"):
        assert [event["properties"]["v"] for event in story.ok("GET", path)["events"]] == expected
    assert [each["payload"]["properties"]["v"] for each in story.ok("GET", "/event_logs")["event_logs"]] == expected


def test_what_was_stored_without_a_place_is_still_read(story, monkeypatch):
    """Events of before went by their ids; those that come now go by their places, behind."""
    set_up(story)
    real = _Preparer.prepare

    def without_place(self, message, event, task=None):
        event.place = None
        prepared = real(self, message, event, task)
        del prepared.item["place"]
        return prepared

    with monkeypatch.context() as before:
        before.setattr(_Preparer, "prepare", without_place)
        send(story, "latest", numbers(1, 2))
        meter()
    assert usage_of(story, "latest") == "1.0"
    event = {"transaction_id": "a", "external_subscription_id": "sub", "code": "latest", "properties": {"v": 7}}
    story.ok("POST", "/events", {"event": {**event, "timestamp": ts(AT)}})
    assert usage_of(story, "latest") == "7.0"
    assert bills(story) == []


def usage_of(story: Story, code: str) -> str:
    own = [each for each in story.usage()["charges_usage"] if each["billable_metric"]["code"] == code]
    return str(own[0]["units"])
