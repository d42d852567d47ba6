"""Cost of telling: an invoice with endpoints, numbering, delivering, and the busiest key of a midnight; counted."""

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

from chalicelib import limits, wiring
from chalicelib.features.documents import render
from chalicelib.features.webhooks import delivery
from chalicelib.platform import agenda
from chalicelib.platform.settings import settings
from chalicelib.tasks import billing
from scripts.bench.billing import _FEBRUARY, bench_story, customer_of_nine_metrics
from scripts.bench.tables import Row
from tests.support.capacity import Meter, counting
from tests.support.story import Story, received, work

# Lambda's own polling is no request of ours.
_POLLING = ("receive_message", "delete_message", "get_queue_url")
# List prices in dollars of a million: write units, read units, requests to SQS.
_WRITE, _READ, _SQS = 1.25, 0.25, 0.40
_ENDPOINTS, _ANNOUNCEMENTS = 10, 1_000
_SECOND = 100  # Invoices of a second.
_KEY_MAX = 500
_ANSWER_SECONDS = 0.03


def rows(announcements: int = _ANNOUNCEMENTS, second: int = _SECOND) -> list[Row]:
    """All of it."""
    with _quick_endpoints():
        return [
            *(_invoice(endpoints, bound) for endpoints, bound in ((0, None), (1, 230), (3, 260))),
            _numbering(announcements),
            *_delivering(),
            *_midnight(second),
        ]


@contextlib.contextmanager
def _quick_endpoints() -> Iterator[None]:
    """Endpoints that answer at once, and documents that need no drawing."""
    well = delivery.Verdict(delivered=True, http_status=200, response="ok")
    with (
        mock.patch.object(delivery, "attempt", return_value=well),
        mock.patch.object(render, "pdf", return_value=b"%PDF"),
    ):
        yield


def _listened(story: Story, endpoints: int) -> None:
    for number in range(endpoints):
        # A real installation's HMAC key is read too.
        body = {"webhook_url": f"http://127.0.0.1:9/{number}", "signature_algo": "hmac"}
        story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": body})


def _deliver() -> None:
    """Work off the queue of webhooks in batches of ten, as Lambda gets them."""
    while records := received(settings().webhooks_queue):
        assert wiring.deliver(records) == {"batchItemFailures": []}


def _worked_off() -> None:
    """Everything that follows."""
    while any([work("jobs"), work("documents")]):
        _deliver()
    _deliver()


def _invoice(endpoints: int, bound: int | None) -> Row:
    story = customer_of_nine_metrics()
    _worked_off()
    _listened(story, endpoints)
    task = next(agenda.tasks_of_clock(story.ref, until=_FEBRUARY))
    with counting() as all_of_it:
        billing.bill(task, task.due_at)
        agenda.push([each for each in agenda.tasks_of_clock(story.ref, until=_FEBRUARY) if each.kind.real_time])
        story.travel("2024-02-01T00:00:00Z")
        _worked_off()
    (invoice,) = story.invoices()
    assert len(invoice["fees"]) == 10, invoice["fees"]
    messages = story.ok("GET", "/webhooks")["webhooks"]
    assert len(messages) == 2 * endpoints, messages
    assert {each["status"] for each in messages} <= {"succeeded"}, messages
    name = f"one invoice with 10 fees, printed, {endpoints or 'no'} endpoint{'s' * (endpoints != 1)} told of both"
    return Row(name, "write units", all_of_it.write_units, bound)


def _numbering(announcements: int) -> Row:
    story = bench_story()
    _listened(story, _ENDPOINTS)
    for number in range(announcements):
        story.customer(f"c{number}")
    announced = _all_of_queue()
    pushes = len(announced)
    with counting() as numbering:
        for start in range(0, len(announced), 10):
            assert wiring.deliver(announced[start : start + 10]) == {"batchItemFailures": []}
    waiting = _all_of_queue()
    number = announcements * _ENDPOINTS
    beyond = _own(numbering) + pushes
    assert all("webhook_stream" in record["body"] for record in waiting)
    return Row(
        f"numbering {announcements:,} announcements to {_ENDPOINTS} endpoints",
        "requests per message",
        beyond / number,
        0.2,
    )


def _all_of_queue() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while records := received(settings().webhooks_queue):
        found += records
    return found


