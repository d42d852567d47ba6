"""Leaps of test clocks as others meet them: bounded, in slices, canceled, and never in anybody's way."""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from chalicelib import limits, wiring
from chalicelib.features.customers import service as customers
from chalicelib.features.sandbox import service as test_clock
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.settings import settings
from tests.support.faults import Killed, Plan, failing
from tests.support.story import Story, meter, received, work

TEN_YEARS = datetime(2024, 1, 1, tzinfo=UTC) + limits.CLOCK_LEAP_MAX
TOO_FAR = {"now": ["value_must_be_at_most_3653_days_later"]}
YEAR = "2025-01-01T00:00:00Z"


def text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def subscribed(plan: str = "monthly", **begin: object) -> Story:
    story = Story.begin(**begin)
    story.plan(amount_cents=1000, interval=plan)
    story.subscribe()
    return story


def put(story: Story, to: str) -> object:
    return story.call("PUT", "/test_clock", {"test_clock": {"now": to}})


def shown(story: Story) -> tuple[str, str]:
    found = story.ok("GET", "/test_clock")["test_clock"]
    assert "failed_tasks" not in found
    return found["now"], found["status"]


def billed(story: Story) -> list[tuple[str, str, int]]:
    """Number, day and total of all invoices."""
    found = story.invoices()
    assert story.ok("GET", "/invoices")["meta"]["total_count"] == len(found)
    return [(each["number"][-3:], each["issuing_date"], each["total_amount_cents"]) for each in found]


def months(number: int) -> list[tuple[str, str, int]]:
    """What a monthly plan comes to, from February on."""
    days = [f"{2024 + n // 12}-{n % 12 + 1:02d}-01" for n in range(1, number + 1)]
    return [(f"{n + 1:03d}", day, 1000) for n, day in enumerate(days)]


@pytest.fixture
def no_time(monkeypatch) -> None:
    """Calls leave the whole leap to the job."""
    monkeypatch.setattr(limits, "CLOCK_INLINE_SECONDS", 0)


# The bound.


def test_a_leap_of_seven_thousand_years_is_refused_and_nothing_has_begun(aws):
    story = subscribed("weekly")
    for to in ("9000-01-01T00:00:00Z", "2090-01-01T00:00:00Z", text(TEN_YEARS + timedelta(seconds=1))):
        answer = put(story, to)
        assert (answer.status, answer.body["code"], answer.body["error_details"]) == (422, "validation_errors", TOO_FAR)
    assert shown(story) == ("2024-01-01T00:00:00Z", "ready")
    assert billed(story) == []


def test_ten_years_are_one_leap_and_the_next_ten_another(aws):
    story = Story.begin()
    for years in (1, 2):
        story.travel(text(datetime(2024, 1, 1, tzinfo=UTC) + years * limits.CLOCK_LEAP_MAX))


def test_the_first_call_sets_any_instant_unless_that_is_a_leap_over_what_is_due(aws):
    assert shown(Story.begin(at="8999-01-01T00:00:00Z"))[0] == "8999-01-01T00:00:00Z"
    assert shown(Story.begin(at="1950-01-01T00:00:00Z"))[0] == "1950-01-01T00:00:00Z"
    story = subscribed(at=None)
    assert put(story, "9000-01-01T00:00:00Z").body["error_details"] == TOO_FAR
    assert shown(story)[1] == "ready"
    meter()
    story.travel(text(clock.utc_now().replace(microsecond=0) + timedelta(days=62)))
    assert len(billed(story)) == 2


# Slices, and whose turn it is.


def test_a_leap_goes_on_in_slices_and_each_goes_to_the_end_of_the_queue(aws, no_time, monkeypatch):
    monkeypatch.setattr(limits, "CLOCK_SLICE_TASKS", 2)
    story = subscribed()
    work()
    assert put(story, YEAR).body["test_clock"] == {"now": "2024-01-01T00:00:00Z", "status": "advancing"}
    seen = []
    while records := received(settings().sandbox_queue):
        assert wiring.work(records) == {"batchItemFailures": []}
        seen.append(len(billed(story)))
    assert shown(story) == (YEAR, "ready")
    assert billed(story) == months(12)
    steps = [after - before for before, after in zip([0, *seen], seen, strict=False)]
    assert max(steps) <= 2
    assert seen[-1] == 12


