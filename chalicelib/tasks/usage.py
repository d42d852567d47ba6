"""Tasks that maintain the usage table."""

from datetime import datetime

from chalicelib.features.usage import distinct, expiry
from chalicelib.platform.agenda import Task, runner


@runner.handles(distinct.FILL)
def fill_register(task: Task, now: datetime) -> None:
    """Fill a distinct counter."""
    distinct.fill(task)


@runner.handles(expiry.SETTLE)
def settle_usage(task: Task, now: datetime) -> None:
    """Remove old hour rows."""
    expiry.run(task, now)
