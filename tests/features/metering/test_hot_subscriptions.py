"""A subscription on which all workers count at once: they meet, go out of each other's way, and nothing is lost or
doubled."""

import functools
import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib import limits
from chalicelib.domain.periods import Span
from chalicelib.features.audit.audit import audit
from chalicelib.features.metering import layout, messages, reading, write
from chalicelib.features.usage import raw
from chalicelib.platform import clock
from chalicelib.platform.usage_table import usage
from tests.support.faults import colliding, conflicting
from tests.support.hot import Hot, meeting
from tests.support.usage import ORG, event, message, units

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
PK = layout.usage_pk(ORG.id, "sub")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nobody really waits."""
    monkeypatch.setattr(write, "_commit", functools.partial(write._commit, sleep=lambda seconds: None))


def count(*events, conflicts=0, **how):
    with conflicting(conflicts, **how) as left:
        assert messages.handle([message(list(events))]) == []
    assert left["times"] == 0


def parts(begins="h#"):
    return [layout.shard_of(row["sk"]) for row in usage.query(PK, begins=begins)]


def stands_in(transaction):
    (item,) = reading.by_transaction(ORG.id, transaction)
    return layout.shard_of(item["time_pk"])


@pytest.mark.parametrize(("seed", "parts_max"), [(1, limits.ROW_PARTS_MAX), (2, limits.ROW_PARTS_MAX), (3, 3)])
def test_sixteen_workers_at_once_lose_and_double_nothing(aws, monkeypatch, seed, parts_max):
    """One goes on at a time, and another one at each request: chance decides."""
    chance = random.Random(seed)
    monkeypatch.setattr(limits, "ROW_PARTS_MAX", parts_max)  # With few parts they meet at the maxima there.
    hot = Hot.begin(NOON)
    sent = hot.events(160, chance)
    records = [*hot.records(sent, 10), *hot.records(chance.sample(sent, 160), 10)]  # Each event in two messages.
    chance.shuffle(records)
    failed, read = [], []

    def reader():
        for _ in range(6):
            read.append(sum(units(code, span=hot.span) for code in ("sum", "max", "last", "unique")))
            cut = Span(NOON - timedelta(minutes=1), NOON + timedelta(minutes=30))
            list(raw.events(ORG.id, "sub", cut, None))

    works = [lambda own=records[n::16]: failed.extend(messages.handle(own)) for n in range(16)]
    met = meeting([*works, reader], chance)
    assert failed == []
    assert hot.wrong(sent) == []
    assert met.transactions["conflict"] > 0 < met.transactions["refused"]
    assert 1 < len(hot.parts()) <= parts_max
    assert read == sorted(read)
    for record in records:  # And all of it once more.
        assert messages.handle([record]) == []
    assert hot.wrong(sent) == []


def test_events_stand_in_the_part_of_the_index_that_counts_them(aws):
    for n in range(24):
        count(event(f"t{n:02}", NOON + timedelta(minutes=23 - n), miles=1), conflicts=n % 3)
    rows = {row["sk"]: row for row in usage.query(PK, begins="h#")}
    assert len(rows) > 4
    assert sorted(layout.shard_of(sk) for sk in rows) == sorted(parts("d#"))
    for sk, row in rows.items():
        events = reading.raw_of_day(ORG.id, "sub", "2024-03-10", layout.shard_of(sk), low_ms=0, high_ms=10**14)
        assert len(events) == row["n"]
    # And readers find them all, in order of time.
    cut = Span(NOON + timedelta(minutes=2), NOON + timedelta(minutes=20))
    assert [item["transaction_id"] for item in raw.events(ORG.id, "sub", cut, None)] == [
        f"t{n:02}" for n in range(21, 3, -1)
    ]
    assert (units(), units(field="miles", span=cut)) == (24, 18)
    assert audit(now=clock.utc_now()) == audit(now=clock.utc_now(), organization_id=ORG.id, subscription="sub") == []


def test_a_worker_keeps_to_its_part_until_it_meets_another(aws):
    seen = []
    for n in range(20):
        count(event(f"t{n}", NOON), conflicts=n in (5, 9, 13))
        seen.append(stands_in(f"t{n}"))
    runs = [seen[0:5], seen[5:9], seen[9:13], seen[13:]]
    assert [len(set(run)) for run in runs] == [1, 1, 1, 1]
    assert [run[0] for run in runs[:2]] == ["0", "1"]  # Of one part, then of two.
    assert all(one[0] != other[0] for one, other in itertools.pairwise(runs))
    count(event("other", NOON, sub="other"))
    assert stands_in("other") == "0"


def test_a_part_that_is_throttled_is_left(aws):
    """In DynamoDB's words for it, at an event by the index, or at a row."""
    for n, (code, at) in enumerate(itertools.product(["ThrottlingError", "ProvisionedThroughputExceeded"], [0, -1])):
        count(event("t", NOON, sub=f"sub{n}"), conflicts=1, code=code, at=at)
    assert [layout.shard_of(item["time_pk"]) for item in reading.by_transaction(ORG.id, "t")] == ["1"] * 4


def test_who_meets_at_a_distinct_value_stays(aws):
    Hot.begin(NOON)
    count(event("t0", NOON, code="unique", user="a"))
    # Its actions: the event, its row, the day's late marker, the value, the register's number.
    count(event("t1", NOON, code="unique", user="b"), conflicts=1, at=3)
    assert stands_in("t1") == "0"
    count(event("t2", NOON, code="unique", user="c"), conflicts=1, at=4)
    assert stands_in("t2") == "1"


def test_all_parts_are_used_and_no_more(aws):
    for n in range(120):
        count(event(f"t{n}", NOON), conflicts=1)
    assert set(parts()) == set(layout.ALL_SHARDS[: limits.ROW_PARTS_MAX])
    assert units() == 120


def test_an_event_that_another_worker_stores_just_now_is_looked_for_and_not_written_again(aws, monkeypatch):
    both = [event("t1", NOON), event("t2", NOON)]

    def the_other_worker_is_done(seconds):
        assert messages.handle([message(both[:1])]) == []

    monkeypatch.setattr(
        write, "_commit", functools.partial(write._commit.func, sleep=the_other_worker_is_done, draw=lambda: 0)
    )
    with colliding(lambda: None) as met, conflicting(1, at=0):
        assert messages.handle([message(both)]) == []
    assert units() == 2
    assert stands_in("t2") == "0"  # Nobody was in the way of its row.
    assert met.transactions == {"done": 2}
