"""Counting a batch of messages: the handler behind the queue of events."""

import gc
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

from chalicelib import limits
from chalicelib.features.metering import advance, definitions, layout, log, progress, queue_message, watching, write
from chalicelib.features.metering.advance import InAdvance
from chalicelib.features.metering.definitions import Definitions
from chalicelib.features.metering.event import Event
from chalicelib.features.metering.patience import Patience
from chalicelib.features.metering.queue_message import Message
from chalicelib.features.metering.write import Outcome
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId, key_part
from chalicelib.platform.json import to_json
from chalicelib.platform.log import about, logger
from chalicelib.platform.usage_table import usage

# A day longer than events are accepted, so that an event whose item has gone is refused and not counted again.
_RETENTION_SECONDS = int(limits.EVENT_RETENTION.total_seconds()) + 86_400


def handle(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Count the events of these SQS records; returns the ids of the messages to deliver again.

    Counting comes first, and nothing else can stop it. A record that cannot be read goes back alone, and so does a
    message some of whose events could not be counted. Delivering any of them again counts nothing twice.
    """
    messages, unreadable = queue_message.read_all(records)
    with about(organization=lambda: " ".join({message.organization.id: None for message in messages})):
        failed = dict.fromkeys((*unreadable, *_count(messages)))
    for message in messages:
        if message.in_flight is not None and message.id not in failed:
            _arrived(message)
    _keep_what_is_loaded()
    return list(failed)


def _count(messages: Sequence[Message]) -> list[str]:
    """Count and log all events; returns the ids of the messages some of whose events could not be counted."""
    give_up_at = time.monotonic() + limits.METERING_SECONDS
    if messages:
        progress.note((each.organization.id, each.received_at) for each in messages if not each.organization.sandbox)
    batch = _Batch(messages, give_up_at)
    failed = batch.count()
    _push(batch.tasks)
    batch.tell()
    batch.log()
    return failed


def _about(organization: OrganizationRef, messages: Sequence[Message]) -> AbstractContextManager[None]:
    """Lines logged inside name the organization and its messages."""
    return about(organization=organization.id, message_id=lambda: " ".join(message.id for message in messages))


class _Batch:
    """Messages on their way, by organization."""

    def __init__(self, messages: Sequence[Message], give_up_at: float) -> None:
        self.tasks: list[Task] = []
        self._give_up_at = give_up_at
        self._now = clock.utc_now()
        self._messages: dict[OrganizationRef, list[Message]] = {}
        for message in messages:
            self._messages.setdefault(message.organization, []).append(message)
        self._defined = _defined(self._messages)
        self._names = {
            organization.id: log.name_of(organization.id, (message.id for message in own), self._now)
            for organization, own in self._messages.items()
        }
        self._counted: dict[str, set[log.Name]] = {organization.id: set() for organization in self._messages}
        self._in_advance = InAdvance()

    def count(self) -> list[str]:
        """Count all events; returns the ids of the messages some of whose events could not be counted."""
        failed: list[str] = []
        whole = Patience(give_up_at=self._give_up_at)
        for organization, own in self._messages.items():
            with _about(organization, own):
                names = self._count_organization(organization, own, Patience(whole))
            failed += _holding(own, names) if names else []
        return failed

    def _count_organization(
        self, organization: OrganizationRef, own: Sequence[Message], patience: Patience
    ) -> set[log.Name]:
        """Count the events of one organization; returns the names of those that could not be counted."""
        names = set[log.Name]()
        for subscription, members in _groups(own).items():
            try:
                outcome = self._count_group(organization.id, subscription, members, patience)
            except Exception:  # noqa: BLE001  one part of a batch is isolated from the next
                held_by = " ".join({message.id: None for message, _ in members})
                logger.exception("group not counted", extra={"message_id": held_by})
                names |= {(subscription, event.transaction_id) for _, event in members}
                continue
            self._counted[organization.id] |= {
                (subscription, prepared.event.transaction_id) for prepared in outcome.written
            }
            names |= {(subscription, prepared.event.transaction_id) for prepared in outcome.failed}
            self.tasks += [prepared.task for prepared in outcome.written if prepared.task is not None]
        return names

    def _count_group(
        self,
        organization_id: OrganizationId,
        subscription: str,
        members: Sequence[tuple[Message, Event]],
        patience: Patience,
    ) -> Outcome:
        preparer = _Preparer(organization_id, subscription, self._names[organization_id])
        prepared: list[write.PreparedEvent] = []
        for message, event in members:
            task = None
            if event.code in self._in_advance.codes(message.organization):
                task = advance.task(message.organization, event, message.accepted())
            prepared.append(preparer.prepare(message, event, task))
        # A read beforehand costs a quarter of a cancelled transaction; for a single event it would cost most of one.
        if len(prepared) > 1:
            prepared = write.new_ones(prepared)
        return write.count(organization_id, subscription, prepared, self._defined[organization_id], patience)

    def tell(self) -> None:
        """Let those know that wait for a customer's usage."""
        for organization, own in self._messages.items():
            subscriptions = {subscription for subscription, _ in self._counted[organization.id]}
            if subscriptions:
                with _about(organization, own):
                    watching.tell(organization, subscriptions, own[-1].accepted(), self._now)

    def log(self) -> None:
        """Log the events counted now, and those counted by workers that died before they could log them."""
        for organization, own in self._messages.items():
            definitions, counted = self._defined[organization.id], self._counted[organization.id]
            if counted:
                with _about(organization, own):
                    log.write(organization, self._names[organization.id], own, counted, definitions, self._now)
            for message in own:
                if message.came_before:
                    with _about(organization, [message]):
                        log.complete(organization, message, self._names[organization.id], definitions, self._now)


@lru_cache(maxsize=1)
def _keep_what_is_loaded() -> None:
    """After the first batch all modules and clients are there for the life of the process: collections of garbage need
    not look at them again and again (half of our own time per event, by `make bench`)."""
    gc.freeze()


def _defined(by_organization: Mapping[OrganizationRef, Sequence[Message]]) -> dict[str, Definitions | None]:
    """The definitions of the events' codes, by organization; None where they cannot be read: rows then cover less, and
    readers recount."""
    found: dict[str, Definitions | None] = {}
    for organization, own in by_organization.items():
        with _about(organization, own):
            try:
                codes = {event.code for message in own for event in message.events}
                found[organization.id] = definitions.of(organization, codes)
            except Exception:  # noqa: BLE001  as said above
                logger.exception("metrics not understood")
                found[organization.id] = None
    return found


def _groups(messages: Iterable[Message]) -> dict[str, list[tuple[Message, Event]]]:
    """An organization's events by subscription, in order of arrival; of a repeated one the first stays."""
    groups: dict[str, dict[str, tuple[Message, Event]]] = {}
    for message in messages:
        for event in message.events:
            group = groups.setdefault(event.external_subscription_id, {})
            group.setdefault(event.transaction_id, (message, event))
    return {subscription: list(members.values()) for subscription, members in groups.items()}


def _holding(messages: Iterable[Message], names: set[log.Name]) -> list[str]:
    """The messages that hold any of these events: also repeats, so that an event is not lost with the first of them."""
    return [
        message.id
        for message in messages
        if any((event.external_subscription_id, event.transaction_id) in names for event in message.events)
    ]


def _arrived(message: Message) -> None:
    """A sandbox's message is no longer in flight. A mark that stays only lets its clock wait."""
    with _about(message.organization, [message]):
        try:
            usage.write(usage.delete((layout.in_flight_pk(message.organization.id), str(message.in_flight))))
        except Exception:  # noqa: BLE001  its events are counted
            logger.exception("message still marked as in flight")


def _push(tasks: Sequence[Task]) -> None:
    try:
        agenda.push(tasks)
    except Exception:  # noqa: BLE001  the events are counted and the tick finds their tasks: no reason to deliver again
        logger.exception("tasks not pushed")


class _Preparer:
    """Makes the items of one subscription's events, straight in DynamoDB's form: this runs once per event."""

    def __init__(self, organization_id: OrganizationId, subscription: str, log_key: str) -> None:
        self._pk, self._sk = layout.event_key(organization_id, "", subscription)
        self._organization_id, self._subscription = organization_id, subscription
        self._time_pks: dict[str, dict[str, str]] = {}
        self._fixed = {"sk": {"S": self._sk}, "subscription": {"S": subscription}, "log": {"S": log_key}}

    def prepare(self, message: Message, event: Event, task: Task | None = None) -> write.PreparedEvent:
        """An event with its item, and with the task that charges it at once."""
        transaction, ms = key_part(event.transaction_id), event.timestamp_ms
        item: dict[str, Any] = {
            **self._fixed,
            "pk": {"S": self._pk + transaction},
            "time_pk": self._time_pk(layout.day_of(ms)),
            "time_sk": {"S": f"{ms:015d}#{transaction}"},
            "transaction_id": {"S": event.transaction_id},
            "code": {"S": event.code},
            "ms": {"N": str(ms)},
            "properties": {"S": to_json(event.properties)},
            "received": {"S": message.received_at},
            "place": {"N": str(event.place)},
        }
        if not message.organization.sandbox:
            latest = max(ms, message.received_ms) // 1000
            item["expires_at"] = {"N": str(latest + _RETENTION_SECONDS)}
        if event.precise_total_amount_cents is not None:
            item["precise"] = {"S": event.precise_total_amount_cents}
        if event.sent is not None:
            item["sent"] = {"S": to_json(event.sent)}
        return write.PreparedEvent(event, item, task)

    def _time_pk(self, day: str) -> dict[str, str]:
        known = self._time_pks.get(day)
        if known is None:
            text = layout.time_pk(self._organization_id, self._subscription, day)
            known = self._time_pks[day] = {"S": text}
        return known