def _delivering() -> list[Row]:
    story = bench_story()
    _listened(story, 1)
    story.customer("first")
    _deliver()  # Keys and queues are known from here on.
    costs = []
    for number in (1, 100):
        for n in range(number):
            story.customer(f"c{number}-{n}")
        announced = [r for r in _all_of_queue() if "#order#" in json.loads(r["body"])["pk"]]
        assert wiring.deliver(announced[:10]) == {"batchItemFailures": []}
        lanes = [r for r in _all_of_queue() if "webhook_stream" in r["body"]]
        with counting() as delivering:
            while lanes:
                assert wiring.deliver(lanes[:1]) == {"batchItemFailures": []}
                lanes = _all_of_queue()
        costs.append((number, delivering))
    rows = [
        Row("delivering a message" + (f", {n} at once" if n > 1 else ""), "requests", _own(meter) / n, 6)
        for n, meter in costs
    ]
    number, meter = costs[-1]
    dollars = (meter.write_units * _WRITE + meter.read_units * _READ + _sqs(meter) * _SQS) / number
    return [*rows, Row("a million deliveries, by list price, without Lambda", "dollars", dollars, None)]


def isolation(messages: int = 1_000) -> Row:
    """The time that eight endpoints take for so many messages beside one that hangs and one that refuses, in times of what
    they take without them."""
    alone, crowded = (_time_of_eight(messages // _ENDPOINTS, others) for others in (0, 2))
    name = f"{messages:,} messages to ten endpoints, one of which hangs and one refuses: the other eight"
    return Row(name, "times as long as without them", crowded / alone, 1.2)


def _time_of_eight(each: int, others: int) -> float:
    """Seconds until eight endpoints have all their messages; each lane is a function of its own, as on Lambda."""
    story = bench_story()
    hanging, done = threading.Event(), Counter[str]()

    def attempt(request: delivery.Request) -> delivery.Verdict:
        kind = request.url.rsplit("/", 1)[1]
        if kind == "9":
            hanging.wait(limits.WEBHOOK_TIMEOUT_SECONDS)
        time.sleep(_ANSWER_SECONDS)
        status = 200 if kind < "8" else None
        done[kind] += 1
        return delivery.Verdict(delivered=status == 200, http_status=status, error=None if status else "refused")

    _listened(story, 8 + others)
    for number in range(each):
        story.customer(f"c{number}")
    announced = _all_of_queue()
    assert wiring.deliver(announced[:10]) == {"batchItemFailures": []}
    lanes = _all_of_queue()
    begun = time.monotonic()
    with mock.patch.object(delivery, "attempt", attempt), ThreadPoolExecutor(len(lanes)) as functions:
        for lane in lanes:
            functions.submit(wiring.deliver, [lane])
        while sum(number for kind, number in done.items() if kind < "8") < 8 * each:
            time.sleep(0.005)
        took = time.monotonic() - begun
        hanging.set()
    return took


def _own(meter: Meter) -> int:
    return sum(number for name, number in meter.requests.items() if name not in _POLLING)


def _sqs(meter: Meter) -> int:
    return sum(number for name, number in meter.requests.items() if "message" in name)


def _midnight(number: int) -> list[Row]:
    """All that so many invoices of one organization write, as if all of it fell into one second."""
    from datetime import UTC, datetime

    from tests.support.simulation import simulated

    with simulated(datetime(2031, 1, 5, tzinfo=UTC)) as simulation:
        story = Story.begin(sandbox=False)
        _listened(story, 1)
        story.plan(amount_cents=1000)
        for n in range(number):
            story.customer(f"c{n}")
            story.subscribe("plan", f"s{n}", f"c{n}", subscription_at="2030-12-15T00:00:00Z")
        simulation.deliver(until=simulation.now)
        with counting() as second:
            simulation.run([datetime(2031, 2, 1, tzinfo=UTC)])
        assert story.ok("GET", "/invoices?per_page=1")["meta"]["total_count"] == number
    name = f"{number} invoices of one organization with one endpoint, in a second"
    return [
        Row(
            f"{name}: the busiest key of {'the tables' if place == 'table' else place}, `{_named(key)}`",
            "write units",
            units,
            _KEY_MAX,
        )
        for place, (key, units) in sorted(second.busiest().items())
        if key != "?"
    ]


def _named(key: str) -> str:
    """A key without ids."""
    return "#".join("<id>" if len(part) == 36 else part for part in key.split("#"))
