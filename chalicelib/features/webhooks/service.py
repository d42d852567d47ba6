"""Endpoints, and the announcements that reach them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.webhooks import address, log_store, secrets, store, streams
from chalicelib.features.webhooks.records import Endpoint, News, SignatureAlgorithm
from chalicelib.features.webhooks.store import ENDPOINTS
from chalicelib.features.webhooks.types import TYPES, subscribed
from chalicelib.platform import agenda, clock, schema, spans
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.collection import Catalog
from chalicelib.platform.ids import OrganizationId, WebhookEndpointId, derived_id, new_id
from chalicelib.platform.json import to_json
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write

# The endpoints, as the routes and deliveries read them: by id, by pages.
CATALOG: Catalog[Endpoint] = ENDPOINTS

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
    return retrying(lambda: _create(organization, request, now=now), Resource.WEBHOOK_ENDPOINT)


def create_once(
    organization: OrganizationRef, values: Mapping[str, Any], *, request_id: str, now: datetime
) -> Endpoint:
    """A new endpoint; the one that was made before where a form is sent twice.

    Raises: as `create`.
    """
    endpoint_id = WebhookEndpointId(derived_id(organization.id, "webhook endpoint", request_id))
    request = schema.parse(EndpointInput, values)

    def attempt() -> Endpoint:
        known = ENDPOINTS.get(organization.id, endpoint_id)
        return known or _create(organization, request, endpoint_id, now=now)

    return retrying(attempt, Resource.WEBHOOK_ENDPOINT)


def _create(
    organization: OrganizationRef,
    request: EndpointInput,
    endpoint_id: WebhookEndpointId | None = None,
    *,
    now: datetime,
    extra: Sequence[Write] = (),
) -> Endpoint:
    known = store.endpoint_set(organization.id)
    _check_number(known.endpoints)
    endpoint_id = endpoint_id or WebhookEndpointId(new_id())
    endpoint = Endpoint(
        id=endpoint_id,
        created_at=now,
        updated_at=now,
        webhook_url=request.webhook_url,
        signature_algo=request.signature_algo or "jwt",
        name=request.name,
        event_types=request.event_types,
        **secrets.made(organization.id, endpoint_id),
    )
    writes = [*known.enter_actions(endpoint.id), *streams.begin(organization, endpoint.id), *extra]
    spans.forget(_set_name(organization.id))
    return ENDPOINTS.create(organization.id, endpoint, writes)


def _check_number(endpoints: Sequence[Endpoint]) -> None:
    if len(endpoints) >= limits.WEBHOOK_ENDPOINTS_MAX:
        raise Invalid.field("base", ErrorCode.EXCEEDED_LIMIT)


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
        spans.forget(_set_name(organization.id))
        return ENDPOINTS.replace(organization.id, old, old.changed(now=now, **fields))

    return retrying(attempt, Resource.WEBHOOK_ENDPOINT)


def remove(organization: OrganizationRef, endpoint_id: WebhookEndpointId, *, now: datetime) -> Endpoint:
    """Delete an endpoint; its messages still on their way are given up.

    Raises: NotFound; ChangedMeanwhile.
    """

    def attempt() -> Endpoint:
        return _remove(organization, find(organization.id, endpoint_id), now=now)

    return retrying(attempt, Resource.WEBHOOK_ENDPOINT)


def _remove(organization: OrganizationRef, old: Endpoint, *, now: datetime, extra: Sequence[Write] = ()) -> Endpoint:
    known = store.endpoint_set(organization.id)
    given_up, task = streams.end(organization, old.id, real_now=clock.utc_now())
    spans.forget(_set_name(organization.id))
    removed = ENDPOINTS.remove(organization.id, old, now=now, extra=[*known.leave_actions(old.id), *given_up, *extra])
    agenda.push([task])
    return removed


def urls(organization_id: OrganizationId) -> list[str]:
    """The addresses of all endpoints, the oldest first."""
    return [endpoint.webhook_url for endpoint in store.live(organization_id)]


def set_first_url(organization: OrganizationRef, url: str | None, extra: Sequence[Write], *, now: datetime) -> None:
    """The organization's `webhook_url` shortcut: make or replace the first endpoint; null removes it. All in one
    transaction with `extra`, as one attempt of its caller's change.

    Raises: Invalid, when another endpoint has the URL; Cancelled or ChangedMeanwhile, when somebody else wrote in
    between.
    """
    # Read like the body of an endpoint, so that both refuse the same URLs.
    request = None if url is None else schema.parse(EndpointInput, {"webhook_url": url})
    known = store.endpoint_set(organization.id)
    first = known.endpoints[0] if known.endpoints else None
    if request is None and first is not None:
        _remove(organization, first, now=now, extra=extra)
    elif request is not None and first is None:
        _create(organization, request, now=now, extra=extra)
    elif url is not None and first is not None and first.webhook_url != url:
        ENDPOINTS.replace(organization.id, first, first.changed(now=now, webhook_url=url), extra)
    else:
        Unit(extra).commit()


# Announcing.

# The API's representation of an object, or what makes it.
Payload = Mapping[str, Any] | Callable[[], Mapping[str, Any]]


def listening(organization_id: OrganizationId, *webhook_types: str) -> bool:
    """Whether an endpoint wants any of these types. The endpoints are read once in a request or a run of a task."""
    return any(wanting(organization_id, each) for each in webhook_types)


def wanting(organization_id: OrganizationId, webhook_type: str) -> list[Endpoint]:
    """The endpoints that want a type, the oldest first; read once in a request or a run of a task."""
    endpoints = spans.once(_set_name(organization_id), lambda: store.live(organization_id))
    return [endpoint for endpoint in endpoints if subscribed(endpoint.event_types, webhook_type)]


def announcement(
    organization: OrganizationRef,
    webhook_type: str,
    object_type: str,
    payload: Payload,
    *,
    subject: str,
    now: datetime,
) -> list[Task]:
    """The task that announces an event; none where no endpoint wants its type. The caller writes it in the transaction of
    the change, and pushes it afterwards.

    `subject` names the event, so that announcing it twice makes one message. `payload` is made only where it is wanted.
    """
    if not listening(organization.id, webhook_type):
        return []
    shown = payload() if callable(payload) else payload
    return [_announcement(organization, webhook_type, object_type, shown, subject=subject, now=now)]


def _set_name(organization_id: OrganizationId) -> tuple[str, ...]:
    return "webhook endpoints", organization_id


def _announcement(
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
    now = clock.utc_now()
    name = log_store.put_payload(organization.id, to_json(payload), now=now)
    object_id = str(payload.get("lago_id") or "") or None
    news = News(webhook_type=webhook_type, object_type=object_type, object_id=object_id, payload_key=name)
    # In real time, also for organizations with a test clock: the outside world has no other time.
    return agenda.task(streams.ANNOUNCE, organization, subject, now, news.model_dump(mode="json"))
