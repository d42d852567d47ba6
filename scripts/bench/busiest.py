"""The busiest key of a midnight with webhooks: an organization's invoices at a hundred a second, key by key and second by
second.

Simulated are the clock, SQS and the endpoint, which answers at once. Time goes on in steps in which workers do as much of
each kind of work as fits a hundred invoices a second; all that is told meanwhile is numbered and delivered in the same step,
in batches of ten, as Lambda gets it.
"""

import heapq
from collections import Counter
from datetime import UTC, datetime, timedelta

from chalicelib import wiring
from chalicelib.platform.settings import settings
from scripts.bench.tables import Row
from scripts.bench.webhooks import listened, quick_endpoints
from tests.support.exact import counting_exactly
from tests.support.simulation import Message, Simulation, simulated
from tests.support.story import Story

_PER_SECOND, _STEPS = 100, 20  # A step is as long as numbering or a round of deliveries takes, if all goes well.
_INVOICES = 300
_KEY_MAX = 500
_MIDNIGHT = datetime(2031, 2, 1, tzinfo=UTC)

Busiest = dict[str, tuple[str, int]]


def rows(invoices: int = _INVOICES) -> list[Row]:
    """The most that one key of the tables, and one of each index, takes in a second."""
    with quick_endpoints(), simulated(datetime(2031, 1, 5, tzinfo=UTC)) as simulation:
        story = Story.begin(sandbox=False)
        listened(story, 1)
        story.plan(amount_cents=1000)
        for n in range(invoices):
            story.customer(f"c{n}")
            story.subscribe("plan", f"s{n}", f"c{n}", subscription_at="2030-12-15T00:00:00Z")
        simulation.deliver(until=simulation.now)
        busiest = _busiest(simulation)
        assert story.ok("GET", "/invoices?per_page=1")["meta"]["total_count"] == invoices
        told = story.ok("GET", "/webhooks?per_page=1&status=succeeded&webhook_type=invoice.generated")
        assert told["meta"]["total_count"] == invoices, told["meta"]
    name = f"{invoices} invoices of one organization with one endpoint, {_PER_SECOND} a second"
    return [
        Row(
            f"{name}: the busiest key of {'the tables' if place == 'table' else f'index {place}'}, `{_named(key)}`",
            "write units a second",
            units,
            _KEY_MAX,
        )
        for place, (key, units) in sorted(busiest.items())
    ]


def _busiest(simulation: Simulation) -> Busiest:
    """Work off a midnight; the busiest key of each place in any second."""
    simulation.now = _MIDNIGHT
    wiring.tick()
    found: Busiest = {}
    while simulation.waiting:
        simulation.now = max(simulation.now, simulation.waiting[0].at)
        with counting_exactly() as second:
            for _ in range(_STEPS):
                _step(simulation)
                simulation.now += timedelta(seconds=1) / _STEPS
        for place, (key, units) in second.busiest().items():
            found[place] = max(found.get(place, ("", 0)), (key, units), key=lambda each: each[1])
    return found


def _step(simulation: Simulation) -> None:
    """Hand out what workers do in a step: of each kind of job a twentieth of a second's, of webhooks all there is."""
    done: Counter[str] = Counter()
    later: list[Message] = []
    told: list[Message] = []
    while simulation.waiting and simulation.waiting[0].at <= simulation.now:
        message = heapq.heappop(simulation.waiting)
        if message.queue.endswith(settings().webhooks_queue):
            told.append(message)
        elif message.kind != "shard" and done[message.kind] == _PER_SECOND // _STEPS:
            later.append(message)
        else:
            done[message.kind] += 1
            assert wiring.work([message.record]) == {"batchItemFailures": []}
    for start in range(0, len(told), 10):
        batch = [message.record for message in told[start : start + 10]]
        assert wiring.deliver(batch) == {"batchItemFailures": []}
    for message in later:
        heapq.heappush(simulation.waiting, message)


def _named(key: str) -> str:
    """A key without ids."""
    return "#".join("<id>" if len(part) == 36 else part for part in key.split("#"))
