"""Settings: the environment's variables, read once into one validated model. The only reader of `os.environ`."""

import os
from functools import lru_cache
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from chalicelib import limits

# There are no plugins, and pydantic would search the metadata of every installed library for them.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


class Settings(BaseModel):
    """Names of resources and switches of one installation."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    stage: str = "local"
    core_table: str = ""
    usage_table: str = ""
    events_queue: str = ""
    jobs_queue: str = ""
    sandbox_queue: str = ""
    documents_queue: str = ""
    asked_queue: str = ""
    webhooks_queue: str = ""
    providers_queue: str = ""
    files_bucket: str = ""
    signing_key: str = ""
    public_url: str = "http://127.0.0.1:8000"
    files_url: str = ""
    admin_api_key: str = ""
    stripe_api_base: str = ""
    gocardless_api_base: str = ""
    gocardless_connect_base: str = ""
    gocardless_client_id: str = ""
    gocardless_client_secret: str = Field(default="", repr=False)
    events_per_batch_max: int = limits.EVENTS_PER_BATCH_MAX
    webhook_pause_failures: int = Field(default=10, ge=1, le=100)
    webhook_pause_minutes: float = Field(default=10, gt=0)
    webhook_probe_minutes: float = Field(default=5, gt=0)
    local: bool = False
    # None: as the local stack, which allows them. Without them the ports are bounded too.
    webhook_private_addresses: bool | None = None
    # "*" for all, or numbers with commas between them; empty for those of `limits`, or all with private addresses.
    webhook_ports: str = ""
    log_level: str = "INFO"

    def model_post_init(self, context: object) -> None:
        """Derive the names that are not given from the stage. Refuse a short admin key: a guessed one creates
        organizations. Refuse providers' addresses to which a secret would go unencrypted."""
        if not self.local and 0 < len(self.admin_api_key) < limits.ADMIN_KEY_LENGTH_MIN:
            raise ValueError(f"ADMIN_API_KEY needs at least {limits.ADMIN_KEY_LENGTH_MIN} characters")
        # A list that cannot be read fails here, at the start, instead of in each delivery.
        if any(not 0 < port < 65536 for port in self.webhook_ports_allowed or ()):
            raise ValueError("WEBHOOK_PORTS are numbers of ports with commas between them, or *")
        for name in ("stripe_api_base", "gocardless_api_base", "gocardless_connect_base"):
            object.__setattr__(self, name, _origin(name, getattr(self, name), local=self.local))
        prefix = f"tollgate-{self.stage}"
        for name, default in {
            "core_table": f"{prefix}-core",
            "usage_table": f"{prefix}-usage",
            "events_queue": f"{prefix}-events",
            "jobs_queue": f"{prefix}-jobs",
            "sandbox_queue": f"{prefix}-sandbox",
            "documents_queue": f"{prefix}-documents",
            "asked_queue": f"{prefix}-asked",
            "webhooks_queue": f"{prefix}-webhooks",
            "providers_queue": f"{prefix}-providers",
            "files_bucket": f"{prefix}-files",
            "signing_key": f"alias/{prefix}",
        }.items():
            if not getattr(self, name):
                object.__setattr__(self, name, default)

    @property
    def webhook_private_allowed(self) -> bool:
        """Whether endpoints of webhooks may lie in private networks."""
        return self.local if self.webhook_private_addresses is None else self.webhook_private_addresses

    @property
    def webhook_ports_allowed(self) -> frozenset[int] | None:
        """The ports at which endpoints of webhooks may listen; None for all."""
        if self.webhook_ports == "*" or (not self.webhook_ports and self.webhook_private_allowed):
            return None
        if not self.webhook_ports:
            return limits.WEBHOOK_PORTS
        return frozenset(int(port) for port in self.webhook_ports.split(","))


def _origin(name: str, url: str, *, local: bool) -> str:
    """The origin that calls to a payment provider go to; empty for the provider's own. A path would be dropped by one library
    and kept by another, so there is none.

    Raises: ValueError.
    """
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        raise ValueError(f"{name.upper()} must begin with https://")
    if not parts.hostname or parts.username or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{name.upper()} must be an origin: https://host, perhaps with a port")
    return f"{parts.scheme}://{parts.netloc}"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process."""
    names = {name: os.environ[name.upper()] for name in Settings.model_fields if name.upper() in os.environ}
    return Settings.model_validate(names)
