"""One customer at the provider per customer and connection, whatever fails, dies or runs twice. Source: rules/catalog 10."""

import contextlib
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.features.customers import service as customers
from chalicelib.features.payments.links import sync
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.unit import Unit
from tests.features.payments import far_side
from tests.features.payments.far_side import KEY, TOKEN, provider_customer_id
from tests.support.examples import examples
from tests.support.story import Story, work

FAULTS = (
    "lost_undone",
    "lost_done",
    "reset",
    "429",
    "503",
    "502",
    "500",
    "409",
    "odd",
    "empty",
    "500_done",
    "502_done",
)
PROVIDERS = {
    "stripe": ("POST /v1/customers", "GET /v1/customers", lambda fake: fake.account(KEY).listed("customer")),
    "gocardless": ("POST /customers", "GET /customers", lambda fake: fake.account(TOKEN).listed("customers")),
}


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture(params=list(PROVIDERS))
def side(request: pytest.FixtureRequest, story: Story) -> tuple[str, Any]:
    """Each provider, connected, with a customer whose task has not run yet."""
    name = str(request.param)
    running = request.getfixturevalue(name)
    if name == "stripe":
        far_side.connect(story)
    else:
        far_side.connect_gocardless(story, running)
    billing = {"payment_provider": name, "sync_with_provider": True}
    story.customer("cust", name="Umbra", email="cust@example.com", billing_configuration=billing)
    return name, running.fake


def task_of(story: Story) -> Task | None:
    own_id = customers.find(story.ref.id, "cust").id
    return agenda.find(agenda.task(sync.SYNC, story.ref, own_id, clock.utc_now()).key)


def run(story: Story) -> None:
    task = task_of(story)
    if task is not None:
        runner.run(task, now=task.due_at)


def there(side: tuple[str, Any]) -> list[str]:
    return [each["id"] for each in PROVIDERS[side[0]][2](side[1])]


def settle(story: Story, side: tuple[str, Any]) -> None:
    """Whatever was broken is whole, and the task runs until nothing is left of it."""
    side[1].faults.clear()
    side[1].forward(hours=25)  # Keys are new again, with what a provider kept under them.
    for _ in range(3):
        run(story)
    assert task_of(story) is None
    assert there(side) == [provider_customer_id(story)]


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("call", [0, 1], ids=["creating", "looking"])
def test_each_fault_at_each_call(story: Story, side, kind, call):
    if call == 1:
        side[1].faults.add(PROVIDERS[side[0]][0], "lost_done")
        run(story)
    side[1].faults.add(PROVIDERS[side[0]][call], kind)
    run(story)
    settle(story, side)


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("behind", [False, True], ids=["before the write", "behind the write"])
def test_a_process_that_is_killed_at_each_write(story: Story, side, monkeypatch, number, behind):
    commit, seen = Unit.commit, []

    def killing(unit: Unit) -> None:
        seen.append(unit)
        mine = len(seen) == number + 1
        if mine and not behind:
            raise Killed
        commit(unit)
        if mine:
            raise Killed

    with monkeypatch.context() as killed:
        killed.setattr(Unit, "commit", killing)
        with contextlib.suppress(Killed):
            run(story)
    settle(story, side)


def test_two_workers_at_once(story: Story, side):
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: run(story), range(4)))
    settle(story, side)


@pytest.mark.parametrize("seed", range(examples(20)))
def test_anything_in_any_order(story: Story, side, seed):
    chance = random.Random(seed)
    for number in range(6):
        for call in PROVIDERS[side[0]][:2]:
            if chance.random() < 0.7:
                side[1].faults.add(call, chance.choice(FAULTS))
        if chance.random() < 0.3:
            story.customer("cust", name=f"Umbra {number}", email=f"cust{number}@example.com")
        run(story)
        if chance.random() < 0.2:
            side[1].forward(hours=chance.choice([1, 25]))
    work()
    settle(story, side)
