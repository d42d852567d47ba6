"""The jobs of webhooks: an announcement becomes messages, a message is delivered."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from chalicelib import limits
from chalicelib.features.webhooks import delivery, service
from chalicelib.features.webhooks.records import Endpoint, Message
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task, lease, runner
from chalicelib.platform.unit import Unit

# Longer than an attempt may take; a worker that died in it delays the next attempt by no more.
_LEASE = timedelta(seconds=limits.WEBHOOK_TIMEOUT_SECONDS + 30)


@runner.handles(service.ANNOUNCE)
def announce(task: Task, now: datetime) -> None:
    """Make the messages, all together with the end of the announcement."""
    actions, deliveries = service.messages_for(task)
    Unit(actions, agenda.done(task)).commit()
    agenda.push(deliveries)


@runner.handles(service.DELIVER)
def deliver(task: Task, now: datetime) -> None:
    """One attempt. The lease is taken first: two workers with the same message make one call, and one that dies in its
    call leaves the lease, by which the attempt is counted."""
    message = service.get_message(task.organization.id, task.subject)
    endpoint = None if message is None else service.CATALOG.get(task.organization.id, message.endpoint_id)
    if message is None or message.status in ("succeeded", "failed"):
        agenda.done(task).alone()
        return
    if endpoint is None or endpoint.deleted_at is not None:
        given_up = message.model_copy(update={"status": "failed", "leased_until": None, "updated_at": _later(message)})
        Unit(service.replace_action(message, given_up), agenda.done(task)).commit()
        return
    lease.attempt(
        task,
        message,
        lasts=_LEASE,
        write=_written,
        prepare=lambda: _prepared(message, endpoint),
        note=lambda leased, verdict: _note(task, leased, verdict),
        unfinished=delivery.UNFINISHED,
    )


def wait_after(failures: int, draw: Callable[[], float] = random.random) -> timedelta:
    """Wait after the n-th failure: n^4 + 2 seconds, and up to 15 % of n^4 more. Source: rules/catalog 9."""
    base = failures**4
    return timedelta(seconds=base + 2 + draw() * 0.15 * base)


def _prepared(message: Message, endpoint: Endpoint) -> Callable[[], delivery.Verdict]:
    # The number comes with the log.
    envelope = delivery.Envelope(
        message.organization_id, message.id, sequence=0, attempt=message.retries + 1, at=clock.utc_now()
    )
    request = delivery.prepare(envelope, endpoint, service.body_of(message).encode())
    return lambda: delivery.attempt(request)


def _written(old: Message, new: Message) -> Message:
    stamped = new.model_copy(update={"updated_at": _later(old)})
    service.replace_action(old, stamped).alone()
    return stamped


def _note(task: Task, message: Message, verdict: delivery.Verdict) -> None:
    real_now = clock.utc_now()
    seen = {
        "http_status": verdict.http_status,
        "response": verdict.error or verdict.response,
        "leased_until": None,
        "updated_at": _later(message),
    }
    if verdict.delivered:
        Unit(
            service.replace_action(message, message.model_copy(update={**seen, "status": "succeeded"})),
            agenda.done(task),
        ).commit()
        return
    failures = message.retries + 1
    seen |= {"retries": failures, "last_retried_at": real_now}
    if failures >= limits.WEBHOOK_ATTEMPTS_MAX:
        Unit(
            service.replace_action(message, message.model_copy(update={**seen, "status": "failed"})), agenda.done(task)
        ).commit()
        return
    service.replace_action(message, message.model_copy(update={**seen, "status": "retrying"})).alone()
    lease.next_attempt(task, at=real_now + wait_after(failures))


def _later(message: Message) -> datetime:
    """A stamp that differs from the message's last one, so that of two writers one is refused."""
    return max(clock.utc_now(), message.updated_at + timedelta(microseconds=1))
