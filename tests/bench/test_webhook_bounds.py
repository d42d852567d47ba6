"""The bounds of webhooks: the same rows as `make bench` prints, at a small scale."""

from chalicelib import limits
from scripts.bench import busiest, isolation, webhooks


def test_telling_keeps_its_bounds(aws):
    rows = webhooks.rows(announcements=200)
    assert [row for row in rows if not row.kept] == []
    assert [row.bound for row in rows if row.bound is not None] == [230, 260, 0.2, 6, 6]


def test_no_key_is_hot_at_a_hundred_invoices_a_second(aws):
    rows = busiest.rows(invoices=120)
    assert [row for row in rows if not row.kept] == []
    assert len(rows) == 4  # The tables, and three indexes that invoices and webhooks write.


def test_endpoints_that_hang_or_refuse_hold_up_no_other(aws, monkeypatch):
    monkeypatch.setattr(limits, "WEBHOOK_LANE_SECONDS", 0)  # The hanging one ends after the first round.
    deadline = 10
    assert isolation.seconds(10, others=True, deadline=deadline) < deadline * 0.8
