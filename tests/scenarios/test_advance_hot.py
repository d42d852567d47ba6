"""Many workers charge the events of one subscription at once: each event has its fee once, and together they owe what they
should. One goes on at a time, and another one at each request, drawn by chance; transactions that meet are refused, as AWS
does. Source: decisions/0018."""

import random
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from chalicelib.features.metering import messages as metering
from chalicelib.features.metering import write
from chalicelib.features.metering.advance import CHARGE_EVENT
from chalicelib.platform import agenda, dynamodb, retry
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.settings import settings
from tests.support.charging import tiers, ts
from tests.support.faults import Collisions, colliding
from tests.support.in_advance import advance, unique
from tests.support.simulation import Turns
from tests.support.story import Story, meter, received

WORKERS = 6
NUMBER = 36
ONE_FLAT = {"graduated_ranges": tiers((0, 10, "1", "1"), (11, None, "0.5", "2"))}
PACKAGES = {"amount": "10", "package_size": 10, "free_units": 0}


def tasks(story: Story) -> list[Task]:
    found = agenda.tasks_of_clock(story.ref, until=datetime(2030, 1, 1, tzinfo=UTC))
    return [task for task in found if task.kind == CHARGE_EVENT]


def run(task: Task) -> None:
    assert runner.run(task, now=task.due_at) is None


def at_once(
    monkeypatch: pytest.MonkeyPatch, works: Sequence[Callable[[], object]], chance: random.Random
) -> Collisions:
    """Carry out works at the same time; who waits lets others go on."""
    turns = Turns(len(works), chance)

    def wait(seconds: float) -> None:
        for _ in range(min(20, 1 + int(seconds * 500))):
            turns.pause()

    how = {"sleep": wait, "draw": chance.random}
    monkeypatch.setattr(dynamodb, "transact", partial(dynamodb.transact, **how))
    monkeypatch.setattr(write, "_commit", partial(write._commit, **how))
    # Workers are processes of one thread each: none waits for another's turn.
    monkeypatch.setattr(retry.retrying, "__kwdefaults__", {**(retry.retrying.__kwdefaults__ or {}), **how})
    monkeypatch.setattr(retry, "_turn", lambda resource: nullcontext())
    with colliding(turns.pause) as met:
        turns.run(works)
    return met


def send(story: Story, places: Sequence[int], **properties: Any) -> None:
    """Events so many seconds after 2 January, a message each."""
    for n in places:
        body = {"transaction_id": f"t{n}", "external_subscription_id": "sub", "code": "calls"}
        own = {name: value(n) for name, value in properties.items()}
        story.ok("POST", "/events", {"event": {**body, "timestamp": ts("2024-01-02") + n, "properties": own}})


def charged(story: Story) -> list[int]:
    """The cents of all fees; each event has one."""
    fees = story.ok("GET", "/fees?per_page=1000")["fees"]
    assert sorted(fee["event_transaction_id"] for fee in fees) == sorted(f"t{n}" for n in range(NUMBER))
    assert tasks(story) == []
    return [fee["amount_cents"] for fee in fees]


def test_events_that_are_all_metered_owe_the_price_of_all_whoever_charges_which_first(aws, monkeypatch):
    """36 at 1.00 up to ten, with 1.00, then at 0.50 with 2.00: 11.00 + 2.00 + 13.00."""
    chance = random.Random(3)
    story = Story.begin()
    story.plan(charges=[advance(story.metric(), ONE_FLAT, "graduated", invoiceable=False)])
    story.subscribe()
    send(story, range(NUMBER))
    meter()
    own = tasks(story)
    chance.shuffle(own)
    works = [lambda mine=own[n::WORKERS]: [run(task) for task in mine] for n in range(WORKERS)]
    met = at_once(monkeypatch, works, chance)
    assert sum(charged(story)) == 2600
    assert met.transactions["done"] == NUMBER
    assert met.places["charged"] > 0
    # Who meets another sends the same again; few have to be computed again, and none is put off.
    assert met.transactions["refused"] <= NUMBER // 4


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", ["packages", "seats"])
def test_events_charged_while_earlier_ones_come_in_never_owe_more_than_all_do(aws, monkeypatch, kind, seed):
    """Newest first: packages of ten at 10.00, or six seats at 10.00, each added six times."""
    chance = random.Random(seed)
    story = Story.begin()
    if kind == "packages":
        charge, owed = advance(story.metric(), PACKAGES, "package", invoiceable=False), 4000
    else:
        charge, owed = advance(unique(story, "calls"), {"amount": "10"}, invoiceable=False), 6000
    story.plan(charges=[charge])
    story.subscribe()
    send(story, range(NUMBER)[::-1], id=lambda n: f"u{n % 6}")
    records = [record for _ in range(-(-NUMBER // 10)) for record in received(settings().events_queue)]
    left = len(records)

    def count() -> None:
        nonlocal left
        for record in records:
            assert metering.handle([record]) == []
            left -= 1

    def charge_what_is_there() -> None:
        while (found := tasks(story)) or left:
            if found:
                run(chance.choice(found))

    at_once(monkeypatch, [count, *[charge_what_is_there] * (WORKERS - 1)], chance)
    assert 0 < sum(charged(story)) <= owed
    assert story.usage()["charges_usage"][0]["amount_cents"] == owed
