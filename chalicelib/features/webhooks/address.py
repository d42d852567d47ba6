"""The address of an endpoint: a URL taken apart into what a request needs, or refused; and the IP addresses and ports that
a server of ours may be made to call."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from chalicelib.platform.settings import settings

_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_HOST_CHARS_MAX = 253
# The older IDNA, which Python knows, takes these for other letters or for none: another domain would get the message.
_READ_DIFFERENTLY = frozenset("ßς\u200c\u200d")
_KEPT_IN_PATH = "/%:@!$&'()*+,;=~"
_KEPT_IN_QUERY = _KEPT_IN_PATH + "?"

# What is no public address of one host, as IANA's registries of special-purpose and of multicast addresses have it. Relays and
# sinks (AMT, AS112, 6to4) are public, but nobody's endpoint.
_SPECIAL_V4 = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.31.196.0/24 "
    "192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 "
    "240.0.0.0/4"
)
# Public addresses lie in 2000::/3: outside of it are all that carry an IPv4 address or stay within a network.
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6 = "2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3ffe::/16 3fff::/20"

_SPECIAL = {
    4: tuple(ipaddress.ip_network(each) for each in _SPECIAL_V4.split()),
    6: tuple(ipaddress.ip_network(each) for each in _SPECIAL_V6.split()),
}


class RefusedAddress(Exception):
    """A place that a server of ours must not be made to call: a private network, an unusual port."""


@dataclass(frozen=True, slots=True)
class Address:
    """Address of an endpoint. `host`: in ASCII, a name or an IP address. `target`: path and query, percent-encoded."""

    secure: bool
    host: str
    port: int
    target: str

    @property
    def host_header(self) -> str:
        """The value of the `Host` header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _default_port(secure=self.secure) else f"{host}:{self.port}"


def read(url: str) -> Address:
    """The address that a URL names.

    Raises: ValueError, for one that no request can be made to: no http(s), credentials, spaces or control characters, a
    port outside 1 to 65535, a host whose name cannot be encoded.
    """
    if any(character.isspace() or ord(character) < 32 or ord(character) == 127 for character in url):
        raise ValueError("a URL has no spaces and no control characters")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("the scheme is http or https")
    if "@" in parts.netloc:
        raise ValueError("a URL carries no credentials")
    secure = parts.scheme == "https"
    port = _default_port(secure=secure) if parts.port is None else parts.port
    if port == 0:
        raise ValueError("the port is 1 to 65535")
    return Address(secure, _host(parts), port, _target(parts))


def public(ip: str) -> bool:
    """Whether an IP address is that of one host in the public internet."""
    found = ipaddress.ip_address(ip)
    if isinstance(found, ipaddress.IPv6Address) and found not in _UNICAST_V6:
        return False
    return not any(found in network for network in _SPECIAL[found.version])


def check_ips(host: str, ips: Sequence[str]) -> None:
    """Refuse a host one of whose addresses is not public, unless private ones are allowed (the local stack).

    Raises: RefusedAddress.
    """
    refused = [] if settings().webhook_private_allowed else [ip for ip in ips if not public(ip)]
    if refused:
        raise RefusedAddress(f"{host} resolves to {refused[0]}")


def check_port(port: int) -> None:
    """Refuse a port that is not among those of the setting WEBHOOK_PORTS.

    Raises: RefusedAddress.
    """
    allowed = settings().webhook_ports_allowed
    if allowed is not None and port not in allowed:
        raise RefusedAddress(f"port {port} is not allowed")


def _default_port(*, secure: bool) -> int:
    return 443 if secure else 80


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        if "%" in host:
            raise ValueError("an address has no zone")
        return str(ipaddress.IPv6Address(host))
    name = host.removesuffix(".")
    encoded = ".".join(_label(label) for label in name.split("."))
    if len(encoded) > _HOST_CHARS_MAX:
        raise ValueError("the host is too long")
    return encoded


def _label(label: str) -> str:
    if _READ_DIFFERENTLY & set(label):
        raise ValueError("this name has to be written as xn--...")
    encoded = label if label.isascii() else label.encode("idna").decode()
    if not _LABEL.fullmatch(encoded):
        raise ValueError("each part of the host has 1 to 63 letters, digits or hyphens")
    return encoded


def _target(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe=_KEPT_IN_PATH)
    return f"{path}?{quote(parts.query, safe=_KEPT_IN_QUERY)}" if parts.query else path
