"""Announcements of a metric, and the tasks that its deletion schedules: three that walk pages, in any order.

Readers skip charges of deleted metrics at once. The tasks remove data that nobody reads any more, and refresh drafts.
Source: rules/catalog 2.2.
"""

from datetime import datetime

from chalicelib.features.billable_metrics import schemas, store
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write

# Carried out by tasks/billable_metrics.py. Before the billing of the same instant, which shall find it done.
DETACH = agenda.kind("detach_metric", rank=5)
# Events accepted before the deletion may still be queued.
ERASE = agenda.kind("erase_metric_events", rank=6, reads_usage=True)
REFRESH = agenda.kind("refresh_drafts_of_metric", rank=7)


def announcement(organization: OrganizationRef, metric: Metric, name: str, *, now: datetime) -> list[Task]:
    """Announcement of a metric in its written state."""
    subject = f"{name}#{metric.id}#{metric.version}"
    return webhooks.announcement(organization, name, "billable_metric", schemas.show(metric), subject=subject, now=now)


def end(organization: OrganizationRef, old: Metric, *, now: datetime) -> tuple[list[Write], list[Task]]:
    """Writes of a deletion, beside the metric's own, and the tasks to push."""
    until = clock.utc_now()
    detail = {"metric_id": old.id, "code": old.code, "until": stamp(until), "whole": False}
    tasks = [
        agenda.task(DETACH, organization, old.id, now),
        agenda.task(ERASE, organization, old.id, now, detail),
        agenda.task(REFRESH, organization, old.id, now),
        *announcement(organization, old, "billable_metric.deleted", now=now),
    ]
    remembered = store.deleted_action(organization.id, old.code, until=until)
    return [remembered, *(agenda.put(task, now=now) for task in tasks)], tasks


def beginning(organization: OrganizationRef, old: Metric | None, new: Metric, *, now: datetime) -> list[Task]:
    """Tasks of a metric that takes the code of a deleted one. `old`: the metric before a change, else None.

    A recurring metric reads its whole history: it must not see usage that the deleted metric's periods left behind.
    """
    was_so = old is not None and old.recurring and old.code == new.code
    until = store.deleted_at(organization.id, new.code) if new.recurring and not was_so else None
    if until is None:
        return []
    detail = {"metric_id": new.id, "code": new.code, "until": until, "whole": True}
    return [agenda.task(ERASE, organization, f"{new.id}#{new.version}", now, detail)]
