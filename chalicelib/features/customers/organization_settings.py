"""Changing an organization's settings: with its first webhook endpoint, and with what they call for of customers and drafts."""

from datetime import datetime

from chalicelib.domain.error_codes import Resource
from chalicelib.features.customers import service as customers
from chalicelib.features.organizations import service
from chalicelib.features.organizations.records import Organization
from chalicelib.features.organizations.schemas import OrganizationUpdate
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit


def update(organization_id: OrganizationId, request: OrganizationUpdate, *, now: datetime) -> Organization:
    """Change the settings that the request names, `webhook_url` (the first endpoint's) included: all in one transaction,
    with the tasks that plan the customers anew where the time zone changes, and that bring drafts in line.

    Raises: Invalid, when another endpoint has the URL; ChangedMeanwhile.
    """

    def attempt() -> tuple[Organization, list[Task]]:
        old = service.get(organization_id)
        new = service.changed(old, request, now=now)
        tasks = [customers.replan_task(new, now=now)] if new.timezone != old.timezone else []
        tasks += customers.follow_all_tasks(old, new, now=now)
        actions = [service.replace_action(old, new), *(agenda.put(task, now=now) for task in tasks)]
        if "webhook_url" in request.model_fields_set:
            webhooks.set_first_url(organization_id, request.webhook_url, actions, now=now)
        else:
            Unit(actions).commit()
        return new, tasks

    organization, tasks = retrying(attempt, Resource.ORGANIZATION)
    agenda.push([task for task in tasks if not task.in_clock])
    return organization
