"""A third payment provider, made up for tests: all that one takes is one file like this and a line in the registry.

`Till` is its far side, in memory; `Tillpay` is the file that another provider would be. It collects at once in any currency,
offers no pages for paying, and signs its events with an HMAC over the body.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from chalicelib.features.payments.providers import signed
from chalicelib.features.payments.providers.base import Provider
from chalicelib.features.payments.providers.errors import Misconfigured, NotVerified, Refused, Unknown
from chalicelib.features.payments.providers.values import (
    ChargeRequest,
    Closed,
    Connected,
    Connection,
    CustomerDetails,
    Event,
    Hint,
    Link,
    Method,
    NotOffered,
    Open,
    Outcome,
    Paid,
    PayRequest,
    ProviderError,
    RefundOutcome,
    RefundRequest,
    SetupRequest,
)
from tests.support.providers.faults import UNDONE, Faults

_MISSING = ProviderError("There is no such thing.", "missing")


class Till:
    """What the provider keeps, by id; `made`: what was made under which key."""

    def __init__(self) -> None:
        self.customers: dict[str, str] = {}
        self.methods: dict[str, Method] = {}
        self.payments: dict[str, Outcome] = {}
        self.refunds: dict[str, RefundOutcome] = {}
        self.declining: set[str] = set()
        self.revoked: set[str] = set()
        self.made: dict[str, Any] = {}
        self.events: list[dict[str, str]] = []
        self.faults = Faults()
        self._later: list[Callable[[], object]] = []

    def call(self, name: str, connection: Connection, work: Callable[[], Any], key: str = "") -> Any:
        """Do something once per key, or fail as tests want."""
        if connection.secrets["pin"] in self.revoked:
            raise Misconfigured(ProviderError("The PIN is wrong.", "pin"), field="pin")
        fault = self.faults.take(name)
        kind = fault.kind if fault else ""
        if kind == "echo":
            told = connection.without_secrets(f"You sent {connection.secrets['pin']}.")
            raise Refused(ProviderError(told, "echo"))
        if kind == "lost_later":
            self._later.append(lambda: self._once(work, key))
        if kind in UNDONE:
            raise Unknown(ProviderError("No answer.", kind))
        done = self._once(work, key)
        if kind:
            raise Unknown(ProviderError("No answer.", kind))
        return done

    def release(self) -> None:
        """Do what was put off."""
        later, self._later = self._later, []
        for work in later:
            work()

    def add(self, kind: str, letters: str, value: Any) -> str:
        """Keep something new; its id."""
        kept = getattr(self, kind)
        new_id = f"{letters}{len(kept) + 1}"
        kept[new_id] = value
        return new_id

    def _once(self, work: Callable[[], Any], key: str) -> Any:
        if not key:
            return work()
        if key not in self.made:
            self.made[key] = work()
        return self.made[key]


TILL = Till()


class Tillpay(Provider):
    """The made-up provider."""

    name = "tillpay"
    title = "Tillpay"
    secret_fields = ("pin",)
    signature_header = "Till-Signature"
    pays_by_link = False
    home = "https://example.com"

    def connect(self, connection: Connection, key: str) -> Connected:
        """Nothing is registered: the secret is derived from the PIN."""
        made = TILL.call("connect", connection, lambda: f"till-{key}", key)
        return Connected(webhook_secret=made)

    def disconnect(self, connection: Connection) -> None:
        """Nothing was registered."""

    def ensure_customer(
        self, connection: Connection, customer: CustomerDetails, key: str, since: datetime | None
    ) -> str:
        """Found by our id."""

        def work() -> str:
            found = next((each for each, ours in TILL.customers.items() if ours == customer.id), None)
            return found or TILL.add("customers", "C", customer.id)

        return str(TILL.call("customer", connection, work))

    def update_customer(self, connection: Connection, provider_customer_id: str, customer: CustomerDetails) -> None:
        """Only whether it is there."""
        TILL.call("update", connection, lambda: self._there(provider_customer_id))

    def setup_link(self, connection: Connection, request: SetupRequest) -> Link:
        """A page."""
        return Link("L1", "https://till.example/L1")

    def pay_link(self, connection: Connection, request: PayRequest, key: str) -> Link | NotOffered:
        """None."""
        return NotOffered()

    def ask_link(self, connection: Connection, link_id: str) -> Open | Closed | Paid:
        """None."""
        return Closed()

    def close_link(self, connection: Connection, link_id: str) -> Closed | Paid:
        """None."""
        return Closed()

    def methods(self, connection: Connection, provider_customer_id: str) -> list[Method]:
        """The newest first."""

        def work() -> list[Method]:
            self._there(provider_customer_id)
            found = [each for each in TILL.methods.values() if each.customer_id == provider_customer_id][::-1]
            usable = [each.id for each in found if each.state == "usable"]
            return [replace(each, is_default=each.id in usable[:1]) for each in found]

        return list(TILL.call("methods", connection, work))

    def ask_method(self, connection: Connection, method_id: str) -> Method:
        """One that is not there is forgotten."""
        gone = Method(method_id, "", "forgotten")
        found: Method = TILL.call("method", connection, lambda: TILL.methods.get(method_id, gone))
        return found

    def forget(self, connection: Connection, method_id: str) -> None:
        """Kept as forgotten."""
        found = TILL.methods.get(method_id)
        if found is not None:
            TILL.call("forget", connection, lambda: TILL.methods.update({method_id: replace(found, state="forgotten")}))

    def charge(self, connection: Connection, request: ChargeRequest, key: str) -> Outcome:
        """Collected at once, or declined."""

        def work() -> Outcome:
            method = TILL.methods.get(request.method_id)
            if method is None or method.state != "usable":
                return Refused(_MISSING, lost="method").outcome()
            bad = request.method_id in TILL.declining
            status, error = ("failed", ProviderError("Declined.", "declined")) if bad else ("succeeded", None)
            outcome = Outcome(
                f"P{len(TILL.payments) + 1}",
                status,
                "failed" if bad else "succeeded",
                request.amount_cents,
                request.currency,
                error=error,
                method_id=request.method_id,
                metadata={"lago_payment_id": request.payment_id},
            )
            TILL.add("payments", "P", outcome)
            TILL.events.append({"id": f"E{len(TILL.events)}", "payment": str(outcome.provider_id)})
            return outcome

        try:
            made: Outcome = TILL.call("charge", connection, work, key)
        except Refused as refusal:
            return refusal.outcome()
        return made

    def find(self, connection: Connection, request: ChargeRequest, since: datetime) -> Outcome | None:
        """By our id."""
        ours = [each for each in TILL.payments.values() if each.payment_id == request.payment_id]
        found: Outcome | None = TILL.call("find", connection, lambda: next(iter(ours), None))
        return found

    def ask(self, connection: Connection, provider_id: str, hint: Hint | None = None) -> Outcome:
        """As it is."""

        def work() -> Outcome:
            if provider_id not in TILL.payments:
                raise Refused(_MISSING)
            return TILL.payments[provider_id]

        found: Outcome = TILL.call("ask", connection, work)
        return found

    def cancel(self, connection: Connection, provider_id: str) -> Outcome:
        """Never possible: it was collected at once."""
        return self.ask(connection, provider_id)

    def refund(self, connection: Connection, request: RefundRequest, key: str) -> RefundOutcome:
        """Within what is left."""

        def work() -> RefundOutcome:
            if request.amount_cents > self._left(request.provider_payment_id):
                return Refused(ProviderError("There is less left.", "less_left")).refund_outcome()
            about = {"provider_payment_id": request.provider_payment_id, "metadata": {"refund": request.refund_id}}
            made = RefundOutcome(f"R{len(TILL.refunds) + 1}", "succeeded", "succeeded", request.amount_cents, **about)
            TILL.add("refunds", "R", made)
            return made

        try:
            made: RefundOutcome = TILL.call("refund", connection, work, key)
        except Refused as refusal:
            return refusal.refund_outcome()
        return made

    def find_refund(self, connection: Connection, request: RefundRequest) -> RefundOutcome | None:
        """By our id."""
        ours = [each for each in TILL.refunds.values() if each.metadata["refund"] == request.refund_id]
        found: RefundOutcome | None = TILL.call("find_refund", connection, lambda: next(iter(ours), None))
        return found

    def ask_refund(self, connection: Connection, refund_id: str) -> RefundOutcome:
        """As it is."""
        found: RefundOutcome = TILL.call("ask_refund", connection, lambda: TILL.refunds[refund_id])
        return found

    def refundable(self, connection: Connection, provider_id: str) -> int:
        """What is left."""
        return int(TILL.call("ask", connection, lambda: self._left(provider_id)))

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now: datetime) -> list[Event]:
        """One event a request."""
        given = signed.header(headers, self.signature_header)
        if not any(signed.same(signed.digest(secret, body), given) for secret in secrets):
            raise NotVerified("the signature is of another secret or body")
        found = signed.read(body)
        event_id, payment = signed.identifier(found, "id"), signed.identifier(found, "payment")
        if event_id is None:
            raise NotVerified("the event has no id")
        if method := signed.identifier(found, "method"):
            hint = Hint(provider_customer_id=TILL.methods[method].customer_id)
            return [Event(event_id, "method", method, "method.left", None, hint)]
        kind = "payment" if payment else "other"
        return [Event(event_id, kind, payment or "", "payment.done", None, Hint(provider_payment_id=payment))]

    def _there(self, customer_id: str) -> None:
        if customer_id not in TILL.customers:
            raise Refused(_MISSING, lost="customer")

    def _left(self, payment_id: str) -> int:
        given = [each for each in TILL.refunds.values() if each.provider_payment_id == payment_id]
        paid = TILL.payments[payment_id]
        return (paid.amount_cents if paid.status == "succeeded" else 0) - sum(each.amount_cents for each in given)


def signature(secret: str, event: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    """A signed event: its headers and body."""
    body = json.dumps(event).encode()
    return {Tillpay.signature_header: signed.digest(secret, body).decode()}, body


PROVIDER = Tillpay()
