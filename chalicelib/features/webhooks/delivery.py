"""One attempt to deliver a message: sign, connect to a checked address, post, read the verdict."""

import http.client
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib import limits
from chalicelib.features.organizations import service as organizations
from chalicelib.features.webhooks import address, signing, wire
from chalicelib.features.webhooks.records import Endpoint, Message
from chalicelib.platform.settings import settings

_DELIVERED = (200, 201, 202, 204)


@dataclass(frozen=True, slots=True)
class Request:
    """An attempt that is ready to be made."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of an attempt. `http_status`: None without an answer."""

    delivered: bool
    http_status: int | None
    response: str


# An unfinished attempt: its worker died.
UNFINISHED = Verdict(delivered=False, http_status=None, response="the attempt was not finished")


class RefusedAddress(Exception):
    """The URL leads into a private network, where a server of ours must not be made to call."""


def prepare(message: Message, endpoint: Endpoint, body: str) -> Request:
    """Sign. What fails here is ours (a key, a table), and no attempt."""
    return Request(endpoint.webhook_url, body.encode(), _headers(message, endpoint, body))


def attempt(request: Request) -> Verdict:
    """Post once, for `limits.WEBHOOK_TIMEOUT_SECONDS` at the most; never raises for errors of the endpoint, nor for an
    unusable URL."""
    try:
        reply = wire.post(
            address.read(request.url),
            request.body,
            request.headers,
            resolve=checked_address,
            deadline=wire.Deadline(limits.WEBHOOK_TIMEOUT_SECONDS),
            read_max=limits.WEBHOOK_RESPONSE_BYTES,
        )
    except (OSError, http.client.HTTPException, ValueError, RefusedAddress) as error:
        response = f"{type(error).__name__}: {error}"[: limits.WEBHOOK_RESPONSE_BYTES]
        return Verdict(delivered=False, http_status=None, response=response)
    return Verdict(delivered=reply.status in _DELIVERED, http_status=reply.status, response=reply.text)


def checked_address(host: str, port: int) -> str:
    """The address to connect to. Checked and used are the same one, so that a name cannot change between.

    Raises: RefusedAddress, for private, loopback and link-local ones, but on the local stack; OSError, for unknown
    names.
    """
    found = [info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for each in found:
        if not settings().local and not ipaddress.ip_address(each).is_global:
            raise RefusedAddress(f"{host} resolves to {each}")
    return str(found[0])


def _headers(message: Message, endpoint: Endpoint, body: str) -> dict[str, str]:
    if endpoint.signature_algo == "hmac":
        signature = signing.hmac_signature(body.encode(), organizations.hmac_key(message.organization_id))
    else:
        signature = signing.jwt_signature(body)
    return {
        "Content-Type": "application/json",
        "X-Lago-Signature": signature,
        "X-Lago-Signature-Algorithm": endpoint.signature_algo,
        "X-Lago-Unique-Key": message.id,
    }
