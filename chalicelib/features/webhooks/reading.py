"""Messages with what belongs to them, as the API shows them."""

from typing import Any

from chalicelib import limits
from chalicelib.features.webhooks import log, log_store, serializer, service, streams
from chalicelib.features.webhooks.records import Stream
from chalicelib.platform import listing
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId, WebhookEndpointId


def whole(organization_id: OrganizationId, message_id: str) -> dict[str, Any]:
    """A message with payload and attempts.

    Raises: NotFound.
    """
    message = log.find(organization_id, message_id)
    payload = log_store.payloads(organization_id, [message.payload_key]).get(message.payload_key)
    attempts = log_store.attempts(message, at_most=limits.WEBHOOK_ATTEMPTS_SHOWN)
    return serializer.whole(message, payload, attempts)


def pulled(
    organization: OrganizationRef, endpoint_id: WebhookEndpointId, *, after: int, at_most: int
) -> tuple[list[dict[str, Any]], dict[str, int | None]]:
    """Messages of an endpoint behind a number, with payloads, and the `meta`: fewer than asked for where they are large.

    Raises: NotFound.
    """
    service.find(organization.id, endpoint_id)
    stream = streams.of(streams.find(organization, endpoint_id))
    found = list(log.after(organization.id, endpoint_id, stream, after, at_most=at_most))
    shown: list[dict[str, Any]] = []
    size = 0
    for start in range(0, len(found), limits.WEBHOOK_BLOCK):
        part = found[start : start + limits.WEBHOOK_BLOCK]
        texts = log_store.payloads(organization.id, {message.payload_key for message in part})
        for message in part:
            text = texts.get(message.payload_key)
            size += len(text or "")
            if size > limits.WEBHOOK_PULL_BYTES_MAX and shown:
                return shown, _meta(stream, after, at_most)
            shown.append(serializer.with_payload(message, text))
    return shown, _meta(stream, after, at_most)


def waiting(organization: OrganizationRef, endpoint_id: WebhookEndpointId) -> int:
    """Number of an endpoint's messages that were not tried yet."""
    found = streams.find_many(organization, [endpoint_id]).get(endpoint_id)
    return 0 if found is None else streams.of(found).waiting


def _meta(stream: Stream, after: int, at_most: int) -> dict[str, int | None]:
    wanted = listing.Wanted(1, at_most)
    return listing.meta(wanted, max(0, stream.sequence - after)) | {"last_sequence": stream.sequence}
