"""Each provider of the registry with its far side: how tests of the contract prepare it, break it and look at what it did."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

from chalicelib import limits
from chalicelib.features.payments.providers import registry, values
from chalicelib.features.payments.providers.base import Provider
from chalicelib.features.payments.providers.values import ChargeRequest, Connection, Method, RefundRequest, SetupRequest
from tests.support import gocardless_server, stripe_server, third_provider
from tests.support.gocardless_server import GoCardlessFake
from tests.support.providers import stripe_calls
from tests.support.providers.frame import Running
from tests.support.stripe_server import StripeFake

READ_SECONDS = 0.6
WEBHOOK_URL = "http://127.0.0.1:9/webhooks/provider/o1?code=main%20one"
_NETWORK = (
    "lost_undone",
    "lost_done",
    "lost_later",
    "reset",
    "slow",
    "429",
    "503",
    "502",
    "500",
    "409",
    "odd",
    "empty",
)
_DONE = ("500_done", "502_done", "503_done")

CUSTOMER = values.CustomerDetails(
    *("11111111-1111-4111-8111-111111111111", "cust_1"),
    **{"name": "Ümit & Söhne + Co", "email": "a+b@example.com", "city": "Köln", "country": "DE"},
)


class Rig(ABC):
    """One provider, connected, with a customer who can pay. `acts`: our acts as the provider's calls; `faults`: the kinds that
    it knows."""

    acts: dict[str, str]
    faults: tuple[str, ...]
    currency = "EUR"

    def __init__(self, name: str, secret: str) -> None:
        self.provider: Provider = registry.provider(name)
        self.secret = secret
        self.connection = Connection(
            *("c1", "main one", True, {self.provider.secret_fields[0]: secret}), webhook_url=WEBHOOK_URL
        )

    def begin(self) -> None:
        """Connect, and make a customer with a way to pay."""
        connected = self.provider.connect(self.connection, "connect-c1-1")
        self.webhook_secret = connected.webhook_secret
        self.connection = replace(self.connection, webhook_id=connected.webhook_id)
        self.entered()
        self.customer_id = self.provider.ensure_customer(self.connection, CUSTOMER, "customer-1-c1", None)
        self.method = self.new_method()

    def request(self, payment_id: str = "pay-1", *, amount: int = 1999, method: Method | None = None) -> ChargeRequest:
        """A charge of the customer's way to pay."""
        method = method or self.method
        return ChargeRequest(
            *(payment_id, CUSTOMER.id, "Invoice", "inv-1", self.customer_id, method.id, method.type),
            *(amount, self.currency, "Acme - Invoice ACM-1"),
            issuing_date="2026-11-30",
            invoice_type="subscription",
        )

    def refund_request(self, payment_id: str, refund_id: str = "note-1", *, amount: int = 500) -> RefundRequest:
        """A refund of a payment."""
        return RefundRequest(refund_id, "inv-1", payment_id, amount, self.currency, "order_change")

    def setup_request(self) -> SetupRequest:
        """A page for leaving a way to pay."""
        return SetupRequest(CUSTOMER.id, self.customer_id, self.currency, "http://127.0.0.1:9/done")

    def fail(self, act: str, kind: str, **more: Any) -> None:
        """The next calls of an act fail. Nobody waits long for an answer that is too slow."""
        if kind == "slow":
            limits.PROVIDER_READ_SECONDS = READ_SECONDS  # The surroundings of a test undo it.
            more["seconds"] = READ_SECONDS * 1.5
        self._faults().add(self.acts[act], kind, **more)

    def wait_longer(self) -> None:
        """Wait for answers, however slow this machine is."""
        limits.PROVIDER_READ_SECONDS = 20

    @abstractmethod
    def entered(self) -> None:
        """The endpoint is entered by hand, where a provider wants that."""

    @abstractmethod
    def _faults(self) -> Any: ...

    @abstractmethod
    def new_method(self, *, declines: bool = False) -> Method:
        """Another way to pay of the customer, the bank of which pays, or refuses."""

    @abstractmethod
    def payments(self) -> list[tuple[str, int]]:
        """All payments that the provider made: their ids and amounts; not those that it refused."""

    @abstractmethod
    def refunds(self) -> list[int]:
        """The amounts of all refunds that it made."""

    @abstractmethod
    def settle(self, payment_id: str) -> None:
        """Time passes until a payment is paid out."""

    @abstractmethod
    def release(self) -> None:
        """What was put off is done."""

    @abstractmethod
    def revoke(self) -> None:
        """The secret is revoked."""

    @abstractmethod
    def signed(self, **how: Any) -> list[tuple[dict[str, str], bytes]]:
        """All events as they are sent: headers and body."""

    @abstractmethod
    def day_passes(self) -> None:
        """Keys expire."""

    @abstractmethod
    def stop(self) -> None:
        """End the far side."""


class _Served(Rig):
    server: Running

    def entered(self) -> None:
        """It was registered."""

    def _faults(self) -> Any:
        return self.server.fake.faults

    def release(self) -> None:
        self.server.fake.release()

    def revoke(self) -> None:
        self.server.fake.revoked.add(self.secret)

    def day_passes(self) -> None:
        self.server.fake.forward(hours=24, seconds=1)

    def calls(self, act: str) -> int:
        """How often an act was called."""
        return len(self.server.fake.calls(self.acts[act]))

    def stop(self) -> None:
        self.server.stop()


