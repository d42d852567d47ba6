"""Cost of the run at midnight: the bounds of the counts, and the same for 100,000, by these counts."""

from collections import Counter
from datetime import datetime, timedelta

from chalicelib import limits
from chalicelib.platform.ids import new_id, shard
from infra.package import FUNCTIONS
from scripts.bench.midnight import ZONES, Findings, idle_tick_requests, midnights
from scripts.bench.tables import Row, dollars
from tests.support.capacity import Meter
from tests.support.simulation import Costs

DUE = 100_000
_PARTS = {
    "bill_customer": "billing: deciding, pricing, issuing",
    "invoice_issued": "telling the webhooks, ordering the document",
    "print_invoice": "printing the document",
    "announce": "telling that it is printed",
}
_PUSHING = ("idle tick", "tick", "shard")
_REQUEST_SECONDS = 0.01
_SQS_DOLLARS, _S3_PUT_DOLLARS = 0.40e-6, 5e-6
_SENDS = ("send_message", "send_message_batch")
_OF_SQS = (*_SENDS, "get_queue_attributes")
_TABLES = ("query", "put_item", "update_item", "delete_item")


def bounds(found: Findings) -> list[Row]:
    """Bounds, with their measured values."""
    n, once, twice, night = found.customers, found.once, found.twice, found.disturbed
    bill = once.of("bill_customer")
    calm = f"{found.subscriptions} subscriptions of {n} customers in {len(found.zones)} zones, at three midnights"
    disturbed = f"{night.lost} messages lost, {night.doubled} doubled, {night.refused} races lost"
    whole = "an invoice with all that follows"
    return [
        Row(calm, "faults", len(found.wrong), 0),
        Row(
            f"the first of them with ticks late, double and parallel, {disturbed}",
            "invoices differ",
            found.differing,
            0,
        ),
        Row(
            f"{len(found.sequence)} invoices of one sequence, disturbed alike",
            "numbers missing or double",
            found.holes,
            0,
        ),
        # 20 for the invoice itself; the message's task, the push of what follows, and every third has two subscriptions.
        Row("billing a customer, from the message to the push of what follows", "requests", bill.total / n, 24),
        Row("billing a customer", "transactions", bill.requests["transact_write_items"] / n, 1),
        Row(whole, "requests", _work(once).total / n, 60),
        Row(f"{whole}, where twice as many are due", "times", _ratio(_work(twice), _work(once)), 1.02),
        Row("finding and pushing it, where twice as many are due", "times", _ratio(_push(twice), _push(once)), 1.02),
        Row(
            f"all of it with {n} customers more who are not due",
            "requests more",
            found.idle.of().total - once.of().total,
            0,
        ),
        Row("a tick of it with nothing due", "requests", idle_tick_requests(found.idle), limits.DUE_SHARDS),
    ]


