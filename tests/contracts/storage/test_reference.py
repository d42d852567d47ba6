"""What moto cannot show: threads on one row, small decimals, limits and numbers, on Amazon's own DynamoDB Local."""

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from botocore.exceptions import ClientError

from chalicelib import limits
from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.domain.money import CONTEXT, total
from chalicelib.features.audit.audit import audit
from chalicelib.features.billable_metrics.records import Metric, MetricFilter
from chalicelib.features.billable_metrics.store import METRICS
from chalicelib.features.metering import layout, messages, reading
from chalicelib.features.metering.dimensions import RollupDimension
from chalicelib.features.metering.event import milliseconds_of
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import service as usage
from chalicelib.platform import agenda, usage_table
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import Cancelled, ConditionFailed
from chalicelib.platform.ids import shard
from chalicelib.platform.unit import Unit
from chalicelib.platform.values import from_item
from chalicelib.tasks import pushing_store as pushing
from tests.support.faults import colliding
from tests.support.hot import Hot
from tests.support.items import core
from tests.support.usage import MARCH, ORG, event, message, units

pytestmark = [pytest.mark.local_dynamodb, pytest.mark.xdist_group("local_dynamodb")]

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)


def test_sixteen_workers_on_one_subscription_lose_and_double_nothing(tables: None) -> None:
    hot, chance = Hot.begin(NOON), random.Random(1)
    sent = hot.events(640, chance)
    twice = [*sent[-20:], *sent]
    records = [message(twice[n : n + 40]) for n in range(0, 640, 20)]  # Each event in two messages.
    with colliding(lambda: time.sleep(chance.random() / 200)) as met, ThreadPoolExecutor(16) as pool:
        failed = [one for ids in pool.map(lambda record: messages.handle([record]), records) for one in ids]
    assert failed == []
    assert hot.wrong(sent) == []
    assert met.transactions["conflict"] > 0
    assert met.events["done"] == 640
    assert len(hot.parts()) > 1


def test_the_smallest_decimals_add_up_exactly(tables: None) -> None:
    small = Decimal("0.000000000000001")
    sent = [
        event(f"t{n}", NOON, v=format(small, "f") if n % 2 else "999999999999999.999999999999999") for n in range(60)
    ]
    for n in range(0, 60, 7):
        assert messages.handle([message(sent[n : n + 7])]) == []
    assert units(field="v") == 30 * small + 30 * Decimal("999999999999999.999999999999999")


LARGEST = f"{'9' * 23}.{'9' * 15}"  # As many digits as a number of DynamoDB has.
VIEWS = {
    "sum_agg": RollupDimension(Aggregation.SUM, "v"),
    "weighted_sum_agg": RollupDimension(Aggregation.WEIGHTED_SUM, "v"),
    "max_agg": RollupDimension(Aggregation.MAX, "v"),
}


def metric(aggregation: str) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    filters = (MetricFilter(key="cloud", values=("aws",)),) if aggregation == "sum_agg" else ()
    fields = {"name": "m", "code": aggregation, "aggregation_type": aggregation, "field_name": "v"}
    METRICS.create(ORG.id, Metric(id=aggregation, created_at=at, updated_at=at, filters=filters, **fields))


def test_sums_that_no_number_holds_are_kept_exactly(tables: None) -> None:
    """Sums of values and of moments, plain and by filters: 38 digits are not enough for any of them."""
    values = [*["-0.000000000000001"] * 3, *[LARGEST] * 70, f"-{LARGEST}", str(10**15), "7"]
    exact = [Decimal(value) for value in values]
    for code in VIEWS:
        metric(code)
    at = [NOON + timedelta(minutes=n % 50, milliseconds=7) for n in range(len(values))]
    for code in VIEWS:
        sent = [event(f"{code} {n}", at[n], code=code, v=value, cloud="aws") for n, value in enumerate(values)]
        for n in range(0, len(sent), 9):
            assert messages.handle([message(sent[n : n + 9])]) == []
    sums = RollupDimension(Aggregation.SUM, "v", (("cloud", frozenset(["aws"])),))
    rollup_dimensions = {**VIEWS, "sum_agg": sums}
    moments = [CONTEXT.multiply(v, Decimal(milliseconds_of(when))) for v, when in zip(exact, at, strict=True)]
    for _ in range(2):  # From hours, and from the folded day.
        counted = usage.read(
            ORG, Stream("sub"), MARCH, {code: [dimension] for code, dimension in rollup_dimensions.items()}
        )
        assert counted.sum("sum_agg", "v").total == total(exact)
        (by_cloud,) = counted.summaries("sum_agg", sums).values()
        assert (by_cloud.total, by_cloud.negative) == (total(exact), 4)
        (weighted,) = counted.summaries("weighted_sum_agg", rollup_dimensions["weighted_sum_agg"]).values()
        assert (weighted.total, weighted.moment) == (total(exact), total(moments))
        (greatest,) = counted.summaries("max_agg", rollup_dimensions["max_agg"]).values()
        assert greatest.maximum == Decimal(LARGEST)
    rows = reading.rows(layout.usage_pk(ORG.id, "sub"), "h#", layout.after("h"))
    assert {layout.shard_of(row["sk"]) for row in rows} == {layout.SHARD}
    assert not any(layout.UNCOVERED in row for row in rows)
    assert audit(now=NOON, organization_id=ORG.id, subscription="sub") == []


