"""A quiet organization beside noisy ones: whatever they have due, its task, event, message and document come within a minute.

In simulated time, at the concurrency that the template gives each function (tests/support/crowd.py).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from random import Random

import pytest

from chalicelib import limits, wiring
from chalicelib.features.documents import orders
from chalicelib.features.sandbox import service as test_clock
from chalicelib.features.webhooks import delivery
from chalicelib.platform import agenda, clock, queues
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.agenda import store as agenda_store
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.fairness import in_turns
from chalicelib.platform.ids import new_id
from chalicelib.platform.settings import settings
from chalicelib.platform.timestamps import unstamp
from tests.support.crowd import Crowd, Lane
from tests.support.items import core
from tests.support.quick_tables import fill
from tests.support.simulation import Message, Simulation, simulated
from tests.support.story import Story, received
from tests.support.usage import event, message

MINUTE = timedelta(minutes=1)
MANY = 100_000
TASK_SECONDS = 2.0  # A batch of ten of one organization takes all the time that a batch may (`WORK_BATCH_SECONDS`).
BUSY = agenda.kind("busy_test", rank=99, real_time=True)
PRINTED = agenda.kind("printed_test", rank=99, real_time=True, queue="documents")


@pytest.fixture(autouse=True)
def done(monkeypatch) -> list[Task]:
    """Tasks that were carried out."""
    found: list[Task] = []

    def carry_out(task: Task, now: object) -> None:
        agenda.done(task).alone()
        found.append(task)

    for kind in (BUSY, PRINTED):
        monkeypatch.setitem(runner._handlers, kind.name, carry_out)
    return found


@pytest.fixture
def simulation(aws) -> Iterator[Simulation]:
    for name in ("events", "jobs", "sandbox", "webhooks", "documents", "asked"):
        queues.url(str(getattr(settings(), f"{name}_queue")))
    with simulated(clock.utc_now()) as found:
        yield found


def organization(*, sandbox: bool = False) -> OrganizationRef:
    return OrganizationRef(new_id(), sandbox=sandbox)


def due(owner: OrganizationRef, number: int, kind: agenda.Kind = BUSY, after: timedelta = timedelta(0)) -> list[Task]:
    """So many tasks that are due, in the table; nobody pushed them."""
    at = clock.utc_now() + after
    tasks = [agenda.task(kind, owner, f"s{n}", at) for n in range(number)]
    fill(core.name, [agenda_store.row_of(task, indexed=True).serialize() for task in tasks])
    return tasks


def jobs_lane(**how: object) -> Lane:
    """Each task takes its time; pushing what its requests take."""
    how = {"carry_out": wiring.work, "seconds": lambda m: 0.0 if m.kind == "shard" else TASK_SECONDS, **how}
    return Lane.of("Worker", "worker", settings().jobs_queue, **how)


def is_of(owner: OrganizationRef, done: Iterable[Task]) -> Callable[[], bool]:
    return lambda: any(task.organization == owner for task in done)


# Tasks.


def test_a_hundred_thousand_tasks_of_one_hold_up_none_of_another(simulation, done, monkeypatch):
    monkeypatch.setattr(limits, "DUE_PAGE", 10_000)  # moto looks at all of the table for each page.
    noisy, quiet = organization(), organization()
    due(noisy, MANY)
    due(quiet, 1, after=timedelta(seconds=1))  # Behind all of them in the index.
    lane = jobs_lane()
    crowd = Crowd(simulation, lane)
    took = crowd.work(is_of(quiet, done), at_most=10 * MINUTE)
    assert took is not None
    assert took < MINUTE
    # One that is pushed when it is written, into the midst of it.
    (later,) = due(quiet, 1)
    done.clear()
    agenda.push([later])
    took = crowd.work(is_of(quiet, done), at_most=10 * MINUTE)
    assert took is not None
    assert took < MINUTE / 2
    # The noisy one has all that is left of the workers, and never more than a share of its tasks in the queue.
    handled, begun = lane.handled[noisy.id], simulation.now
    crowd.work(lambda: False, at_most=MINUTE / 2)
    rate = (lane.handled[noisy.id] - handled) / (simulation.now - begun).total_seconds()
    assert rate > 0.8 * lane.at_once / TASK_SECONDS
    assert simulation.sent < MANY / 4


def test_without_groups_it_would_wait_for_all_of_them(simulation, done):
    """What the simulation would show if the queues were not fair."""
    noisy, quiet = organization(), organization()
    agenda.push(due(noisy, 1_000))
    agenda.push(due(quiet, 1))
    took = Crowd(simulation, jobs_lane(fair=False, seconds=lambda _: 5.0)).work(is_of(quiet, done), at_most=10 * MINUTE)
    assert took is None or took > MINUTE


def test_five_noisy_ones_hold_up_none_of_a_quiet_one(simulation, done):
    for _ in range(5):
        agenda.push(due(organization(), 1_000))
    quiet = organization()
    crowd = Crowd(simulation, jobs_lane())
    crowd.work(lambda: False, at_most=timedelta(seconds=6))
    agenda.push(due(quiet, 1))
    took = crowd.work(is_of(quiet, done), at_most=10 * MINUTE)
    assert took is not None
    assert took < MINUTE / 2


def test_documents_are_printed_in_turns_too(simulation, done):
    noisy, quiet = organization(), organization()
    agenda.push(due(noisy, 10_000, PRINTED))
    lane = Lane.of(
        "PrintDocuments", "print_documents", settings().documents_queue, lambda _: 2.0, carry_out=wiring.work
    )
    crowd = Crowd(simulation, lane)
    crowd.work(lambda: False, at_most=timedelta(seconds=20))
    agenda.push(due(quiet, 1, PRINTED))
    took = crowd.work(is_of(quiet, done), at_most=10 * MINUTE)
    assert took is not None
    assert took < timedelta(seconds=10)


def test_a_document_asked_for_while_a_thousand_wait_takes_as_long_as_one_alone(simulation, done):
    """Also one's own: the thousand are of the same organization, which fair queues do not help."""
    own = organization()

    drawing = timedelta(seconds=2)
    printers = (("PrintDocuments", "print_documents", "documents"), ("PrintAsked", "print_asked", "asked"))
    crowd = Crowd(
        simulation,
        *(
            Lane.of(name, handler, str(getattr(settings(), f"{queue}_queue")), lambda _: 2.0, carry_out=wiring.work)
            for name, handler, queue in printers
        ),
    )

    def waited(subject: str) -> timedelta:
        took = crowd.work(lambda: any(task.subject == subject for task in done), at_most=10 * MINUTE)
        assert took is not None
        return took + drawing

    orders.ask(PRINTED, own, "alone", lost=False)
    alone = waited("alone")
    agenda.push(due(own, 1_000, PRINTED))
    crowd.work(lambda: False, at_most=timedelta(seconds=1))
    orders.ask(PRINTED, own, "s998", lost=False)
    assert waited("s998") <= 3 * alone
    assert waited("s999") > MINUTE  # Nobody asked for it.


