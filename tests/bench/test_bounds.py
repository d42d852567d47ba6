"""The bounds of the architecture, counted: the same rows as `make bench` prints, at a small scale."""

from datetime import timedelta

from chalicelib.features.metering import service
from chalicelib.platform import clock
from scripts.bench import billing
from tests.support.capacity import counting
from tests.support.usage import event, message


def test_requests_transactions_and_reads_keep_their_bounds(aws, monkeypatch):
    from chalicelib.platform.settings import settings

    monkeypatch.setenv("ADMIN_API_KEY", "bench")
    settings.cache_clear()
    rows = billing.requests()
    assert [row for row in rows if not row.kept] == []
    assert {row.work for row in rows} >= {"tick with nothing due", "one invoice with 10 fees"}


def test_metering_a_hundred_events_of_an_hour_keeps_its_write_units(aws):
    hour = clock.utc_now().replace(minute=0, second=0, microsecond=0)
    with counting() as meter:
        assert (
            service.handle([message([event(f"t{n}", hour + timedelta(seconds=n), value=n) for n in range(100)])]) == []
        )
    assert meter.write_units / 100 <= 3.3
    assert meter.requests["transact_write_items"] == 2


def test_the_late_marker_costs_two_write_units_a_transaction(aws):
    hour = clock.utc_now().replace(minute=0, second=0, microsecond=0)
    costs = []
    for at in (hour, hour - timedelta(days=40)):
        with counting() as meter:
            assert service.handle([message([event(f"{at}{n}", at, sub=f"{at:%d}", value=n) for n in range(90)])]) == []
        costs.append(meter.write_units)
    assert costs[1] - costs[0] == 2
