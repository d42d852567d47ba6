"""Counting comes first and fails alone: nothing auxiliary stops it, and no message waits for what another one holds."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from chalicelib import limits
from chalicelib.features.metering import (
    definitions,
    layout,
    log,
    log_items,
    log_numbers,
    log_reader,
    messages,
    reading,
    write,
)
from chalicelib.features.metering.log_items import Reference
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import service as usage
from chalicelib.platform import agenda, aws, clock, usage_table
from chalicelib.platform.clock import OrganizationRef
from tests.support.faults import conflicting
from tests.support.usage import MARCH, ORG, event, message, units

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
QUIET = OrganizationRef("quiet", sandbox=True)


def quiet_units() -> int:
    return usage.read(QUIET, Stream("sub"), MARCH).events("calls")


def logged(organization: OrganizationRef = ORG) -> list[str]:
    """Transaction ids in the log, by its order of reception."""
    days = log_reader.days(organization, log_reader.BY_RECEPTION, clock.utc_now())
    walks = (log_reader.Walk(organization.id, log_reader.BY_RECEPTION, day) for day in days)
    found = [reference.transaction_id for walk in walks for reference in walk]
    assert sum(day.number for day in days) == len(found)
    return found[::-1]


@contextmanager
def refusing(is_refused: Callable[[list[dict[str, Any]]], bool]) -> Iterator[list[int]]:
    """Transactions that DynamoDB does not take as they are; how many actions each of those had."""
    real, refused = aws.client, list[int]()

    class Refusing:
        def __init__(self, client: Any) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            return getattr(self._client, name)

        def transact_write_items(self, **request: Any) -> Any:
            if is_refused(request["TransactItems"]):
                refused.append(len(request["TransactItems"]))
                raise ClientError({"Error": {"Code": "ValidationException"}}, "TransactWriteItems")
            return self._client.transact_write_items(**request)

    aws.client = lambda name, use="standard": Refusing(real(name, use)) if name == "dynamodb" else real(name, use)
    try:
        yield refused
    finally:
        aws.client = real


def holds(name: str) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda actions: any(
        each.get("Put", {}).get("Item", {}).get("transaction_id") == {"S": name} for each in actions
    )


def skipped(output: str) -> list[int]:
    lines = [json.loads(line) for line in output.splitlines() if '"LogSkipped"' in line]
    return [number for line in lines for number in line["LogSkipped"]]


# What is auxiliary.


def unable(*_: Any, **__: Any) -> Any:
    raise OSError("cannot")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (log_numbers, "add"),
        (log, "_write_all"),
        (log_items, "items_of"),
        (agenda, "push"),
        (log, "_tell_later"),
        (log, "_faults"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_what_is_auxiliary_stops_no_counting(aws, monkeypatch, owner, name):
    monkeypatch.setattr(owner, name, unable)
    assert messages.handle([message([event("t", NOON)]), message([event("q", NOON)], QUIET)]) == []
    assert (units(), quiet_units()) == (1, 1)


def test_metrics_that_nobody_understands_stop_no_counting(aws, monkeypatch):
    real = definitions.of
    monkeypatch.setattr(definitions, "of", lambda of, codes: unable() if of == ORG else real(of, codes))
    assert messages.handle([message([event("t", NOON, miles=3)]), message([event("q", NOON)], QUIET)]) == []
    assert (units(), units(field="miles"), quiet_units()) == (1, 3, 1)


def test_what_the_log_cannot_take_is_counted_without_it_and_a_metric_says_so(aws, monkeypatch, capsys):
    real = log._write_all
    monkeypatch.setattr(log, "_write_all", lambda of, *rest: unable() if of == ORG else real(of, *rest))
    assert (
        messages.handle([message([event(f"t{n}", NOON) for n in range(3)]), message([event("q", NOON)], QUIET)]) == []
    )
    assert (units(), logged(), logged(QUIET)) == (3, [], ["q"])
    assert skipped(capsys.readouterr().out) == [3]


def test_a_message_that_cannot_be_marked_as_arrived_is_counted(aws, monkeypatch):
    record = message([event("t", NOON)])
    record["body"] = json.dumps({**json.loads(record["body"]), "in_flight": "m"})
    monkeypatch.setattr(type(usage_table.usage), "write", unable)
    assert messages.handle([record]) == []
    assert units() == 1


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"org": "o"}', '{"org": "o", "sandbox": 1, "received": "x"}'])
def test_a_message_that_cannot_be_read_goes_back_alone(aws, body):
    assert messages.handle([{"messageId": "bad", "body": body}, message([event("t", NOON)])]) == ["bad"]
    assert units() == 1


# What fails.


def test_an_event_that_cannot_be_stored_fails_alone(aws):
    poisoned = message([event(f"p{n}", NOON + timedelta(hours=n)) for n in range(60)])
    others = [message([event(f"o{m}-{n}", NOON, miles=n) for n in range(30)]) for m in range(3)]
    theirs = message([event(f"q{n}", NOON) for n in range(12)], QUIET)
    with refusing(holds("p7")) as refused:
        assert messages.handle([others[0], poisoned, theirs, *others[1:]]) == [poisoned["messageId"]]
    assert (units(), quiet_units()) == (59 + 90, 12)
    assert units(field="miles") == 3 * sum(range(30))
    assert sorted(logged()) == sorted(e for e in stored_ids() if e != "p7")
    assert len(refused) < 16
    assert messages.handle([poisoned]) == []
    assert units() == 150


def stored_ids() -> list[str]:
    day = layout.day_of(int(NOON.timestamp() * 1000))
    found = []
    for each in (day, "2024-03-11", "2024-03-12"):
        parts = reading.shards_of_day(ORG.id, "sub", each)
        low = layout.begin_ms_of_day(each)
        found += reading.raw_of_day(ORG.id, "sub", each, parts, low_ms=low, high_ms=low + 86_399_999)
    return [item["transaction_id"] for item in found]


def test_a_repeat_of_an_event_that_failed_comes_again_too(aws):
    first, second = message([event("t", NOON)]), message([event("t", NOON), event("other", NOON, sub="other")])
    with refusing(holds("t")):
        assert messages.handle([first, second]) == [first["messageId"], second["messageId"]]
    assert units(sub="other") == 1


def test_a_row_that_can_take_no_more_is_left_for_another_part(aws):
    def is_full(actions: list[dict[str, Any]]) -> bool:
        return any(
            each.get("Update", {}).get("Key", {}).get("sk", {}).get("S", "").endswith("#calls#0") for each in actions
        )

    sent = [event(f"t{n}", NOON, miles=n) for n in range(50)]
    with refusing(is_full) as refused:
        assert messages.handle([message(sent)]) == []
    assert len(refused) == 1
    assert (units(), units(field="miles")) == (50, sum(range(50)))


def test_where_no_row_can_take_what_events_come_to_they_are_counted_and_recounted(aws):
    def sums(actions: list[dict[str, Any]]) -> bool:
        return any("s:miles" in each.get("Update", {}).get("ExpressionAttributeNames", {}).values() for each in actions)

    with refusing(sums) as refused:
        assert messages.handle([message([event(f"t{n}", NOON, miles=n) for n in range(50)])]) == []
    assert len(refused) == 2
    assert (units(), units(field="miles")) == (50, sum(range(50)))


def test_an_organization_that_gets_nowhere_is_given_up_for_others(aws, monkeypatch):
    monkeypatch.setattr(limits, "METERING_LOST_SECONDS", 0)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    noisy = [message([event(f"t{n}", NOON, sub=f"s{n}")]) for n in range(20)]
    theirs = message([event("q", NOON)], QUIET)
    with conflicting(write._ATTEMPTS) as left:
        assert messages.handle([*noisy, theirs]) == [each["messageId"] for each in noisy]
    assert left["times"] == 0  # One group was tried to the end.
    assert quiet_units() == 1
    assert messages.handle(noisy) == []
    assert sum(units(sub=f"s{n}") for n in range(20)) == 20


def test_an_answer_lost_after_the_commit_is_logged_and_its_task_pushed(aws, monkeypatch):
    from tests.support.faults import Plan, failing

    monkeypatch.setattr("time.sleep", lambda seconds: None)
    sent = [event(f"t{n}", NOON) for n in range(5)]
    with failing(Plan(0, after=True, lost_answer=True)):
        assert messages.handle([message(sent)]) == []
    assert (units(), logged()) == (5, [f"t{n}" for n in range(5)])


# The log.


def test_the_log_splits_what_is_too_long_by_its_measure_and_reads_it_back():
    source = ("203.0.113.7", "x" * 150)
    sent = [
        Reference(
            f"{n:03d}" + "\N{PILE OF POO}" * 252,
            "\N{PILE OF POO}" * 255,
            f"{n % 7}" + "é" * 254,
            1_710_000_000_000 + n,
            source,
            n % 3,
            n,
        )
        for n in range(1300)
    ]
    items = log_items.items_of("org", "2024-03-10T00:00:00.000000Z#batch#3", sent, keeps_for_ever=False)
    assert [r for item in items for r in log_items.references_of(item)] == sent
    assert len(items) > 10
    assert all(len(item["refs"]) < log_items.TEXT_BYTES_MAX + 500 for item in items)
    assert len({item["sk"] for item in items}) == len(items)
    assert sum(item["n"] for item in items) == 1300


def test_writers_of_a_busy_part_spread_over_others_and_readers_find_them_all(aws, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with throttled_log(every=2):
        for n in range(60):
            assert messages.handle([message([event(f"t{n}", NOON)])]) == []
    (day,) = log_reader.days(ORG, log_reader.BY_TIME, clock.utc_now())
    assert len(day.shards) > 3
    assert (day.number, len(logged())) == (30, 30)
    assert units() == 60


@contextmanager
def throttled_log(every: int) -> Iterator[None]:
    """Each so manieth write of log items is throttled for good."""
    real, calls = type(usage_table.usage).write_many, []

    def write_many(own: usage_table.Table, items: Any) -> None:
        calls.append(True)
        if len(calls) % every == 0:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "BatchWriteItem")
        real(own, items)

    type(usage_table.usage).write_many = write_many
    try:
        yield
    finally:
        type(usage_table.usage).write_many = real


@contextmanager
def numbers_answered_with(error: Exception, *, after: bool) -> Iterator[None]:
    """Requests that add numbers fail, before they are carried out or after."""
    real = type(usage_table.usage).write

    def write(own: usage_table.Table, action: Any) -> None:
        if own is not log_numbers.usage_once or after:
            real(own, action)
        if own is log_numbers.usage_once:
            raise error

    type(usage_table.usage).write = write
    try:
        yield
    finally:
        type(usage_table.usage).write = real


LOST = EndpointConnectionError(endpoint_url="lost")
BUSY = ClientError(
    {"Error": {"Code": "ThrottlingException"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "UpdateItem"
)


@pytest.mark.parametrize(("error", "after"), [(LOST, False), (LOST, True), (BUSY, False)])
def test_totals_are_true_though_nobody_knows_whether_a_number_was_added(aws, monkeypatch, error, after):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert messages.handle([message([event(f"t{n}", NOON) for n in range(3)])]) == []
    with numbers_answered_with(error, after=after):
        assert messages.handle([message([event(f"u{n}", NOON) for n in range(4)])]) == []
    assert messages.handle([message([event(f"v{n}", NOON) for n in range(5)])]) == []
    now = clock.utc_now()
    for days in (0, 0, 2, 2):  # The last finds what the one before has written down.
        later = now + timedelta(days=days)
        (day,) = log_reader.days(ORG, log_reader.BY_TIME, later)
        assert day.number == 12
        # No metric has their code.
        assert log_numbers.warned_since(ORG.id, now.replace(minute=0), later) == 12
    (row,) = usage_table.usage.query(layout.log_pk(ORG.id))
    assert (row["n"], "doubt" in row) == (12, False)


def test_the_log_is_short(aws):
    """Thirty bytes an event, where ids are chosen by chance."""
    import random
    import uuid

    chance = random.Random(1)
    ids = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(1000)]
    sent = [event(name, NOON + timedelta(milliseconds=5 * n), sub=f"s{n % 4}") for n, name in enumerate(ids)]
    assert messages.handle([message(sent)]) == []
    pk = log_items.log_pk(ORG.id, f"{clock.utc_now():%Y-%m-%d}", "0")
    (item,) = usage_table.usage.query(pk)
    assert len(item["refs"]) <= 30 * 1000
