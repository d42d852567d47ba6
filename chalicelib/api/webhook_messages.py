"""`/webhooks`: the log of messages, and sending again."""

from typing import Any, get_args

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.webhooks import asking, log, reading, serializer
from chalicelib.features.webhooks.records import MessageStatus
from chalicelib.features.webhooks.types import TYPES
from chalicelib.platform import listing, parameters
from chalicelib.platform.http import Call, Routes
from chalicelib.platform.ids import WebhookEndpointId

routes = Routes(__name__)

_STATUSES = get_args(MessageStatus)


@routes.get("/webhooks")
def index(call: Call) -> dict[str, Any]:
    """Messages of all endpoints, newest first."""
    filters = _filters(call)
    found, meta = log.page(call.organization, filters, listing.wanted(call))
    return {"webhooks": [serializer.message(each) for each in found], "meta": meta}


@routes.get("/webhooks/{lago_id}")
def show(call: Call) -> dict[str, Any]:
    """A message with its payload and attempts."""
    return {"webhook": reading.whole(call.organization.id, call.path["lago_id"])}


@routes.post("/webhooks/{lago_id}/retry")
def retry(call: Call) -> dict[str, Any]:
    """Send a message again, one that succeeded too."""
    return {"webhook": serializer.message(asking.retry(call.organization, call.path["lago_id"]))}


@routes.get("/webhook_endpoints/{lago_id}/messages")
def pull(call: Call) -> dict[str, Any]:
    """Messages of an endpoint behind a number, in order, with their payloads."""
    endpoint_id = WebhookEndpointId(call.path["lago_id"])
    sequence = parameters.count(call, "after_sequence") or 0
    wanted = parameters.count(call, "per_page") or limits.PAGE_SIZE_DEFAULT
    found, meta = reading.pulled(
        call.organization, endpoint_id, after=sequence, at_most=min(wanted, limits.WEBHOOK_PAGE_MAX)
    )
    return {"webhooks": found, "meta": meta}


@routes.post("/webhook_endpoints/{lago_id}/replay")
def replay(call: Call) -> dict[str, Any]:
    """Send a range of messages again."""
    endpoint_id = WebhookEndpointId(call.path["lago_id"])
    return {
        "replay": serializer.replay(
            asking.replay(call.organization, endpoint_id, call.root("replay", may_be_empty=True))
        )
    }


@routes.get("/webhook_endpoints/{lago_id}/replays/{replay_id}")
def show_replay(call: Call) -> dict[str, Any]:
    """A replay and how far it is."""
    endpoint_id = WebhookEndpointId(call.path["lago_id"])
    return {"replay": serializer.replay(asking.find_replay(call.organization, endpoint_id, call.path["replay_id"]))}


@routes.post("/webhook_endpoints/{lago_id}/pause")
def pause(call: Call) -> dict[str, Any]:
    """Send an endpoint nothing for now."""
    endpoint = asking.pause(call.organization, WebhookEndpointId(call.path["lago_id"]))
    return {"webhook_endpoint": serializer.endpoint(call.organization, endpoint)}


@routes.post("/webhook_endpoints/{lago_id}/resume")
def resume(call: Call) -> dict[str, Any]:
    """Let an endpoint catch up and go on."""
    endpoint = asking.resume(call.organization, WebhookEndpointId(call.path["lago_id"]))
    return {"webhook_endpoint": serializer.endpoint(call.organization, endpoint)}


def _filters(call: Call) -> log.Filters:
    since, until = parameters.instant(call, "from"), parameters.instant(call, "to")
    if since is not None and until is not None and until < since:
        raise Invalid.field("to", ErrorCode.VALUE_IS_INVALID)
    endpoint = call.one("webhook_endpoint_id")
    return log.Filters(
        endpoint_id=None if endpoint is None else WebhookEndpointId(endpoint),
        types=parameters.words(call, ("webhook_type",), TYPES),
        statuses=parameters.words(call, ("status",), _STATUSES),
        http_statuses=_http_statuses(call),
        object_ids=parameters.texts(call, "object_id"),
        since=since,
        until=until,
    )


def _http_statuses(call: Call) -> list[int]:
    found = parameters.texts(call, "http_status")
    if any(len(text) != 3 or not text.isascii() or not text.isdigit() for text in found):
        raise Invalid.field("http_status", ErrorCode.VALUE_IS_INVALID)
    return [int(text) for text in found]
