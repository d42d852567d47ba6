"""Rows that a hand in the table has made wrong say again what their events say."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.features.audit.audit import audit
from chalicelib.features.audit.rebuild import rebuild
from chalicelib.features.metering import layout, messages, reading, rows
from chalicelib.platform import clock
from chalicelib.platform.usage_table import usage
from scripts.audit import report
from tests.features.metering.test_views import call, count, found, metric
from tests.support.usage import ORG, event, message, units

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
PK = layout.usage_pk(ORG.id, "sub")
ROW = (PK, layout.hour_sk("2024-03-10T12", "calls"))


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def differences():
    return audit(now=clock.utc_now(), sleep=lambda seconds: None)


def broken(row):
    """Ways in which a row may be wrong."""
    yield None
    yield row | {"n": 99}
    yield row | {"s:v": 1000}
    yield {name: value for name, value in row.items() if not name.startswith("s:")}
    yield {name: 7 if name.startswith("v:") and not name.endswith(":g") else value for name, value in row.items()}


@pytest.mark.parametrize("how", range(5))
def test_a_wrong_row_is_made_anew_and_only_it(aws, how):
    metric("sum_agg")
    count(call(1, "1.5"), call(2, 2, "gcp"), call(3, 4, at=NOON + timedelta(hours=1)), event("o", NOON, code="other"))
    assert found("sum_agg")[("aws",)].total + found("sum_agg")[("gcp",)].total == 7.5
    right = list(usage.query(PK, begins="h#"))
    wrong = list(broken(usage.get(*ROW)))[how]
    usage.write(usage.delete(ROW) if wrong is None else usage.put(wrong))
    assert differences()
    assert rebuild(differences(), now=clock.utc_now()) >= 1
    assert list(usage.query(PK, begins="h#")) == right
    assert differences() == []
    assert rebuild(differences(), now=clock.utc_now()) == 0
    assert {c: s.total for c, s in found("sum_agg").items()} == {("aws",): 5.5, ("gcp",): 2}


def test_rows_in_parts_are_made_anew_by_part(aws, monkeypatch):
    for n in range(3):
        monkeypatch.setattr(rows.Rows, "shard", layout.ALL_SHARDS[5 * n])
        messages.handle([message([event(f"t{n}", NOON, v=n)])])
    right = list(usage.query(PK, begins="h#"))
    assert len(right) == 3
    usage.write(usage.delete((PK, right[1]["sk"])))
    usage.write(usage.put(right[2] | {"n": 5}))
    assert rebuild(differences(), now=clock.utc_now()) == 1
    assert list(usage.query(PK, begins="h#")) == right
    assert (units(), units(field="v")) == (3, 3)


def test_a_wrong_day_is_folded_again(aws):
    count(call(1, 1), call(2, 2))
    assert units(field="v") == 3
    day = usage.get(PK, layout.day_sk("2024-03-10"))
    usage.write(usage.put(day | {"codes": day["codes"].replace('"s:v":3', '"s:v":4')}))
    assert units(field="v") == 4
    assert rebuild(differences(), now=clock.utc_now()) == 1
    assert (units(field="v"), differences()) == (3, [])


def test_an_event_that_is_counted_meanwhile_is_kept(aws, monkeypatch):
    count(call(1, 1))
    usage.write(usage.put(usage.get(*ROW) | {"s:v": 50}))
    wrong = differences()
    real = reading.raw_in_keys

    def events_then_another(*args, **how):
        read = real(*args, **how)
        monkeypatch.setattr(reading, "raw_in_keys", real)
        count(call(2, 2))
        return read

    monkeypatch.setattr(reading, "raw_in_keys", events_then_another)
    rebuild(wrong, now=clock.utc_now())
    assert (units(), units(field="v"), differences()) == (2, 3, [])


def test_an_hour_that_has_just_ended_is_left_alone(aws):
    count(call(1, 1))
    usage.write(usage.put(usage.get(*ROW) | {"n": 2}))
    wrong = differences()
    assert rebuild(wrong, now=NOON + timedelta(minutes=119)) == 0
    assert rebuild(wrong, now=NOON + timedelta(minutes=120)) == 1


def test_the_command_makes_anew_and_audits_again(aws, capsys, monkeypatch):
    monkeypatch.setattr("chalicelib.features.audit.audit._TRIES", 2)
    count(call(1, 1))
    usage.write(usage.put(usage.get(*ROW) | {"n": 2}))
    assert report(ORG.id, "sub") == 1
    assert report(ORG.id, "sub", rebuilds=True) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if "differences" in line or "anew" in line] == [
        "1 differences",
        "1 differences",
        "1 places made anew",
        "0 differences",
    ]
