"""What a call to a payment provider can fail with. No message has a secret of the connection in it."""

from chalicelib.features.payments.providers.values import Lost, Outcome, ProviderError, RefundOutcome


class ProviderFailure(Exception):
    """Base of all of them."""

    def __init__(self, error: ProviderError) -> None:
        super().__init__(f"{error.error_code}: {error.message}")
        self.error = error


class Refused(ProviderFailure):
    """The provider refused, and would refuse the same again. `lost`: what it has no more; `provider_id`: the payment that it
    made and refused to collect."""

    def __init__(
        self,
        error: ProviderError,
        *,
        lost: Lost | None = None,
        provider_id: str | None = None,
        provider_status: str = "",
    ) -> None:
        super().__init__(error)
        self.lost, self.provider_id, self.provider_status = lost, provider_id, provider_status

    def outcome(self) -> Outcome:
        """The outcome of a charge that was refused."""
        return Outcome(self.provider_id, self.provider_status, "failed", error=self.error, lost=self.lost)

    def refund_outcome(self) -> RefundOutcome:
        """The outcome of a refund that was refused."""
        return RefundOutcome(None, "", "failed", error=self.error)


class Unknown(ProviderFailure):
    """Nobody knows whether the provider did it: no answer, too many calls, or its own failure. Ask, then send the same under
    the same key. `retry_after`: seconds that it asks to wait; `replayed`: it repeated a failure that it keeps under the key."""

    def __init__(self, error: ProviderError, *, retry_after: int | None = None, replayed: bool = False) -> None:
        super().__init__(error)
        self.retry_after, self.replayed = retry_after, replayed


class KeyReused(Unknown):
    """Something else was sent under the key before. That is no refusal: what was sent may have been done. It never happens
    while a request is frozen with its key, so it is worth an alarm."""


class Misconfigured(ProviderFailure):
    """The provider does not take the connection's secret, or the secret may not do this. `field`: of the connection."""

    def __init__(self, error: ProviderError, *, field: str) -> None:
        super().__init__(error)
        self.field = field


class NotVerified(Exception):
    """An event that the provider did not sign, or signed at another time, or nobody can read."""
