"""Progress of metering: whether an event accepted before an instant may still be in flight.

SQS says how many messages are not done, and not how old they are; where events come in all the time there are always
some. So each meter notes the acceptance of the messages that it receives, before it counts: once in each slot of half a
minute, and once more for each organization whose events are late. A message that is not done is received again, at the
latest when its worker's time is over. So the notes of the last minutes hold the acceptance of every outstanding message
(docs/decisions/0019 has the argument).

Items (core table)
    pk          sk                  what it is
    metering    <slot>#<worker>     {late: {organization: oldest}, rest: the oldest of others, if any}; expires after an hour

Access patterns
    1 note(...)         Put     once in a slot; once more for each organization whose events are late in it
    2 read(real_now)    Query   consistent: the slots of the last four minutes, all workers
"""

import itertools
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pynamodb.attributes import UnicodeAttribute

from chalicelib import limits
from chalicelib.platform import clock
from chalicelib.platform.attributes import ValuesAttribute, WholeAttribute
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.log import logger
from chalicelib.platform.rows import Row
from chalicelib.platform.timestamps import stamp, unstamp


class NoteRow(Row):
    """Acceptance times of the messages that one worker received in a slot. Counting waits for its write."""

    use = "brief"

    late = ValuesAttribute()
    rest = UnicodeAttribute(null=True)
    expires_at = WholeAttribute()


_PK = "metering"
_KEPT = timedelta(hours=1)

# Within so long everything outstanding was received: it became visible again, and a working meter took it.
WINDOW = limits.EVENTS_INVISIBLE + limits.PROGRESS_RECEIVED + limits.PROGRESS_SLOT


@dataclass
class _Note:
    """The note of one worker in a slot: the late messages that it received."""

    slot: str
    late: dict[str, str] = field(default_factory=dict)
    rest: str | None = None

    def add(self, organization_id: OrganizationId, accepted: str) -> bool:
        """Enter the instant at which a late message was accepted. Returns whether the note changed."""
        known = self.late.get(organization_id)
        if known is None and len(self.late) >= limits.PROGRESS_LATE_LISTED:
            if self.rest is not None and self.rest <= accepted:
                return False
            self.rest = accepted
            return True
        if known is not None and known <= accepted:
            return False
        self.late[organization_id] = accepted
        return True


class _Worker(threading.local):
    """This worker's name, and its last note."""

    def __init__(self) -> None:
        self.name = uuid.uuid4().hex[:16]
        self.note: _Note | None = None


_worker = _Worker()


def note(received: Iterable[tuple[str, str]]) -> None:
    """Note messages just received: their organizations and acceptance (stamps). Messages of
    sandboxes, whose billing never waits, need not be among them.

    It never raises: counting comes first, and where notes are missing billing waits.
    """
    real_now = clock.utc_now()
    slot, late_before = stamp(_slot(real_now)), stamp(real_now - limits.PROGRESS_LATE)
    last = _worker.note
    current = last if last is not None and last.slot == slot else _Note(slot)
    changed = current is not last
    for organization_id, accepted in received:
        if accepted < late_before:
            changed = current.add(OrganizationId(organization_id), accepted) or changed
    if not changed:
        return
    _worker.note = None  # Unless it is written, the next batch writes it.
    try:
        NoteRow(
            pk=_PK,
            sk=f"{slot}#{_worker.name}",
            late=current.late,
            rest=current.rest,
            expires_at=int((real_now + _KEPT).timestamp()),
        ).put().alone()
    except Exception:  # noqa: BLE001  as said above
        logger.exception("progress not noted")
    else:
        _worker.note = current


def forget() -> None:
    """Drop what this process knows."""
    _worker.note = None


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of metering by the notes of the last minutes. `works`: meters received something all the time;
    `late`: the oldest acceptance among late messages, by organization; `rest`: of the organizations that are not
    named."""

    works: bool
    late: Mapping[str, datetime]
    rest: datetime | None

    def is_past(self, instant: datetime, organization_id: OrganizationId) -> bool:
        """Whether all of an organization's events accepted before an instant, at least five minutes ago, are
        metered."""
        oldest = [self.rest] if self.rest is not None else []
        oldest += [self.late[organization_id]] if organization_id in self.late else []
        return self.works and all(instant <= each for each in oldest)


def read(real_now: datetime) -> Progress:
    """Present progress of all meters."""
    slots, late, rest = set[str](), dict[str, str](), list[str]()
    within = NoteRow.sk.between(stamp(_slot(real_now - WINDOW)), stamp(real_now + _KEPT))
    for row in NoteRow.select(_PK, within=within):
        slots.add(row.sk.partition("#")[0])
        for organization_id, accepted in row.late.items():
            late[organization_id] = min(accepted, late.get(organization_id, accepted))
        rest += [row.rest] if row.rest is not None else []
    oldest = {organization_id: unstamp(accepted) for organization_id, accepted in late.items()}
    return Progress(_work_throughout(slots, real_now), oldest, unstamp(min(rest)) if rest else None)


def _work_throughout(slots: set[str], real_now: datetime) -> bool:
    """Whether of each two slots that follow one another, up to the present one, one has a note."""
    wanted = list(_slots(real_now))
    return all(one in slots or other in slots for one, other in itertools.pairwise(wanted))


def _slots(real_now: datetime) -> Iterator[str]:
    slot = _slot(real_now - WINDOW)
    while slot <= real_now:
        yield stamp(slot)
        slot += limits.PROGRESS_SLOT


def _slot(at: datetime) -> datetime:
    seconds = int(limits.PROGRESS_SLOT.total_seconds())
    return datetime.fromtimestamp(at.timestamp() // seconds * seconds, UTC)
