"""The tasks that a sandbox's clock meets on its way to an instant, grouped for people to read, and usual ways to go."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from chalicelib import limits
from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import reading
from chalicelib.features.organizations.records import Organization
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef, TestClock
from chalicelib.platform.ids import CustomerId

Event = Literal["billed", "finalized", "overdue", "coupon_expires", "wallet_expires", "topped_up"]

# Kinds by name: some belong to rooms above this one. Other kinds are parts of these, or nobody waits for them.
_EVENTS: Mapping[str, Event] = {
    "bill_customer": "billed",
    "finalize_invoice": "finalized",
    "invoice_overdue": "overdue",
    "expire_coupon": "coupon_expires",
    "expire_wallet": "wallet_expires",
    "top_up_wallet": "topped_up",
}


@dataclass(frozen=True, slots=True)
class Line:
    """Tasks of one kind and instant. `zones`: those of the customers billed, the most frequent first."""

    at: datetime
    event: Event
    number: int
    zones: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Ahead:
    """Tasks on the way. `number`: of all that `lines` tell of; `is_cut`: whether more follow."""

    lines: Sequence[Line]
    number: int
    is_cut: bool


def until(organization: Organization, to: datetime) -> Ahead:
    """The tasks due up to an instant, as far as they are planned now: they may plan more."""
    most = limits.CLOCK_AHEAD_TASKS_MAX
    planned = agenda.tasks_of_clock(organization.ref, until=to, at_once=most + 1)
    read = list(itertools.islice(planned, most + 1))
    groups: defaultdict[tuple[datetime, Event], list[Task]] = defaultdict(list)
    for task in read[:most]:
        if not task.parked and task.kind.name in _EVENTS:
            groups[task.due_at, _EVENTS[task.kind.name]].append(task)
    shown = list(groups.items())[: limits.CLOCK_AHEAD_LINES_MAX]
    zones = _zones(organization, [task for (_, event), tasks in shown if event == "billed" for task in tasks])
    lines = [Line(at, event, len(tasks), _frequent(tasks, zones)) for (at, event), tasks in shown]
    return Ahead(lines, sum(line.number for line in lines), len(read) > most or len(shown) < len(groups))


def next_billing(organization: OrganizationRef, *, now: datetime) -> datetime | None:
    """The first instant after `now` at which a customer is billed; None where none will be, as far as is planned now."""
    planned = agenda.tasks_of_clock(organization, until=now + limits.CLOCK_LEAP_MAX, at_once=100)
    return next((task.due_at for task in planned if task.kind == customers.BILL and task.due_at > now), None)


def days_later(now: datetime, days: int, timezone: str) -> datetime:
    """The same time of the day in a zone, so many days later."""
    zone = ZoneInfo(timezone)
    return (now.astimezone(zone) + timedelta(days=days)).astimezone(UTC)


def invoices_made(organization: OrganizationRef, state: TestClock) -> dict[str, int]:
    """Number of final invoices and drafts made since the clock began to move."""
    if state.invoices_before is None:
        return {}
    before = state.invoices_before
    return {status: max(0, number - before.get(status, 0)) for status, number in invoices(organization).items()}


def invoices(organization: OrganizationRef) -> dict[str, int]:
    """Numbers of final invoices and of drafts."""
    found = reading.totals(organization.id)
    return {status: found.get(f"status={status}", 0) for status in ("finalized", "draft")}


def _zones(organization: Organization, tasks: Sequence[Task]) -> dict[str, str]:
    """The time zone of each customer that tasks are about."""
    ids = list(dict.fromkeys(CustomerId(task.subject) for task in tasks))
    found = customers.get_many(organization.id, ids)
    return {each: customer.timezone or organization.timezone for each, customer in found.items()}


def _frequent(tasks: Sequence[Task], zones: Mapping[str, str]) -> list[str]:
    counted = Counter(zones[task.subject] for task in tasks if task.subject in zones)
    return [zone for zone, _ in counted.most_common()]
