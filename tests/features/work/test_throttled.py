"""What is throttled is counted by table and index, in a line that CloudWatch reads."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.platform import dynamodb, throttled
from chalicelib.platform.dynamodb import Cancelled, ConditionFailed
from chalicelib.platform.unit import Unit
from tests.support.busy_aws import wired
from tests.support.items import core

NOW = datetime(2030, 2, 1, tzinfo=UTC)
ITEMS = [{"pk": f"p{n}", "sk": "-", "n": n} for n in range(60)]
KEYS = [(item["pk"], item["sk"]) for item in ITEMS]


@pytest.fixture
def told(monkeypatch) -> list[tuple[int, str, str]]:
    """What was counted as throttled: how much, table, index."""
    found: list[tuple[int, str, str]] = []
    throttled._counted.clear()
    throttled._told_at.clear()
    monkeypatch.setattr(
        "chalicelib.platform.metrics.count",
        lambda name, number, *, by: found.append((number, by["table"], by["index"])) if name == "Throttled" else None,
    )
    return found


def throttling(**more: Any) -> dict[str, Any]:
    return {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", **more}


ARN = "arn:aws:dynamodb:us-east-1:1:table/tollgate-test-core"
CORE = "tollgate-test-core"


def read_index() -> None:
    core.page("DUE#00", index="due")


def read_item() -> None:
    core.get("a")


def write_batch() -> None:
    core.write_many(ITEMS[:1])


def write_together() -> None:
    dynamodb.transact([core.put(ITEMS[0]).action, core.put(ITEMS[1]).action], sleep=lambda seconds: None)


@pytest.mark.parametrize(
    ("act", "status", "body", "expected"),
    [
        pytest.param(read_item, 400, throttling(), (CORE, "-"), id="a table"),
        pytest.param(read_index, 400, throttling(), (CORE, "due"), id="the index that was asked"),
        pytest.param(write_batch, 400, throttling(), (CORE, "-"), id="a batch as a whole"),
        pytest.param(
            write_batch,
            400,
            throttling(message="The level of one or more global secondary indexes was exceeded"),
            (CORE, "?"),
            id="some index",
        ),
        pytest.param(
            write_batch,
            400,
            throttling(ThrottlingReasons=[{"reason": "x", "resource": f"{ARN}/index/list"}]),
            (CORE, "list"),
            id="an index that DynamoDB names",
        ),
        pytest.param(
            write_batch,
            200,
            {"UnprocessedItems": {CORE: [{"PutRequest": {"Item": {"pk": {"S": "p0"}, "sk": {"S": "-"}}}}]}},
            (CORE, "-"),
            id="what a batch left undone",
        ),
        pytest.param(
            write_together,
            400,
            {
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "CancellationReasons": [{"Code": "None"}, {"Code": "ThrottlingError"}],
            },
            (CORE, "-"),
            id="an action of a transaction",
        ),
    ],
)
def test_what_is_throttled_is_counted_by_table_and_index(aws, told, monkeypatch, act, status, body, expected):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with wired(status, body, times=2) as left:
        act()
    throttled.tell()
    assert left == [0]
    assert sum(number for number, _, _ in told) == 2, "also what the client repeats by itself"
    assert {(table, index) for _, table, index in told} == {expected}


def test_a_flood_of_throttling_is_no_flood_of_lines(aws, told, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with wired(400, throttling(), times=400) as left:
        for _ in range(100):
            with pytest.raises(ClientError):
                core.get("a")
    throttled.tell()
    assert sum(number for number, _, _ in told) == 400 - left[0] >= 100
    assert len(told) < 30


def test_what_is_refused_for_another_reason_is_not_counted(aws, told):
    core.put(ITEMS[0]).alone()
    with pytest.raises(ConditionFailed):
        core.create(ITEMS[0]).alone()
    with pytest.raises(Cancelled):
        Unit(core.create(ITEMS[0])).commit()
    throttled.tell()
    assert told == []


def test_the_metric_is_a_line_that_cloudwatch_reads(aws, capsys, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    throttled._told_at.clear()
    with wired(400, throttling(), times=1):
        core.get("a")
    (line,) = (json.loads(each) for each in capsys.readouterr().out.splitlines() if "Throttled" in each)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Tollgate"
    assert {"table", "index"} <= set(directive["Dimensions"][0])
    assert (line["table"], line["index"], line["Throttled"]) == (CORE, "-", [1.0])
