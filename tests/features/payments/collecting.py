"""Customers with a way to pay, as tests of collection need them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.features.customers import service as customers
from chalicelib.features.payments import store
from chalicelib.features.payments.connections import reading
from chalicelib.features.payments.links import store as links
from chalicelib.features.payments.links.records import LinkedMethod, ProviderLink
from chalicelib.features.payments.providers import values
from chalicelib.platform import agenda, clock
from chalicelib.platform.ids import CustomerId, PaymentId, PaymentMethodId
from tests.support.providers import stripe_calls
from tests.support.providers.frame import Running
from tests.support.story import Story, work

KEY = "sk_test_collecting_1234"
GOOD, DECLINED, CONFIRMED = "4242424242424242", "4000000000000341", "4000002760003184"


@dataclass
class Payer:
    """A customer who is charged by a fake Stripe."""

    story: Story
    stripe: Running
    monkeypatch: pytest.MonkeyPatch
    ahead: timedelta = field(default=timedelta())

    @property
    def account(self) -> Any:
        return self.stripe.fake.account(KEY)  # type: ignore[attr-defined]

    def begin(self, number: str | None = GOOD, **connection: Any) -> "Payer":
        """Connect, and link the customer."""
        body = {"code": "main", "payment_provider": "stripe", "secret_key": KEY, **connection}
        self.story.ok("POST", "/payment_providers", {"payment_provider": body})
        self.connection = reading.find(self.story.ref.id, "main")
        self.provider = reading.provider_of(self.connection)
        self.opened = reading.opened(self.story.ref, self.connection)
        shown = self.story.customer(currency="EUR")
        self.customer_id = CustomerId(shown["lago_id"])
        details = values.CustomerDetails(self.customer_id, "cust", email="a@example.com")
        self.provider_id = self.provider.ensure_customer(self.opened, details, f"customer-{self.customer_id}", None)
        own = customers.get(self.story.ref.id, self.customer_id)
        assert own is not None
        billing = {
            "payment_provider": "stripe",
            "payment_provider_code": "main",
            "provider_customer_id": self.provider_id,
        }
        configured = own.billing_configuration.model_copy(update=billing)
        changed = own.model_copy(update={"billing_configuration": configured})
        customers.replace_action(self.story.ref.id, own, changed).alone()
        self.leave(number)
        return self

    def leave(self, number: str | None) -> None:
        """The customer leaves a card, which becomes the default one."""
        old = links.get(self.story.ref.id, self.customer_id, self.connection.id)
        methods: list[LinkedMethod] = [each.model_copy(update={"is_default": False}) for each in old.methods]
        if number is not None:
            setup = values.SetupRequest(self.customer_id, self.provider_id, "EUR", "http://127.0.0.1:9/", ("card",))
            link = self.provider.setup_link(self.opened, setup)
            stripe_calls.complete(self.account, link.id, number)
            (newest, *_) = self.provider.methods(self.opened, self.provider_id)
            made = LinkedMethod(
                id=PaymentMethodId(f"own-{newest.id}"),
                provider_method_id=newest.id,
                type="card",
                state="usable",
                is_default=True,
                created_at=clock.utc_now(),
            )
            methods.append(made)
        update = {"provider_customer_id": self.provider_id, "methods": tuple(methods)}
        new = old.model_copy(update=update)
        assert isinstance(new, ProviderLink)
        for write in links.write(self.story.ref.id, old, new):
            write.alone()

    def bill(self, cents: int = 1999) -> Any:
        """A one-off invoice, final at once."""
        self.story.call("POST", "/add_ons", {"add_on": _ADD_ON})
        fee = {"add_on_code": "setup", "unit_amount_cents": cents, "units": 1}
        body = {"external_customer_id": "cust", "currency": "EUR", "fees": [fee]}
        return self.story.ok("POST", "/invoices", {"invoice": body})["invoice"]

    def again(self, invoice: Any) -> Any:
        return self.story.ok("GET", f"/invoices/{invoice['lago_id']}")["invoice"]

    def payments(self) -> list[Any]:
        """Payments as the API shows them, the oldest first."""
        return self.story.ok("GET", "/payments?per_page=100")["payments"][::-1]

    def row(self, place: int = -1) -> Any:
        """A payment as it is kept."""
        return store.get(self.story.ref.id, PaymentId(self.payments()[place]["lago_id"]))

    def intents(self) -> list[Any]:
        """All that the provider charges, or has charged."""
        return [each for each in self.account.listed("payment_intent") if each["status"] != "requires_payment_method"]

    def now(self) -> datetime:
        return datetime.now(clock.UTC) + self.ahead

    def later(self, **how: float) -> None:
        """Real time passes, and what is due by then is done."""
        self.ahead += timedelta(**how)
        self.monkeypatch.setattr(clock, "utc_now", self.now)
        for number in range(16):
            for task in list(agenda.due(number, until=self.now())):
                agenda.push([task])
        work()


_ADD_ON = {"name": "Setup", "code": "setup", "amount_cents": 1999, "amount_currency": "EUR"}
