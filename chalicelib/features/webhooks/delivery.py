"""One attempt to deliver a message: sign, connect to a checked address, post, read the verdict."""

import email.utils
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from chalicelib import limits
from chalicelib.features.organizations import hmac_keys
from chalicelib.features.webhooks import address, secrets, signing, wire
from chalicelib.features.webhooks.address import RefusedAddress as RefusedAddress
from chalicelib.features.webhooks.records import Endpoint
from chalicelib.platform import clock
from chalicelib.platform.ids import OrganizationId, WebhookId

_DELIVERED = (200, 201, 202, 204)
_GONE = 410


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the headers of one attempt say beside signatures. `sequence`: the message's number at its endpoint; `attempt`: 1 for
    the first; `at`: the real instant of the attempt."""

    organization_id: OrganizationId
    message_id: WebhookId
    sequence: int
    attempt: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """An attempt that is ready to be made."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of an attempt.

    `http_status`: None without an answer, and then `error` says why. `response`: the beginning of the answer's body.
    `retry_after`: the wait that the endpoint asked for, an hour at most. `gone`: the endpoint wants no more messages.
    """

    delivered: bool
    http_status: int | None
    error: str | None = None
    response: str = ""
    retry_after: timedelta | None = None
    gone: bool = False
    duration_ms: int = field(default=0, compare=False)


# An unfinished attempt: its worker died.
UNFINISHED = Verdict(delivered=False, http_status=None, error="the attempt was not finished")


def prepare(envelope: Envelope, endpoint: Endpoint, body: bytes) -> Request:
    """Sign. What fails here is ours (a key, a table), and no attempt."""
    headers = {
        "Content-Type": "application/json",
        **_own_signature(envelope, endpoint, body),
        "X-Lago-Unique-Key": envelope.message_id,
        "X-Tollgate-Sequence": str(envelope.sequence),
        "X-Tollgate-Attempt": str(envelope.attempt),
        **_standard_signature(envelope, endpoint, body),
    }
    return Request(endpoint.webhook_url, body, headers)


def attempt(request: Request) -> Verdict:
    """Post once, for `limits.WEBHOOK_TIMEOUT_SECONDS` at the most; never raises for anything that the endpoint, its name or
    its URL does."""
    begun = time.monotonic()
    try:
        place = address.read(request.url)
        address.check_port(place.port)
        reply = wire.post(
            place,
            request.body,
            request.headers,
            resolve=checked_addresses,
            deadline=wire.Deadline(limits.WEBHOOK_TIMEOUT_SECONDS),
            read_max=limits.WEBHOOK_RESPONSE_BYTES,
        )
    except Exception as error:  # noqa: BLE001  whatever prevents an answer is the endpoint's, and a failed attempt
        said = f"{type(error).__name__}: {error}"[: limits.WEBHOOK_RESPONSE_BYTES]
        return Verdict(delivered=False, http_status=None, error=said, duration_ms=_since(begun))
    delivered = reply.status in _DELIVERED
    return Verdict(
        delivered=delivered,
        http_status=reply.status,
        response=reply.text,
        retry_after=None if delivered else retry_after(reply.headers.get("retry-after", ""), clock.utc_now()),
        gone=reply.status == _GONE,
        duration_ms=_since(begun),
    )


def checked_addresses(host: str, port: int) -> list[str]:
    """The addresses to connect to, in their order. Checked and used are the same ones, so that a name cannot change
    between.

    Raises: RefusedAddress, where one of them is not public, but on the local stack; OSError, for unknown names.
    """
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    address.check_ips(host, found)
    return list(dict.fromkeys(found))


def retry_after(text: str, now: datetime) -> timedelta | None:
    """The wait that a `Retry-After` asks for, in seconds or as a date, an hour at most; None where it asks for none that
    can be kept."""
    most = limits.WEBHOOK_RETRY_AFTER_MAX
    if text.isascii() and text.isdigit():
        return timedelta(seconds=int(text)) if len(text) < 6 and timedelta(seconds=int(text)) < most else most
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    return min(wait, most) if wait >= timedelta() else None


def _since(begun: float) -> int:
    return int((time.monotonic() - begun) * 1000)


def _own_signature(envelope: Envelope, endpoint: Endpoint, body: bytes) -> dict[str, str]:
    algorithm = {"X-Lago-Signature-Algorithm": endpoint.signature_algo}
    if endpoint.signature_algo == "jwt":
        return {"X-Lago-Signature": signing.jwt_signature(body.decode()), **algorithm}
    keys = hmac_keys.read_all(envelope.organization_id, rotated_at=endpoint.hmac_rotated_at)
    previous = keys.previous_at(envelope.at)
    also = {} if previous is None else {"X-Lago-Signature-Previous": signing.hmac_signature(body, previous)}
    return {"X-Lago-Signature": signing.hmac_signature(body, keys.current), **also, **algorithm}


def _standard_signature(envelope: Envelope, endpoint: Endpoint, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks; without a signature for an endpoint of earlier versions that never got a secret."""
    timestamp = int(envelope.at.timestamp())
    found = secrets.current(envelope.organization_id, endpoint, at=envelope.at)
    signatures = [signing.standard_signature(envelope.message_id, timestamp, body, secret) for secret in found]
    signed = {"webhook-signature": " ".join(signatures)} if signatures else {}
    return {"webhook-id": envelope.message_id, "webhook-timestamp": str(timestamp), **signed}