def test_the_reference_refuses_to_add_what_needs_more_digits(tables: None) -> None:
    """What the split of sums is for: moto would round, in silence."""
    core.put({"pk": "a", "sk": "-", "n": 10**37}).alone()
    with pytest.raises(ClientError, match="38"):
        core.update(("a", "-"), "ADD n :n", values={":n": Decimal("0.01")}).alone()


def test_a_row_that_can_hold_no_more_is_left_alone(tables: None) -> None:
    """A row as older versions may have left it: what comes goes to another part, and all is added up."""
    pk, sk = layout.usage_pk(ORG.id, "sub"), layout.hour_sk("2024-03-10T12", "calls")
    assert messages.handle([message([event("t0", NOON, v=1)])]) == []
    usage_table.usage.write(
        usage_table.usage.update((pk, sk), "SET #s = :s", names={"#s": "s:v"}, values={":s": 10**37})
    )
    sent = [event(f"t{n}", NOON, v="0.000000000000001") for n in range(1, 4)]
    assert messages.handle([message(sent)]) == []
    assert (units(), units(field="v")) == (4, CONTEXT.add(10**37, Decimal("0.000000000000003")))


def test_a_full_transaction_of_late_events_goes_through(tables: None) -> None:
    sent = [event(f"t{n}", NOON + timedelta(hours=n), code=f"c{n % 3}") for n in range(100)]
    assert messages.handle([message(sent)]) == []
    assert sum(units(f"c{n}") for n in range(3)) == 100


def test_items_and_conditions_behave_as_the_stores_rely_on(tables: None) -> None:
    item = {"pk": "a", "sk": "-", "n": Decimal("1.50"), "text": "", "none": None, "deep": {"list": [1, True, "x"]}}
    core.create(item).alone()
    assert core.get("a") == item
    with pytest.raises(ConditionFailed):
        core.create(item).alone()
    check = core.update(("b", "-"), "SET x = :x", values={":x": 1}, condition="attribute_exists(pk)")
    with pytest.raises(Cancelled) as refused:
        Unit(core.put({"pk": "c", "sk": "-"}), core.create(item), check).commit()
    assert [reason.failed for reason in refused.value.reasons] == [False, True, True]
    stood = refused.value.reasons[1].item
    assert stood is not None
    assert from_item(stood) == item
    assert core.get("c") is None


def test_the_app_tells_its_story_on_the_reference_too(tables: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every expression of the stores is one that DynamoDB itself takes."""
    from chalicelib.features.events import service as events
    from chalicelib.features.metering import messages as metering
    from chalicelib.platform import agenda, queues
    from tests.support.story import Story

    sent: list[str] = []
    monkeypatch.setattr(queues, "send", lambda queue, body, **how: sent.append(str(body)) or "id")
    monkeypatch.setattr(agenda, "push", lambda tasks: None)
    monkeypatch.setattr("tests.support.story.meter", lambda: None)
    story = Story.begin()
    metric = story.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "2"}}
    story.plan(amount_cents=1000, charges=[charge])
    story.customer(metadata=[{"key": "k", "value": "v"}])
    story.subscribe()
    story.use(at=1704300000)
    assert metering.handle([{"messageId": "m", "body": sent[0]}]) == []
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices("&currency=EUR&search_term=cust&amount_from=1&status=finalized")
    assert invoice["total_amount_cents"] == 1200
    assert story.ok("GET", "/subscriptions?plan_code=plan&search_term=sub")["meta"]["total_count"] == 1
    assert story.ok("GET", "/customers?currencies[]=EUR&has_customer_type=false")["meta"]["total_count"] == 1
    assert events.in_flight is not None
    assert os.environ["AWS_ENDPOINT_URL"]


def test_a_shard_is_gone_through_from_where_a_task_stood_that_has_gone(tables: None) -> None:
    kind = agenda.kind("reference_test", rank=99, real_time=True)
    own, other = OrganizationRef("own", sandbox=False), OrganizationRef("other", sandbox=True)
    tasks = [agenda.task(kind, owner, f"s{n}", NOON) for n in range(60) for owner in (own, other)]
    for task in tasks:
        agenda.put(task, now=NOON).alone()
    number = shard("own#s0", limits.DUE_SHARDS)
    all_of_it, end = agenda.due_page(number, until=NOON, after=None)
    assert end is None
    assert {task.key for task in all_of_it} >= {agenda.task(kind, own, "s0", NOON).key}
    before, begins = all_of_it[0], all_of_it[1:]
    agenda.done(before).alone()
    after = agenda.position_of(before)
    assert agenda.due_page(number, until=NOON, after=after)[0] == begins
    for owner in (own, other):
        expected = [task for task in begins if task.organization == owner]
        assert agenda.due_page(number, until=NOON, after=after, owner=owner.id)[0] == expected


def test_one_at_a_time_pushes_the_rest_of_an_organization(tables: None) -> None:
    late = NOON + limits.PUSHING_KEPT + timedelta(seconds=1)
    assert pushing.begin("own", 3, "a", real_now=NOON)
    assert not pushing.begin("own", 3, "b", real_now=NOON)
    assert pushing.begin("own", 4, "b", real_now=NOON)
    assert pushing.goes_on("own", 3, "a", real_now=NOON)
    assert not pushing.goes_on("own", 3, "b", real_now=NOON)
    assert pushing.begin("own", 3, "b", real_now=late)
    assert not pushing.goes_on("own", 3, "a", real_now=late)
    pushing.end("own", 3)
    assert not pushing.goes_on("own", 3, "b", real_now=late)
