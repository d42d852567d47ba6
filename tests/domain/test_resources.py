"""Which operations on resources are possible. Source: rules/usage 3.2."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.aggregation.levels import walk
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.aggregation.resources import Naming

START = datetime(2024, 1, 1, tzinfo=UTC)
USER, BY_CITY = Naming("user"), Naming("user", ("city",))
ADDED, NOT_FOUND = {"user": ["recurring_resource_already_added"]}, {"user": ["recurring_resource_not_found"]}
INVALID = {"operation_type": ["invalid_operation_type"]}


@pytest.mark.parametrize(
    ("naming", "properties", "expected"),
    [
        pytest.param(USER, {"user": "a", "operation_type": "add"}, ADDED, id="added already"),
        pytest.param(USER, {"user": "b", "operation_type": "add"}, {}, id="new"),
        pytest.param(USER, {"user": "a", "operation_type": "remove"}, {}, id="there to be removed"),
        pytest.param(USER, {"user": "b", "operation_type": "remove"}, NOT_FOUND, id="not there"),
        pytest.param(USER, {"user": "a"}, INVALID, id="no operation"),
        pytest.param(USER, {"user": "b", "operation_type": "drop"}, INVALID, id="no such operation"),
        pytest.param(USER, {"operation_type": "remove"}, {}, id="no value names nothing"),
        pytest.param(BY_CITY, {"user": "a", "operation_type": "add", "city": "Bonn"}, {}, id="in another dimension"),
        pytest.param(BY_CITY, {"user": "a", "operation_type": "add"}, ADDED, id="in no dimension"),
    ],
)
def test_what_is_wrong_where_a_is_active(naming, properties, expected):
    active = {naming.resource({"user": "a"})}
    assert naming.findings(properties, active) == expected


def test_the_last_operation_in_time_decides():
    said = [(3, "a", "remove"), (1, "a", "add"), (2, "b", None), (2, "c", "add"), (4, "c", "else"), (0, None, "add")]
    readings = [
        Reading(START + timedelta(days=day), f"{n}", {"user": user, "operation_type": operation})
        for n, (day, user, operation) in enumerate(said)
    ]
    assert USER.active(readings) == {("b",), ("c",)}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["add", "remove", "drop", None])), max_size=30))
def test_what_passes_always_changes_something(operations):
    """Where nothing that is refused is kept, every event counts, and what is active is what the count says."""
    kept: list[Reading] = []
    for n, (user, operation) in enumerate(operations):
        properties: dict[str, Any] = {"user": user, "operation_type": operation}
        if not USER.findings(properties, USER.active(kept)):
            kept.append(Reading(START + timedelta(seconds=n), str(n), properties))
    moves = walk(kept, "user")
    assert all(move.change for move in moves)
    assert sum(move.change for move in moves) == len(USER.active(kept))
