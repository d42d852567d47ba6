"""The end of coupons, and of what was applied of a deleted one."""

from datetime import datetime

from chalicelib.features.coupons import applying, service
from chalicelib.platform.agenda import Task, runner


@runner.handles(service.EXPIRE)
def expire(task: Task, now: datetime) -> None:
    """Terminate a coupon at its expiration."""
    service.expire(task, now)


@runner.handles(service.END_APPLICATIONS)
def end_applications(task: Task, now: datetime) -> None:
    """End the applications of a deleted coupon."""
    applying.end_applications(task, now)
