"""Changing an organization's settings: with its first webhook endpoint, and with what they call for of customers and drafts."""

from collections.abc import Callable, Sequence
from datetime import datetime

from chalicelib.domain.error_codes import Resource
from chalicelib.features.customers import drafts_follow, store
from chalicelib.features.customers import service as customers
from chalicelib.features.organizations import service
from chalicelib.features.organizations.records import Organization
from chalicelib.features.organizations.schemas import OrganizationUpdate
from chalicelib.features.taxes import service as taxes
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write


def customers_without_zone(organization_id: OrganizationId) -> int | None:
    """How many customers a change of the organization's time zone concerns; None where that is not known."""
    return store.without_zone(organization_id)


def update(
    organization_id: OrganizationId,
    request: OrganizationUpdate,
    *,
    now: datetime,
    tax_codes: Sequence[str] | None = None,
    prepare: Callable[[], None] = lambda: None,
) -> Organization:
    """Change the settings that the request names, `webhook_url` (the first endpoint's) included: all in one transaction,
    with the tasks that plan the customers anew where the time zone changes, and that bring drafts in line. `tax_codes`: the
    taxes that are applied to the organization from now on; `prepare` makes what the settings need, once all is checked.

    Raises: Invalid, when another endpoint has the URL; NotFound, for an unknown tax; ChangedMeanwhile.
    """

    def attempt() -> tuple[Organization, list[Task]]:
        old = service.get(organization_id)
        new = service.changed(old, request, now=now)
        tasks = [customers.replan_task(new, now=now)] if new.timezone != old.timezone else []
        tasks += drafts_follow.tasks_of_all(old, new, now=now)
        applied: list[Write] = []
        if tax_codes is not None:
            applied, taxed = taxes.applied_only(old.ref, tax_codes, now=now)
            tasks += taxed
        prepare()
        actions = [service.replace_action(old, new), *applied, *(agenda.put(task, now=now) for task in tasks)]
        if "webhook_url" in request.model_fields_set:
            webhooks.set_first_url(new.ref, request.webhook_url, actions, now=now)
        else:
            Unit(actions).commit()
        return new, tasks

    organization, tasks = retrying(attempt, Resource.ORGANIZATION)
    agenda.push([task for task in tasks if not task.in_clock])
    return organization
