"""Erasing events: rows and events agree before and after, what came later stays, and what was known is known."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.domain.periods import Span
from chalicelib.features.audit.audit import audit
from chalicelib.features.metering import erase as erasing
from chalicelib.features.metering import layout, log_numbers, messages, reading, rows
from chalicelib.features.metering.distinct_counters import Spec
from chalicelib.features.metering.erase import NotErased, erase, is_erased
from chalicelib.features.metering.event import milliseconds_of
from chalicelib.features.usage import distinct
from chalicelib.platform import agenda, clock
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.usage_table import usage
from tests.support.usage import MARCH, ORG, event, message, units

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
# All messages of these tests were received on 1 March.
RECEIVED = datetime(2024, 3, 1, tzinfo=UTC)


def count(*events: Any) -> None:
    assert messages.handle([message(list(events))]) == []


def erased(since: datetime = RECEIVED, until: datetime = RECEIVED, **how: Any) -> int:
    how = {"code": "calls", "sleep": lambda seconds: None, **how}
    return erase(ORG.id, "sub", since_ms=milliseconds_of(since), received_until=stamp(until), **how)


def differences() -> list[Any]:
    return audit(now=clock.utc_now(), sleep=lambda seconds: None)


def test_more_events_of_an_hour_than_a_transaction_holds(aws):
    count(*(event(f"t{n}", NOON + timedelta(seconds=n), miles=n) for n in range(170)))
    count(event("other", NOON, code="seats"), event("before", NOON - timedelta(seconds=1)))
    assert (units(), units(field="miles")) == (171, sum(range(170)))  # Reading folds the day.
    assert erased(since=NOON) == 170
    assert (units(), units(field="miles"), units("seats")) == (1, 0, 1)
    assert usage.get(layout.usage_pk(ORG.id, "sub"), layout.hour_sk("2024-03-10T12", "calls")) is None
    assert erased(since=NOON) == 0
    assert differences() == []
    now = clock.utc_now()  # No metric has their codes.
    assert log_numbers.warned_since(ORG.id, (now - timedelta(hours=1)).replace(minute=0), now) == 2


@pytest.mark.parametrize("parts", [1, 4])
def test_what_was_received_later_stays_in_the_same_hour(aws, monkeypatch, parts):
    for n in range(6):
        monkeypatch.setattr(rows.Rows, "shard", layout.ALL_SHARDS[n % parts])
        count(event(f"old{n}", NOON, miles=n))
    new = event("new", NOON + timedelta(minutes=1), miles=100)
    assert messages.handle([message([new], received_at=RECEIVED + timedelta(seconds=1))]) == []
    assert (units(), units(field="miles")) == (7, 115)
    assert erased() == 6
    assert (units(), units(field="miles")) == (1, 100)
    count(event("next", NOON, miles=7))
    assert (units(), units(field="miles")) == (2, 107)
    assert differences() == []


def test_an_erased_event_is_known(aws):
    again = message([event("t1", NOON), event("t2", NOON)])
    assert messages.handle([again]) == []
    erased()
    assert messages.handle([again]) == []
    count(event("t1", NOON + timedelta(days=1)))
    assert units() == 0
    (item,) = reading.by_transaction(ORG.id, "t1")
    assert is_erased(item)
    assert reading.read(item).transaction_id == "t1"


def test_a_lagging_index_and_other_writers_are_waited_for(aws, monkeypatch):
    count(event("t1", NOON), event("t2", NOON))
    real, looks = reading.raw_of_day, itertools.count()

    def lagging(*args: Any, **how: Any) -> Any:
        found = real(*args, **how)
        match next(looks):
            case 0:
                return found[:1]  # Not there yet.
            case 1:
                count(event("t3", NOON))  # Comes in after both were read.
        return found

    monkeypatch.setattr(erasing.reading, "raw_of_day", lagging)
    assert erased() == 3
    assert units() == 0
    assert differences() == []
    count(event("t4", NOON))
    monkeypatch.setattr(erasing.reading, "raw_of_day", lambda *args, **how: [])
    with pytest.raises(NotErased):
        erased()


def test_what_readers_have_kept_goes_too(aws, monkeypatch):
    monkeypatch.setattr(limits, "CUT_KEPT_FROM_EVENTS", 1)
    half = Span(NOON, NOON + timedelta(minutes=30))
    count(event("t1", NOON, miles=1))
    assert units(field="miles", span=half) == 1
    assert len(list(usage.query(layout.usage_pk(ORG.id, "sub"), begins="k#"))) == 1
    erased()
    count(event("t2", NOON, miles=5))  # The hour counts as many as when its half was kept.
    assert units(field="miles", span=half) == 5


def test_registers_of_distinct_values_end(aws):
    spec = Spec("user", (), default=True)

    def asked(code: str) -> distinct.Question:
        return distinct.Question(ORG, "sub", code, MARCH, spec)

    def numbers(code: str) -> dict[str, int] | None:
        return distinct.numbers(asked(code), real_now=clock.utc_now())

    for code in ("calls", "seats"):
        count(event(f"{code}1", NOON, code=code, user="a"))
        distinct.request_counter(asked(code), real_now=clock.utc_now())
        key = f"u#{code}#"
        (head,) = usage.query(layout.usage_pk(ORG.id, "sub"), begins=key)
        name = head["sk"].removeprefix("u#").removesuffix("#head")
        task = agenda.task(distinct.FILL, ORG, f"sub#{name}", clock.utc_now() + limits.REGISTER_FILLED_AFTER)
        standing = agenda.find(task.key)
        assert standing is not None
        distinct.fill(standing)
        assert numbers(code) == {"-": 1}
    erased()
    assert (numbers("calls"), numbers("seats")) == (None, {"-": 1})
