"""Endpoints and messages as they are kept."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from chalicelib.platform.collection import Record
from chalicelib.platform.ids import OrganizationId, WebhookEndpointId, WebhookId

SignatureAlgorithm = Literal["jwt", "hmac"]


MessageStatus = Literal["pending", "succeeded", "retrying", "failed"]


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


class Message(BaseModel):
    """One message to one endpoint. `payload` is the exact body (or `payload_key` names it in the file store)."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    id: WebhookId
    organization_id: OrganizationId
    endpoint_id: WebhookEndpointId
    webhook_type: str
    object_type: str
    object_id: str | None
    payload: str | None
    payload_key: str | None
    status: MessageStatus
    http_status: int | None = None
    response: str | None = None
    retries: int = 0
    last_retried_at: datetime | None = None
    leased_until: datetime | None = None
    created_at: datetime
    updated_at: datetime
