"""The tables in memory, on which most tests run, answer and refuse as Amazon's DynamoDB Local does."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.platform import aws
from chalicelib.platform.settings import settings
from tests.support.tables.common import Refusal
from tests.support.tables.requests import answer
from tests.support.tables.store import Store

pytestmark = [pytest.mark.local_dynamodb, pytest.mark.xdist_group("local_dynamodb")]

Request = tuple[str, dict[str, Any]]
HIDDEN = {"ResponseMetadata", "UnprocessedItems", "UnprocessedKeys", "ConsumedCapacity", "Message"}
INDEXES = {"due": ("due_pk", "run_at"), "list": ("list_pk", "list_sk"), "owner": ("owner_pk", "owner_sk")}


def s(text: str) -> dict[str, str]:
    return {"S": text}


def n(number: str) -> dict[str, str]:
    return {"N": number}


def key(sk: str, pk: str = "p") -> dict[str, Any]:
    return {"pk": s(pk), "sk": s(sk)}


STANDING: list[dict[str, Any]] = [
    {**key(f"k{number}"), "number": n(str(number)), "list_pk": s("all"), "list_sk": s(f"{number * 3 % 7}")}
    for number in range(7)
]
STANDING += [
    {
        **key("rich"),
        "text": s("abc"),
        "ten": n("10"),
        "yes": {"BOOL": True},
        "none": {"NULL": True},
        "raw": {"B": b"\x00\x01"},
        "map": {"M": {"a": s("x"), "b": {"L": [n("1"), s("two"), n("3")]}}},
        "list": {"L": [n("1"), n("2"), n("3"), n("4")]},
        "words": {"SS": ["b", "a"]},
        "numbers": {"NS": ["1", "2"]},
    },
    {**key("other", "q"), "text": s("é")},
]


def put(item: dict[str, Any], **more: Any) -> Request:
    return "PutItem", {"Item": item, **more}


def update(expression: str, values: dict[str, Any] | None = None, *, of: str = "rich", **more: Any) -> Request:
    own = {} if values is None else {"ExpressionAttributeValues": values}
    return "UpdateItem", {"Key": key(of), "UpdateExpression": expression, "ReturnValues": "ALL_NEW", **own, **more}


def condition(text: str, values: dict[str, Any] | None = None, *, of: str = "rich", **more: Any) -> Request:
    own = {} if values is None else {"ExpressionAttributeValues": values}
    shown = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    return "PutItem", {"Item": key(of), "ConditionExpression": text, **shown, **own, **more}


def query(text: str, values: dict[str, Any], **more: Any) -> Request:
    return "Query", {"KeyConditionExpression": text, "ExpressionAttributeValues": values, **more}


def transact(*actions: tuple[str, dict[str, Any]]) -> Request:
    return "TransactWriteItems", {"TransactItems": [{kind: own} for kind, own in actions]}


P, RANGE = {":p": s("p")}, {":p": s("p"), ":a": s("k2"), ":b": s("k4")}
MET = {
    "ConditionExpression": "ten = :ten",
    "ExpressionAttributeValues": {":ten": n("10.0")},
    "Key": key("rich"),
}
FAILS = {**MET, "ExpressionAttributeValues": {":ten": n("11")}, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
WRONG_TYPE = {"Key": key("rich"), "UpdateExpression": "ADD #text :one"} | {
    "ExpressionAttributeNames": {"#text": "text"},
    "ExpressionAttributeValues": {":one": n("1")},
}

CASES: dict[str, Request] = {
    "an item": ("GetItem", {"Key": key("rich")}),
    "no item": ("GetItem", {"Key": key("nowhere")}),
    "half a key": ("GetItem", {"Key": {"pk": s("p")}}),
    "a key of another type": ("GetItem", {"Key": {"pk": n("1"), "sk": s("k1")}}),
    "an empty key": ("GetItem", {"Key": key("")}),
    "a part of an item": ("GetItem", {"Key": key("rich"), "ProjectionExpression": "pk, ten, nothing"}),
    "many items": ("BatchGetItem", {"RequestItems": {"": {"Keys": [key("k1"), key("no"), key("other", "q")]}}}),
    "one item twice": ("BatchGetItem", {"RequestItems": {"": {"Keys": [key("k1"), key("k1")]}}}),
    # Numbers.
    "digits that say nothing": update(
        "SET a = :a, b = :b, c = :c", {":a": n("1.50"), ":b": n("-0.0"), ":c": n("1E+3")}
    ),
    "a very small number": update("SET a = :a", {":a": n("1E-130")}),
    "a number too small": update("SET a = :a", {":a": n("1E-131")}),
    "a number too large": update("SET a = :a", {":a": n("1E+126")}),
    "38 digits": update("SET a = :a", {":a": n("1." + "1" * 37)}),
    "39 digits": update("SET a = :a", {":a": n("1." + "1" * 38)}),
    "no number": update("SET a = :a", {":a": n("one")}),
    "a small sum": update("ADD ten :a", {":a": n("0.000000000000000001")}),
    "a difference": update("SET ten = ten - :a", {":a": n("10.50")}),
    # Updates.
    "an item that is new": update("ADD ten :a", {":a": n("1")}, of="new"),
    "a new item with keys of an index": update(
        "SET list_pk = :a, list_sk = :b", {":a": s("all"), ":b": s("9")}, of="new"
    ),
    "out of an index": update("REMOVE list_pk, list_sk", of="k3"),
    "removed and nothing there": update("REMOVE nothing, ten"),
    "inside of a map": update(
        "SET #map.a = :a REMOVE #map.b[0]", {":a": s("y")}, ExpressionAttributeNames={"#map": "map"}
    ),
    "inside of no map": update("SET ten.a = :a", {":a": s("y")}),
    "inside of nothing": update("SET nothing.a = :a", {":a": s("y")}),
    "elements of a list": update(
        "SET #list[1] = :a, #list[9] = :b REMOVE #list[0], #list[2]",
        {":a": n("22"), ":b": n("99")},
        ExpressionAttributeNames={"#list": "list"},
    ),
    "appended": update(
        "SET #list = list_append(#list, :a)", {":a": {"L": [n("5")]}}, ExpressionAttributeNames={"#list": "list"}
    ),
    "if it is not there": update("SET a = if_not_exists(a, :a) + :a, ten = if_not_exists(ten, :a)", {":a": n("1")}),
    "of what was there before": update("SET ten = :a, a = ten", {":a": n("1")}),
    "of what is not there": update("SET a = nothing"),
    "added to a text": ("UpdateItem", WRONG_TYPE),
    "added to a set": update("ADD words_of :a, numbers :b", {":a": {"SS": ["z", "y"]}, ":b": {"NS": ["3", "1.0"]}}),
    "taken from a set": update("DELETE numbers :b", {":b": {"NS": ["1", "7"]}}),
    "all of a set": update("DELETE numbers :b", {":b": {"NS": ["1", "2"]}}),
    "an empty set": update("SET a = :a", {":a": {"SS": []}}),
    "the key": update("SET sk = :a", {":a": s("b")}),
    "twice the same": update("SET a = :a, a = :b", {":a": s("x"), ":b": s("y")}),
    "overlapping": update("SET #map.a = :a REMOVE #map", {":a": s("x")}, ExpressionAttributeNames={"#map": "map"}),
    "a reserved word": update("SET name = :a", {":a": s("x")}),
    "an unused value": update("SET a = :a", {":a": s("x"), ":b": s("y")}),
    "an unused name": update("SET a = :a", {":a": s("x")}, ExpressionAttributeNames={"#a": "a"}),
    "a value that is missing": update("SET a = :a, b = :b", {":a": s("x")}),
    "a name that is missing": update("SET #a = :a", {":a": s("x")}),
    "an update of no sense": update("SETS a = :a", {":a": s("x")}),
    "only what was changed": update("ADD ten :a", {":a": n("1")}, ReturnValues="UPDATED_NEW"),
    "an item too large": put({**key("large"), "a": s("x" * 410_000)}),
    "grown too large": update("SET a = :a, b = :a", {":a": s("x" * 205_000)}),
    "an empty key of an index": put({**key("x"), "list_pk": s(""), "list_sk": s("x")}),
    "a key of an index of another type": put({**key("x"), "list_pk": n("1"), "list_sk": s("x")}),
    "deleted": ("DeleteItem", {"Key": key("rich"), "ReturnValues": "ALL_OLD"}),
    "deleted and nothing there": ("DeleteItem", {"Key": key("no"), "ReturnValues": "ALL_OLD"}),
    "put over": put({**key("k1"), "raw": {"B": b"x"}}, ReturnValues="ALL_OLD"),
    # Conditions.
    "equal numbers": condition("ten = :a AND NOT ten <> :a", {":a": n("10.00")}),
    "equal maps": condition(
        "#map = :a",
        {":a": {"M": {"b": {"L": [n("1.0"), s("two"), n("3")]}, "a": s("x")}}},
        ExpressionAttributeNames={"#map": "map"},
    ),
    "equal sets": condition("#words = :a", {":a": {"SS": ["a", "b"]}}, ExpressionAttributeNames={"#words": "words"}),
    "unequal to nothing": condition("nothing <> :a", {":a": n("1")}),
    "equal to nothing": condition("nothing = :a", {":a": n("1")}),
    "less than nothing": condition("nothing < :a OR nothing >= :a", {":a": n("1")}),
    "another type": condition("ten < :a OR ten >= :a", {":a": s("1")}),
    "in order as numbers": condition("ten > :a", {":a": n("9")}),
    "between": condition("ten BETWEEN :a AND :b AND ten IN (:c, :a)", {":a": n("9"), ":b": n("11"), ":c": n("10")}),
    "there and not there": condition(
        "attribute_exists(#m.a) AND attribute_not_exists(#m.c)", ExpressionAttributeNames={"#m": "map"}
    ),
    "a type": condition("attribute_type(ten, :a) AND attribute_type(yes, :b)", {":a": s("N"), ":b": s("BOOL")}),
    "begins": condition("begins_with(#text, :a)", {":a": s("ab")}, ExpressionAttributeNames={"#text": "text"}),
    "begins with a number": condition("begins_with(ten, :a)", {":a": n("1")}),
    "contains": condition(
        "contains(#text, :a) AND contains(#words, :b) AND contains(#list, :c) AND contains(numbers, :c)",
        {":a": s("bc"), ":b": s("a"), ":c": n("1.0")},
        ExpressionAttributeNames={"#text": "text", "#words": "words", "#list": "list"},
    ),
    "size": condition(
        "size(#text) = :a AND size(#list) > :a",
        {":a": n("3")},
        ExpressionAttributeNames={"#text": "text", "#list": "list"},
    ),
    "size of a number": condition("size(ten) > :a", {":a": n("0")}),
    "either of both first": condition("ten = :a OR ten = :b AND nothing = :a", {":a": n("10"), ":b": n("1")}),
    "in brackets": condition("(ten = :a OR ten = :b) AND nothing = :a", {":a": n("10"), ":b": n("1")}),
    "of an item that is not there": condition("attribute_not_exists(pk) AND NOT ten = :a", {":a": n("1")}, of="new"),
    "no condition": condition("ten ="),
    "an empty condition": condition(""),
    # Queries.
    "a partition": query("pk = :p", P),
    "backwards": query("pk = :p", P, ScanIndexForward=False, Limit=3),
    "a range": query("pk = :p AND sk BETWEEN :a AND :b", RANGE),
    "a range the wrong way round": query("pk = :p AND sk BETWEEN :b AND :a", RANGE),
    "from": query("pk = :p AND sk >= :a", {**P, ":a": s("k5")}),
    "above": query("pk = :p AND sk > :a", {**P, ":a": s("k5")}),
    "below": query("pk = :p AND sk < :a", {**P, ":a": s("k2")}),
    "until": query("pk = :p AND sk <= :a", {**P, ":a": s("k2")}),
    "with a beginning": query("pk = :p AND begins_with(sk, :a)", {**P, ":a": s("k")}, Limit=100),
    "a whole page": query("pk = :p AND begins_with(sk, :a)", {**P, ":a": s("k")}, Limit=7),
    "filtered": query(
        "pk = :p", {**P, ":n": n("2")}, FilterExpression="#n > :n", ExpressionAttributeNames={"#n": "number"}, Limit=4
    ),
    "filtered by a key": query("pk = :p", {**P, ":n": s("2")}, FilterExpression="sk > :n"),
    "counted": query("pk = :p", P, Select="COUNT"),
    "from a position on": query("pk = :p", P, ExclusiveStartKey=key("k3"), Limit=2),
    "from a position that is nobody's": query("pk = :p", P, ExclusiveStartKey=key("k3x"), ScanIndexForward=False),
    "from another partition's position": query("pk = :p", P, ExclusiveStartKey=key("k3", "q")),
    "an index": query("list_pk = :p", {":p": s("all")}, IndexName="list"),
    "a page of an index": query(
        "list_pk = :p AND list_sk > :a", {":p": s("all"), ":a": s("0")}, IndexName="list", Limit=1
    ),
    "an index by a key of the table": query("pk = :p", P, IndexName="list"),
    "an index read consistently": query("list_pk = :p", {":p": s("all")}, IndexName="list", ConsistentRead=True),
    "no partition": query("sk = :p", P),
    "partitions in order": query("pk > :p", P),
    "no page": query("pk = :p", P, Limit=0),
    "a scan": ("Scan", {"FilterExpression": "ten = :a", "ExpressionAttributeValues": {":a": n("10")}}),
    # Batches and transactions.
    "a batch": (
        "BatchWriteItem",
        {"RequestItems": {"": [{"PutRequest": {"Item": key("n1")}}, {"DeleteRequest": {"Key": key("k1")}}]}},
    ),
    "a batch of twice the same": (
        "BatchWriteItem",
        {"RequestItems": {"": [{"PutRequest": {"Item": key("n1")}}, {"DeleteRequest": {"Key": key("n1")}}]}},
    ),
    "a transaction": transact(
        ("ConditionCheck", MET),
        ("Put", {"Item": key("n1")}),
        ("Delete", {"Key": key("k1")}),
        ("Delete", {"Key": key("no")}),
    ),
    "a transaction that fails": transact(
        ("ConditionCheck", FAILS),
        ("Put", {"Item": key("n1")}),
        ("Put", {"Item": key("no"), "ConditionExpression": "attribute_exists(pk)"}),
    ),
    "a transaction of twice the same": transact(("ConditionCheck", MET), ("Delete", {"Key": key("rich")})),
    "a transaction with an item too large": transact(
        ("Put", {"Item": key("n1")}), ("Put", {"Item": {**key("large"), "a": s("x" * 410_000)}})
    ),
    "no transaction": transact(),
}

# What AWS documents as reasons of a cancelled transaction, and DynamoDB Local refuses otherwise.
GROWN = {"UpdateExpression": "SET a = :a, b = :a", "ExpressionAttributeValues": {":a": s("x" * 205_000)}}
CANCELLED = [
    transact(("Put", {"Item": key("n1")}), ("Update", WRONG_TYPE)),
    transact(("Put", {"Item": key("n1")}), ("Update", {"Key": key("rich"), **GROWN})),
]


def named(request: Any, table: str) -> Any:
    """The request, to a table."""
    if "RequestItems" in request:
        return {"RequestItems": {table: request["RequestItems"][""]}}
    if "TransactItems" in request:
        actions = [(kind, own) for action in request["TransactItems"] for kind, own in action.items()]
        return {"TransactItems": [{kind: {"TableName": table, **own}} for kind, own in actions]}
    return {"TableName": table, **request}


def in_order(value: Any) -> Any:
    """An answer, its sets in one order, its numbers in one form (DynamoDB Local keeps zeros that AWS does not), and without
    what only one of both says."""
    if isinstance(value, list):
        return [in_order(each) for each in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("N"), str):
        return {"N": Decimal(value["N"])}
    found = {name: in_order(each) for name, each in value.items() if name not in HIDDEN}
    for name in ("SS", "NS", "BS"):
        if name in found:
            found[name] = sorted(Decimal(each) if name == "NS" else each for each in found[name])
    return found


def refusal(code: str, more: dict[str, Any]) -> Any:
    """A refusal: of a transaction, its reasons."""
    return code, in_order({name: more[name] for name in ("Item", "CancellationReasons") if name in more})


def ours(store: Store, operation: str, request: Any) -> Any:
    """What the tables in memory say."""
    try:
        return in_order(answer(lambda _: store, operation, request))
    except Refusal as error:
        return refusal(error.code, error.more)


def theirs(client: Any, operation: str, request: Any) -> Any:
    """What DynamoDB Local says."""
    try:
        return in_order(client._make_api_call(operation, request))
    except ClientError as error:
        return refusal(error.response["Error"]["Code"], error.response)


def begun(client: Any, table: str) -> Store:
    """Both hold the same."""
    store = Store(("pk", "sk"), INDEXES)
    for item in STANDING:
        answer(lambda _: store, "PutItem", {"TableName": table, "Item": item})
    left, wanted = by_key(client.scan(TableName=table)["Items"]), by_key(STANDING)
    for changed in (own for own, item in wanted.items() if in_order(left.get(own)) != in_order(item)):
        client.put_item(TableName=table, Item=wanted[changed])
    for pk, sk in left.keys() - wanted.keys():
        client.delete_item(TableName=table, Key=key(sk, pk))
    return store


def by_key(items: list[Any]) -> dict[tuple[str, str], Any]:
    """Items by their keys."""
    return {(item["pk"]["S"], item["sk"]["S"]): item for item in items}


def test_each_request_is_answered_or_refused_alike_and_leaves_the_same_items(tables: None) -> None:
    client, table = aws.client("dynamodb", "single"), settings().core_table
    different = []
    for name, (operation, raw) in CASES.items():
        request, store = named(raw, table), begun(client, table)
        if ours(store, operation, request) != theirs(client, operation, request):
            different.append(name)
        left = [found("Scan", {"TableName": table}) for found in (partial(ours, store), partial(theirs, client))]
        if by_key(left[0]["Items"]) != by_key(left[1]["Items"]):
            different.append(f"{name}: what is left")
    assert different == []


@pytest.mark.parametrize("case", CANCELLED, ids=["a wrong type", "grown too large"])
def test_an_item_that_cannot_be_changed_cancels_its_transaction(tables: None, case: Request) -> None:
    table = settings().core_table
    store = begun(aws.client("dynamodb", "single"), table)
    reasons = {"CancellationReasons": [{"Code": "None"}, {"Code": "ValidationError"}]}
    assert ours(store, case[0], named(case[1], table)) == ("TransactionCanceledException", reasons)
    assert ours(store, "GetItem", {"TableName": table, "Key": key("n1")}) == {}


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("index", [None, "list"])
def test_pages_end_at_the_same_items(tables: None, index: str | None, backwards: bool) -> None:
    client, table = aws.client("dynamodb", "single"), settings().core_table
    store = Store(("pk", "sk"), INDEXES)
    for number in range(40):
        item = {**key(f"{number:03}"), "text": s("é" * (10_000 + number * 700)), "map": {"M": {"a": n("12345")}}}
        item |= {"list_pk": s("p"), "list_sk": s(f"{number:03}")}
        client.put_item(TableName=table, Item=item)
        ours(store, "PutItem", {"TableName": table, "Item": item})
    asked = {"TableName": table, "ScanIndexForward": not backwards, "ExpressionAttributeValues": P}
    asked |= {"KeyConditionExpression": "pk = :p"} if index is None else {"KeyConditionExpression": "list_pk = :p"}
    asked |= {} if index is None else {"IndexName": index}
    pages: list[list[int]] = []
    for say in (partial(ours, store), partial(theirs, client)):
        position: Any = None
        pages.append([])
        while position is not None or not pages[-1]:
            found = say("Query", {**asked, **({} if position is None else {"ExclusiveStartKey": position})})
            pages[-1].append(found["Count"])
            position = found.get("LastEvaluatedKey")
    assert pages[0] == pages[1]
    assert len(pages[0]) == 2
