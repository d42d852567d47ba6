"""Events metered after the invoice of their period was final are found, counted in an alarmed metric, and nothing else is."""

import json
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.features.audit import late
from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import service as invoices
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import runner
from scripts import audit as audit_script
from tests.support.capacity import counting
from tests.support.charging import priced, use_many
from tests.support.story import Story, meter, work


def found(story: Story, subscription: str | None = None) -> list[tuple[str, str]]:
    return [(each.transaction_id, each.invoice_number) for each in late.listed(story.ref.id, subscription)]


def send(story: Story, *events: tuple[str, str, str], sub: str = "sub", **more: Any) -> None:
    """Events (id, code, day), metered."""
    use_many(story, [{"id": name, "code": code, "at": at, "sub": sub, "n": 1, **more} for name, code, at in events])
    meter()


@pytest.fixture
def billed(story: Story) -> Story:
    """`calls` and sums of `n` in `miles` at 1.00, recurring `seats`, `paid` in advance, and `nobody`, which no plan charges.
    January is billed, it is 10 February; an event each came in time."""
    charges = [
        priced(story.metric("calls")),
        priced(story.metric("miles", "sum_agg", field_name="n")),
        priced(story.metric("seats", "sum_agg", field_name="n", recurring=True)),
        priced(story.metric("paid"), pay_in_advance=True),
    ]
    story.metric("nobody")
    story.plan(charges=charges)
    story.customer()
    story.subscribe()
    send(story, *((f"early-{code}", code, "2024-01-10") for code in ("calls", "miles", "seats", "paid", "nobody")))
    story.travel("2024-02-10T00:00:00Z")
    return story


def test_what_came_in_time_is_not_late(billed, capsys):
    assert found(billed) == []
    assert audit_script.report(None, None) == 0
    assert capsys.readouterr().out == "0 differences\n"


def test_what_its_invoice_would_have_billed_is_late(billed, capsys):
    codes = ("calls", "miles", "seats", "paid", "nobody", "unknown")
    send(billed, *((f"late-{code}", code, "2024-01-31T23:59:59.999") for code in codes))
    send(
        billed,
        ("open", "calls", "2024-02-01"),
        ("before", "calls", "2023-12-31"),
        ("early-calls", "calls", "2024-01-11"),
    )
    send(billed, ("other", "calls", "2024-01-20"), sub="nobodys")
    number = next(i["number"] for i in billed.invoices() if i["fees"][0]["item"]["type"] == "subscription")
    assert found(billed) == found(billed, "sub") == [("late-calls", number), ("late-miles", number)]
    assert found(billed, "nobodys") == []
    assert audit_script.report(billed.ref.id, "sub") == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert (first, len(lines), lines[-1]) == ("0 differences", 3, "2 events came too late to be billed")
    shown = f"{billed.ref.id}  sub  late-calls  calls  2024-01-31T23:59:59.999Z  received "
    assert lines[0].startswith(shown)
    assert lines[0].endswith(f"Z  after {number}")
    billed.travel("2024-03-01T00:00:00Z")
    assert len(found(billed)) == 2  # For ever; the next invoice changes nothing.


def test_a_draft_waits_for_events(story):
    story.organization(billing_configuration={"invoice_grace_period": 3})
    story.plan(charges=[priced(story.metric("calls"))])
    story.customer()
    story.subscribe()
    story.travel("2024-02-02T00:00:00Z")
    send(story, ("in time", "calls", "2024-01-31"))
    assert found(story) == []
    story.travel("2024-02-05T00:00:00Z")
    send(story, ("too late", "calls", "2024-01-31"))
    (invoice,) = story.invoices()
    assert [fee["units"] for fee in invoice["fees"]] == ["1.0", "1.0"]
    assert found(story) == [("too late", invoice["number"])]


def test_the_last_invoice_of_a_subscription(aws):
    """It ended at noon: an event of the morning that came in the afternoon is late, on a day that is not over."""
    story = Story.begin(at="2124-01-01T00:00:00Z")  # Ahead of real time: days bear no mark of what came later.
    story.plan(charges=[priced(story.metric("calls"))])
    story.customer()
    story.subscribe()
    story.travel("2124-01-10T12:00:00Z")
    send(story, ("in time", "calls", "2124-01-10T11:00:00"))
    story.terminate()
    send(story, ("too late", "calls", "2124-01-10T11:30:00"), ("behind", "calls", "2124-01-10T12:00:01"))
    assert [name for name, _ in found(story)] == ["too late"]
    story.subscribe()
    send(story, ("of the next", "calls", "2124-01-10T12:00:02"))
    assert [name for name, _ in found(story)] == ["too late"]