# Pushing.


def pushed(orders: Sequence[dict]) -> tuple[list[str], list[dict]]:
    """Carry orders out; keys of the tasks that were pushed, in their order, and the orders that followed."""
    from chalicelib.tasks import pushing

    for order in orders:
        pushing.carry_out(order)
    return taken()


def taken() -> tuple[list[str], list[dict]]:
    import json

    keys, following = [], []
    for queue in (settings().jobs_queue, settings().sandbox_queue):
        while records := received(queue):
            for record in records:
                body = json.loads(record["body"])
                (following if "shard" in body else keys).append(body if "shard" in body else body["pk"])
    return keys, following


@pytest.fixture
def small(monkeypatch) -> None:
    """Small numbers in the place of hundreds."""
    for name, value in {"DUE_SHARDS": 1, "DUE_PAGE": 7, "PUSHED_AT_FIRST": 3, "PUSHED_PER_LINK": 5}.items():
        monkeypatch.setattr(limits, name, value)


@pytest.mark.parametrize("sandbox", [False, True])
@pytest.mark.parametrize("number", [1, 3, 4, 8, 9, 40])
def test_all_that_is_due_is_pushed_once(aws, small, number, sandbox):
    owners = [organization(sandbox=sandbox), organization()]
    tasks = [task.key[0] for owner in owners for task in due(owner, number)]
    keys, orders = pushed([{"shard": 0}])
    assert len(keys) == 2 * min(number, 3)
    while orders:
        more, orders = pushed(orders)
        assert len(more) <= 2 * 5
        keys += more
    assert sorted(keys) == sorted(tasks)
    assert [core.get(f"{owner.id}#pushing", "00") for owner in owners] == [None, None]


