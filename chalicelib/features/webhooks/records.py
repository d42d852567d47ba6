"""Endpoints, their streams of messages, and the attempts to deliver them."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from chalicelib.platform.collection import Record
from chalicelib.platform.ids import OrganizationId, WebhookEndpointId, WebhookId, derived_id

SignatureAlgorithm = Literal["jwt", "hmac"]

MessageStatus = Literal["pending", "retrying", "succeeded", "failed"]
ReplayStatus = Literal["pending", "running", "done"]
# failures: it failed too often, and is probed; gone: it answered 410; manual: somebody paused it.
PauseReason = Literal["failures", "gone", "manual"]

_FROZEN = ConfigDict(defer_build=True, frozen=True, extra="ignore")
_LOW_BITS = (1 << 62) - 1


class Endpoint(Record):
    """The destination of messages. `event_types` None means all.

    `sealed_secret`, `previous_sealed_secret`: base64 of what KMS encrypted (`secrets`); `secret_end`: its last characters,
    to be shown; `previous_until`, `hmac_rotated_at`: real instants.
    """

    id: WebhookEndpointId
    webhook_url: str
    signature_algo: SignatureAlgorithm = "jwt"
    name: str | None = None
    event_types: tuple[str, ...] | None = None
    sealed_secret: str | None = None
    secret_end: str | None = None
    previous_sealed_secret: str | None = None
    previous_until: datetime | None = None
    hmac_rotated_at: datetime | None = None


class Stream(BaseModel):
    """State of an endpoint's messages. `sequence`: the number of the newest one; `first_at`, `last_at`: when
    the first and the newest were made. `sent_through`: up to this number each had its
    first attempt. `retry_at`: no planned attempt is due before it (None: none is planned). `in_flight`: numbers whose attempt
    is under way while the lease holds, each with the number of attempts before. `failed_at`: failures since the last success.
    `held_until`: the endpoint asked for so much time. `catching_up`: after a pause planned attempts go out at once, before
    anything new."""

    model_config = _FROZEN

    sequence: int = 0
    sent_through: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    retry_at: datetime | None = None
    replaying: bool = False
    leased_until: datetime | None = None
    in_flight: tuple[tuple[int, int], ...] = ()
    failed_at: tuple[datetime, ...] = ()
    held_until: datetime | None = None
    paused_at: datetime | None = None
    pause_reason: PauseReason | None = None
    catching_up: bool = False
    warned: bool = False
    deleted_at: datetime | None = None

    @property
    def waiting(self) -> int:
        """Number of messages without a first attempt."""
        return self.sequence - self.sent_through


class Attempt(BaseModel):
    """One attempt to deliver a message. `at` is real time. `response`: the beginning of the answer's body."""

    model_config = _FROZEN

    number: int
    at: datetime
    duration_ms: int
    http_status: int | None
    error: str | None
    response: str


class Message(BaseModel):
    """One message to one endpoint. `attempts`: those made. `failures`: those of them that count, since it was announced or
    last asked for again. `last`: the latest attempt; earlier ones have rows of their own. Instants are real time."""

    model_config = _FROZEN

    id: WebhookId
    organization_id: OrganizationId
    endpoint_id: WebhookEndpointId
    sequence: int
    webhook_type: str
    object_type: str
    object_id: str | None
    payload_key: str
    status: MessageStatus = "pending"
    attempts: int = 0
    failures: int = 0
    last: Attempt | None = None
    next_attempt_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


class Replay(BaseModel):
    """A range of an endpoint's messages to be sent again, in order. `position`: up to this number it is done. `messages`: their
    number."""

    model_config = _FROZEN

    id: str
    endpoint_id: WebhookEndpointId
    first: int
    last: int
    webhook_types: tuple[str, ...] | None = None
    position: int
    messages: int
    status: ReplayStatus = "pending"
    created_at: datetime


class News(BaseModel):
    """What an announcement tells: the detail of its task. `payload_key` names the payload in its store."""

    model_config = _FROZEN

    webhook_type: str
    object_type: str
    object_id: str | None = None
    payload_key: str


def message_id(organization_id: OrganizationId, endpoint_id: WebhookEndpointId, sequence: int) -> WebhookId:
    """The id of an endpoint's message: a UUID of version 8 that begins with the number, so that no index is needed to find
    the message, and ends with a hash of the endpoint, which tells endpoints apart."""
    rest = uuid.UUID(derived_id(organization_id, "webhook", endpoint_id, str(sequence))).int
    value = sequence << 80 | 0x8 << 76 | (rest >> 64 & 0xFFF) << 64 | 0b10 << 62 | rest & _LOW_BITS
    return WebhookId(str(uuid.UUID(int=value)))


def sequence_in(message_id: str) -> int | None:
    """The number in a message's id; None where the text is no such id."""
    try:
        found = uuid.UUID(message_id)
    except ValueError:
        return None
    return found.int >> 80 if found.version == 8 and str(found) == message_id else None


def stream_in(detail: Mapping[str, Any]) -> Stream:
    """The stream that a standing task keeps."""
    return Stream.model_validate(detail)
