"""Whatever stands in a body: an answer in our own form that says what is wrong, or a success that reads back equal.

Each field of a valid request of each route is replaced by every kind of JSON value, and by what clients, languages and
attackers make of JSON; AWS's own limits are watched meanwhile. `EXAMPLES` above 1 tries all values at all fields.
"""

import json
import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.support import bodies, quick_tables, strict
from tests.support.aws import ADMIN_KEY
from tests.support.bodies import World
from tests.support.examples import examples
from tests.support.story import Answer, meter, request, work
from tests.support.valid_requests import REQUESTS, WITHOUT_BODY, Route, Valid, routes_with_bodies

# Fragments of JSON text. Some are tried at every field, the others by turns.
ALWAYS = ['[["x"]]', '{"a": {"b": ["x"]}}']
KINDS = ["null", "true", "-1", "1.5", '"x"', '""', "[]", '["x"]', "[{}]", "{}"]
OTHERS = [
    "1" * 41,
    "-" + "9" * 400,
    "1" * 4400,
    "1e400",
    "-1e-400",
    "1e999999999",
    "0.1234567890123456789012345678901234567890123",
    "-0.0",
    '"false"',
    '" "',
    '"0"',
    '"1e5"',
    '"\\u0000"',
    '"\\ufffe\\uffff"',
    '"\\ufdd0\\u0085\\u2028\\u202e"',
    '"\\ud83d\\ude00#%~/../"',
    '"\\r\\nSet-Cookie: a=b"',
    json.dumps("x" * 256),
    json.dumps("é" * 70_000),
    json.dumps("{{7*7}}<script>'\";--"),
    "[" * 32 + "]" * 32,
    '{"a":' * 90 + "1" + "}" * 90,
    "[" * 400 + "]" * 400,
    '{"": 1}',
    json.dumps({"\ufffe": "\uffff"}),
    json.dumps(["x"] * 300),
    json.dumps({f"k{n}": n for n in range(300)}),
    '{"a": 1, "a": 2}',
]
MALFORMED = [
    "NaN",
    "Infinity",
    "-Infinity",
    '"\\ud800"',
    '"\\udfff\\ud800"',
    "[" * 1001 + "]" * 1001,
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    "01",
    "'x'",
    "1" * 5000,
]
WHOLE = [b"", b"null", b"[]", b"1", b'"x"', b"{}", b"{", b'{"a": 1} x', b"\xff\xfe", b'\xef\xbb\xbf{"a": 1}', b"[[]]"]
_HOLE = "\ue000hole\ue000"


@pytest.fixture(scope="module")
def of_everything(module_aws: None) -> tuple[World, quick_tables.State]:
    """An organization that has one of everything, and what the tables then hold."""
    return bodies.world(), quick_tables.state()


def test_every_route_that_takes_a_body_is_tried():
    routes = set(routes_with_bodies())
    assert routes == set(REQUESTS) | WITHOUT_BODY
    assert not set(REQUESTS) & WITHOUT_BODY


def test_the_valid_requests_are_accepted_and_read_back(of_everything):
    for route, valid in REQUESTS.items():
        _try(of_everything, route, json.dumps(valid.body(of_everything[0])).encode(), must_succeed=True)


@pytest.mark.parametrize("route", sorted(REQUESTS), ids=" ".join)
def test_any_value_in_any_field(of_everything, route):
    step = 12 if examples(1) == 1 else 1
    # Different turns at each route: fields of one kind stand in many.
    start = sum(map(ord, route[0] + route[1]))
    for turn, (where, template) in enumerate(_templates(REQUESTS[route].body(of_everything[0])), start):
        for value in [*ALWAYS, *[*KINDS, *OTHERS, *MALFORMED][turn * 5 % step :: step]]:
            _try(of_everything, route, template.replace(json.dumps(_HOLE), value).encode(), (where, value))


@pytest.mark.parametrize("route", sorted({*REQUESTS, *WITHOUT_BODY}), ids=" ".join)
def test_any_body_at_all(of_everything, route):
    for raw in [*WHOLE, *(value.encode() for value in MALFORMED)]:
        _try(of_everything, route, raw, raw[:50])


