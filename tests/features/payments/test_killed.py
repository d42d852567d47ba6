"""A worker that is killed before and after each request of its task: to tables, to queues and to the provider. Each invoice is
paid once, each note refunded once, and no row is for ever in doubt. Source: rules/collection 2, 3, 5."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from requests.adapters import HTTPAdapter

from chalicelib import limits
from chalicelib.features.payments.collection import starting
from chalicelib.features.payments.inbound import receiving
from chalicelib.features.payments.refunds import service as refunds
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Kind, runner
from tests.features.payments.far_side import post
from tests.features.payments.test_failure_list import BOTH, World
from tests.features.payments.test_failure_list import world as world

BEHIND = pytest.mark.parametrize("behind", [False, True], ids=["before", "after"])
# No task makes as many requests: one that never ends without being killed would be a fault.
MOST = 60
# What a task does at the least: read, write, call, write. Fewer places would show that nothing is killed at all.
LEAST = 4


class Killed(BaseException):
    """The process ends here."""


class Knife:
    """Kills the process at the request of a place (the first is 0), before it is made or after it was answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, behind: bool) -> None:
        self.monkeypatch, self.behind = monkeypatch, behind
        self.place, self.seen = 0, 0

    def around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            is_mine = self.seen == self.place
            self.seen += 1
            if is_mine and not self.behind:
                raise Killed
            answer = real(*args, **kwargs)
            if is_mine:
                raise Killed
            return answer

        return call

    def cuts(self, act: Callable[[], Any]) -> bool:
        """Whether an act was killed at the present place; False, where it ended before."""
        self.seen = 0
        with self.monkeypatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", self.around(BaseClient._make_api_call))  # type: ignore[attr-defined]
            patch.setattr(HTTPAdapter, "send", self.around(HTTPAdapter.send))
            with contextlib.suppress(Killed):
                act()
                return False
        return True

    def places(self) -> Iterator[int]:
        """All places, until an act ends that was not killed any more."""
        for self.place in range(MOST):
            yield self.place
            if self.seen <= self.place:
                assert self.place >= LEAST
                return
        raise AssertionError("it never ends")


def run(world: World, kind: Kind) -> None:
    """Run whatever is due of a kind, as a worker does that was sent it."""
    for number in range(limits.DUE_SHARDS):
        for task in list(agenda.due(number, until=world.payer.now())):
            if task.kind == kind:
                assert runner.run(task, now=task.due_at) is None


def billed(world: World, place: int) -> Any:
    """An invoice whose amount no other one has; what the provider told of those before is not told again."""
    world.fake.sender.events.clear()
    return world.payer.bill(1000 + place)


def check(world: World, invoices: list[Any]) -> None:
    """Each is paid once there, and here; of all its payments one succeeded and none is left in doubt."""
    shown = [world.payer.again(each) for each in invoices]
    assert {each["payment_status"] for each in shown} == {"succeeded"}
    assert all(each["total_paid_amount_cents"] == each["total_amount_cents"] for each in shown)
    assert sorted(world.moved()) == sorted(each["total_amount_cents"] for each in shown)
    states = [each["payment_status"] for each in world.payer.payments()]
    assert states.count("succeeded") == len(invoices)
    assert {*states} <= {"succeeded", "failed"}


def settle(world: World, invoice: Any) -> None:
    world.settle(lambda: world.payer.again(invoice)["payment_status"] == "succeeded")


@BOTH
@BEHIND
def test_a_charge(world: World, monkeypatch: pytest.MonkeyPatch, behind: bool) -> None:
    world.begin()
    knife, made = Knife(monkeypatch, behind=behind), list[Any]()
    for place in knife.places():
        made.append(billed(world, place))
        knife.cuts(lambda: run(world, starting.COLLECT))
        settle(world, made[-1])
    check(world, made)


@BOTH
@BEHIND
@pytest.mark.parametrize("lost", ["lost_done", "lost_undone"])
def test_looking_for_a_charge_whose_answer_was_lost(
    world: World, monkeypatch: pytest.MonkeyPatch, behind: bool, lost: str
) -> None:
    world.begin()
    knife, made = Knife(monkeypatch, behind=behind), list[Any]()
    for place in knife.places():
        made.append(billed(world, place))
        world.fail("charge", lost, 1)
        run(world, starting.COLLECT)
        wait(world, limits.PAYMENT_WAITS[0])
        knife.cuts(lambda: run(world, starting.COLLECT))
        settle(world, made[-1])
    check(world, made)


def wait(world: World, time: timedelta) -> None:
    """Time passes, and nobody looks yet at what is due by then."""
    world.payer.ahead += time * 2
    world.monkeypatch.setattr(clock, "utc_now", world.payer.now)


@BOTH
@BEHIND
@pytest.mark.parametrize("act", ["taken in", "applied"])
def test_an_event(world: World, monkeypatch: pytest.MonkeyPatch, behind: bool, act: str) -> None:
    """That it is taken in, and that it is applied: the provider sends again what it got no answer to."""
    world.begin()
    knife, made = Knife(monkeypatch, behind=behind), list[Any]()
    for place in knife.places():
        made.append(billed(world, place))
        world.fail("charge", "lost_done", 1)
        run(world, starting.COLLECT)
        event = newest_event(world)
        if act == "taken in":
            knife.cuts(lambda event=event: post(event.url, event.body, event.headers))
        post(event.url, event.body, event.headers)
        if act == "applied":
            knife.cuts(lambda: run(world, receiving.APPLY))
        settle(world, made[-1])
    check(world, made)


def newest_event(world: World) -> Any:
    """What the provider sends of the payment that it made last."""
    if world.name == "gocardless":
        world.account.move(world.account.listed("payments")[0]["id"], "submitted")
    return world.fake.sender.requests(ids=[world.fake.sender.events[-1].id])[0]


@BOTH
@BEHIND
@pytest.mark.parametrize("lost", ["", "lost_done", "lost_undone"])
def test_a_refund(world: World, monkeypatch: pytest.MonkeyPatch, behind: bool, lost: str) -> None:
    world.begin()
    knife, notes = Knife(monkeypatch, behind=behind), list[Any]()
    for place in knife.places():
        invoice = billed(world, place)
        settle(world, invoice)
        items = [{"fee_id": invoice["fees"][0]["lago_id"], "amount_cents": 500 + place}]
        body = {"invoice_id": invoice["lago_id"], "reason": "other", "refund_amount_cents": 500 + place}
        notes.append(world.story.ok("POST", "/credit_notes", {"credit_note": {**body, "items": items}})["credit_note"])
        if lost:
            world.fail("refund", lost, 1)
            run(world, refunds.REFUND)
            wait(world, limits.PROVIDER_AGAIN)
        knife.cuts(lambda: run(world, refunds.REFUND))
        world.settle(lambda: refund_status(world, notes[-1]) == "succeeded")
    assert {refund_status(world, each) for each in notes} == {"succeeded"}
    there = [each["amount"] for each in world.account.listed(world.far.refunds)]
    assert sorted(map(int, there)) == [500 + each for each in range(len(notes))]


def refund_status(world: World, note: Any) -> str:
    return str(world.story.ok("GET", f"/credit_notes/{note['lago_id']}")["credit_note"]["refund_status"])
