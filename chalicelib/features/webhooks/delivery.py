"""One attempt to deliver a message: sign, connect to a checked address, post, read the verdict."""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3

from chalicelib import limits
from chalicelib.features.organizations import service as organizations
from chalicelib.features.webhooks import signing
from chalicelib.features.webhooks.store import Endpoint, Message
from chalicelib.platform.settings import settings

_DELIVERED = (200, 201, 202, 204)
_RESPONSE_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended. `http_status` None: there was no answer."""

    delivered: bool
    http_status: int | None
    response: str


class RefusedAddress(Exception):
    """The URL leads into a private network, where a server of ours must not be made to call."""


def attempt(message: Message, endpoint: Endpoint, body: str) -> Verdict:
    """Post once; never raises for what the other side does."""
    try:
        return _post(endpoint.webhook_url, body.encode(), _headers(message, endpoint, body))
    except (urllib3.exceptions.HTTPError, OSError, RefusedAddress) as error:
        return Verdict(delivered=False, http_status=None, response=f"{type(error).__name__}: {error}"[:_RESPONSE_KEPT])


def checked_address(host: str, port: int) -> str:
    """The address to connect to. Checked and used are the same one, so that a name cannot change between.

    Raises: RefusedAddress, for private, loopback and link-local ones, but on the local stack; OSError, for unknown names.
    """
    found = [info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not settings().local and not ipaddress.ip_address(address).is_global:
            raise RefusedAddress(f"{host} resolves to {address}")
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


def _post(url: str, body: bytes, headers: dict[str, str]) -> Verdict:
    parts = urlsplit(url)
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    address = checked_address(host, port)
    timeout = urllib3.Timeout(total=limits.WEBHOOK_TIMEOUT_SECONDS)
    pool: urllib3.HTTPConnectionPool
    if secure:
        pool = urllib3.HTTPSConnectionPool(
            address, port, timeout=timeout, server_hostname=host, assert_hostname=host, cert_reqs="CERT_REQUIRED"
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, timeout=timeout)
    named = {"Host": parts.netloc.rpartition("@")[2], **headers}
    with pool:
        answer = pool.urlopen(
            "POST",
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            body=body,
            headers=named,
            redirect=False,
            retries=False,
            preload_content=False,
        )
        text = answer.read(_RESPONSE_KEPT).decode("utf-8", "replace")
    return Verdict(delivered=answer.status in _DELIVERED, http_status=answer.status, response=text)
