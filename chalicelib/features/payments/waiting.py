"""Tasks that wait for a payment provider: for its answer, or until its secret is good again. No attempt is counted, as
nothing of ours failed."""

from datetime import datetime, timedelta

from chalicelib import limits
from chalicelib.features.payments.providers.errors import ProviderFailure, Unknown
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.log import logger


def for_answer(task: Task, failure: ProviderFailure) -> None:
    """Run a task again as much later as it has waited already, from a minute up to half a day."""
    real_now = clock.utc_now()
    since = task.busy_since or real_now
    wait = min(max(real_now - since, limits.PROVIDER_AGAIN), limits.PROVIDER_AGAIN_MAX)
    if isinstance(failure, Unknown) and failure.retry_after is not None:
        wait = min(max(wait, timedelta(seconds=failure.retry_after)), limits.PROVIDER_AGAIN_MAX)
    logger.warning(
        "task waits: a payment provider gave no answer",
        extra={"kind": task.kind.name, "subject": task.subject, "error_code": failure.error.error_code},
    )
    agenda.push([agenda.wait(task, run_at=real_now + wait, busy_since=since)])


def for_secret(task: Task) -> None:
    """Run a task again when the connection's secret may have been mended."""
    real_now = clock.utc_now()
    since = task.busy_since or real_now
    agenda.push([agenda.wait(task, run_at=real_now + until_mended(since), busy_since=since)])


def until_mended(since: datetime) -> timedelta:
    """So long something that waits for a secret since an instant waits for the next look: it is often mended at once."""
    return min(max(clock.utc_now() - since, limits.PROVIDER_AGAIN), limits.PROVIDER_MENDED_LOOK)
