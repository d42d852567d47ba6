"""The present instant of an organization: real UTC, or the frozen time of a sandbox's test clock.

Only the edges ask for the time; everything below gets it as `now`. A task's now is its due time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.platform.attributes import InstantAttribute, ValuesAttribute, WholeAttribute
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.rows import Row


def utc_now() -> datetime:
    """The real instant, aware UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class OrganizationRef:
    """The organization of a call or task: its id, and whether it is a sandbox with a test clock."""

    id: OrganizationId
    sandbox: bool


@dataclass(frozen=True, slots=True)
class TestClock:
    """The state of a sandbox's clock.

    `now`: the instant reached so far; `target`: the instant it moves to, if it moves; `set_out`: the real instant at
    which it last began to move; `invoices_before`: the numbers of invoices at that instant, by status; `failed`: the number of
    tasks that the last leap left undone.
    """

    __test__ = False  # Not a test class, whatever its name says.

    now: datetime | None
    target: datetime | None
    set_out: datetime | None = None
    invoices_before: Mapping[str, int] | None = None
    failed: int = 0

    @property
    def advancing(self) -> bool:
        """Whether the clock is moving."""
        return self.target is not None


class ClockRow(Row):
    """A test clock. `target` is there while it moves."""

    now = InstantAttribute()
    target = InstantAttribute(null=True)
    set_out = InstantAttribute(null=True)
    invoices_before = ValuesAttribute(null=True)
    failed = WholeAttribute(null=True)

    @property
    def value(self) -> TestClock:
        """The state of the clock."""
        return TestClock(self.now, self.target, self.set_out, self.invoices_before, self.failed or 0)


def clock_key(organization_id: OrganizationId) -> tuple[str, str]:
    """The key of a sandbox's clock; its scheduled tasks lie under the same partition key."""
    return key(organization_id, "clock"), "clock"


def read(organization: OrganizationRef) -> TestClock:
    """The organization's test clock; for an organization without one, a clock that was never set."""
    if not organization.sandbox:
        return TestClock(None, None)
    found = ClockRow.find(*clock_key(organization.id))
    return TestClock(None, None) if found is None else found.value


def now(organization: OrganizationRef) -> datetime:
    """The organization's present: the test clock's instant where one is set, else real UTC."""
    return read(organization).now or utc_now()
