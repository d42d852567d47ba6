"""A provider as small as can be, for the model of collection: what it does with a call, and whether it answers, is drawn."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib.features.payments.providers.errors import KeyReused, Unknown
from chalicelib.features.payments.providers.values import (
    ChargeRequest,
    Connected,
    Connection,
    CustomerDetails,
    Hint,
    Outcome,
    ProviderError,
)
from tests.support.third_provider import Tillpay

_NO_ANSWER = ProviderError("No answer.", "none")
_DECLINED = ProviderError("Declined.", "card_declined")
_KEPT = timedelta(hours=24)


class Killed(BaseException):
    """Our process was killed."""


@dataclass
class Vault:
    """All that the provider keeps. `draw`: the fault of the next call; `keys`: what each key answers (None: a failure)."""

    now: Callable[[], datetime]
    draw: Callable[[str], str]
    payments: dict[str, Outcome] = field(default_factory=dict)
    keys: dict[str, tuple[ChargeRequest, datetime, str | None]] = field(default_factory=dict)
    later: list[tuple[datetime, Callable[[], Any]]] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)

    def charge(self, request: ChargeRequest, key: str) -> Outcome:
        """Once per key."""
        fault = self.draw("charge")
        if fault == "killed_before":
            raise Killed
        if fault in ("lost_undone", "in_use"):
            raise Unknown(_NO_ANSWER)
        if fault == "lost_later":
            self.later.append((self.now(), lambda: self._once(request, key)))
            raise Unknown(_NO_ANSWER)
        if fault.startswith("stored") and self._known(key) is None:
            if fault == "stored_done":
                self._work(request)
            self.keys[key] = request, self.now(), None
            raise Unknown(_NO_ANSWER)
        outcome = self._once(request, key)
        if fault == "killed_after":
            raise Killed
        if fault == "lost_done":
            raise Unknown(_NO_ANSWER)
        return outcome

    def _known(self, key: str) -> tuple[ChargeRequest, datetime, str | None] | None:
        found = self.keys.get(key)
        return found if found is not None and self.now() - found[1] < _KEPT else None

    def _once(self, request: ChargeRequest, key: str) -> Outcome:
        found = self._known(key)
        if found is not None and found[0] != request:
            self.reused.append(key)
            raise KeyReused(_NO_ANSWER)
        if found is not None:
            if found[2] is None:
                raise Unknown(_NO_ANSWER, replayed=True)
            return self.payments[found[2]]
        made = self._work(request)
        self.keys[key] = request, self.now(), made.provider_id
        return made

    def _work(self, request: ChargeRequest) -> Outcome:
        own_id = f"P{len(self.payments) + 1}"
        status = {"good": "succeeded", "slow": "processing", "declined": "failed"}[request.method_id]
        made = Outcome(
            own_id,
            status,
            status,  # type: ignore[arg-type]
            request.amount_cents,
            request.currency,
            error=_DECLINED if status == "failed" else None,
            metadata={"lago_payment_id": request.payment_id},
        )
        self.payments[own_id] = made
        return made

    def settle(self, own_id: str, status: str) -> None:
        """A slow payment comes to its end."""
        old = self.payments[own_id]
        error = _DECLINED if status == "failed" else None
        if old.status == "processing":
            self.payments[own_id] = replace(old, provider_status=status, status=status, error=error)  # type: ignore[arg-type]


VAULT: list[Vault] = []


class Bank(Tillpay):
    """The provider, under a name that customers can have."""

    name = "stripe"
    secret_fields = ("secret_key",)

    def connect(self, connection: Connection, key: str) -> Connected:
        return Connected(webhook_secret="s")

    def ensure_customer(
        self, connection: Connection, customer: CustomerDetails, key: str, since: datetime | None
    ) -> str:
        return "C1"

    def charge(self, connection: Connection, request: ChargeRequest, key: str) -> Outcome:
        return VAULT[-1].charge(request, key)

    def find(self, connection: Connection, request: ChargeRequest, since: datetime) -> Outcome | None:
        _asked("find")
        ours = [each for each in VAULT[-1].payments.values() if each.payment_id == request.payment_id]
        return min(ours, key=lambda each: ("succeeded", "processing", "failed").index(each.status), default=None)

    def ask(self, connection: Connection, provider_id: str, hint: Hint | None = None) -> Outcome:
        _asked("ask")
        return VAULT[-1].payments[provider_id]

    def cancel(self, connection: Connection, provider_id: str) -> Outcome:
        VAULT[-1].settle(provider_id, "failed")
        return self.ask(connection, provider_id)


def _asked(call: str) -> None:
    fault = VAULT[-1].draw(call)
    if fault == "killed_before":
        raise Killed
    if fault:
        raise Unknown(_NO_ANSWER)


PROVIDER = Bank()
