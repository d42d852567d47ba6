"""What an attempt makes of its message: delivered, planned again, or failed for good."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from chalicelib import limits
from chalicelib.features.webhooks import failing, lane_store, log_store
from chalicelib.features.webhooks.delivery import Verdict
from chalicelib.features.webhooks.records import Attempt, Message
from chalicelib.platform import clock, metrics
from chalicelib.platform.dynamodb import Cancelled, ConditionFailed
from chalicelib.platform.log import logger
from chalicelib.platform.unit import Unit


def wait_after(failures: int, draw: Callable[[], float] = random.random) -> timedelta:
    """Wait after the n-th failure: n^4 + 2 seconds, and up to 15 % of n^4 more. Source: rules/catalog 9."""
    base = failures**4
    return timedelta(seconds=base + 2 + draw() * 0.15 * base)


def after(message: Message, verdict: Verdict, *, at: datetime, counts: bool) -> Message:
    """The message after an attempt that began at `at`. `counts`: whether a failure brings it nearer to its end; the probe of a
    paused endpoint does not, nor does one that is gone."""
    number = message.attempts + 1
    attempt = Attempt(
        number=number,
        at=at,
        duration_ms=verdict.duration_ms,
        http_status=verdict.http_status,
        error=verdict.error,
        response=verdict.response,
    )
    now = clock.utc_now()
    seen = {
        "attempts": number,
        "last": attempt,
        "updated_at": max(now, message.updated_at + timedelta(microseconds=1)),
    }
    if verdict.delivered:
        return message.model_copy(update={**seen, "status": "succeeded", "failures": 0, "next_attempt_at": None})
    failures = message.failures + (1 if counts and not verdict.gone else 0)
    if failures >= limits.WEBHOOK_ATTEMPTS_MAX:
        return message.model_copy(update={**seen, "status": "failed", "failures": failures, "next_attempt_at": None})
    wait = max(wait_after(max(1, failures)), verdict.retry_after or timedelta(0))
    return message.model_copy(
        update={**seen, "status": "retrying", "failures": failures, "next_attempt_at": now + wait}
    )


def note(message: Message, verdict: Verdict, *, at: datetime, counts: bool = True) -> Message:
    """Write what an attempt made of its message; the message as it stands then. A message that somebody asked for again
    during the attempt keeps that plan.

    Raises: ConditionFailed or Cancelled, where others do not stop writing.
    """
    read = message
    for _ in range(3):
        new = after(message, verdict, at=at, counts=counts)
        if message.next_attempt_at != read.next_attempt_at:
            new = new.model_copy(update={"status": "retrying", "next_attempt_at": message.next_attempt_at})
        try:
            _write(message, new)
        except (ConditionFailed, Cancelled) as error:
            if isinstance(error, Cancelled) and not error.is_race:
                raise
            found = log_store.message(message.organization_id, message.endpoint_id, message.sequence)
            if found is None:  # It expired during the attempt.
                return new
            message = found
            continue
        if new.status == "failed":
            _tell_failed(new)
        return new
    raise ConditionFailed


def _write(old: Message, new: Message) -> None:
    replaced = log_store.replace(old, new)
    planned_before = lane_store.unplan(old.organization_id, old.endpoint_id, old.next_attempt_at, old.sequence)
    if old.next_attempt_at == new.next_attempt_at:
        planned_before = []
    rest = [*log_store.keep_attempt(old), *planned_before]
    if new.next_attempt_at is not None and new.next_attempt_at != old.next_attempt_at:
        rest.append(lane_store.plan(new))
    rest += failing.counted(old, new)
    if rest:
        Unit(replaced, rest).commit()
    else:
        replaced.alone()


def _tell_failed(message: Message) -> None:
    logger.error("webhook failed for good", extra={"webhook_id": message.id, "endpoint": message.endpoint_id})
    metrics.count("FailedWebhooks", subject=message.id)
