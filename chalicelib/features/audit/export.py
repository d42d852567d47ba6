"""Raw events of an organization as files: gzipped lines of JSON in the bucket, complete or not at all.

    <org>/exports/events/<from>_<to>/00000.jsonl.gz, 00001.jsonl.gz, ...
    <org>/exports/events/<from>_<to>/manifest.json      written last: what it names is there and complete

A line has the form that `POST /events` takes, with `lago_id` and `received_at` beside it. Exporting a range again
replaces its files.
"""

import gzip
import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from chalicelib.domain.periods import Span
from chalicelib.features.metering import log_reader, reading
from chalicelib.features.metering.event import event_id, plain
from chalicelib.features.subscriptions import reading as subscriptions
from chalicelib.features.usage import raw
from chalicelib.platform import clock, files
from chalicelib.platform.ids import OrganizationId, key_part
from chalicelib.platform.json import to_json
from chalicelib.platform.values import Item

# A file of so many events has some megabytes.
_LINES_PER_FILE = 100_000


def export(organization_id: OrganizationId, first: date, last: date) -> dict[str, Any]:
    """Write the events whose timestamps lie on these UTC days, both included; returns the manifest.

    Events of external ids that no subscription ever had are found as long as the log names them (30 days).
    Raises: IndexBehind, where the time index does not catch up; then there is no manifest.
    """
    place = f"{key_part(organization_id)}/exports/events/{first.isoformat()}_{last.isoformat()}"
    span = Span(_midnight(first), _midnight(last + timedelta(days=1)))
    events = _events(organization_id, span)
    names: list[str] = []
    total = 0
    while lines := [_line(organization_id, item) for item in itertools.islice(events, _LINES_PER_FILE)]:
        name = f"{place}/{len(names):05d}.jsonl.gz"
        files.put(name, gzip.compress("".join(lines).encode(), mtime=0), "application/gzip")
        names.append(name)
        total += len(lines)
    manifest = {"from": first.isoformat(), "to": last.isoformat(), "events": total, "files": names}
    files.put(f"{place}/manifest.json", to_json(manifest).encode(), "application/json")
    return manifest


def _events(organization_id: OrganizationId, span: Span) -> Iterator[Item]:
    """Events by external id, then time. Hour rows give their number, so that no event missing in the index is
    missed."""
    of_late = log_reader.external_ids(organization_id, clock.utc_now())
    external_ids = subscriptions.external_ids(organization_id) | of_late
    for external_id in sorted(external_ids):
        yield from raw.events(organization_id, external_id, span, None)


def _line(organization_id: OrganizationId, item: Item) -> str:
    event = reading.read(item)
    values = {"lago_id": event_id(organization_id, event), **plain(event), "received_at": item["received"]}
    return to_json(values) + "\n"


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
