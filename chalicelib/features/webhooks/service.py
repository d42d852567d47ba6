"""Endpoints, announcements, and the messages that they become."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.webhooks import address, secrets, store
from chalicelib.features.webhooks.records import Endpoint, Message, SignatureAlgorithm
from chalicelib.features.webhooks.store import ENDPOINTS, EndpointSet
from chalicelib.features.webhooks.types import TYPES, subscribed
from chalicelib.platform import agenda, clock, files, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.collection import Catalog
from chalicelib.platform.ids import OrganizationId, WebhookEndpointId, derived_id, new_id
from chalicelib.platform.json import to_json
from chalicelib.platform.retry import retrying
from chalicelib.platform.timestamps import iso
from chalicelib.platform.unit import Unit, Write

# The endpoints, as the routes and deliveries read them: by id, by pages.
CATALOG: Catalog[Endpoint] = ENDPOINTS

ANNOUNCE = agenda.kind("announce", rank=80, real_time=True)
DELIVER = agenda.kind(
    "deliver_webhook", rank=90, real_time=True, queue="webhooks", attempts_max=limits.WEBHOOK_ATTEMPTS_MAX + 3
)


_JWT_MAY_BE_TOO_LARGE = {
    "code": "jwt_may_be_too_large",
    "message": (
        "The JWT repeats the whole body in a header: bodies over 4.8 KB exceed the 8 KB that common servers take for headers. "
        "Use signature_algo hmac, or verify webhook-signature with the secret and raise your server's limit."
    ),
}

# Of wrong types these many are named, with so many characters each.
_NAMED_MAX, _SHOWN_MAX = 20, 60


def _url(value: Any) -> str:
    if value is None or value == "":
        raise schema.refuse(ErrorCode.VALUE_IS_MANDATORY)
    try:
        address.check_port(address.read(schema.url_checked(value)).port)
    except (ValueError, TypeError, AttributeError, address.RefusedAddress) as error:
        raise schema.refuse(ErrorCode.URL_IS_INVALID) from error
    return str(value)


def _event_types(value: Any) -> tuple[str, ...] | None:
    if value is None or value == ["*"]:
        return None
    if not isinstance(value, list):
        raise schema.refuse(ErrorCode.VALUE_IS_INVALID)
    wrong = [str(name)[:_SHOWN_MAX] for name in value if not isinstance(name, str) or name not in TYPES]
    if wrong:
        raise schema.refuse(f"{ErrorCode.CONTAINS_INVALID_TYPES}: {', '.join(wrong[:_NAMED_MAX])}")
    return tuple(value)


class EndpointInput(schema.Request):
    """The body of create and update."""

    webhook_url: Annotated[
        str,
        Field(min_length=1, max_length=limits.WEBHOOK_URL_CHARS_MAX, json_schema_extra={"format": "uri"}),
        BeforeValidator(_url),
    ]
    signature_algo: SignatureAlgorithm | None = None
    name: schema.OptionalName = None
    event_types: Annotated[
        tuple[Annotated[str, schema.one_of(lambda: {"*", *TYPES})], ...] | None, BeforeValidator(_event_types)
    ] = None


def create(organization: OrganizationRef, values: Mapping[str, Any], *, now: datetime) -> Endpoint:
    """A new endpoint.

    Raises: Invalid, also where there are as many as there may be; ChangedMeanwhile.
    """
    request = schema.parse(EndpointInput, values)
    return retrying(lambda: _create(store.endpoint_set(organization.id), request, now=now), Resource.WEBHOOK_ENDPOINT)


def _create(known: EndpointSet, request: EndpointInput, *, now: datetime, extra: Sequence[Write] = ()) -> Endpoint:
    if len(known.endpoints) >= limits.WEBHOOK_ENDPOINTS_MAX:
        raise Invalid.field("base", ErrorCode.EXCEEDED_LIMIT)
    endpoint_id = WebhookEndpointId(new_id())
    endpoint = Endpoint(
        id=endpoint_id,
        created_at=now,
        updated_at=now,
        webhook_url=request.webhook_url,
        signature_algo=request.signature_algo or "jwt",
        name=request.name,
        event_types=request.event_types,
        **secrets.made(known.organization_id, endpoint_id),
    )
    return ENDPOINTS.create(known.organization_id, endpoint, [*known.enter_actions(endpoint.id), *extra])


def find(organization_id: OrganizationId, endpoint_id: WebhookEndpointId) -> Endpoint:
    """A live endpoint.

    Raises: NotFound.
    """
    endpoint = ENDPOINTS.get(organization_id, endpoint_id)
    if endpoint is None or endpoint.deleted_at is not None:
        raise NotFound(Resource.WEBHOOK_ENDPOINT)
    return endpoint


def update(
    organization: OrganizationRef, endpoint_id: WebhookEndpointId, values: Mapping[str, Any], *, now: datetime
) -> Endpoint:
    """Change the fields present.

    Raises: Invalid; NotFound; ChangedMeanwhile.
    """

    def attempt() -> Endpoint:
        old = find(organization.id, endpoint_id)
        request = schema.parse(EndpointInput, {"webhook_url": old.webhook_url, **values})
        fields = {name: value for name, value in request.given().items() if name in values}
        if "signature_algo" in fields:
            fields["signature_algo"] = fields["signature_algo"] or "jwt"
        return ENDPOINTS.replace(organization.id, old, old.changed(now=now, **fields))

    return retrying(attempt, Resource.WEBHOOK_ENDPOINT)


def remove(organization: OrganizationRef, endpoint_id: WebhookEndpointId, *, now: datetime) -> Endpoint:
    """Delete an endpoint; its messages still on their way are given up.

    Raises: NotFound; ChangedMeanwhile.
    """

    def attempt() -> Endpoint:
        known = store.endpoint_set(organization.id)
        return _remove(known, find(organization.id, endpoint_id), now=now)

    return retrying(attempt, Resource.WEBHOOK_ENDPOINT)


def _remove(known: EndpointSet, old: Endpoint, *, now: datetime, extra: Sequence[Write] = ()) -> Endpoint:
    return ENDPOINTS.remove(known.organization_id, old, now=now, extra=[*known.leave_actions(old.id), *extra])


def urls(organization_id: OrganizationId) -> list[str]:
    """The addresses of all endpoints, the oldest first."""
    return [endpoint.webhook_url for endpoint in store.live(organization_id)]


def set_first_url(organization_id: OrganizationId, url: str | None, extra: Sequence[Write], *, now: datetime) -> None:
    """The organization's `webhook_url` shortcut: make or replace the first endpoint; null removes it. All in one
    transaction with `extra`, as one attempt of its caller's change.

    Raises: Invalid, when another endpoint has the URL; Cancelled or ChangedMeanwhile, when somebody else wrote in
    between.
    """
    # Read like the body of an endpoint, so that both refuse the same URLs.
    request = None if url is None else schema.parse(EndpointInput, {"webhook_url": url})
    known = store.endpoint_set(organization_id)
    first = known.endpoints[0] if known.endpoints else None
    if request is None and first is not None:
        _remove(known, first, now=now, extra=extra)
    elif request is not None and first is None:
        _create(known, request, now=now, extra=extra)
    elif url is not None and first is not None and first.webhook_url != url:
        ENDPOINTS.replace(organization_id, first, first.changed(now=now, webhook_url=url), extra)
    else:
        Unit(extra).commit()


def show(organization_id: OrganizationId, endpoint: Endpoint, *, with_secret: bool = False) -> dict[str, Any]:
    """An endpoint as the API shows it. `with_secret`: where the secret was just made; it is masked elsewhere."""
    return {
        "lago_id": endpoint.id,
        "lago_organization_id": organization_id,
        "webhook_url": endpoint.webhook_url,
        "signature_algo": endpoint.signature_algo,
        "name": endpoint.name,
        "event_types": None if endpoint.event_types is None else list(endpoint.event_types),
        "secret": secrets.plain(organization_id, endpoint) if with_secret else secrets.masked(endpoint),
        "warnings": warnings(endpoint),
        "created_at": iso(endpoint.created_at),
    }


def warnings(endpoint: Endpoint) -> list[dict[str, str]]:
    """What an endpoint's owner should know. Source: rules/webhooks 2."""
    return [dict(_JWT_MAY_BE_TOO_LARGE)] if endpoint.signature_algo == "jwt" else []


