"""The attempts of a round, made at the same time, and what they show about the endpoint."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.features.webhooks import delivery, outcomes, serializer
from chalicelib.features.webhooks.records import Endpoint, Message
from chalicelib.platform import clock
from chalicelib.platform.settings import settings


@dataclass(slots=True)
class Outcome:
    """What the attempts of a round showed about the endpoint."""

    failed_at: tuple[datetime, ...]
    retry_at: datetime | None
    held_until: datetime | None = None
    succeeded: bool = False
    gone: bool = False

    def add(self, message: Message, verdict: delivery.Verdict) -> None:
        """Add one attempt."""
        now = clock.utc_now()
        if verdict.delivered:
            self.failed_at, self.succeeded = (), True
        else:
            self.failed_at = (*self.failed_at, now)
        if message.next_attempt_at is not None:
            self.retry_at = (
                message.next_attempt_at if self.retry_at is None else min(self.retry_at, message.next_attempt_at)
            )
        if verdict.retry_after is not None and verdict.http_status in (429, 503):
            self.held_until = max(self.held_until or now, now + verdict.retry_after)
        self.gone = self.gone or verdict.gone

    def pause_reason(self, now: datetime) -> str | None:
        """Why the endpoint is to be paused, if it is."""
        if self.gone:
            return "gone"
        number = settings().webhook_pause_failures
        if len(self.failed_at) < number:
            return None
        within = timedelta(minutes=settings().webhook_pause_minutes)
        return "failures" if self.failed_at[-1] - self.failed_at[-number] <= within else None


def attempt_all(ready: list[tuple[Message, delivery.Request | None]], outcome: Outcome, *, counts: bool) -> None:
    """Make the attempts of a round at the same time, and write each result as it comes."""
    with ThreadPoolExecutor(len(ready)) as threads:
        began = clock.utc_now()
        under_way = {threads.submit(_attempt, request): message for message, request in ready}
        for each in as_completed(under_way):
            verdict = each.result()
            noted = outcomes.note(under_way[each], verdict, at=began, counts=counts)
            outcome.add(noted, verdict)


def prepared(endpoint: Endpoint, message: Message, payloads: dict[str, str]) -> delivery.Request | None:
    """The request of a message's next attempt; None where its payload has expired. What fails here is ours, and no attempt."""
    text = payloads.get(message.payload_key)
    if text is None:
        return None
    envelope = delivery.Envelope(
        organization_id=message.organization_id,
        message_id=message.id,
        sequence=message.sequence,
        attempt=message.attempts + 1,
        at=clock.utc_now(),
    )
    return delivery.prepare(envelope, endpoint, serializer.body_of(message, text).encode())


def _attempt(request: delivery.Request | None) -> delivery.Verdict:
    if request is None:
        return replace(delivery.UNFINISHED, error="the payload has expired")
    return delivery.attempt(request)


def latest(failures: Iterable[datetime]) -> tuple[datetime, ...]:
    """As many of the last failures as a pause depends on."""
    return tuple(failures)[-settings().webhook_pause_failures :]
