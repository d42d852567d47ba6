"""What moto cannot show: threads on one row, small decimals, limits and numbers, on Amazon's own DynamoDB Local."""

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from chalicelib import limits
from chalicelib.features.metering import service
from chalicelib.features.work import store as pushing
from chalicelib.platform import agenda, aws, table
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import shard
from chalicelib.platform.table import Cancelled, core, transact
from infra.local import provision
from tests.support import aws as support
from tests.support.dynamodb_local import running
from tests.support.faults import colliding
from tests.support.hot import Hot
from tests.support.usage import event, message, units

pytestmark = [pytest.mark.local_dynamodb, pytest.mark.xdist_group("local_dynamodb")]

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running() as url:
        yield url


@pytest.fixture
def tables(
    server: str, environment: None, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[None]:
    """Fresh tables for each test, told apart by the stage."""
    stage = f"t{abs(hash(request.node.name)) % 10**8}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("STAGE", stage)
    support.forget()
    provision.tables(aws.client("dynamodb"), stage)
    yield
    support.forget()


def test_sixteen_workers_on_one_subscription_lose_and_double_nothing(tables: None) -> None:
    hot, chance = Hot.begin(NOON), random.Random(1)
    sent = hot.events(640, chance)
    twice = [*sent[-20:], *sent]
    records = [message(twice[n : n + 40]) for n in range(0, 640, 20)]  # Each event in two messages.
    with colliding(lambda: time.sleep(chance.random() / 200)) as met, ThreadPoolExecutor(16) as pool:
        failed = [one for ids in pool.map(lambda record: service.handle([record]), records) for one in ids]
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
        assert service.handle([message(sent[n : n + 7])]) == []
    assert units(field="v") == 30 * small + 30 * Decimal("999999999999999.999999999999999")


def test_a_full_transaction_of_late_events_goes_through(tables: None) -> None:
    sent = [event(f"t{n}", NOON + timedelta(hours=n), code=f"c{n % 3}") for n in range(100)]
    assert service.handle([message(sent)]) == []
    assert sum(units(f"c{n}") for n in range(3)) == 100


def test_items_and_conditions_behave_as_the_stores_rely_on(tables: None) -> None:
    item = {"pk": "a", "sk": "-", "n": Decimal("1.50"), "text": "", "none": None, "deep": {"list": [1, True, "x"]}}
    core.write(core.create(item))
    assert core.get("a") == item
    with pytest.raises(table.ConditionFailed):
        core.write(core.create(item))
    check = core.update(("b", "-"), "SET x = :x", values={":x": 1}, condition="attribute_exists(pk)")
    with pytest.raises(Cancelled) as refused:
        transact([core.put({"pk": "c", "sk": "-"}), core.create(item), check])
    assert [reason.failed for reason in refused.value.reasons] == [False, True, True]
    assert refused.value.reasons[1].item == item
    assert core.get("c") is None


def test_the_app_tells_its_story_on_the_reference_too(tables: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every expression of the stores is one that DynamoDB itself takes."""
    from chalicelib.features.events import service as events
    from chalicelib.features.metering import service as metering
    from chalicelib.platform import agenda, queues
    from tests.support.story import Story

    sent: list[str] = []
    monkeypatch.setattr(queues, "send", lambda queue, body, delay_seconds=0: sent.append(str(body)) or "id")
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
    kind = agenda.kind("reference_test", rank=99, wall_clock=True)
    own, other = OrganizationRef("own", sandbox=False), OrganizationRef("other", sandbox=True)
    tasks = [agenda.task(kind, owner, f"s{n}", NOON) for n in range(60) for owner in (own, other)]
    for task in tasks:
        core.write(agenda.put(task, now=NOON))
    number = shard("own#s0", limits.DUE_SHARDS)
    all_of_it, end = agenda.due_page(number, until=NOON, after=None)
    assert end is None
    assert {task.key for task in all_of_it} >= {agenda.task(kind, own, "s0", NOON).key}
    before, begins = all_of_it[0], all_of_it[1:]
    core.write(agenda.done(before))
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
