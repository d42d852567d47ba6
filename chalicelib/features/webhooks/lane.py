"""The lane of an endpoint: one worker at a time delivers its messages, in the order of their numbers.

Each endpoint has a lane of its own, so one that hangs, refuses or is slow holds up no other. A lane sends one message after
the other while few wait, and more at the same time the more there are. Its rounds are written down before they begin: of
a worker that dies in one, each attempt counts as one, and nothing else is lost.
"""

import contextlib
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chalicelib import limits
from chalicelib.features.webhooks import delivery, lane_store, log_store, outcomes, signing, store, streams
from chalicelib.features.webhooks.attempts import Outcome, attempt_all, latest, prepared
from chalicelib.features.webhooks.picking import Round, first_planned, next_round
from chalicelib.features.webhooks.records import Endpoint, Message, Stream
from chalicelib.platform import agenda, clock, metrics, rows
from chalicelib.platform.agenda import Task, standing
from chalicelib.platform.busy import Busy
from chalicelib.platform.dynamodb import ConditionFailed
from chalicelib.platform.log import logger
from chalicelib.platform.settings import settings


def run(task: Task) -> None:
    """Deliver what is due at an endpoint, until nothing is left or others should get a turn."""
    lease = streams.of(task).leased_until
    if lease is not None and lease > clock.utc_now():
        _look_later(task, lease)  # Its worker sees the wake-up at its end, unless it has died.
        return
    _Lane(task).run(time.monotonic() + limits.WEBHOOK_LANE_SECONDS)


def _look_later(task: Task, lease: datetime) -> None:
    """Have somebody look when the lease has run out. Of the many wake-ups of a busy lane one in a few seconds does so."""
    looked = standing.state("looked_until")
    due = looked.does_not_exist() | (looked < streams.kept(lease - limits.WEBHOOK_LANE_LOOKS))
    try:
        standing.keep(task, *streams.changes(looked_until=lease), condition=due).alone()
    except ConditionFailed:
        return
    agenda.push([streams.task_at(task, lease)])