def test_leaps_take_turns_and_no_job_of_anybody_else_lies_behind_them(aws, no_time, monkeypatch):
    monkeypatch.setattr(limits, "CLOCK_SLICE_TASKS", 1)
    leaping = [subscribed() for _ in range(3)]
    real = subscribed(sandbox=False)
    work()
    for story in leaping:
        put(story, "2024-07-01T00:00:00Z")
    real.terminate()
    real.organization(timezone="Europe/Paris")
    of_sandboxes, of_others = settings().sandbox_queue, settings().jobs_queue
    references = [story.ref for story in leaping]
    while records := received(of_sandboxes, 1):
        assert wiring.work(records) == {"batchItemFailures": []}
        reached = [clock.now(reference).month for reference in references]
        assert max(reached) - min(reached) <= 1
    assert [billed(story) for story in leaping] == [months(6)] * 3
    waiting = received(of_others)
    assert waiting
    assert all(real.ref.id in record["body"] for record in waiting)


def test_as_many_calls_as_may_move_clocks_themselves_and_the_others_answer_at_once(aws, monkeypatch):
    story = subscribed()
    work()
    with contextlib.ExitStack() as busy:
        for _ in range(limits.CLOCK_INLINE_AT_ONCE):
            assert busy.enter_context(test_clock._inline()) > 0
        assert put(story, "2024-04-01T00:00:00Z").body["test_clock"]["status"] == "advancing"
    work()
    assert shown(story) == ("2024-04-01T00:00:00Z", "ready")
    assert billed(story) == months(3)
    assert test_clock._moving_inline.acquire(blocking=False)
    test_clock._moving_inline.release()


def test_events_on_their_way_hold_a_leap_for_a_minute_and_no_slot_meanwhile(aws, no_time, monkeypatch):
    monkeypatch.setattr(limits, "CLOCK_SLICE_SECONDS", 0)
    story = subscribed()
    story.use(at=1704300000)  # Its message is lost.
    work()
    put(story, "2024-02-01T00:00:00Z")
    for seconds, status in ((0, "advancing"), (59, "advancing"), (61, "ready")):
        later = clock.utc_now() + timedelta(seconds=seconds)
        with monkeypatch.context() as patched:
            patched.setattr(clock, "utc_now", lambda later=later: later)
            if seconds == 61:
                patched.setattr(limits, "CLOCK_SLICE_SECONDS", 60)
            wiring.work(received(settings().sandbox_queue))
        assert shown(story)[1] == status
    assert billed(story) == months(1)


# Canceling.


@contextlib.contextmanager
def at_task(monkeypatch, number: int, do, *, before: bool = True) -> Iterator[list[str]]:
    """Do something while the n-th bill of the leap is being made; yields the instants of all bills."""
    real, seen = runner._handlers[customers.BILL.name], []

    def bill(task: Task, now: datetime) -> None:
        seen.append(text(now))
        if before and len(seen) == number:
            do()
        real(task, now)
        if not before and len(seen) == number:
            do()

    with monkeypatch.context() as patched:
        patched.setitem(runner._handlers, customers.BILL.name, bill)
        yield seen


@pytest.mark.parametrize("before", [True, False])
def test_a_canceled_leap_ends_at_the_instant_reached(aws, monkeypatch, before):
    story = subscribed()
    answers = []
    with at_task(
        monkeypatch, 3, lambda: answers.append(story.call("DELETE", "/test_clock")), before=before
    ) as instants:
        assert put(story, YEAR).body["test_clock"] == {"now": "2024-04-01T00:00:00Z", "status": "ready"}
    assert max(instants) == "2024-04-01T00:00:00Z"
    assert [answer.status for answer in answers] == [200]
    assert answers[0].body["test_clock"] == {"now": "2024-04-01T00:00:00Z", "status": "ready"}
    assert billed(story) == months(3)
    story.customer("changes are taken again")
    story.travel("2024-04-02T00:00:00Z")
    assert billed(story) == months(3)
    story.travel(YEAR)
    assert billed(story) == months(12)
    work()
    assert billed(story) == months(12)


def test_what_is_due_at_the_instant_reached_is_all_done_by_whoever_runs_it(aws, monkeypatch):
    """Three customers are billed at one instant, and the leap ends while the first one is."""
    story = subscribed()
    for name in ("second", "third"):
        story.subscribe(external_id=name, customer=name)
    with at_task(monkeypatch, 4, lambda: story.ok("DELETE", "/test_clock")):
        put(story, YEAR)
    assert shown(story) == ("2024-03-01T00:00:00Z", "ready")
    assert sorted(day for _, day, _ in billed(story)) == ["2024-02-01"] * 3 + ["2024-03-01"] * 3


