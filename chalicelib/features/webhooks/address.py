"""The address of an endpoint: a URL taken apart into what a request needs, or refused."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_HOST_CHARS_MAX = 253
# The older IDNA, which Python knows, takes these for other letters or for none: another domain would get the message.
_READ_DIFFERENTLY = frozenset("ßς\u200c\u200d")
_KEPT_IN_PATH = "/%:@!$&'()*+,;=~"
_KEPT_IN_QUERY = _KEPT_IN_PATH + "?"


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