# Announcing.


def announcement(
    organization: OrganizationRef,
    webhook_type: str,
    object_type: str,
    payload: Mapping[str, Any],
    *,
    subject: str,
    now: datetime,
) -> Task:
    """Task that announces an event. The caller writes it in the transaction of the change, and pushes it afterwards.

    `subject` names the event, so that announcing it twice makes one message. `payload` is the API's representation.
    """
    body = to_json(payload)
    detail = {"webhook_type": webhook_type, "object_type": object_type, "created_at": iso(now)}
    detail["object_id"] = str(payload.get("lago_id") or "")
    if len(body.encode()) > limits.WEBHOOK_PAYLOAD_INLINE_BYTES:
        # An attempt that loses its race must not change what the winner announces: each content has a place of its own.
        content = hashlib.sha256(body.encode()).hexdigest()
        detail["payload_key"] = f"{organization.id}/announcements/{derived_id(organization.id, subject, content)}.json"
        files.put(detail["payload_key"], body.encode(), "application/json")
    else:
        detail["payload"] = body
    # In real time, also for organizations with a test clock: the outside world has no other time.
    return agenda.task(ANNOUNCE, organization, subject, clock.utc_now(), detail)


def messages_for(task: Task) -> tuple[list[Write], list[Task]]:
    """The messages that an announcement becomes: one per endpoint that wants its type, each with its delivery."""
    detail = task.detail
    endpoints = [e for e in store.live(task.organization.id) if subscribed(e.event_types, detail["webhook_type"])]
    if not endpoints:
        return [], []
    payload = detail.get("payload") or files.get(detail["payload_key"]).decode()
    body = _body(task.organization.id, detail["webhook_type"], detail["object_type"], payload)
    now = clock.utc_now()
    actions: list[Write] = []
    tasks: list[Task] = []
    for endpoint in endpoints:
        message_id = derived_id(task.organization.id, task.subject, endpoint.id)
        inline, payload_key = _stored(task.organization.id, message_id, body)
        message = Message(
            id=message_id,
            organization_id=task.organization.id,
            endpoint_id=endpoint.id,
            webhook_type=detail["webhook_type"],
            object_type=detail["object_type"],
            object_id=detail["object_id"] or None,
            payload=inline,
            payload_key=payload_key,
            status="pending",
            created_at=now,
            updated_at=now,
        )
        delivery = agenda.task(DELIVER, task.organization, message_id, now)
        actions += [store.create_action(message), agenda.put(delivery, now=now)]
        tasks.append(delivery)
    return actions, tasks


def get_message(organization_id: OrganizationId, message_id: str) -> Message | None:
    """The message under an id, read consistently."""
    return store.get(organization_id, message_id)


def replace_action(old: Message, new: Message) -> Write:
    """Write a message's next state; refused if another delivery of it wrote meanwhile."""
    return store.replace_action(old, new)


def body_of(message: Message) -> str:
    """The exact body of a message."""
    if message.payload is not None:
        return message.payload
    assert message.payload_key is not None, "a body lies here or there"
    return files.get(message.payload_key).decode()


def _body(organization_id: OrganizationId, webhook_type: str, object_type: str, payload: str) -> str:
    """Serialized once: these bytes are signed, and these are sent."""
    head = to_json({"webhook_type": webhook_type, "object_type": object_type, "organization_id": organization_id})
    return f"{head[:-1]},{to_json(object_type)}:{payload}}}"


def _stored(organization_id: OrganizationId, message_id: str, body: str) -> tuple[str | None, str | None]:
    if len(body.encode()) <= limits.WEBHOOK_PAYLOAD_INLINE_BYTES:
        return body, None
    name = f"{organization_id}/webhooks/{message_id}.json"
    files.put(name, body.encode(), "application/json")
    return None, name
