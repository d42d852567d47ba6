"""Settings: the environment's variables, read once into one validated model. The only reader of `os.environ`."""

import os
from functools import lru_cache
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

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
    files_bucket: str = ""
    signing_key: str = ""
    public_url: str = "http://127.0.0.1:8000"
    files_url: str = ""
    admin_api_key: str = ""
    stripe_api_base: str = ""
    gocardless_api_base: str = ""
    events_per_batch_max: int = limits.EVENTS_PER_BATCH_MAX
    local: bool = False
    log_level: str = "INFO"

    def model_post_init(self, context: object) -> None:
        """Derive the names that are not given from the stage. Refuse a short admin key: a guessed one creates
        organizations. Refuse providers' addresses to which a secret would go unencrypted."""
        if not self.local and 0 < len(self.admin_api_key) < limits.ADMIN_KEY_LENGTH_MIN:
            raise ValueError(f"ADMIN_API_KEY needs at least {limits.ADMIN_KEY_LENGTH_MIN} characters")
        for name in ("stripe_api_base", "gocardless_api_base"):
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
            "files_bucket": f"{prefix}-files",
            "signing_key": f"alias/{prefix}",
        }.items():
            if not getattr(self, name):
                object.__setattr__(self, name, default)


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