def test_tasks_that_are_carried_out_meanwhile_change_nothing_for_the_others(aws, small):
    """Each link begins where the last one ended, at a task that has gone by then."""
    owner = organization()
    tasks = {task.key[0]: task for task in due(owner, 40)}
    keys, orders = pushed([{"shard": 0}])
    seen = list(keys)
    while orders:
        for name in keys:
            agenda.done(tasks[name]).alone()
        keys, orders = pushed(orders)
        seen += keys
    assert sorted(seen) == sorted(tasks)


def test_a_tick_meanwhile_pushes_the_first_again_and_begins_nothing_anew(aws, small, monkeypatch):
    owner = organization()
    tasks = due(owner, 20)
    keys, orders = pushed([{"shard": 0}])
    (order,) = orders
    again, none = pushed([{"shard": 0}])
    assert (again, none) == (keys, [])
    # The order is lost: after its time another one takes its place, and it has no effect if it comes up after all.
    later = clock.utc_now() + limits.PUSHING_KEPT + timedelta(seconds=1)
    monkeypatch.setattr(clock, "utc_now", lambda: later)
    _, (new,) = pushed([{"shard": 0}])
    assert pushed([order]) == ([], [])
    seen, orders = [], [new]
    while orders:
        more, orders = pushed(orders)
        seen += more
    assert sorted(keys + seen) == sorted(task.key[0] for task in tasks)


def test_a_long_way_through_a_shard_is_gone_by_several(aws, small, monkeypatch):
    monkeypatch.setattr(limits, "PUSH_SECONDS", -1)
    owners = [organization() for _ in range(9)]
    tasks = [task.key[0] for owner in owners for task in due(owner, 3)]
    keys, orders = pushed([{"shard": 0}])
    assert len(keys) <= 7
    while orders:
        assert all("owner" not in order for order in orders)
        more, orders = pushed(orders)
        keys += more
    assert sorted(keys) == sorted(tasks)


@pytest.mark.parametrize("seed", range(3))
def test_lost_and_doubled_messages_leave_nothing_undone(aws, small, monkeypatch, done, seed):
    chance = Random(seed)
    owners = [organization() for _ in range(3)]
    tasks = [task for n, owner in enumerate(owners) for task in due(owner, (30, 10, 1)[n])]
    now = clock.utc_now()
    for _ in range(40):
        monkeypatch.setattr(clock, "utc_now", lambda now=now: now)
        wiring.tick()
        for _ in range(3):
            records = received(settings().jobs_queue)
            for record in chance.sample(records, len(records)):
                for _ in range(chance.choice((0, 1, 1, 2))):
                    wiring.work([record])
        if len(done) == len(tasks):
            break
        now += limits.PUSH_AHEAD
    assert sorted(task.key for task in done) == sorted(task.key for task in tasks)


# Batches.


def test_organizations_take_turns_in_a_batch(aws, done):
    noisy, quiet = organization(), organization()
    agenda.push([*due(noisy, 9), *due(quiet, 1)])
    records = received(settings().jobs_queue)
    assert len(records) == 10
    records.sort(key=lambda record: quiet.id in record["body"])
    assert wiring.work(records) == {"batchItemFailures": []}
    assert [task.organization for task in done].index(quiet) <= 1


def test_what_a_slow_batch_has_no_time_for_goes_back(aws, done, monkeypatch):
    monkeypatch.setattr(limits, "WORK_BATCH_SECONDS", -1)
    owner = organization()
    tasks = due(owner, 3)
    agenda.push(tasks)
    agenda.done(tasks[0]).alone()  # Gone meanwhile: nothing to put back.
    records = [*received(settings().jobs_queue), {"messageId": "x", "body": "no JSON"}]
    queues.send(settings().jobs_queue, {"shard": 5}, group="agenda")
    records += received(settings().jobs_queue)
    assert wiring.work(records) == {"batchItemFailures": [{"itemIdentifier": "x"}]}
    assert done == []
    keys, orders = taken()
    assert (sorted(keys), orders) == (sorted(task.key[0] for task in tasks[1:]), [{"shard": 5}])


def test_turns_are_taken_by_everybody():
    assert in_turns("aaabbc", lambda each: each) == list("abcaba")
    assert in_turns([], str) == []
    many = [f"{owner}{n}" for owner in "xyz" for n in range(3)]
    assert in_turns(many, lambda each: each[0]) == [f"{owner}{n}" for n in range(3) for owner in "xyz"]


# Webhooks, events, sandboxes.


