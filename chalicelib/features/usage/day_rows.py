"""Day rows of a subscription, and which of them may be trusted: those that name exactly the late markers beside them."""

from dataclasses import dataclass, field

from chalicelib.features.metering import layout, reading
from chalicelib.platform.values import Item


@dataclass(frozen=True, slots=True)
class DayRows:
    """Rows of UTC days and their late markers (counts by marker), both by day."""

    rows: dict[str, Item] = field(default_factory=dict)
    markers: dict[str, dict[str, int]] = field(default_factory=dict)

    def current(self) -> dict[str, Item]:
        """The day rows that may be trusted."""
        return {day: row for day, row in self.rows.items() if row["seen"] == self.markers.get(day, {})}


def read(pk: str, first: str, last: str) -> DayRows:
    """Day rows and markers of the days between two, both included. Callers that read hours too read them after these:
    architecture.md says why."""
    found = DayRows()
    for row in reading.rows(pk, layout.day_sk(first), layout.after(layout.day_sk(last))):
        _, day, *late = row["sk"].split("#")
        if late:
            found.markers.setdefault(day, {})["#".join(late)] = row[layout.COUNT]
        else:
            found.rows[day] = row
    return found