# What raises the alarm.


def watches(story: Story) -> list[agenda.Task]:
    until = clock.utc_now() + timedelta(days=9)
    tasks = [each for n in range(limits.DUE_SHARDS) for each in agenda.due(n, until=until)]
    return [task for task in tasks if task.kind is late.WATCH and task.organization == story.ref]


def metric_lines(output: str) -> list[Any]:
    lines = [json.loads(line) for line in output.splitlines() if '"LateEvents"' in line]
    return [number for line in lines for number in line["LateEvents"]]


def carry_out(*kinds: agenda.Kind) -> None:
    """What is due, in real time."""
    until = clock.utc_now() + timedelta(minutes=10)
    for kind in kinds:
        for task in [each for n in range(limits.DUE_SHARDS) for each in agenda.due(n, until=until)]:
            if task.kind is kind:
                assert runner.run(task, now=task.due_at) is None


def ago(hours: int) -> str:
    return (clock.utc_now() - timedelta(hours=hours)).replace(tzinfo=None).isoformat()


@pytest.fixture
def ended(aws) -> Story:
    """An organization in real time, whose subscription began three days ago, has ended just now and is billed."""
    story = Story.begin(sandbox=False)
    story.plan(charges=[priced(story.metric("calls"))])
    story.customer()
    story.subscribe(subscription_at=f"{ago(72)}Z")
    send(story, ("in time", "calls", ago(1)))
    story.ok("DELETE", "/subscriptions/sub")
    carry_out(customers.BILL, invoices.ISSUED)
    return story


def test_an_organization_with_final_invoices_is_watched_day_by_day(ended, capsys):
    assert ended.invoices()[0]["status"] == "finalized"
    (task,) = watches(ended)
    late.watch(ended.ref, now=task.due_at + timedelta(days=5))  # It is watched: the day stays.
    assert watches(ended) == [task]
    send(ended, *((name, "calls", ago(2)) for name in ("late 1", "late 2", "in time")), ("x", "unknown", ago(2)))
    assert [each.transaction_id for each in late.listed(ended.ref.id)] == ["late 1", "late 2"]
    assert runner.run(task, now=task.due_at) is None
    (again,) = watches(ended)
    assert again.due_at == again.run_at - timedelta(minutes=5) == task.due_at + timedelta(days=1)
    assert runner.run(again, now=again.due_at) is None
    assert metric_lines(capsys.readouterr().out) == [2]  # Of one of the two days, whichever it is by now.
    assert runner.run(task, now=task.due_at) is None  # Carried out already.
    assert [each.due_at for each in watches(ended)] == [task.due_at + timedelta(days=2)]


def test_events_of_the_open_day_on_which_a_subscription_ended_are_late_too(ended, monkeypatch):
    """Whenever that is found: no mark of the day is needed for it."""
    later = clock.utc_now() + timedelta(seconds=3)
    monkeypatch.setattr(late, "made_at", lambda build: later)  # The invoice took its time.
    monkeypatch.setattr(late, "_metered_at", lambda item: later + timedelta(seconds=1))
    names = [each.transaction_id for each in late.listed(ended.ref.id)]
    assert names == ["in time"]


def test_a_sandbox_is_not_watched(billed):
    work()
    late.watch(billed.ref, now=clock.now(billed.ref))
    ahead = clock.now(billed.ref) + timedelta(days=9)
    assert late.WATCH not in {task.kind for task in agenda.tasks_of_clock(billed.ref, until=ahead)}
    assert watches(billed) == []


def test_events_of_open_periods_cost_one_look_at_their_subscription(ended):
    ended.subscribe(external_id="runs", subscription_at=f"{ago(48)}Z")
    start = clock.utc_now()
    send(ended, *((f"e{n}", "calls", ago(1)) for n in range(20)), sub="runs")
    with counting() as asked:
        assert list(late.metered_between(ended.ref.id, start, clock.utc_now())) == []
    assert asked.requests == {"query": 3}  # Where the log stands, the log, and the subscriptions of the external id.
