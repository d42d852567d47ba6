"""Telling of usage after it was counted: whoever waits for a customer's usage gets a task, once in some minutes.

It comes after counting and never stops it. Where no subscription of an organization is watched it costs one read, which a
worker remembers for a minute; only a watched customer's new events cost a write. The task of a window is due after its end, so
that it sees all events of the window, and a window has one task, whoever counts. Decision 0026.
"""

import time
from collections.abc import Collection
from datetime import UTC, datetime

from chalicelib import limits
from chalicelib.features.customers import usage_watch
from chalicelib.features.metering.advance import Accepted
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import ConditionFailed
from chalicelib.platform.ids import CustomerId, OrganizationId
from chalicelib.platform.log import logger
from chalicelib.platform.timestamps import stamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REMEMBERED_MAX = 50_000

# By organization and external id: whose it is (None: it is not watched), and until when that is believed (monotonic seconds).
_known: dict[tuple[str, str], tuple[CustomerId | None, float]] = {}
# Windows whose task this worker knows to be there, by customer.
_told: dict[tuple[str, str], str] = {}


def tell(organization: OrganizationRef, subscriptions: Collection[str], accepted: Accepted, real_now: datetime) -> None:
    """Write and push the tasks of the watched ones among these subscriptions, of which events were counted just now."""
    try:
        watched = _watched(organization, subscriptions)
        tasks = [_task(organization, each, accepted, real_now) for each in dict.fromkeys(watched)]
        agenda.push([task for task in tasks if _written(organization, task) and not task.in_clock])
    except Exception:  # noqa: BLE001  the events are counted: no reason to deliver them again
        logger.exception("usage not told")


def _watched(organization: OrganizationRef, subscriptions: Collection[str]) -> list[CustomerId]:
    if organization.sandbox:  # Its clock does not wait for what a worker believes.
        return list(usage_watch.watched(organization.id, subscriptions).values())
    return _remembered(organization.id, subscriptions)


def _remembered(organization_id: OrganizationId, subscriptions: Collection[str]) -> list[CustomerId]:
    now = time.monotonic()
    old = [each for each in subscriptions if _known.get((organization_id, each), (None, 0.0))[1] <= now]
    if old:
        if len(_known) > _REMEMBERED_MAX:
            _known.clear()
        found = usage_watch.watched(organization_id, old)
        until = now + limits.WALLET_WATCH_KEPT.total_seconds()
        _known.update({(organization_id, each): (found.get(each), until) for each in old})
    customers = [_known[(organization_id, each)][0] for each in subscriptions]
    return [each for each in customers if each is not None]


def _task(organization: OrganizationRef, customer_id: CustomerId, accepted: Accepted, real_now: datetime) -> Task:
    if organization.sandbox:
        return usage_watch.refresh_task(organization, customer_id, stamp(real_now), accepted.at)
    window = limits.WALLET_WATCH_WINDOW
    end = _EPOCH + ((real_now - _EPOCH) // window + 1) * window
    return usage_watch.refresh_task(organization, customer_id, stamp(end), end + limits.WALLET_WATCH_LAG)


def _written(organization: OrganizationRef, task: Task) -> bool:
    """Write a task, unless it is there; whether this worker has written it."""
    place = organization.id, task.subject.split("#")[0]
    if _told.get(place) == task.subject:
        return False
    if len(_told) > _REMEMBERED_MAX:
        _told.clear()
    try:
        agenda.create(task, now=task.due_at).alone()
    except ConditionFailed:
        _told[place] = task.subject
        return False
    _told[place] = task.subject
    return True
