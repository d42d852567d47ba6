"""Connecting payment providers, changing connections, ending them. Source: rules/catalog 10."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import ChangedMeanwhile, Invalid
from chalicelib.features.payments.connections import reading, retiring, schemas, sealing, store
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.connections.schemas import ConnectionInput, OptionsInput
from chalicelib.features.payments.connections.store import CONNECTIONS
from chalicelib.features.payments.providers import registry
from chalicelib.features.payments.providers.base import Provider
from chalicelib.features.payments.providers.errors import Misconfigured, ProviderFailure, Refused, Unknown
from chalicelib.features.payments.providers.values import Connected
from chalicelib.platform import agenda, clock, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId, PaymentProviderId, new_id
from chalicelib.platform.log import logger
from chalicelib.platform.retry import retrying

# Asks for the sync of the customers who named a provider before it was connected. In real time, as providers are.
NAMED = agenda.kind("sync_named_customers", rank=96, real_time=True)
# Lets the customers of a connection that was removed name no provider any more, likewise.
FORGET = agenda.kind("forget_provider_of_customers", rank=97, real_time=True)


def create(
    organization: OrganizationRef, values: Mapping[str, Any], *, now: datetime
) -> tuple[ProviderConnection, str | None, list[Task]]:
    """Connect a provider; the connection, the secret to be entered there by hand, where the provider wants that, and the tasks
    to push: customers who named the provider before are brought in line.

    The connection is written before the provider is told, and its id is the key of that call: the same request again, after one
    that was cut off, finds both. Raises: Invalid, also for a secret that the provider does not take.
    """
    request = schema.parse(ConnectionInput, values)
    provider = registry.provider(request.payment_provider)
    secrets = _secrets(organization, provider, values, mandatory=True)
    begun = retrying(lambda: _begun(organization, request, secrets, now=now), Resource.PAYMENT_PROVIDER)
    try:
        connected = _connect(organization, begun, key=f"connect-{begun.id}")
    except _Unanswered:
        raise  # Perhaps the endpoint is there: the same request again finds it under the same key.
    except Invalid:
        _given_up(organization.id, begun, now=now)
        raise

    def attempt() -> ProviderConnection:
        current = CONNECTIONS.get(organization.id, begun.id)
        if current is None or current.state != "connecting" or current.deleted_at is not None:
            raise Invalid.field(
                "code", ErrorCode.VALUE_ALREADY_EXIST
            )  # The same request, sent twice: one of them was it.
        active = begun.model_copy(update=_kept(organization.id, begun.id, connected) | {"state": "active"})
        new = active.model_copy(update={"version": current.version})
        return CONNECTIONS.replace(organization.id, current, new, [agenda.put(named, now=now)])

    named = agenda.task(NAMED, organization, begun.id, clock.utc_now())
    made = retrying(attempt, Resource.PAYMENT_PROVIDER)
    return made, _to_enter(connected), [named]


def update(
    organization: OrganizationRef, code: str, values: Mapping[str, Any], *, now: datetime
) -> tuple[ProviderConnection, list[Task]]:
    """Change the fields present, and return the tasks to push. A new secret may be of another account: an endpoint is
    registered with it, and the one before is removed. Code and provider stay as they are.

    Raises: Invalid; NotFound; ChangedMeanwhile.
    """
    request = schema.parse(OptionsInput, values)
    old = reading.find(organization.id, code)
    for name in ("code", "payment_provider"):
        if name in values and values[name] != getattr(old, name):
            raise Invalid.field(name, ErrorCode.VALUE_IS_INVALID)
    fresh = _secrets(organization, reading.provider_of(old), values, mandatory=False)
    given = {name: value for name, value in request.given().items() if name in values}
    options = {name: _default(name, old.code) if value is None else value for name, value in given.items()}
    if not fresh:
        return _replaced(organization, code, options, now=now), []
    sealed, ends = _sealed(organization.id, old.id, fresh)
    options |= {"sealed": {**old.sealed, **sealed}, "ends": {**old.ends, **ends}, "state": "active"}
    new = old.changed(now=now, **options)
    connected = _connect(organization, new, key=f"connect-{old.id}-{old.version + 1}")
    if connected.webhook_id is None and old.sealed_webhook_secret is not None:
        # Entered by hand, and still good: the secret of events does not depend on that of calls.
        return CONNECTIONS.replace(organization.id, old, new), []
    return _moved(organization, old, new, connected, now=now)


def rotate_webhook_secret(
    organization: OrganizationRef, code: str, *, now: datetime
) -> tuple[ProviderConnection, str | None, list[Task]]:
    """Have events signed with a new secret; those signed with the one before are taken for a day. The connection, the secret to
    be entered at the provider by hand where it wants that, and the tasks to push.

    Raises: Invalid; NotFound; ChangedMeanwhile.
    """
    old = reading.find(organization.id, code)
    connected = _connect(organization, old, key=f"connect-{old.id}-{old.version + 1}")
    new, tasks = _moved(organization, old, old.changed(now=now), connected, now=now)
    return new, _to_enter(connected), tasks


def remove(organization: OrganizationRef, code: str, *, now: datetime) -> tuple[ProviderConnection, list[Task]]:
    """Disconnect: nothing is charged by it any more, its endpoint is removed at the provider, and its customers name no
    provider any more. Its secrets stay sealed, as payments under way are asked for by them. The tasks to push are returned too.

    Raises: NotFound; ChangedMeanwhile.
    """

    def attempt() -> tuple[ProviderConnection, list[Task]]:
        old = reading.find(organization.id, code)
        tasks = [*retiring.tasks(organization, old), agenda.task(FORGET, organization, old.id, clock.utc_now())]
        extra = [store.leave(organization.id, old.id), *(agenda.put(task, now=now) for task in tasks)]
        gone = CONNECTIONS.remove(organization.id, old, now=now, extra=extra)
        return gone.model_copy(update={"state": "disconnected"}), tasks

    return retrying(attempt, Resource.PAYMENT_PROVIDER)


def _secrets(
    organization: OrganizationRef, provider: Provider, values: Mapping[str, Any], *, mandatory: bool
) -> dict[str, str]:
    """The secrets that a request brings, or a one-time code for them.

    Raises: Invalid.
    """
    code = schemas.code_of(provider, values)
    if code is None:
        return schemas.secrets_of(provider, values, mandatory=mandatory)
    with _in_our_words():
        return provider.exchanged(*code, sandbox=organization.sandbox)


def _begun(
    organization: OrganizationRef, request: ConnectionInput, secrets: Mapping[str, str], *, now: datetime
) -> ProviderConnection:
    """The connection before the provider is told: new, or that of a request which was cut off."""
    old = CONNECTIONS.find(organization.id, request.code)
    if old is not None and (old.state != "connecting" or old.payment_provider != request.payment_provider):
        raise Invalid.field("code", ErrorCode.VALUE_ALREADY_EXIST)
    own_id = PaymentProviderId(new_id()) if old is None else old.id
    sealed, ends = _sealed(organization.id, own_id, secrets)
    begun = ProviderConnection(
        id=own_id,
        created_at=now,
        updated_at=now,
        code=request.code,
        name=request.name or request.code,
        payment_provider=request.payment_provider,
        success_redirect_url=request.success_redirect_url,
        supports_3ds=bool(request.supports_3ds),
        retry_if_possible=request.retry_if_possible is not False,
        sealed=sealed,
        ends=ends,
    )
    if old is None:
        return CONNECTIONS.create(organization.id, begun, [store.enter(organization.id, own_id)])
    return CONNECTIONS.replace(organization.id, old, begun.model_copy(update={"version": old.version}))


def _given_up(organization_id: OrganizationId, begun: ProviderConnection, *, now: datetime) -> None:
    current = CONNECTIONS.get(organization_id, begun.id)
    if current is not None and current.state == "connecting" and current.version == begun.version:
        CONNECTIONS.remove(organization_id, current, now=now, extra=[store.leave(organization_id, current.id)])


def _replaced(
    organization: OrganizationRef, code: str, options: Mapping[str, Any], *, now: datetime
) -> ProviderConnection:
    def attempt() -> ProviderConnection:
        old = reading.find(organization.id, code)
        return CONNECTIONS.replace(organization.id, old, old.changed(now=now, **options))

    return retrying(attempt, Resource.PAYMENT_PROVIDER)


def _moved(
    organization: OrganizationRef,
    old: ProviderConnection,
    new: ProviderConnection,
    connected: Connected,
    *,
    now: datetime,
) -> tuple[ProviderConnection, list[Task]]:
    """Write a connection with its new endpoint over the one read. The endpoint before is removed by a task."""
    until = clock.utc_now() + limits.PROVIDER_SECRET_OVERLAP
    before = {"previous_sealed_webhook_secret": old.sealed_webhook_secret, "previous_until": until}
    moved = new.model_copy(update=_kept(organization.id, old.id, connected) | before)
    tasks = retiring.tasks(organization, old)
    extra = [agenda.put(task, now=now) for task in tasks]
    try:
        return CONNECTIONS.replace(organization.id, old, moved, extra), tasks
    except ChangedMeanwhile:
        # Nobody will know of the endpoint that was just registered.
        with suppress(ProviderFailure):
            reading.provider_of(moved).disconnect(reading.opened(organization, moved))
        raise


def _connect(organization: OrganizationRef, connection: ProviderConnection, *, key: str) -> Connected:
    with _in_our_words():
        return reading.provider_of(connection).connect(reading.opened(organization, connection), key)


class _Unanswered(Invalid):
    """Nobody knows whether the provider did it."""


@contextmanager
def _in_our_words() -> Iterator[None]:
    """A provider's failure inside as a refusal of the request.

    Raises: Invalid.
    """
    try:
        yield
    except Misconfigured as failure:
        raise Invalid.field(failure.field, ErrorCode.VALUE_IS_INVALID) from None
    except ProviderFailure as failure:
        refused = isinstance(failure, Refused)
        logger.warning("a payment provider did not connect", extra={"error_code": failure.error.error_code})
        if refused:
            raise Invalid.field("base", ErrorCode.PAYMENT_PROVIDER_REFUSED) from None
        # A failure that it keeps under the key would be repeated for a day.
        again = isinstance(failure, Unknown) and not failure.replayed
        unanswered = {"base": [ErrorCode.PAYMENT_PROVIDER_NOT_REACHED]}
        raise (_Unanswered if again else Invalid)(unanswered) from None


def _sealed(
    organization_id: OrganizationId, connection_id: PaymentProviderId, secrets: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    sealed = {name: sealing.sealed(organization_id, connection_id, plain) for name, plain in secrets.items()}
    return sealed, {name: sealing.end_of(plain) for name, plain in secrets.items()}


def _kept(organization_id: OrganizationId, connection_id: PaymentProviderId, connected: Connected) -> dict[str, Any]:
    secret = sealing.sealed(organization_id, connection_id, connected.webhook_secret)
    return {"sealed_webhook_secret": secret, "webhook_id": connected.webhook_id}


def _to_enter(connected: Connected) -> str | None:
    return connected.webhook_secret if connected.webhook_id is None else None


def _default(name: str, code: str) -> Any:
    return {"name": code, "success_redirect_url": None, "supports_3ds": False, "retry_if_possible": True}[name]
