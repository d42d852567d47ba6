"""Old hour rows go once day rows hold what they held, and no reader takes missing hours for nothing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from chalicelib import limits
from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.domain.periods import Span
from chalicelib.features.audit import late
from chalicelib.features.audit.audit import audit
from chalicelib.features.metering import layout, messages, reading
from chalicelib.features.metering.dimensions import RollupDimension
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import expiry, raw
from chalicelib.features.usage import service as usage
from chalicelib.platform import agenda, clock, usage_table
from chalicelib.platform.agenda import runner
from chalicelib.platform.clock import OrganizationRef
from tests.support.story import Story
from tests.support.usage import MARCH, ORG, event, message, units

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
PK = layout.usage_pk(ORG.id, "sub")
APRIL = MARCH.end


@pytest.fixture
def march(aws, monkeypatch) -> None:
    """Events on three days of March; then it is years later, and the month is settled."""
    sent = [event(f"t{n}", NOON + timedelta(hours=7 * n), code=f"c{n % 2}", v=n) for n in range(10)]
    assert messages.handle([message(sent)]) == []
    now_is(monkeypatch, NOON + limits.SETTLED_AFTER + timedelta(days=30))
    assert expiry.settle(ORG.id, "sub", APRIL) == 4


def now_is(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr(clock, "utc_now", lambda: at)


def hours() -> list[dict]:
    return list(usage_table.usage.query(PK, begins="h#"))


def a_year_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has an expiry is gone, and raw events too."""
    now_is(monkeypatch, NOON + limits.HOURS_KEPT + timedelta(days=40))
    for row in hours():
        if "expires_at" in row:
            usage_table.usage.write(usage_table.usage.delete((row["pk"], row["sk"])))
    for n in range(10):
        for item in reading.by_transaction(ORG.id, f"t{n}"):
            usage_table.usage.write(usage_table.usage.delete((item["pk"], item["sk"])))


def test_settled_hours_expire_after_the_retention_and_a_year(march):
    assert len(hours()) == 10
    for row in hours():
        day = datetime.fromisoformat(row["sk"][2:12]).replace(tzinfo=UTC)
        assert row["expires_at"] == int((day + limits.EVENT_RETENTION + timedelta(days=365)).timestamp())
    assert expiry.settle(ORG.id, "sub", APRIL) == 0


def test_what_hours_held_is_read_when_they_are_gone(march, monkeypatch):
    before = units("c0"), units("c1", "v"), usage.history(ORG, Stream("sub"), APRIL, {}).events("c1")
    a_year_passes(monkeypatch)
    assert hours() == []
    for _ in range(2):
        assert (units("c0"), units("c1", "v"), usage.history(ORG, Stream("sub"), APRIL, {}).events("c1")) == before
    assert before == (5, Decimal(1 + 3 + 5 + 7 + 9), 5)
    assert audit(now=clock.utc_now(), organization_id=ORG.id, subscription="sub") == []


def test_missing_hours_are_never_taken_for_nothing(march, monkeypatch):
    a_year_passes(monkeypatch)
    cut = Span(NOON + timedelta(minutes=30), APRIL)
    dimension = RollupDimension(Aggregation.COUNT, None, (("v", None),))
    for ask in (
        lambda: units("c0", span=cut),
        lambda: units("c0", span=Span(NOON + timedelta(hours=1), APRIL)),
        lambda: usage.read(ORG, Stream("sub"), MARCH, {"c0": [dimension]}),
        lambda: usage.readings(ORG, Stream("sub"), MARCH, ["c0"], with_history=True),
    ):
        with pytest.raises(raw.UsageGone):
            ask()
    # What was never there is nothing still.
    assert units("c0", span=Span(MARCH.start, NOON - timedelta(days=1, hours=3, minutes=7))) == 0
    assert units("c0", span=MARCH, sub="other") == 0


def test_an_event_that_came_before_hours_went_is_in_the_row_and_one_after_that_is_noticed(march, monkeypatch):
    assert messages.handle([message([event("late", NOON, code="c0", v=100)])]) == []
    assert (units("c0"), units("c0", "v")) == (6, 120)
    row = usage_table.usage.get(PK, layout.day_sk("2024-03-10"))
    assert "hours_until" in row
    a_year_passes(monkeypatch)
    assert (units("c0"), units("c0", "v")) == (6, 120)
    assert messages.handle([message([event("years late", NOON, code="c0", v=1)])]) == []
    with pytest.raises(raw.UsageGone):
        units("c0")


def test_a_late_event_that_nobody_read_is_folded_by_the_next_run(march, monkeypatch):
    assert messages.handle([message([event("late", NOON + timedelta(hours=5), code="new")])]) == []
    assert expiry.settle(ORG.id, "sub", APRIL) == 1
    assert expiry.settle(ORG.id, "sub", APRIL) == 0
    a_year_passes(monkeypatch)
    assert hours() == []
    assert (units("new"), units("c0"), units("c1")) == (1, 5, 5)


def test_a_day_that_no_row_holds_keeps_its_hours(aws, monkeypatch):
    monkeypatch.setattr("chalicelib.features.usage.reader._TEXT_BYTES_MAX", 10)
    assert messages.handle([message([event("t", NOON)])]) == []
    now_is(monkeypatch, NOON + limits.HOURS_KEPT + timedelta(days=40))
    assert expiry.settle(ORG.id, "sub", APRIL) == 0
    assert "expires_at" not in hours()[0]
    assert units() == 1


def test_what_may_change_is_not_settled(aws):
    assert messages.handle([message([event("t", NOON)])]) == []
    assert expiry.until(NOON + limits.EVENT_RETENTION + timedelta(days=59)) < NOON
    assert expiry.settle(ORG.id, "sub", datetime(2024, 3, 10, tzinfo=UTC)) == 0
    assert "expires_at" not in hours()[0]


def test_organizations_are_settled_once_a_month_by_their_daily_task(aws, monkeypatch):
    story = Story.begin(sandbox=False)
    organization = OrganizationRef(story.ref.id, sandbox=False)
    story.plan()
    story.customer()
    subscriptions = ("a", "b", "c")
    for name in subscriptions:
        story.subscribe(external_id=name)
    used = message([event(name, clock.utc_now(), sub=name) for name in subscriptions], organization)
    assert messages.handle([used]) == []
    later = clock.utc_now() + limits.SETTLED_AFTER + timedelta(days=40)
    later = later.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    now_is(monkeypatch, later)
    watch = agenda.task(late.WATCH, organization, organization.id, later)
    agenda.put(watch, now=later).alone()
    late.count(watch, later)
    place = agenda.task(expiry.SETTLE, organization, organization.id, later).key
    monkeypatch.setattr(expiry, "_RUN_SECONDS", -1)  # One subscription at a time.
    for name in subscriptions:
        task = agenda.find(place)
        assert task is not None
        assert runner.run(task, now=task.due_at) is None
        (row,) = usage_table.usage.query(layout.usage_pk(organization.id, name), begins="h#")
        assert "expires_at" in row
    task = agenda.find(place)
    assert task is not None
    assert runner.run(task, now=task.due_at) is None
    assert agenda.find(place) is None
    assert expiry.begin(watch, later + timedelta(days=1)) == []
    assert expiry.begin(agenda.task(late.WATCH, ORG, ORG.id, later), later) == []
