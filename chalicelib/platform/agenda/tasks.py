"""Tasks and their kinds, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chalicelib import limits
from chalicelib.platform import clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import OrganizationId, key, shard
from chalicelib.platform.settings import settings
from chalicelib.platform.timestamps import stamp


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of task. `rank` orders tasks of one instant under a test clock. A kind in real time never holds the clock up.

    `in_order`: an organization's tasks of this kind stand together, in the order of their due times, so that one worker
    can do all of them at once (`agenda.store.in_order`).
    """

    name: str
    rank: int
    real_time: bool = False
    reads_usage: bool = False
    queue: str = "jobs"
    attempts_max: int = limits.TASK_ATTEMPTS_MAX
    in_order: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do for `subject` at `due_at`. A subject has at most one task of a kind.

    `busy_since`, `held_since`: when it was first put off without an attempt, as AWS was busy, or events were behind.
    """

    kind: Kind
    organization: OrganizationRef
    subject: str
    due_at: datetime
    run_at: datetime
    attempts: int = 0
    parked: bool = False
    busy_since: datetime | None = None
    held_since: datetime | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def waited_for_usage(self) -> bool:
        """Whether it reads usage that an instant ended, for whose last events it has waited."""
        waits = self.kind.reads_usage and not self.organization.sandbox
        return waits and self.run_at >= self.due_at + limits.USAGE_GRACE

    @property
    def in_clock(self) -> bool:
        """Whether it belongs to a test clock, which alone decides when it runs."""
        return self.organization.sandbox and not self.kind.real_time

    @property
    def queue_name(self) -> str:
        """The SQS queue that its messages go to."""
        if self.kind.queue == "jobs":
            return jobs_queue(self.organization)
        return str(getattr(settings(), f"{self.kind.queue}_queue"))

    @property
    def key(self) -> Key:
        """Key of the task in the core table."""
        if self.kind.in_order:
            part = shard(self.subject, limits.ORDERED_SHARDS)
            return order_pk(self.kind, self.organization.id, part), f"{stamp(self.due_at)}#{key(self.subject)}"
        if not self.in_clock:
            return key(self.organization.id, "task", self.kind.name, self.subject), "-"
        order = f"{stamp(self.due_at)}#{self.kind.rank:02d}#{self.kind.name}"
        return clock.clock_key(self.organization.id)[0], f"task#{order}#{key(self.subject)}"


def order_pk(kind: Kind, organization_id: OrganizationId, part: int) -> str:
    """The partition of one write shard of an organization's ordered tasks."""
    return key(organization_id, "order", kind.name, str(part))


def order_of(pk: str) -> str | None:
    """The order, over all its write shards, that a task under this key stands in; None for a task of no order."""
    owner, _, rest = pk.partition("#order#")
    return f"{owner}#{rest.rpartition('#')[0]}" if rest else None


def jobs_queue(organization: OrganizationRef) -> str:
    """The queue of an organization's jobs. Sandboxes have one of their own: nobody's money waits for a test."""
    return settings().sandbox_queue if organization.sandbox else settings().jobs_queue


KINDS: dict[str, Kind] = {}


def kind(name: str, **how: Any) -> Kind:
    """Declare a kind of task (once, by the feature that owns it)."""
    declared = KINDS[name] = Kind(name, **how)
    return declared


def task(
    kind: Kind,
    organization: OrganizationRef,
    subject: str,
    due_at: datetime,
    detail: Mapping[str, Any] | None = None,
    *,
    at_once: bool = False,
) -> Task:
    """A new task, to be run as soon as it is due; one that reads usage waits for events still queued then, unless this
    time it reads none (`at_once`)."""
    waits = kind.reads_usage and not organization.sandbox and not at_once
    run_at = due_at + limits.USAGE_GRACE if waits else due_at
    return Task(kind, organization, subject, due_at, run_at, detail=detail or {})
