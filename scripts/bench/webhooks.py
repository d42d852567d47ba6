"""Cost of telling: an invoice with endpoints, numbering and delivering; counted."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any
from unittest import mock

from chalicelib import wiring
from chalicelib.features.documents import render
from chalicelib.features.webhooks import delivery
from chalicelib.platform import agenda
from chalicelib.platform.settings import settings
from chalicelib.tasks import billing
from scripts.bench.billing import _FEBRUARY, bench_story, customer_of_nine_metrics
from scripts.bench.tables import Row
from tests.support.capacity import Meter, counting
from tests.support.exact import counting_exactly
from tests.support.story import Story, received, work

# Lambda's own polling is no request of ours.
_POLLING = ("receive_message", "delete_message", "get_queue_url")
# List prices in dollars of a million: write units, read units, requests to SQS.
_WRITE, _READ, _SQS = 1.25, 0.25, 0.40
_ENDPOINTS, _ANNOUNCEMENTS = 10, 1_000


def rows(announcements: int = _ANNOUNCEMENTS) -> list[Row]:
    """What an invoice, numbering and a delivery cost."""
    with quick_endpoints():
        return [
            *(_invoice(endpoints, bound) for endpoints, bound in ((0, None), (1, 230), (3, 260))),
            _numbering(announcements),
            *_delivering(),
        ]


@contextlib.contextmanager
def quick_endpoints() -> Iterator[None]:
    """Endpoints that answer at once, and documents that need no drawing."""
    well = delivery.Verdict(delivered=True, http_status=200, response="ok")
    with (
        mock.patch.object(delivery, "attempt", return_value=well),
        mock.patch.object(render, "pdf", return_value=b"%PDF"),
    ):
        yield


def listened(story: Story, endpoints: int) -> None:
    """Make so many endpoints."""
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
    listened(story, endpoints)
    task = next(agenda.tasks_of_clock(story.ref, until=_FEBRUARY))
    with counting_exactly() as all_of_it:
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
    listened(story, _ENDPOINTS)
    for number in range(announcements):
        story.customer(f"c{number}")
    announced = all_of_queue()
    pushes = len(announced)
    with counting() as numbering:
        while announced:
            for start in range(0, len(announced), 10):
                assert wiring.deliver(announced[start : start + 10]) == {"batchItemFailures": []}
            # On a slow machine numbering takes turns: what is left is pushed again.
            announced = [each for each in all_of_queue() if "webhook_stream" not in each["body"]]
    number = announcements * _ENDPOINTS
    told = story.ok("GET", "/webhooks?per_page=1")["meta"]["total_count"]
    assert told == number, told
    beyond = _own(numbering) + pushes
    return Row(
        f"numbering {announcements:,} announcements to {_ENDPOINTS} endpoints",
        "requests per message",
        beyond / number,
        0.2,
    )


def all_of_queue() -> list[dict[str, Any]]:
    """The messages of webhooks that wait, taken off their queue."""
    found: list[dict[str, Any]] = []
    while records := received(settings().webhooks_queue):
        found += records
    return found


def _delivering() -> list[Row]:
    story = bench_story()
    listened(story, 1)
    story.customer("first")
    _deliver()  # Keys and queues are known from here on.
    costs = []
    for number in (1, 100):
        for n in range(number):
            story.customer(f"c{number}-{n}")
        announced = [r for r in all_of_queue() if "#order#" in json.loads(r["body"])["pk"]]
        assert wiring.deliver(announced[:10]) == {"batchItemFailures": []}
        lanes = [r for r in all_of_queue() if "webhook_stream" in r["body"]]
        with counting_exactly() as delivering:
            while lanes:
                assert wiring.deliver(lanes[:1]) == {"batchItemFailures": []}
                lanes = all_of_queue()
        costs.append((number, delivering))
    rows = [
        Row("delivering a message" + (f", {n} at once" if n > 1 else ""), "requests", _own(meter) / n, 6)
        for n, meter in costs
    ]
    number, meter = costs[-1]
    dollars = (meter.write_units * _WRITE + meter.read_units * _READ + _sqs(meter) * _SQS) / number
    return [*rows, Row("a million deliveries, by list price, without Lambda", "dollars", dollars, None)]


def _own(meter: Meter) -> int:
    return sum(number for name, number in meter.requests.items() if name not in _POLLING)


def _sqs(meter: Meter) -> int:
    return sum(number for name, number in meter.requests.items() if "message" in name)
