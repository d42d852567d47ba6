"""Endpoints, messages and replays as the API shows them."""

import json
from collections.abc import Sequence
from typing import Any

from chalicelib.features.webhooks.lane import body_of
from chalicelib.features.webhooks.records import Attempt, Message, Replay
from chalicelib.platform.timestamps import iso_millis


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
