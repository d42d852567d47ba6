"""Tasks that maintain the usage table."""

from datetime import datetime

from chalicelib.features.usage import distinct, expiry
from chalicelib.platform import jobs
from chalicelib.platform.agenda import Task


@jobs.handles(distinct.FILL)
def fill_register(task: Task, now: datetime) -> None:
    """Fill a distinct counter."""
    distinct.fill(task)


@jobs.handles(expiry.SETTLE)
def settle_usage(task: Task, now: datetime) -> None:
    """Remove old hour rows."""
    expiry.run(task, now)
