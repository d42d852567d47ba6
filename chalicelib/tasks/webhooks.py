"""The jobs of webhooks: announcements get their numbers, and the lane of an endpoint delivers its messages."""

from datetime import datetime

from chalicelib.features.webhooks import lane, numbering, streams
from chalicelib.platform.agenda import Task, runner


@runner.handles(streams.ANNOUNCE)
def announce(task: Task, now: datetime) -> None:
    """Number this announcement and all others of its organization."""
    numbering.number(task.organization)


@runner.handles(streams.DELIVER)
def deliver(task: Task, now: datetime) -> None:
    """Deliver what is due at an endpoint."""
    lane.run(task)
