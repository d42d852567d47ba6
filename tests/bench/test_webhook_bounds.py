"""The bounds of webhooks, counted: the same rows as `make bench` prints, at a small scale."""

from scripts.bench import webhooks


def test_telling_keeps_its_bounds(aws):
    rows = webhooks.rows(announcements=200, second=25)
    assert [row for row in rows if not row.kept] == []
    assert [row.bound for row in rows if row.bound is not None][:5] == [230, 260, 0.2, 6, 6]
