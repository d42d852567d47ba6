"""The largest legal input of every item that is built from what tenants send, on the store that enforces limits: items
of 400 KB, keys of 1 and 2 KB, expressions of 4 KB, transactions of 4 MB, messages of 256 KB."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.domain.periods import Span
from chalicelib.features.audit.audit import audit
from chalicelib.features.billable_metrics.records import Metric, MetricFilter
from chalicelib.features.billable_metrics.store import METRICS
from chalicelib.features.metering import definitions, distinct_counters, erase, layout, messages, rows, tally
from chalicelib.features.metering.distinct_counters import Spec
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import distinct
from chalicelib.features.usage import service as usage
from chalicelib.platform import agenda, clock, usage_table
from chalicelib.platform.ids import new_id
from chalicelib.platform.timestamps import stamp
from tests.support.largest import POO, listed, longest, metered
from tests.support.story import Story
from tests.support.usage import MARCH, ORG, event, message, units

pytestmark = [pytest.mark.local_dynamodb, pytest.mark.xdist_group("local_dynamodb")]

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)


def test_the_longest_names_of_one_organization_keep_nobody_else_from_being_counted(sent: list[str]) -> None:
    noisy, quiet = Story.begin(name="Noisy"), Story.begin(name="Quiet")
    for batch in range(10):
        bodies = [
            {
                "transaction_id": longest(100 * batch + n),
                "external_subscription_id": longest(n % 3),
                "code": longest(n % 2),
                "timestamp": 1704100000 + n,
            }
            for n in range(100)
        ]
        noisy.ok("POST", "/events/batch", {"events": bodies})
        for n in range(12) if batch == 5 else ():
            quiet.use(at=1704100000 + n)
    metered(sent, at_once=100)
    assert len(listed(quiet)) == 12
    assert sorted(listed(noisy)) == [longest(n) for n in range(1000)]
    assert sorted(listed(noisy, "/event_logs")) == [longest(n) for n in range(1000)]
    assert sorted(listed(noisy, query=f"&external_subscription_id={longest(1)}")) == [
        longest(100 * batch + n) for batch in range(10) for n in range(1, 100, 3)
    ]


def test_every_character_comes_through_the_queue(sent: list[str]) -> None:
    story = Story.begin()
    odd = "".join(map(chr, (*range(1, 32), 127, 0xFFFD, 0xFFFE, 0xFFFF, 0x10FFFF)))
    body = {"transaction_id": f"t{odd}", "external_subscription_id": odd, "code": odd, "properties": {odd: odd}}
    story.ok("POST", "/events", {"event": body})
    metered(sent)
    (shown,) = story.ok("GET", "/events")["events"]
    assert {name: shown[name] for name in body} == body


def test_batches_of_plain_names_of_the_longest_kind(sent: list[str]) -> None:
    story = Story.begin()
    for batch in range(30):
        names = [f"{100 * batch + n:06d}".ljust(255, "x") for n in range(100)]
        shared = {"external_subscription_id": "s" * 255, "code": "c" * 255, "timestamp": 1704100000}
        story.ok("POST", "/events/batch", {"events": [{"transaction_id": name, **shared} for name in names]})
    metered(sent, at_once=100)
    assert len(listed(story)) == 3000


def test_the_largest_events_fill_transactions_and_are_erased(sent: list[str]) -> None:
    story = Story.begin()
    room = limits.EVENT_BYTES_MAX - len((longest(1) * 2).encode()) - 100
    bodies = [
        {
            "transaction_id": longest(n),
            "external_subscription_id": longest(0),
            "code": longest(0),
            "timestamp": f"{1704100000 + n}.25",
            "properties": {"text": "é" * (room // 2)},
            "precise_total_amount_cents": "9" * 25 + "." + "9" * 15,
            "note": POO * (limits.EVENT_SENT_BYTES_MAX // 4 - 20),
        }
        for n in range(110)
    ]
    for some in (bodies[:95], bodies[95:]):
        story.ok("POST", "/events/batch", json.dumps({"events": some}, ensure_ascii=False).encode())
    metered(sent, at_once=100)
    assert len(listed(story)) == 110
    (shown, *_) = story.ok("GET", "/event_logs?per_page=1")["event_logs"]
    assert shown["payload"]["note"] == bodies[-1]["note"]
    assert shown["payload"]["properties"] == bodies[-1]["properties"]
    until = stamp(clock.utc_now())
    assert erase.erase(story.ref.id, longest(0), longest(0), since_ms=0, received_until=until) == 110
    assert listed(story) == listed(story, "/event_logs") == []


def test_events_of_as_many_days_as_there_are(tables: None) -> None:
    many = [event(f"t{n}", NOON + timedelta(days=n), code=f"c{n % 3}") for n in range(150)]
    assert messages.handle([message(many)]) == []
    assert sum(units(f"c{n}", span=Span(NOON, NOON + timedelta(days=200))) for n in range(3)) == 150


# Rows.


def test_a_row_of_many_names_from_many_workers_never_stops_its_events(tables: None) -> None:
    """Each worker knows only the names that it has written itself."""
    numbers = {}
    for worker in range(45):
        rows.forget()
        for batch in range(3):
            names = [f"{worker:02d}{batch}{n}".ljust(tally.FIELD_NAME_MAX, POO) for n in range(8)]
            number = Decimal("9" * 15 + "." + "9" * 15)
            sent = event(f"t{worker}-{batch}", NOON, **{name: format(number.copy_negate(), "f") for name in names})
            assert messages.handle([message([sent])]) == []
            numbers[names[0]] = number
    assert units() == 135
    for name in list(numbers)[::17]:
        assert units(field=name) == numbers[name].copy_negate()
    assert len({row["sk"][-1] for row in usage_table.usage.query(layout.usage_pk(ORG.id, "sub"), begins="h#")}) > 1
    assert audit(now=clock.utc_now(), organization_id=ORG.id, subscription="sub") == []


@pytest.mark.parametrize("aggregation", ["count_agg", "sum_agg", "max_agg", "latest_agg", "weighted_sum_agg"])
def test_the_widest_views_fit_an_expression(tables: None, aggregation: str) -> None:
    values = tuple(longest(n, 60) for n in range(60))
    at = clock.utc_now()
    fields = {"name": "calls", "code": "calls", "aggregation_type": aggregation, "weighted_interval": "seconds"}
    metric = Metric(
        id=new_id(),
        created_at=at,
        updated_at=at,
        field_name=None if aggregation == "count_agg" else "v",
        filters=(MetricFilter(key="k", values=values),),
        **{name: value for name, value in fields.items() if name in Metric.model_fields},
    )
    METRICS.create(ORG.id, metric)
    definitions.forget()
    chance = random.Random(1)
    for keys in (values[:40], values):  # As many combinations as a row keeps, and more than that.
        rows.forget()
        sent = []
        for n, value in enumerate(keys):
            more = {longest(n * 7 % 23, tally.FIELD_NAME_MAX): -1, "p": "1.5"}
            properties = {"k": value, "v": str(Decimal(chance.randrange(-(10**14), 10**14)).scaleb(-3)), **more}
            sent.append(event(f"{len(keys)}-{n}", NOON + timedelta(seconds=n), **properties))
        assert messages.handle([message(sent)]) == []
    dimension = definitions.dimension_of(metric)
    assert dimension is not None
    counted = usage.read(ORG, Stream("sub"), MARCH, {"calls": [dimension]})
    assert counted.events("calls") == 100
    found = counted.summaries("calls", dimension)
    assert len(found) == 60
    assert audit(now=clock.utc_now(), organization_id=ORG.id, subscription="sub") == []


def test_a_day_and_a_part_of_an_hour_with_very_many_codes_are_read(tables: None) -> None:
    names = [longest(n, 50) for n in range(1800)]
    for start in range(0, 1800, 90):
        some = names[start : start + 90]
        assert messages.handle([message([event(f"t{name}", NOON, code=name) for name in some])]) == []
    cut = Span(NOON, NOON + timedelta(minutes=30))
    for _ in range(2):  # The first read folds and keeps what fits.
        assert (units(names[0]), units(names[-1])) == (1, 1)
        assert units(names[1799], span=cut) == 1


def test_a_register_with_the_longest_names_and_values(tables: None) -> None:
    code, sub = longest(1), longest(2)
    filters: Sequence[Any] = tuple({"k": (f"{n:03d}",)} for n in range(200))
    spec = Spec("user", filters, default=True)
    assert len(spec.text().encode()) <= limits.REGISTER_SPEC_BYTES_MAX
    asked = distinct.Question(ORG, sub, code, MARCH, spec)
    at = clock.utc_now()
    METRICS.create(
        ORG.id,
        Metric(
            id=new_id(),
            created_at=at,
            updated_at=at,
            name="u",
            code=code,
            aggregation_type="unique_count_agg",
            field_name="user",
        ),
    )
    definitions.forget()
    distinct.request_counter(asked, real_now=at)
    distinct_counters.forget()
    sent = [event(f"t{n}", NOON, code=code, sub=sub, user=f"{n}" + POO * 3000, k=f"{n:03d}") for n in range(120)]
    assert messages.handle([message(sent[:60]), message(sent[60:])]) == []
    due = [task for shard in range(limits.DUE_SHARDS) for task in agenda.due(shard, until=at + timedelta(hours=3))]
    for task in due:
        distinct.fill(task)
    found = distinct.numbers(asked, real_now=clock.utc_now())
    assert found is not None
    assert sum(found.values()) == 120
