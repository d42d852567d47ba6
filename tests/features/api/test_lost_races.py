"""Laws of all routes that change something: a lost race is no failure, one that does not end is a 409, and nothing is ever
half written."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.platform import dynamodb
from tests.support import quick_tables
from tests.support.aws import in_memory, variables
from tests.support.changes import CHANGES, OTHERS, Change, World, core_items, routes
from tests.support.faults import Killed, Plan, conflicting, failing, overtaken, recorded

EACH = pytest.mark.parametrize(
    "change", CHANGES, ids=[f"{n}: {change.route}".replace("/api/v1", "") for n, change in enumerate(CHANGES)]
)
# Writes beside the one transaction: a number drawn for a new customer, fees under a build that nobody reads yet, and the
# payload of an announcement, which stands under its own hash, expires, and is read by none but what names it.
ASIDE = {"update_item": "#numbers", "batch_write_item": "#invoice#", "put_item": "#webhook-payload#"}


@pytest.fixture(scope="module")
def begun() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        for name, value in variables().items():
            patch.setenv(name, value)
        with in_memory():
            yield World.begin()


@pytest.fixture
def world(begun: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world as it began, in which nobody waits long."""
    quick_tables.go_back_to(begun.state)
    monkeypatch.setattr(limits, "CHANGE_PAUSE", timedelta(milliseconds=1))
    return begun


def standing() -> dict[Any, Any]:
    """What readers see of the core table."""
    unread = ("#numbers", "#webhook-payload#")
    return {k: v for k, v in core_items().items() if not k[1].startswith("fee#") and not any(u in k[0] for u in unread)}


def test_the_laws_are_tried_at_every_route_that_changes_something():
    assert {change.route for change in CHANGES} | OTHERS == routes()
    assert not {change.route for change in CHANGES} & OTHERS


@EACH
def test_a_change_is_one_transaction(world: World, change: Change) -> None:
    with recorded() as writes:
        assert world.call(change).status in (200, 201)
    aside = [(name, request) for name, request in writes if name != "transact_write_items"]
    assert len(writes) - len(aside) == 1
    assert all(ASIDE[name] in str(request) for name, request in aside)


@EACH
def test_a_change_that_dies_before_its_transaction_leaves_nothing(world: World, change: Change) -> None:
    with recorded() as writes:
        world.call(change)
    quick_tables.go_back_to(world.state)
    before = standing()
    at = [name for name, _ in writes].index("transact_write_items")
    with failing(Plan(at, after=False)) as plan, pytest.raises(Killed):
        world.call(change)
    assert plan.reached
    assert standing() == before


@EACH
def test_a_lost_race_is_run_again(world: World, change: Change) -> None:
    with conflicting(3, "ConditionalCheckFailed") as left:
        answer = world.call(change)
    assert (left["times"], answer.status in (200, 201)) == (0, True), answer


@EACH
@pytest.mark.parametrize("code", ["ConditionalCheckFailed", "TransactionConflict"])
def test_races_without_end_are_refused_and_write_nothing(
    world: World, change: Change, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CHANGE_RETRIED_FOR", timedelta(0))
    monkeypatch.setattr(dynamodb, "_CONFLICT_ATTEMPTS", 1)
    before = standing()
    with conflicting(1000, code):
        answer = world.call(change)
    assert (answer.status, answer.body["status"], answer.body["error"]) == (409, 409, "Conflict"), answer
    assert answer.body["code"].endswith("_changed_meanwhile")
    assert standing() == before


@EACH
def test_of_two_at_once_one_comes_after_the_other(world: World, change: Change) -> None:
    """The same request is carried out between another's reads and its transaction: as if it had come just before."""
    first: list[int] = []
    with overtaken(lambda: first.append(world.call(change).status)):
        second = world.call(change)
    assert first in ([200], [201])
    assert second.status == change.again, second
