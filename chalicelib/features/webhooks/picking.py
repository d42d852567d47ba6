"""Picking: what a lane sends next.

Planned attempts that are due, replays and new messages take turns. After a pause planned attempts go first, all of them and
in order, so that an endpoint catches up as if it had never been away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chalicelib import limits
from chalicelib.features.webhooks import lane_store, log_store
from chalicelib.features.webhooks.records import Message, Replay, Stream
from chalicelib.platform import clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import WebhookEndpointId


@dataclass(frozen=True, slots=True)
class Round:
    """Messages to be sent at the same time. `changes`: of the stream, before they are sent. `sent_through`: the stream's, once
    they are sent. `replay`: as it stands then. A round without messages only changes the stream."""

    messages: list[Message] = field(default_factory=list)
    changes: Mapping[str, Any] = field(default_factory=dict)
    sent_through: int | None = None
    replay: Replay | None = None
    is_probe: bool = False


def next_round(organization: OrganizationRef, subject: str, stream: Stream, *, turn: int) -> Round | None:
    """What to send now; None where nothing is due. `turn` counts a worker's rounds."""
    picker = _Picker(organization, WebhookEndpointId(subject), stream)
    if stream.deleted_at is not None:
        return picker.planned(until=None) or picker.new()
    if stream.paused_at is not None:
        return picker.probe() if stream.pause_reason == "failures" and turn == 0 else None
    now = clock.utc_now()
    if stream.held_until is not None and stream.held_until > now:
        return None
    if stream.catching_up:
        return picker.planned(until=None) or Round(changes={"catching_up": False})
    looks = [lambda: picker.planned(until=now), picker.replayed, picker.new]
    for look in [*looks[turn % 3 :], *looks[: turn % 3]]:
        found = look()
        if found is not None:
            return found
    return None


def first_planned(organization: OrganizationRef, subject: str) -> datetime | None:
    """When the earliest planned attempt is due."""
    found = lane_store.planned(organization.id, WebhookEndpointId(subject), until=None, at_most=1)
    return found[0][0] if found else None


def width(waiting: int) -> int:
    """The number of attempts at the same time where so many messages wait."""
    return max(1, min(limits.WEBHOOK_LANE_WIDTH_MAX, waiting // limits.WEBHOOK_LANE_WAITING))


@dataclass(frozen=True, slots=True)
class _Picker:
    organization: OrganizationRef
    endpoint_id: WebhookEndpointId
    stream: Stream

    def planned(self, *, until: datetime | None, at_most: int | None = None) -> Round | None:
        """Planned attempts in the order of their messages. Plans that their messages do not know any more are removed."""
        if self.stream.retry_at is None and not self.stream.catching_up and self.stream.deleted_at is None:
            return None
        if until is not None and self.stream.retry_at is not None and self.stream.retry_at > until:
            return None
        entries = lane_store.planned(
            self.organization.id, self.endpoint_id, until=until, at_most=limits.WEBHOOK_RETRIES_READ
        )
        entries.sort(key=lambda entry: entry[1])
        chosen = entries[: at_most or width(len(entries))]
        found = log_store.messages_of(self.organization.id, self.endpoint_id, {number for _, number in chosen})
        valid = []
        for run_at, number in chosen:
            message = found.get(number)
            if message is not None and message.next_attempt_at == run_at:
                valid.append(message)
            else:
                for write in lane_store.unplan(self.organization.id, self.endpoint_id, run_at, number):
                    write.alone()
        if not chosen:
            return None
        return Round(valid)

    def replayed(self) -> Round | None:
        """Messages of the oldest replay that is not done."""
        if not self.stream.replaying:
            return None
        open_ones = [r for r in lane_store.replays(self.organization.id, self.endpoint_id) if r.status != "done"]
        if not open_ones:
            return Round(changes={"replaying": False})
        replay = min(open_ones, key=lambda r: (r.created_at, r.id))
        messages: list[Message] = []
        position = replay.position
        wanted = width(replay.last - replay.position)
        while position < replay.last and len(messages) < wanted:
            number = (position + 1) // limits.WEBHOOK_BLOCK
            last = min(replay.last, (number + 1) * limits.WEBHOOK_BLOCK - 1)
            found = log_store.block(self.organization.id, self.endpoint_id, number, first=position + 1, last=last)
            position = last
            for message in found:
                if replay.webhook_types is None or message.webhook_type in replay.webhook_types:
                    messages.append(message)
                    if len(messages) == wanted:
                        position = message.sequence
                        break
            if not messages and position < replay.last:
                break  # A long way without a match: the place is kept.
        status = "done" if position >= replay.last else "running"
        after = replay.model_copy(update={"position": position, "status": status})
        if not messages:
            lane_store.put_replay(self.organization.id, after).alone()
            return Round()
        return Round(messages, replay=after)

    def new(self) -> Round | None:
        """Messages without a first attempt."""
        if self.stream.waiting == 0:
            return None
        first = self.stream.sent_through + 1
        number = first // limits.WEBHOOK_BLOCK
        last = min(
            self.stream.sequence,
            self.stream.sent_through + width(self.stream.waiting),
            (number + 1) * limits.WEBHOOK_BLOCK - 1,
        )
        found = log_store.block(self.organization.id, self.endpoint_id, number, first=first, last=last)
        # Asked for again before its first attempt, a message is a planned one.
        fresh = [message for message in found if message.next_attempt_at is None and message.attempts == 0]
        if not fresh:
            return Round(changes={"sent_through": last})
        return Round(fresh, sent_through=last)

    def probe(self) -> Round:
        """One message, the oldest that waits; none ends the pause."""
        oldest = self.planned_first()
        found = oldest or self._first_new()
        if found is None:
            return Round(changes={"paused_at": None, "pause_reason": None, "catching_up": True, "failed_at": ()})
        return found

    def planned_first(self) -> Round | None:
        """The planned attempt of the oldest message."""
        everything = _Picker(self.organization, self.endpoint_id, self.stream.model_copy(update={"catching_up": True}))
        found = everything.planned(until=None, at_most=1)
        return None if found is None or not found.messages else Round(found.messages, is_probe=True)

    def _first_new(self) -> Round | None:
        alone = self.stream.model_copy(update={"sequence": min(self.stream.sequence, self.stream.sent_through + 1)})
        found = _Picker(self.organization, self.endpoint_id, alone).new()
        if found is None or not found.messages:
            return None
        return Round(found.messages, sent_through=found.sent_through, is_probe=True)
