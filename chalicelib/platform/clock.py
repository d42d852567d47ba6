"""What time it is, per organization: real UTC, or the frozen time of a sandbox's test clock.

Nothing below the edge asks for the time; it is handed down as `now`. A job's now is its due time.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.platform.attributes import InstantAttribute
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.rows import Row


def utc_now() -> datetime:
    """The real instant, aware UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class OrganizationRef:
    """What every call and task knows of its organization: whose keys to use, and which clock holds."""

    id: OrganizationId
    sandbox: bool


@dataclass(frozen=True, slots=True)
class TestClock:
    """The state of a sandbox's clock: `now` is the instant reached so far, `target` where it is moving to; `set_out`: when,
    in real time, it last began to move."""

    __test__ = False  # Not a test class, whatever its name says.

    now: datetime | None
    target: datetime | None
    set_out: datetime | None = None

    @property
    def advancing(self) -> bool:
        """Whether it is on its way."""
        return self.target is not None


class ClockRow(Row):
    """A test clock. `target` is there while it moves."""

    now = InstantAttribute()
    target = InstantAttribute(null=True)
    set_out = InstantAttribute(null=True)


def clock_key(organization_id: OrganizationId) -> tuple[str, str]:
    """Where a sandbox's clock stands; its tasks lie under the same partition key."""
    return key(organization_id, "clock"), "clock"


def read(organization: OrganizationRef) -> TestClock:
    """The organization's test clock; without one, a clock that was never set."""
    if not organization.sandbox:
        return TestClock(None, None)
    found = ClockRow.find(*clock_key(organization.id))
    return TestClock(None, None) if found is None else TestClock(found.now, found.target, found.set_out)


def now(organization: OrganizationRef) -> datetime:
    """The organization's present: the test clock's instant where one is set, else real UTC."""
    return read(organization).now or utc_now()
