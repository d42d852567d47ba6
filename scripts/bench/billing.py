"""Cost of requests, invoices, lists and the tick, counted."""

from datetime import UTC, datetime
from typing import Any

from chalicelib.platform import agenda, auth, clock
from chalicelib.platform.settings import settings
from chalicelib.tasks import billing
from chalicelib.tasks import worker as work
from scripts.bench.tables import Row
from tests.support.capacity import counting
from tests.support.story import Story, meter, request

_FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)


def requests() -> list[Row]:
    """Taking events in, an idle tick, issuing an invoice, a page of a list."""
    rows = [_tick(), *_batch()]
    story = customer_of_nine_metrics()
    organization = auth.identify({"authorization": f"Bearer {story.api_key}"})
    task = next(agenda.tasks_of_clock(organization, until=_FEBRUARY))
    with counting() as issued:
        billing.bill(task, task.due_at)
    (invoice,) = story.invoices()
    assert len(invoice["fees"]) == 10, invoice["fees"]
    rows.append(Row("one invoice with 10 fees", "requests", issued.total, 20))
    rows.append(Row("one invoice with 10 fees", "transactions", issued.requests["transact_write_items"], 2))
    rows.append(Row("one invoice with 10 fees", "write units", issued.write_units, None))
    with counting() as page:
        story.ok("GET", "/billable_metrics?per_page=3")
    rows.append(Row("a list page (and the test clock's own read)", "requests", page.total, 4 + 1))
    return rows


def reading() -> list[Row]:
    """Current usage of a month of nine metrics, folded, at few and at many events."""
    rows = []
    units: list[float] = []
    for number in (100, 2000):
        story = customer_of_nine_metrics(number)
        story.usage()
        with counting() as usage:
            story.usage()
        units.append(usage.read_units)
        name = f"current usage of 9 metrics over a month of {9 * number:,} events, folded"
        queries = usage.requests["query"]
        rows.append(Row(name, "queries", queries, 8))
        rows.append(Row(name, "read units per metric", usage.read_units / 9, 12))
    rows.append(Row("the same: read units at 20 times the events", "times", units[1] / units[0], 1.05))
    return rows


def _tick() -> Row:
    with counting() as idle:
        assert work.tick(real_now=clock.utc_now()) == 0
    return Row("tick with nothing due", "requests", idle.total, 16)


def _batch() -> list[Row]:
    story = bench_story()
    events = [{"transaction_id": f"t{n}", "external_subscription_id": "s", "code": "c"} for n in range(100)]
    story.ok("POST", "/events/batch", {"events": events[:1]})
    with counting() as batch:
        story.ok("POST", "/events/batch", {"events": events})
    return [
        Row("`POST /events/batch` of 100", "requests to SQS", batch.requests["send_message"], 1),
        Row("`POST /events/batch` of 100", "requests to DynamoDB", batch.total - batch.requests["send_message"], 0),
    ]


def bench_story(**organization: Any) -> Story:
    """An organization of the benchmark's own."""
    body = {"name": "Bench", **organization}
    made = request("POST", "/admin/organizations", body, {"X-Admin-API-Key": settings().admin_api_key})
    assert made.status == 201, made
    return Story(made.body["api_key"])


def customer_of_nine_metrics(events_each: int = 3) -> Story:
    """A month of nine metrics, two kinds in turn, of which so many events each are metered."""
    story = bench_story(sandbox=True)
    story.travel("2024-01-01T00:00:00Z")
    charges = []
    for n in range(9):
        metric = story.metric(f"m{n}", "sum_agg", field_name="v") if n % 2 else story.metric(f"m{n}")
        charges.append(
            {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
        )
    story.plan(amount_cents=1000, charges=charges)
    story.subscribe()
    start = datetime(2024, 1, 2, tzinfo=UTC).timestamp()
    events = [
        {
            "transaction_id": f"{n}-{m}",
            "external_subscription_id": "sub",
            "code": f"m{m}",
            "timestamp": start + n * 2_400_000 // events_each,
            "properties": {"v": n},
        }
        for n in range(events_each)
        for m in range(9)
    ]
    for begin in range(0, len(events), 100):
        story.ok("POST", "/events/batch", {"events": events[begin : begin + 100]})
    meter()
    return story
