"""The exact meter counts writes by AWS's rules: tables and indexes, before and after."""

import pytest

from chalicelib.platform import aws
from chalicelib.platform.settings import settings
from tests.support.exact import ExactMeter, counting_exactly

_DUE = {"due_pk": {"S": "DUE#01"}, "run_at": {"S": "2031"}}
_LARGE = {"text": {"S": "x" * 1500}}


@pytest.mark.parametrize(
    ("before", "after", "times", "table", "due"),
    [
        ({}, {"n": {"N": "1"}}, 1, 1, 0),
        ({}, _DUE, 2, 2, 1),
        (_DUE, {**_DUE, "n": {"N": "1"}}, 1, 1, 1),  # The index holds the whole item.
        (_DUE, _DUE, 2, 2, 0),  # Nothing changed, as of an item that is only checked.
        (_DUE, {**_DUE, "run_at": {"S": "2032"}}, 1, 1, 2),  # Removed and written.
        (_DUE, {**_DUE, "due_pk": {"S": "DUE#02"}}, 1, 1, 2),
        (_DUE, {}, 1, 1, 1),
        (_DUE | _LARGE, _DUE, 1, 2, 2),  # The larger of both counts.
    ],
)
def test_a_write_counts_in_the_table_and_in_its_indexes(before, after, times, table, due):
    meter = ExactMeter()
    meter.wrote(before, after, times=times, key="k")
    found = {place: sum(n for (at, _), n in meter.by_key.items() if at == place) for place in ("table", "due")}
    assert found == {"table": table, "due": due}
    assert meter.write_units == table + due


def test_writes_of_every_kind_are_looked_at_and_refused_ones_cost_the_table(aws):
    table = settings().core_table
    item = {"pk": {"S": "p"}, "sk": {"S": "-"}, **_DUE}
    key = {name: item[name] for name in ("pk", "sk")}
    with counting_exactly() as meter:
        client = dynamodb()
        client.put_item(TableName=table, Item=item)  # 1 + 1
        client.transact_write_items(
            TransactItems=[{"Put": {"TableName": table, "Item": {**item, "n": {"N": "1"}}}}]
        )  # 2 + 1
        client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}}]})  # 1 + 1
        with pytest.raises(client.exceptions.ConditionalCheckFailedException):
            client.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(pk)")  # 1
        client.delete_item(TableName=table, Key=key)  # 1 + 1
    assert meter.busiest() == {"table": ("p", 6), "due": ("DUE#01", 4)}
    assert meter.requests["put_item"] == 2
    assert meter.requests["get_item"] == 0


def dynamodb():
    return aws.client("dynamodb")
