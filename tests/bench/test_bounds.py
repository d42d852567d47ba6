"""The bounds of the architecture, counted: the same rows as `make bench` prints, at a small scale."""

from contextlib import nullcontext
from datetime import timedelta
from functools import partial

import pytest

from chalicelib.domain.periods import Span
from chalicelib.features.metering import messages, progress
from chalicelib.platform import clock
from scripts.bench import billing, documents, flood, lists, money
from tests.support.aws import ADMIN_KEY, again
from tests.support.capacity import counting
from tests.support.faults import atomic, conflicting
from tests.support.quick_moto import everything
from tests.support.usage import event, message, units


def test_requests_transactions_and_reads_keep_their_bounds(aws, monkeypatch):
    from chalicelib.platform.settings import settings

    monkeypatch.setenv("ADMIN_API_KEY", ADMIN_KEY)
    settings.cache_clear()
    rows = billing.requests()
    assert [row for row in rows if not row.kept] == []
    assert {row.work for row in rows} >= {"tick with nothing due", "one invoice with 10 fees"}


def test_credits_on_an_invoice_and_wallets_keep_their_bounds(aws):
    rows = money.rows()
    assert [row for row in rows if not row.kept] == []
    assert [row.bound for row in rows if row.bound is not None] == [24, 2, 2, 0]


def test_drafts_made_final_at_once_draw_numbers_without_gaps(aws):
    with atomic():
        assert money.numbers(24).kept


def test_metering_a_hundred_events_of_an_hour_keeps_its_write_units(aws):
    hour = clock.utc_now().replace(minute=0, second=0, microsecond=0)
    with counting() as meter:
        assert (
            messages.handle([message([event(f"t{n}", hour + timedelta(seconds=n), value=n) for n in range(100)])]) == []
        )
    assert meter.write_units / 100 <= 3.3
    assert meter.requests["transact_write_items"] == 2


def test_the_late_marker_costs_two_write_units_a_transaction(aws, monkeypatch):
    monkeypatch.setattr(progress, "note", lambda received: None)  # Once in half a minute, whatever is metered.
    hour = clock.utc_now().replace(minute=0, second=0, microsecond=0)
    costs = []
    for at in (hour, hour - timedelta(days=40)):
        with counting() as meter:
            assert messages.handle([message([event(f"{at}{n}", at, sub=f"{at:%d}", value=n) for n in range(90)])]) == []
        costs.append(meter.write_units)
    assert costs[1] - costs[0] == 2


@pytest.mark.pdf
def test_documents_are_drawn_about_as_fast_as_weasyprint_and_in_bounded_memory():
    rows = documents.rows()
    assert [row for row in rows if not row.kept] == []


def test_a_page_of_a_list_costs_the_same_whatever_lies_before_it(aws, monkeypatch):
    from chalicelib.platform.settings import settings

    monkeypatch.setenv("ADMIN_API_KEY", ADMIN_KEY)
    settings.cache_clear()
    rows = lists.rows((400, 4_000, 4_000), partial(again, everything()), nullcontext)
    assert [row for row in rows if not row.kept] == [], rows  # A ratio follows the row that says of which page.
    # What grows does by a request for each MB.
    assert max(row.value for row in rows if row.unit == "requests") <= 30


def test_a_flood_of_duplicates_keeps_its_price_and_refuses_nothing(aws):
    refused: list[str] = []
    rows = flood.known(refused)
    assert [row for row in rows if not row.kept] == []
    assert {row.bound for row in rows} == {1.3}
    assert refused == []


def test_the_parts_of_a_hot_subscription_cost_others_nothing_and_its_writers_no_more_per_event(aws):
    hour = clock.utc_now().replace(minute=0, second=0, microsecond=0)
    cut = Span(hour, hour + timedelta(minutes=30))
    # The hour's rows, one part of the time index after the other, and the rows again as all of it has just been metered.
    for n, reads in enumerate((3, 4)):
        sent = [event(f"t{n}-{m}", hour, sub="hot", value=m) for m in range(90)]
        with conflicting(n), counting() as meter:
            assert messages.handle([message(sent)]) == []
        assert meter.write_units / 90 <= 3.3
        with counting() as meter:
            assert units("calls", span=cut, sub="hot") == 90 * (n + 1)
        assert meter.requests == {"query": reads}
