"""AWS clients, one of each per process (they are thread-safe), made on first use so that importing stays cheap."""

import threading
from functools import lru_cache
from typing import Any

from chalicelib.platform import throttled
from chalicelib.platform.settings import settings

_clients: dict[tuple[str, str], Any] = {}
_lock = threading.Lock()

# Time-outs and retries of each use of a client. `single` never retries by itself: the meter signs each attempt anew,
# because daily rollups rely on a transaction's signature being younger than five minutes (docs/architecture.md, usage).
_USES: dict[str, dict[str, Any]] = {
    "standard": {"retries": {"mode": "standard", "total_max_attempts": 4}},
    # The meter builds its requests attribute by attribute; validating them again costs more than building them.
    "single": {"retries": {"mode": "standard", "total_max_attempts": 1}, "parameter_validation": False},
    # For optional requests, which must not delay the required ones.
    "brief": {"retries": {"mode": "standard", "total_max_attempts": 1}, "connect_timeout": 1, "read_timeout": 2},
}


def client(service: str, use: str = "standard") -> Any:
    """The process's client of `service`."""
    found = _clients.get((service, use))
    if found is None:
        with _lock:
            found = _clients.get((service, use))
            if found is None:
                found = _clients[(service, use)] = _make(service, use)
    return found


def reset() -> None:
    """Forget all clients (tests change the endpoint between runs)."""
    _clients.clear()


def _make(service: str, use: str) -> Any:
    from botocore.config import Config

    options: dict[str, Any] = {"connect_timeout": 3, "read_timeout": 25, "max_pool_connections": 64, **_USES[use]}
    if service == "s3":
        options["signature_version"] = "s3v4"
        if settings().local:
            options["s3"] = {"addressing_style": "path"}
    made = _session().client(service, config=Config(**options))
    if service == "dynamodb":
        throttled.watch(made)
    return made


@lru_cache(maxsize=1)
def _session() -> Any:
    """The session that all clients share: with one each, every client would read the service descriptions anew."""
    import boto3

    return boto3.session.Session()