def at_scale(found: Findings) -> list[Row]:
    """The counts times 100,000 subscriptions, each of a customer of its own; finding and pushing them by their real
    shards."""
    n, work = found.customers, _work(found.once)
    organization = new_id()
    places = [shard(f"{organization}#{new_id()}", limits.DUE_SHARDS) for _ in range(DUE)]
    at = midnights(2, ZONES)
    pushed = _pushed(Counter((at[i % len(at)], place) for i, place in enumerate(places)), found.task_bytes)
    quarters = (max(at) - min(at)) // timedelta(minutes=15) + 1
    each = DUE / n
    sends = sum(work.requests[name] for name in _OF_SQS) * each + sum(pushed.requests[name] for name in _SENDS)
    puts = work.requests["put_object"] * each
    messages = sum(found.once.number[kind] for kind in _kinds(found.once)) * each + pushed.requests["shard"]
    tables = (work.total - sum(work.requests[name] for name in (*_OF_SQS, "put_object"))) * each
    tables += sum(pushed.requests[name] for name in _TABLES) + quarters * limits.DUE_SHARDS
    writes = work.write_units * each + pushed.write_units
    reads = work.read_units * each + pushed.read_units + quarters * limits.DUE_SHARDS / 2
    # Lambda takes messages off a queue ten at a time, with a request to receive and one to delete.
    price = dollars(writes, reads) + (sends + messages / 5) * _SQS_DOLLARS + puts * _S3_PUT_DOLLARS
    together = Counter(places)
    fullest = max(together.values())
    at_once = _pushed(Counter({(at[0], place): number for place, number in together.items()}), found.task_bytes)
    billing = found.once.of("bill_customer").total * each * _REQUEST_SECONDS
    workers = FUNCTIONS["Worker"][3] or 1
    return [
        Row("ticks from the first midnight to the last", "ticks", quarters, None),
        Row("messages", "messages", messages, None),
        Row("requests to DynamoDB", "requests", tables, None),
        Row("requests to SQS", "requests", sends, None),
        Row("documents stored in S3", "requests", puts, None),
        Row("units written", "write units", writes, None),
        Row("units read", "read units", round(reads), None),
        Row("all requests by list price (Lambda's time apart)", "$", price, None),
        Row("a thousand invoices by list price", "$", price / DUE * 1000, 1),
        Row("finding and pushing: requests per subscription", "requests", pushed.total / DUE, 0.3),
        Row("all in one zone: the fullest shard against their mean", "times", fullest * limits.DUE_SHARDS / DUE, 1.05),
        Row(
            "all in one zone: pushing a shard, 10 ms a request",
            "seconds",
            at_once.total * _REQUEST_SECONDS / limits.DUE_SHARDS,
            60,
        ),
        Row(f"all in one zone: billed by {workers} workers, 10 ms a request", "minutes", billing / workers / 60, None),
    ]


def parts(found: Findings) -> str:
    """Requests of each of an invoice's tasks, as a table."""
    lines = ["| part | tasks per invoice | requests | write units | read units |", "|---|---|---|---|---|"]
    n, costs = found.customers, found.once
    for kind in _kinds(costs):
        figures = costs.number[kind], costs.of(kind).total, costs.of(kind).write_units, costs.of(kind).read_units
        shown = " | ".join(f"{figure / n:,.4g}" for figure in figures)
        lines.append(f"| {_PARTS.get(kind, kind)} (`{kind}`) | {shown} |")
    return "\n".join(lines)


def _kinds(costs: Costs) -> list[str]:
    return [kind for kind in costs.number if kind not in _PUSHING]


def _work(costs: Costs) -> Meter:
    """All that workers did for invoices."""
    return costs.of(*_kinds(costs))


def _push(costs: Costs) -> Meter:
    """Finding and pushing what is due, the ticks' own looks at the shards apart: these are the same whatever is due."""
    found = costs.of("tick", "shard")
    found.requests["query"] -= limits.DUE_SHARDS * costs.number["tick"]
    return found


def _ratio(twice: Meter, once: Meter) -> float:
    """Ratio of the cost per customer with twice as many due to the cost with these."""
    return twice.total / once.total / 2


def _pushed(due: Counter[tuple[datetime, int]], task_bytes: int) -> Meter:
    """Cost of finding and pushing, with so many due per instant and shard, all of one organization: a way through the
    shard, which pushes the first of them, and messages of its own for the rest. "shard": messages to push one."""
    meter = Meter()
    for instant in {instant for instant, _ in due}:
        busy = [number for (at, _), number in due.items() if at == instant]
        meter.requests["send_message_batch"] += -(-len(busy) // 10)
        for number in busy:
            rest = max(0, number - limits.PUSHED_AT_FIRST)
            links = -(-rest // limits.PUSHED_PER_LINK)
            meter.requests["shard"] += 1 + links
            meter.requests["query"] += -(-number // limits.DUE_PAGE) + links
            meter.requests["send_message_batch"] += -(-number // 10)
            meter.requests["send_message"] += links
            meter.requests["put_item"] += bool(links)
            meter.requests["update_item"] += links
            meter.requests["delete_item"] += bool(links)
            meter.write_units += links + 2 * bool(links)
            meter.read_units += -(-(number + rest) * task_bytes // 4096) / 2
    return meter
