"""Endpoints, messages and replays as the API shows them."""

import json
from collections.abc import Sequence
from typing import Any

from chalicelib.features.webhooks import secrets, streams
from chalicelib.features.webhooks.records import Attempt, Endpoint, Message, Replay, Stream
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.json import to_json
from chalicelib.platform.timestamps import iso, iso_millis

_JWT_MAY_BE_TOO_LARGE = {
    "code": "jwt_may_be_too_large",
    "message": (
        "The JWT repeats the whole body in a header: bodies over 4.8 KB exceed the 8 KB that common servers take for headers. "
        "Use signature_algo hmac, or verify webhook-signature with the secret and raise your server's limit."
    ),
}
_JWT_WAS_TOO_LARGE = {
    "code": "jwt_was_too_large",
    "message": "A message's JWT has exceeded the 8 KB that common servers take for headers (431). Use signature_algo hmac.",
}


def endpoint(organization: OrganizationRef, shown: Endpoint, *, with_secret: bool = False) -> dict[str, Any]:
    """An endpoint with the state of its stream. `with_secret`: where the secret was just made; it is masked elsewhere."""
    found = streams.find_many(organization, [shown.id]).get(shown.id)
    return _endpoint(organization, shown, Stream() if found is None else streams.of(found), with_secret=with_secret)


def endpoints(organization: OrganizationRef, shown: Sequence[Endpoint]) -> list[dict[str, Any]]:
    """Endpoints with the states of their streams."""
    found = streams.find_many(organization, [each.id for each in shown])
    known = {endpoint_id: streams.of(task) for endpoint_id, task in found.items()}
    return [_endpoint(organization, each, known.get(each.id) or Stream(), with_secret=False) for each in shown]


def _endpoint(organization: OrganizationRef, shown: Endpoint, stream: Stream, *, with_secret: bool) -> dict[str, Any]:
    return {
        "lago_id": shown.id,
        "lago_organization_id": organization.id,
        "webhook_url": shown.webhook_url,
        "signature_algo": shown.signature_algo,
        "name": shown.name,
        "event_types": None if shown.event_types is None else list(shown.event_types),
        "status": "active" if stream.paused_at is None else "paused",
        "paused_at": None if stream.paused_at is None else iso(stream.paused_at),
        "pause_reason": stream.pause_reason,
        "last_sequence": stream.sequence,
        "secret": secrets.plain(organization.id, shown) if with_secret else secrets.masked(shown),
        "warnings": _warnings(shown, stream),
        "created_at": iso(shown.created_at),
    }


def _warnings(shown: Endpoint, stream: Stream) -> list[dict[str, str]]:
    """What an endpoint's owner should know. Source: rules/webhooks 2."""
    if shown.signature_algo != "jwt":
        return []
    return [dict(_JWT_WAS_TOO_LARGE if stream.warned else _JWT_MAY_BE_TOO_LARGE)]


def body_of(message: Message, payload: str) -> str:
    """The body of a message as it is sent: the same bytes at each attempt."""
    head = to_json(
        {
            "webhook_type": message.webhook_type,
            "object_type": message.object_type,
            "organization_id": message.organization_id,
            "sequence": message.sequence,
        }
    )
    return f"{head[:-1]},{to_json(message.object_type)}:{payload}}}"


def message(shown: Message) -> dict[str, Any]:
    """A message without its payload. `retries`: attempts after the first; `last_retried_at`: the latest of them."""
    last = shown.last
    return {
        "lago_id": shown.id,
        "webhook_endpoint_id": shown.endpoint_id,
        "sequence": shown.sequence,
        "webhook_type": shown.webhook_type,
        "object_type": shown.object_type,
        "object_id": shown.object_id,
        "status": shown.status,
        "http_status": None if last is None else last.http_status,
        "retries": max(0, shown.attempts - 1),
        "last_retried_at": None if last is None or shown.attempts < 2 else iso_millis(last.at),
        "created_at": iso_millis(shown.created_at),
        "updated_at": iso_millis(shown.updated_at),
    }


def with_payload(shown: Message, payload: str | None) -> dict[str, Any]:
    """A message with the JSON object that is sent."""
    return message(shown) | {"payload": None if payload is None else json.loads(body_of(shown, payload))}


def whole(shown: Message, payload: str | None, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """A message with its payload and every attempt."""
    return with_payload(shown, payload) | {"attempts": [attempt(each) for each in attempts]}


def attempt(shown: Attempt) -> dict[str, Any]:
    """An attempt."""
    return {
        "number": shown.number,
        "at": iso_millis(shown.at),
        "duration_ms": shown.duration_ms,
        "http_status": shown.http_status,
        "error": shown.error,
        "response": shown.response,
    }


def replay(shown: Replay) -> dict[str, Any]:
    """A replay."""
    return {"lago_id": shown.id, "messages": shown.messages, "status": shown.status}