def test_canceling_twice_or_nothing_changes_nothing(aws):
    story = subscribed()
    for _ in range(2):
        answer = story.call("DELETE", "/test_clock")
        assert (answer.status, answer.body["test_clock"]) == (200, {"now": "2024-01-01T00:00:00Z", "status": "ready"})
    never_set = Story.begin(at=None)
    assert never_set.ok("DELETE", "/test_clock")["test_clock"]["status"] == "ready"
    assert clock.read(never_set.ref).now is None
    refused = Story.begin(sandbox=False).call("DELETE", "/test_clock")
    assert (refused.status, refused.body["code"]) == (403, "test_clock_not_allowed")


def test_a_first_leap_is_canceled_at_the_instant_reached_as_well(aws, monkeypatch):
    """Before, the clock showed real time."""
    story = subscribed(at=None)
    ahead = text(clock.utc_now().replace(microsecond=0) + timedelta(days=400))
    with at_task(monkeypatch, 2, lambda: story.ok("DELETE", "/test_clock")) as instants:
        put(story, ahead)
    now, status = shown(story)
    assert (now, status) == (instants[-1], "ready")
    assert len(billed(story)) == 2


@pytest.mark.parametrize("to", [YEAR, "2024-05-01T00:00:00Z", "2026-01-01T00:00:00Z"])
def test_a_runner_of_a_canceled_leap_does_no_harm_to_the_next_one(aws, monkeypatch, to):
    """It stands still in a task, while the leap is canceled, something is sold, and the clock set out anew."""
    story = subscribed()

    def anew() -> None:
        story.ok("DELETE", "/test_clock")
        story.subscribe(external_id="other", customer="other")
        assert put(story, to).body["test_clock"] == {"now": to, "status": "ready"}

    with at_task(monkeypatch, 2, anew) as instants:
        assert put(story, YEAR).status == 200
    assert shown(story) == (to, "ready")
    reached = datetime.fromisoformat(to)
    number = (reached.year - 2024) * 12 + reached.month - 1
    days = [day for _, day, _ in billed(story)]
    assert days.count("2024-04-01") == 2  # From March on there are two of them, each billed once a month.
    assert len(days) == number + (number - 2)
    assert max(instants) == to


def test_a_leap_that_cannot_end_can_be_canceled(aws, no_time, monkeypatch):
    """Its job was parked: all changes are refused until somebody cancels it."""
    story = subscribed()
    work()
    put(story, YEAR)
    task = agenda.find(agenda.task(test_clock.ADVANCE, story.ref, story.ref.id, clock.utc_now()).key)
    assert task is not None
    while not task.parked:
        task = agenda.postpone(task, "broken", real_now=clock.utc_now())
    assert story.call("POST", "/customers", {"customer": {"external_id": "x"}}).status == 409
    monkeypatch.undo()
    monkeypatch.setattr(limits, "CLOCK_INLINE_SECONDS", 20)
    assert story.ok("DELETE", "/test_clock")["test_clock"] == {"now": "2024-01-01T00:00:00Z", "status": "ready"}
    assert list(agenda.parked()) == []
    story.travel("2024-03-01T00:00:00Z")
    assert billed(story) == months(2)


@pytest.mark.parametrize("seed", range(3))
def test_slices_cancels_deaths_and_two_runners_at_once_come_to_the_same(aws, no_time, monkeypatch, seed):
    chance = Random(seed)
    story = subscribed()
    story.subscribe(external_id="weekly", customer="weekly", plan=story.plan("weekly", interval="weekly")["code"])
    end = datetime(2024, 6, 1, tzinfo=UTC)
    for _ in range(400):
        monkeypatch.setattr(limits, "CLOCK_SLICE_TASKS", chance.randrange(1, 6))
        if shown(story)[1] == "ready":
            if clock.now(story.ref) == end:
                break
            assert put(story, text(end)).status == 200
        if chance.random() < 0.2:
            story.ok("DELETE", "/test_clock")
        records = received(settings().sandbox_queue)
        _carry_out(chance, records)
        wiring.tick()
        work_quietly(settings().jobs_queue)
    assert shown(story) == (text(end), "ready")
    found = billed(story)
    assert [row[1:] for row in found if row[2]] == [row[1:] for row in months(5)]
    assert len(found) == 5 + 21


def _carry_out(chance: Random, records: Sequence[dict]) -> None:
    """Once or twice, perhaps dying in the middle."""
    for _ in range(chance.randrange(1, 3)):
        with failing(Plan(chance.randrange(30), after=chance.random() < 0.5)), contextlib.suppress(Killed):
            wiring.work(records)


def work_quietly(queue: str) -> None:
    while records := received(queue):
        wiring.work(records)