def test_deliveries_to_an_endpoint_that_hangs_hold_up_none_of_another(simulation, monkeypatch):
    failed = delivery.Verdict(delivered=False, http_status=None, response="TimeoutError")
    well = delivery.Verdict(delivered=True, http_status=200, response="")
    monkeypatch.setattr(delivery, "attempt", lambda request: failed if "hanging" in request.url else well)
    noisy, quiet = Story.begin(sandbox=False), Story.begin(sandbox=False)
    for story, host in ((noisy, "hanging"), (quiet, "sound")):
        story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": f"http://{host}.example"}})
    noisy.customer("c")
    owner = noisy.ref
    lane = Lane.of(
        "Deliver",
        "deliver",
        settings().webhooks_queue,
        lambda m: float(limits.WEBHOOK_TIMEOUT_SECONDS) if owner.id in m.body else 0.2,
        carry_out=wiring.work,
        together=True,
    )
    crowd = Crowd(simulation, lane, jobs_lane())
    crowd.work(lambda: lane.running > 0, at_most=MINUTE)
    # A hundred thousand more of it: nobody comes to their tasks, but for the first ones.
    for n in range(MANY):
        body = f'{{"pk":"{owner.id}#task#webhook_stream#{n}","sk":"-"}}'
        simulation.take(body, timedelta(0), queue=lane.url, group=owner.id)
    crowd.work(lambda: lane.running == lane.at_once, at_most=MINUTE)
    quiet.customer("c")
    # It goes out as soon as its batch is begun: the others in it are on their way at the same time.
    took = crowd.work(lambda: quiet.ref.id in lane.waits, at_most=10 * MINUTE)
    assert took is not None
    assert took < timedelta(seconds=limits.WEBHOOK_TIMEOUT_SECONDS + 5)
    assert lane.running == lane.at_once


def test_a_hundred_thousand_messages_of_events_hold_up_none_of_another(simulation):
    noisy, quiet = organization(), organization()
    begun = simulation.now
    lane = Lane.of("Meter", "meter", settings().events_queue, lambda _: 0.1, carry_out=wiring.meter)
    body = message([event("t", begun)], noisy)["body"]
    for _ in range(MANY):
        simulation.take(body, timedelta(0), queue=lane.url, group=noisy.id)
    crowd = Crowd(simulation, lane)
    crowd.work(lambda: lane.running == lane.at_once, at_most=MINUTE)
    simulation.take(message([event("t", begun)], quiet)["body"], timedelta(0), queue=lane.url, group=quiet.id)
    took = crowd.work(lambda: lane.handled[quiet.id] > 0, at_most=10 * MINUTE)
    assert took is not None
    assert took < MINUTE / 2
    assert lane.handled[noisy.id] < MANY / 5


def test_leaps_of_twenty_sandboxes_hold_up_neither_jobs_nor_another_sandbox(simulation, done, monkeypatch):
    monkeypatch.setattr(limits, "CLOCK_INLINE_SECONDS", 0)
    monkeypatch.setattr(limits, "CLOCK_SLICE_TASKS", 1)
    leaping = [Story.begin() for _ in range(20)]
    for story in leaping:
        story.plan(interval="weekly")
        story.subscribe()

    def seconds(m: Message) -> float:
        return float(limits.CLOCK_SLICE_SECONDS) if m.kind == test_clock.ADVANCE.name else 0.5

    lane = Lane.of("SandboxWorker", "sandbox_worker", settings().sandbox_queue, seconds, carry_out=wiring.work)
    crowd = Crowd(simulation, lane, jobs_lane())
    crowd.work(lambda: not simulation.waiting and lane.running == 0, at_most=10 * MINUTE)
    for story in leaping:
        story.ok("PUT", "/test_clock", {"test_clock": {"now": "2033-12-01T00:00:00Z"}})
    crowd.work(lambda: lane.running == lane.at_once, at_most=MINUTE)
    for owner in (organization(), organization(sandbox=True)):
        done.clear()
        agenda.push(due(owner, 1))
        took = crowd.work(is_of(owner, done), at_most=10 * MINUTE)
        assert took is not None
        assert took < (MINUTE if owner.sandbox else timedelta(seconds=2))
    crowd.work(lambda: False, at_most=2 * MINUTE)
    reached = [clock.now(story.ref) for story in leaping]
    assert max(reached) - min(reached) <= timedelta(weeks=2)
    assert min(reached) > unstamp("2024-01-10T00:00:00.000000Z")