class StripeRig(_Served):
    """Stripe."""

    acts = {
        "connect": "POST /v1/webhook_endpoints",
        "customer": "POST /v1/customers",
        "methods": "GET /v1/payment_methods",
        "charge": "POST /v1/payment_intents",
        "find": "GET /v1/payment_intents",
        "ask": "GET /v1/payment_intents/*",
        "refund": "POST /v1/refunds",
        "find_refund": "GET /v1/refunds",
        "any": "* /v1/*",
    }
    faults = (*_NETWORK, *_DONE, "stored_done")

    def __init__(self, server: Running) -> None:
        self.server = server
        assert isinstance(server.fake, StripeFake)
        self.fake = server.fake
        super().__init__("stripe", "sk_test_rig_4f9a1c")
        self.account = self.fake.account(self.secret)

    def new_method(self, *, declines: bool = False) -> Method:
        return self.card("4000000000000341" if declines else "4242424242424242")

    def card(self, number: str) -> Method:
        """A card, or a bank account, that the customer leaves on a page."""
        kind = "sepa_debit" if number[:2].isalpha() else "card"
        link = self.provider.setup_link(self.connection, replace(self.setup_request(), methods=(kind,)))
        stripe_calls.complete(self.account, link.id, number)
        return self.provider.methods(self.connection, self.customer_id)[0]

    def payments(self) -> list[tuple[str, int]]:
        made = self.account.listed("payment_intent")
        return [(each["id"], each["amount"]) for each in made if each["status"] != "requires_payment_method"]

    def refunds(self) -> list[int]:
        return [each["amount"] for each in self.account.listed("refund")]

    def settle(self, payment_id: str) -> None:
        self.account.settle()

    def signed(self, **how: Any) -> list[tuple[dict[str, str], bytes]]:
        return [(each.headers, each.body) for each in self.fake.sender.requests(**how)]


class GoCardlessRig(_Served):
    """GoCardless."""

    acts = {
        "connect": "GET /creditors",
        "customer": "POST /customers",
        "methods": "GET /mandates",
        "charge": "POST /payments",
        "find": "GET /payments",
        "ask": "GET /payments/*",
        "refund": "POST /refunds",
        "find_refund": "GET /refunds",
        "any": "* /*",
    }
    faults = (*_NETWORK, *_DONE)

    def __init__(self, server: Running) -> None:
        self.server = server
        assert isinstance(server.fake, GoCardlessFake)
        self.fake = server.fake
        super().__init__("gocardless", "sandbox_rig_4f9a1c")
        self.account = self.fake.account(self.secret)

    def entered(self) -> None:
        self.account.webhooks.append((WEBHOOK_URL, self.webhook_secret))

    def new_method(self, *, declines: bool = False) -> Method:
        link = self.provider.setup_link(self.connection, self.setup_request())
        self.fake.control("complete", {"key": self.secret, "id": link.id})
        found = self.provider.methods(self.connection, self.customer_id)[0]
        if declines:
            self.account.move(found.id, "failed", cause="bank_account_closed")
        return found

    def payments(self) -> list[tuple[str, int]]:
        return [(each["id"], each["amount"]) for each in self.account.listed("payments")]

    def refunds(self) -> list[int]:
        return [each["amount"] for each in self.account.listed("refunds")]

    def settle(self, payment_id: str) -> None:
        self.account.settle()

    def signed(self, **how: Any) -> list[tuple[dict[str, str], bytes]]:
        return [(each.headers, each.body) for each in self.fake.sender.requests(batch=1, **how)]


class TillpayRig(Rig):
    """The made-up third one."""

    acts = {name: name for name in ("connect", "customer", "methods", "charge", "find", "ask", "refund", "find_refund")}
    acts["any"] = "*"
    faults = _NETWORK

    def __init__(self) -> None:
        third_provider.TILL.__init__()  # type: ignore[misc]
        self.till = third_provider.TILL
        super().__init__("tillpay", "pin_rig_4f9a1c")

    def _faults(self) -> Any:
        return self.till.faults

    def new_method(self, *, declines: bool = False) -> Method:
        method = Method(f"M{len(self.till.methods)}", "till", "usable", self.customer_id)
        self.till.methods[method.id] = method
        if declines:
            self.till.declining.add(method.id)
        return method

    def payments(self) -> list[tuple[str, int]]:
        made = self.till.payments.values()
        return [(str(each.provider_id), each.amount_cents) for each in made if each.status != "failed"]

    def refunds(self) -> list[int]:
        return [each.amount_cents for each in self.till.refunds.values()]

    def entered(self) -> None:
        """There is nothing to enter."""

    def day_passes(self) -> None:
        """Keys stay for ever."""

    def stop(self) -> None:
        """Nothing runs."""

    def settle(self, payment_id: str) -> None:
        """It was paid at once."""

    def release(self) -> None:
        self.till.release()

    def revoke(self) -> None:
        self.till.revoked.add(self.secret)

    def signed(self, *, forged: bool = False, unsigned: bool = False, secret: str | None = None, **how: Any) -> Any:
        key = "nobody" if forged else secret or self.webhook_secret
        found = [third_provider.signature(key, event) for event in self.till.events]
        return [({} if unsigned else headers, body + how.get("tail", b"")) for headers, body in found]


STARTS = {"stripe": stripe_server.start, "gocardless": gocardless_server.start}
RIGS = {"stripe": StripeRig, "gocardless": GoCardlessRig, "tillpay": TillpayRig}
