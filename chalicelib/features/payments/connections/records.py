"""A connection as it is kept."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from chalicelib.platform.collection import Record
from chalicelib.platform.ids import PaymentProviderId

# `connecting`: the provider was or will be told, and nobody knows of it yet; `misconfigured`: it does not take the secret (any
# more), and what needs it waits.
ConnectionState = Literal["connecting", "active", "misconfigured", "disconnected"]


class ProviderConnection(Record):
    """An account with a provider. `sealed`: its secrets for calls, by name; `ends`: their last characters, to be shown;
    `sealed_webhook_secret`: signs its events, as the one before does until `previous_until`, in real time; `webhook_id`: the
    endpoint that the provider made for us, None where it is entered there by hand."""

    id: PaymentProviderId
    code: str
    name: str
    payment_provider: str
    state: ConnectionState = "connecting"
    success_redirect_url: str | None = None
    supports_3ds: bool = False
    retry_if_possible: bool = True
    sealed: Mapping[str, str] = {}
    ends: Mapping[str, str] = {}
    sealed_webhook_secret: str | None = None
    previous_sealed_webhook_secret: str | None = None
    previous_until: datetime | None = None
    webhook_id: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What the provider's calls may ask."""
        return {
            "success_redirect_url": self.success_redirect_url,
            "supports_3ds": self.supports_3ds,
            "retry_if_possible": self.retry_if_possible,
        }

    @property
    def live(self) -> bool:
        """Whether customers can be charged by it, now or once its secret is mended."""
        return self.deleted_at is None and self.state in ("active", "misconfigured")