@dataclass(slots=True)
class _Lane:
    """A worker's way through one lane. `pending`: values of the stream that its next write brings along."""

    task: Task
    lease: datetime | None = None
    rounds: int = 0
    pending: dict[str, Any] = field(default_factory=dict)

    @property
    def stream(self) -> Stream:
        return streams.of(self.task).model_copy(update=self.pending)

    def run(self, end: float) -> None:
        """Make rounds until there is none, or until `end`."""
        try:
            if self.stream.in_flight:
                self._recover()
            while True:
                found = next_round(self.task.organization, self.task.subject, self.stream, turn=self.rounds)
                if found is None:
                    if self._finished():
                        return
                    if not self._looked_again():
                        return
                    continue
                self._carry_out(found)
                if time.monotonic() > end:
                    self._hand_over()
                    return
        except ConditionFailed:
            # The lease has run out, and another worker has the lane now.
            logger.warning("webhook lane lost", extra={"endpoint": self.task.subject})
        except Exception:
            self._let_go()
            raise

    def _let_go(self) -> None:
        """End the lease after a failure of ours, so that the next run need not wait for it: it finds what was under way."""
        if self.lease is not None:
            mine = standing.state("leased_until") == streams.kept(self.lease)
            with contextlib.suppress(ConditionFailed, Busy):
                standing.keep(self.task, *streams.changes(leased_until=None), condition=mine).alone()

    def _looked_again(self) -> bool:
        """Read the task anew; False where it is gone, or another worker's."""
        found = agenda.find(self.task.key)
        if found is None:
            return False
        self.task = found
        taken = streams.of(found).leased_until
        return taken is None or taken == self.lease or taken <= clock.utc_now()

    def _changed(self, **values: Any) -> None:
        """Write values of the stream under the lease, and extend it.

        Raises: ConditionFailed, where the lease is another worker's.
        """
        now = clock.utc_now()
        lease = now + limits.WEBHOOK_LANE_LEASE
        changes = streams.changes(**{**self.pending, **values, "leased_until": lease})
        self.task = standing.changed(self.task, *changes, condition=_free_or(self.lease, now))
        self.lease, self.pending = lease, {}

    def _recover(self) -> None:
        """Count the attempts that a worker died in as failed ones."""
        stream = self.stream
        self._changed()
        numbers = dict(stream.in_flight)
        found = log_store.messages_of(self.task.organization.id, self.task.subject, numbers)  # type: ignore[arg-type]
        failed = []
        for number, message in sorted(found.items()):
            if message.attempts == numbers[number]:
                outcomes.note(message, delivery.UNFINISHED, at=clock.utc_now())
                failed.append(clock.utc_now())
        self._changed(
            in_flight=(),
            retry_at=clock.utc_now(),
            sent_through=min(stream.sequence, max([stream.sent_through, *numbers])),
            failed_at=latest([*stream.failed_at, *failed]),
        )

    def _carry_out(self, found: Round) -> None:
        self.rounds += 1
        values = dict(found.changes)
        if not found.messages:
            self._changed(**values)
            return
        endpoint, payloads = self._read(found.messages)
        if endpoint is None or endpoint.deleted_at is not None:
            self._changed(**values)
            for message in found.messages:
                _give_up(message)
            self.pending = {"sent_through": found.sent_through or self.stream.sent_through}
            return
        # What fails here is ours, and no attempt.
        ready = [(each, prepared(endpoint, each, payloads)) for each in found.messages]
        self._changed(**values, in_flight=tuple((each.sequence, each.attempts) for each in found.messages))
        outcome = Outcome(failed_at=self.stream.failed_at, retry_at=self.stream.retry_at)
        attempt_all(ready, outcome, counts=not found.is_probe)
        if found.replay is not None:
            lane_store.put_replay(self.task.organization.id, found.replay).alone()
        self.pending = {"in_flight": (), **self._afterwards(found, outcome, endpoint, payloads)}

    def _read(self, messages: list[Message]) -> tuple[Endpoint | None, dict[str, str]]:
        """The endpoint and the payloads, in one request."""
        organization_id = self.task.organization.id
        endpoint_key = store.ENDPOINTS.key(organization_id, self.task.subject)
        wanted: dict[Any, Any] = {endpoint_key: store.EndpointRow}
        names = {log_store.payload_key(organization_id, each.payload_key): each.payload_key for each in messages}
        found = rows.find_together(wanted | dict.fromkeys(names, log_store.PayloadRow))
        row: Any = found.get(endpoint_key)
        texts = {name: log_store.text_of(found[each]) for each, name in names.items() if each in found}  # type: ignore[arg-type]
        return None if row is None else row.value, texts

    def _afterwards(
        self, found: Round, outcome: Outcome, endpoint: Endpoint, payloads: dict[str, str]
    ) -> dict[str, Any]:
        """What a round changes in the stream."""
        now = clock.utc_now()
        values: dict[str, Any] = {}
        if outcome.failed_at != self.stream.failed_at:
            values["failed_at"] = latest(outcome.failed_at)
        if outcome.retry_at != self.stream.retry_at:
            values["retry_at"] = outcome.retry_at
        if found.sent_through is not None:
            values["sent_through"] = found.sent_through
        if outcome.held_until is not None:
            values["held_until"] = outcome.held_until
        if not self.stream.warned and endpoint.signature_algo == "jwt":
            values |= self._warned(payloads)
        reason = outcome.pause_reason(now)
        if found.is_probe and outcome.succeeded:
            values |= {"paused_at": None, "pause_reason": None, "catching_up": True, "failed_at": ()}
            logger.info("webhook endpoint resumed", extra={"endpoint": endpoint.id})
        elif reason is not None and self.stream.paused_at is None:
            values |= {"paused_at": now, "pause_reason": reason}
            logger.error("webhook endpoint paused", extra={"endpoint": endpoint.id, "reason": reason})
            metrics.count("PausedWebhookEndpoints", subject=endpoint.id)
        return values

    def _warned(self, payloads: dict[str, str]) -> dict[str, Any]:
        if not any(signing.jwt_too_large(text.encode()) for text in payloads.values()):
            return {}
        logger.warning("JWT signatures are larger than common servers take", extra={"endpoint": self.task.subject})
        return {"warned": True}

    def _finished(self) -> bool:
        """Let the task rest, or sleep until something is planned; False where it was woken meanwhile."""
        until, values = self._next_look(self.stream, clock.utc_now())
        values = {**self.pending, **values, **({} if self.lease is None else {"leased_until": None})}
        condition = None if self.lease is None else standing.state("leased_until") == streams.kept(self.lease)
        if until is None:
            write = standing.rest(self.task, *streams.changes(**values), condition=condition)
        else:
            write = standing.sleep(self.task, *streams.changes(**values), until=until, condition=condition)
        try:
            write.alone()
        except ConditionFailed:
            return False
        if until is not None:
            agenda.push([streams.task_at(self.task, until)])
        return True

    def _next_look(self, stream: Stream, now: datetime) -> tuple[datetime | None, dict[str, Any]]:
        """When to look again (None: when something wakes the lane), and what that says about the stream."""
        if stream.paused_at is not None:
            probed = stream.pause_reason == "failures"
            return (now + timedelta(minutes=settings().webhook_probe_minutes) if probed else None), {}
        if stream.held_until is not None and stream.held_until > now:
            return stream.held_until, {}
        if stream.retry_at is None:
            return None, {}
        planned = first_planned(self.task.organization, self.task.subject)
        return planned, {"retry_at": planned}

    def _hand_over(self) -> None:
        """End with work left: others get a turn first."""
        condition = standing.state("leased_until") == streams.kept(self.lease)
        values = {**self.pending, "leased_until": None}
        standing.keep(self.task, *streams.changes(**values), condition=condition).alone()
        agenda.push([streams.task_at(self.task, clock.utc_now())])


def _give_up(message: Message) -> None:
    """An endpoint that was deleted gets nothing more."""
    if message.status in ("pending", "retrying"):
        later = max(clock.utc_now(), message.updated_at + timedelta(microseconds=1))
        update = {"status": "failed", "next_attempt_at": None, "updated_at": later}
        log_store.replace(message, message.model_copy(update=update)).alone()
    for write in lane_store.unplan(
        message.organization_id, message.endpoint_id, message.next_attempt_at, message.sequence
    ):
        write.alone()


def _free_or(lease: datetime | None, now: datetime) -> Any:
    """The condition that the lane is nobody's, or this worker's."""
    leased = standing.state("leased_until")
    free = leased.does_not_exist() | leased.is_type("NULL") | (leased <= streams.kept(now))
    return free if lease is None else free | (leased == streams.kept(lease))
