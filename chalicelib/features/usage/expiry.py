"""Expiry of old hour rows: their content stays in day rows.

An hour row may expire when nothing can change its day any more: events of that age are refused at ingestion, after
`limits.EVENT_RETENTION`, and queues and dead letters have delivered what they held. Then the day is compacted a last
time, the day row is sealed (`hours_until`), and only after that do the hours get an expiry, most of a year later.
Readers of a sealed day trust its row or fail; they never read missing hours as zero (docs/decisions/0023).

Sandboxes keep all, as their clocks may be set to any time.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from chalicelib import limits
from chalicelib.domain.periods import Span
from chalicelib.features.metering import layout, reading
from chalicelib.features.subscriptions import reading as subscriptions
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import compaction, day_rows, raw
from chalicelib.features.usage.reader import Reader
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.dynamodb import ConditionFailed
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.log import logger
from chalicelib.platform.unit import Write
from chalicelib.platform.usage_table import usage
from chalicelib.platform.values import Item

SETTLE = agenda.kind("settle_usage", rank=82, real_time=True)

_DAY = timedelta(days=1)
# The time of one run, well below the worker's 15 minutes.
_RUN_SECONDS = 300


def until(now: datetime) -> datetime:
    """The end of the days that nothing can change any more."""
    return raw.floor(now - limits.SETTLED_AFTER, _DAY)


def settle(organization_id: OrganizationId, subscription: str, end: datetime) -> int:
    """Seal a subscription's days before an instant and let their hours expire; returns the number of days. It is
    idempotent.

    Raises: IndexBehind; UsageGone.
    """
    pk = layout.usage_pk(organization_id, subscription)
    hours = _standing(pk, end)
    if not hours:
        return 0
    first, last = min(hours), max(hours)
    span = Span(_begin(first), _begin(last) + _DAY)
    Reader(organization_id, Stream(subscription), {}, real_now=end + limits.SETTLED_AFTER, keeps_cuts=False).read(span)
    sealed = 0
    for day, row in day_rows.read(pk, first, last).current().items():
        if day not in hours:
            continue
        # Most hours of a day that was settled before have an expiry by now.
        own = reading.rows(pk, f"h#{day}T00", layout.after(f"h#{day}T23")) if "hours_until" in row else hours[day]
        if _holds(row, own) and _seal(row, day):
            usage.write(usage.put({"pk": pk, "sk": layout.SETTLED}))
            for hour in hours[day]:
                _expire(hour, _expiry(day))
            sealed += 1
    return sealed


def _standing(pk: str, end: datetime) -> dict[str, list[Item]]:
    """Hour rows without an expiry, by day."""
    found: dict[str, list[Item]] = {}
    between = ("h#", f"h#{end:%Y-%m-%d}")
    for row in usage.query(pk, between=between, where="attribute_not_exists(expires_at)"):
        found.setdefault(row["sk"].split("#")[1][:10], []).append(row)
    return found


def _holds(row: Item, hours: list[Item]) -> bool:
    """Whether a day row counts what its hours count, code by code."""
    numbers: dict[str, int] = {}
    for hour in hours:
        code = hour["sk"].split("#")[2]
        numbers[code] = numbers.get(code, 0) + int(hour[layout.COUNT])
    return numbers == {code: int(own[layout.COUNT]) for code, own in compaction.unpack(row["codes"]).items()}


def _seal(row: Item, day: str) -> bool:
    change = usage.update(
        (row["pk"], row["sk"]),
        "SET hours_until = :until",
        values={":until": _expiry(day), ":codes": row["codes"], ":seen": row["seen"]},
        names={"#codes": "codes", "#seen": "seen"},
        condition="#codes = :codes AND #seen = :seen",
    )
    return _done(change)


def _expire(hour: Item, at: int) -> None:
    change = usage.update(
        (hour["pk"], hour["sk"]),
        "SET expires_at = :at",
        values={":at": at},
        condition="attribute_exists(pk)",
    )
    _done(change)


def _done(change: Write) -> bool:
    try:
        usage.write(change)
    except ConditionFailed:
        return False
    return True


def _expiry(day: str) -> int:
    return int((_begin(day) + limits.HOURS_KEPT).timestamp())


def _begin(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


# All subscriptions of an organization, once a month.


def begin(task: Task, now: datetime) -> list[Write]:
    """The actions that schedule settling an organization's usage, on the first day of a month."""
    if now.day != 1 or task.organization.sandbox:
        return []
    return [agenda.put(agenda.task(SETTLE, task.organization, task.organization.id, now), now=now)]


def run(task: Task, now: datetime, *, monotonic: Callable[[], float] = time.monotonic) -> None:
    """Settle the days that are old enough, within the time of a run; a later run does the rest."""
    organization_id, end, give_up_at = task.organization.id, until(now), monotonic() + _RUN_SECONDS
    for external_id in sorted(subscriptions.external_ids(organization_id)):
        if external_id <= task.detail.get("after", ""):
            continue
        try:
            settle(organization_id, external_id, end)
        except raw.UsageGone:  # An event came years late. Its row stays, for inspection.
            logger.exception("not settled", extra={"organization": organization_id, "subscription": external_id})
        if monotonic() > give_up_at:
            later = agenda.task(SETTLE, task.organization, task.subject, task.due_at, {"after": external_id})
            agenda.put(later, now=now).alone()
            agenda.push([later])
            return
    agenda.done(task).alone()