def _templates(body: Any) -> Iterator[tuple[str, str]]:
    """The body as JSON text with a hole in each place where a value stands, by the value's path."""
    for path in _paths(body):
        yield "/".join(map(str, path)), json.dumps(_replaced(body, path))


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield (name,)
        yield from ((name, *path) for path in _paths(each))


def _replaced(value: Any, path: tuple[Any, ...]) -> Any:
    if not path:
        return _HOLE
    copy = value.copy()
    copy[path[0]] = _replaced(value[path[0]], path[1:])
    return copy


def _try(
    of_everything: tuple[World, quick_tables.State],
    route: Route,
    raw: bytes,
    what: Any = None,
    *,
    must_succeed: bool = False,
) -> None:
    world, before = of_everything
    valid = REQUESTS.get(route, Valid(lambda _: None, {"code": "plan"}))
    with strict.limits_kept():
        answer = _send(world, route, valid, raw)
        _has_our_form(answer, what)
        if answer.status >= 300:
            assert not must_succeed, (route, answer)
            return
        meter()
        _reads_back(world, valid, answer, what)
        if route[0] == "POST" and isinstance(what, tuple):
            _shows(valid, answer, *what)
        work()
    quick_tables.go_back_to(before)


def _send(world: World, route: Route, valid: Valid, raw: bytes) -> Answer:
    method, path = route
    for name, value in valid.names.items():
        path = path.replace(f"{{{name}}}", world.ids[value[1:]] if value.startswith("@") else value)
    headers = {"X-Admin-API-Key": ADMIN_KEY} if valid.admin else {"Authorization": f"Bearer {world.story.api_key}"}
    return request(method, path, raw, headers)


def _has_our_form(answer: Answer, what: Any) -> None:
    assert answer.status < 500, (what, answer)
    if answer.status >= 300:
        assert answer.status >= 400, (what, answer)
        assert answer.body["status"] == answer.status, (what, answer)
        assert isinstance(answer.body["error"], str), (what, answer)


# What reads what requests have left behind.
_READERS = {
    "event": ["/customers/cust/current_usage?external_subscription_id=sub", "/event_logs", "/events"],
    "events": ["/customers/cust/projected_usage?external_subscription_id=sub", "/events?external_subscription_id=sub"],
    "plan": ["/plans"],
    "billable_metric": ["/billable_metrics", "/customers/cust/current_usage?external_subscription_id=sub"],
    "customer": ["/customers", "/invoices"],
    "organization": ["/customers", "/subscriptions"],
    "subscription": ["/subscriptions", "/customers/cust/current_usage?external_subscription_id=sub"],
}


def _reads_back(world: World, valid: Valid, answer: Answer, what: Any) -> None:
    for url in () if valid.admin else _READERS.get(valid.root or "", ()):
        read = world.story.call("GET", url)
        assert read.status < 500, (what, url, read)
    if valid.back is None or valid.root is None:
        return
    written = answer.body[valid.root]
    path = valid.back.format(**{name: quote(str(value), safe="") for name, value in written.items()})
    read = world.story.call("GET", path)
    assert read.status == 200, (what, path, read)
    for name in written.keys() - _CHANGING.get(valid.root, set()):
        assert read.body[valid.root][name] == written[name], (what, name, written[name], read.body[valid.root][name])


# Fields that later answers show otherwise; a secret is shown where it is made.
_CHANGING = {
    "event": {"lago_subscription_id", "lago_customer_id", "created_at", "lago_id"},
    "webhook_endpoint": {"secret"},
}

# Shown in another form than they are sent in, or (of a monthly plan) as nothing.
_OTHERWISE = frozenset({"timestamp", "bill_charges_monthly"})


def _shows(valid: Valid, answer: Answer, where: str, value: str) -> None:
    """A word, number or switch that was accepted is the one that is shown; of an empty text, nothing or what is usual."""
    root, _, field = where.partition("/")
    sent = json.loads(value)
    shown_in = answer.body.get(root)
    if root != valid.root or not isinstance(shown_in, dict) or field not in shown_in or field in _OTHERWISE:
        return
    shown = shown_in[field]
    if isinstance(sent, bool):
        assert shown is sent, (where, value, shown)
    elif isinstance(sent, str | int | float) and str(sent).strip():
        forms = (str(sent), str(sent).strip(), str(sent).upper())
        assert str(shown) in forms or _number(shown) == _number(sent), (where, value, shown)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
