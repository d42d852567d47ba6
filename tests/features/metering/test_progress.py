"""Whether events accepted before an instant may still be on their way: what the meters' notes say of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynamodb.expressions.condition import Between

from chalicelib import limits
from chalicelib.features.metering import messages, progress
from chalicelib.features.metering.progress import NoteRow
from chalicelib.platform import clock
from chalicelib.platform.timestamps import stamp
from tests.support.capacity import counting
from tests.support.usage import MARCH, event, message, units

DUE = datetime(2030, 2, 1, tzinfo=UTC)
INVISIBLE = limits.EVENTS_INVISIBLE.total_seconds()


def at(seconds: float) -> datetime:
    return DUE + timedelta(seconds=seconds)


@dataclass
class Notes:
    """The table and the clock behind `progress`."""

    now: datetime = DUE
    rows: dict[tuple[str, str], NoteRow] = field(default_factory=dict)
    broken: bool = False

    def stand_behind(self, patched: pytest.MonkeyPatch) -> None:
        patched.setattr(NoteRow, "put", lambda row: SimpleNamespace(alone=lambda: self.write(row)))
        patched.setattr(NoteRow, "select", self.select)
        patched.setattr(clock, "utc_now", lambda: self.now)
        progress.forget()

    def write(self, row: NoteRow) -> None:
        if self.broken:
            raise RuntimeError("no table")
        self.rows[row.key] = NoteRow.read(row.serialize())

    def select(self, pk: str, *, within: Between) -> Iterator[NoteRow]:
        low, high = (bound.value["S"] for bound in within.values[1:])
        return (row for (_, sk), row in self.rows.items() if low <= sk <= high)

    def receive(self, now: datetime, *accepted: datetime, organization: str = "o") -> None:
        self.now = now
        progress.note((organization, stamp(each)) for each in accepted)


@pytest.fixture
def notes(monkeypatch) -> Notes:
    found = Notes()
    found.stand_behind(monkeypatch)
    return found


def work(notes: Notes, start: float = -600, end: float = 300, every: float = 20) -> None:
    """A meter that receives fresh events of another organization all the time."""
    second = start
    while second < end:
        notes.receive(at(second), at(second - 1), organization="fresh")
        second += every


def past(organization: str = "o", *, now: float = 300) -> bool:
    return progress.read(at(now)).is_past(DUE, organization)


def test_a_meter_that_works_and_receives_nothing_old_is_past(notes):
    work(notes)
    assert past()


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        pytest.param((-600, 301), False, id="never"),
        pytest.param((200, 301), False, id="not lately"),
        pytest.param((100, 200), False, id="not for a while"),
        pytest.param((120, 150), True, id="a pause of one slot"),
        pytest.param((-600, 55), True, id="not long ago"),
    ],
)
def test_a_meter_that_does_not_work_is_not_known_to_be_past(notes, gap, expected):
    second = -600
    while second < 300:
        if not gap[0] <= second < gap[1]:
            notes.receive(at(second), at(second - 1))
        second += 20
    assert past() == expected


@pytest.mark.parametrize(
    ("received", "accepted", "expected"),
    [
        pytest.param(250, -1, False, id="a retry of an event accepted before"),
        pytest.param(250, 0, True, id="a retry of an event accepted at the instant, which is after it"),
        pytest.param(65, -1, False, id="a retry some minutes ago, not known to be the last one"),
        pytest.param(20, -1, True, id="a first receive, and it never came again"),
        pytest.param(20, -100, True, id="late then, and it never came again"),
    ],
)
def test_a_late_event_holds_its_organization_for_as_long_as_it_may_come_again(notes, received, accepted, expected):
    work(notes)
    notes.receive(at(received), at(accepted))
    assert past() == expected
    assert past("fresh")


def test_of_more_organizations_than_a_note_lists_the_oldest_holds_all_others(notes):
    work(notes)
    for n in range(limits.PROGRESS_LATE_LISTED):
        notes.receive(at(290), at(10), organization=f"o{n}")
    notes.receive(at(290), at(-2), organization="x")
    notes.receive(at(290), at(5), organization="y")
    found = progress.read(at(300))
    assert found.rest == at(-2)
    assert len(found.late) == limits.PROGRESS_LATE_LISTED
    assert not past("y")
    assert not past("o1"), "it might be one of those that are not listed"


def test_a_note_that_is_not_written_is_written_by_the_next_batch(notes):
    work(notes)
    notes.broken = True
    notes.receive(at(290), at(-5))
    assert past()
    notes.broken = False
    notes.receive(at(291), at(-5))
    assert not past()


def test_counting_goes_on_where_notes_cannot_be_written(aws, monkeypatch):
    broken = Notes(broken=True)
    monkeypatch.setattr(NoteRow, "put", lambda row: SimpleNamespace(alone=lambda: broken.write(row)))
    assert messages.handle([message([event("t", MARCH.start)])]) == []
    assert units() == 1


def test_a_meter_notes_once_in_half_a_minute(aws, monkeypatch):
    now = clock.utc_now()
    monkeypatch.setattr(clock, "utc_now", lambda: now)
    with counting() as first:
        messages.handle([message([event("a", DUE)])])
    with counting() as second:
        messages.handle([message([event("b", DUE)])])
    assert first.requests["put_item"] - second.requests["put_item"] == 1


@dataclass(frozen=True)
class Story:
    """A message: when it was accepted, each of its receives, when it was counted (None: not yet), and when it can be received
    again or is counted: at whatever second before that somebody asks, it is still outstanding."""

    accepted: int
    receives: list[float]
    counted_at: float | None
    ends: float


@st.composite
def stories(draw: Any) -> Story:
    """SQS may take up to a minute to hand out what can be received; then it fails, or its worker dies, or it is counted."""
    accepted = visible = draw(st.integers(-400, 200))
    receives: list[float] = []
    for kind in draw(st.lists(st.sampled_from(["fails", "dies", "dies", "counts"]), min_size=1, max_size=6)):
        receives.append(visible + draw(st.sampled_from([0, 1, 30, 59])))
        took = draw(st.sampled_from([0, 1, 60]))
        if kind == "counts":
            return Story(accepted, receives, receives[-1] + took, receives[-1] + took)
        visible = receives[-1] + (INVISIBLE if kind == "dies" else took + draw(st.integers(5, 60)))
    return Story(accepted, receives, None, visible + draw(st.sampled_from([0, 30, 59])))


@given(st.lists(stories(), min_size=1, max_size=3), st.sampled_from([1, 30]), st.integers(0, 29))
def test_whatever_fails_and_dies_no_instant_is_past_with_an_event_of_before_outstanding(found, before, offset):
    """The law that billing rests on; asked is right before the end of the first one, when it is hardest to see."""
    asked = max(300, found[0].ends - before)
    told = [each for each in found if each.ends > asked or each.counted_at is not None]  # Of others it is not known.
    outstanding = any(each.accepted < 0 and each.ends > asked for each in told)
    receives = [(received, each.accepted) for each in told for received in each.receives]
    receives += [(second, second - 1.0) for second in range(offset - 600, int(asked) + 1, 20)]
    notes = Notes()
    with pytest.MonkeyPatch.context() as patched:
        notes.stand_behind(patched)
        for received, accepted in sorted(each for each in receives if each[0] <= asked):
            notes.receive(at(received), at(accepted))
        is_past = past(now=asked)
    progress.forget()
    assert not (outstanding and is_past)
