"""Random schedules of charges, crashes, lost answers, retries and events: each invoice is paid once, and its status is the
provider's. `EXAMPLES=100` tries thousands. Source: rules/collection 1, 2, 3."""

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.errors import NotAllowed
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices import service as invoice_service
from chalicelib.features.payments import store
from chalicelib.features.payments.collection import again, applying, starting
from chalicelib.features.payments.links import store as links
from chalicelib.features.payments.links.records import LinkedMethod
from chalicelib.features.payments.providers import registry
from chalicelib.features.payments.providers.errors import Unknown
from chalicelib.features.payments.providers.values import Event, Hint
from chalicelib.features.payments.records import Payment
from chalicelib.platform import agenda, clock, dynamodb
from chalicelib.platform.agenda import runner
from chalicelib.platform.ids import InvoiceId, PaymentId, PaymentMethodId
from tests.features.payments.bank import VAULT, Killed, Vault
from tests.features.payments.collecting import Payer
from tests.support.examples import examples
from tests.support.story import Story

STEPS = 40
# No provider works longer on a call: the rule about failures that it keeps rests on that.
SLOWEST = timedelta(minutes=30)
SENT = (
    "lost_done",
    "lost_undone",
    *["lost_later"] * 4,
    "stored",
    "stored_done",
    "in_use",
    "killed_before",
    "killed_after",
)
CHARGE = ("", *SENT)
KINDS = (starting.COLLECT.name, invoice_service.TIDY.name)


@dataclass
class World:
    """One invoice, and what happens to it."""

    payer: Payer
    chance: random.Random
    trouble: bool = True
    kills: bool = False
    seen: set[str] = field(default_factory=set)

    def begin(self) -> "World":
        VAULT.append(Vault(self.payer.now, self.draw))
        self.card("good")
        self.invoice_id = InvoiceId(self.payer.bill(self.chance.randint(100, 5000))["lago_id"])
        return self

    @property
    def vault(self) -> Vault:
        return VAULT[-1]

    def draw(self, call: str) -> str:
        """The fault of a call."""
        if not self.trouble or self.chance.random() < 0.4:
            return ""
        return self.chance.choice(CHARGE if call == "charge" else ("", "lost", "killed_before"))

    def card(self, kind: str) -> None:
        """The customer's card is another one."""
        payer = self.payer
        old = links.get(payer.story.ref.id, payer.customer_id, payer.connection.id)
        own_id = PaymentMethodId(f"own-{kind}")
        method = LinkedMethod(
            id=own_id, provider_method_id=kind, type="card", state="usable", is_default=True, created_at=payer.now()
        )
        new = old.model_copy(update={"provider_customer_id": payer.provider_id, "methods": (method,)})
        for write in links.write(payer.story.ref.id, old, new):
            write.alone()

    def rows(self) -> list[Payment]:
        """All payments of the invoice."""
        self.seen |= {each["lago_id"] for each in self.payer.payments() if each["invoice_ids"] == [self.invoice_id]}
        found = store.get_many(self.payer.story.ref.id, [PaymentId(each) for each in self.seen])
        return list(found.values())

    # Steps.

    def work(self) -> None:
        """Whatever is due is done, by workers that may be killed."""
        for number in range(16):
            for task in list(agenda.due(number, until=self.payer.now())):
                if task.kind.name in KINDS:
                    self.guarded(lambda task=task: self.run(task))

    def run(self, task: Any) -> None:
        failure = runner.run(task, now=task.due_at)
        assert failure is None, failure

    def pass_time(self) -> None:
        """Time passes; a call that was put off is done before it would have taken too long."""
        then = self.payer.now() + timedelta(minutes=self.chance.choice((1, 1, 2, 2, 6, 6, 40, 130, 800, 1500)))
        if self.chance.random() < 0.1 or any(then - at > SLOWEST for at, _ in self.vault.later):
            self.release()
        self.payer.ahead += then - self.payer.now()

    def event(self) -> None:
        """An event, whenever and however often."""
        if self.vault.payments:
            own_id = self.chance.choice(list(self.vault.payments))
            event = Event("e", "payment", own_id, "x", None, Hint())
            payer = self.payer
            self.guarded(lambda: applying.apply(payer.story.ref, payer.connection, event))

    def retry(self) -> None:
        def press() -> None:
            again.retry_payment(self.payer.story.ref, self.invoice_id, now=clock.now(self.payer.story.ref))

        self.guarded(press)

    def change_card(self) -> None:
        self.card(self.chance.choice(("good", "declined", "slow")))

    def settle(self) -> None:
        """Slow payments come to their end."""
        for own_id in list(self.vault.payments):
            self.vault.settle(own_id, self.chance.choice(("succeeded", "failed")))

    def release(self) -> None:
        """Calls that got no answer end after all."""
        for _, act in self.vault.later:
            with_no_answer(act)
        self.vault.later.clear()

    def guarded(self, act: Callable[[], Any]) -> None:
        self.kills = self.trouble
        try:
            act()
        except (Killed, Unknown, NotAllowed):
            pass
        finally:
            self.kills = False

    def end(self) -> None:
        """Trouble is over: everything is followed up, and what failed is tried with a good card."""
        self.trouble = False
        self.release()
        self.card("good")
        for _ in range(14):
            self.settle()
            self.work()
            self.payer.ahead += timedelta(hours=25)
            self.work()
            invoice = invoices.get(self.payer.story.ref.id, self.invoice_id)
            assert invoice is not None
            if invoice.payment_status == "succeeded":
                break
            self.retry()
        self.payer.ahead += timedelta(days=8)
        self.settle()
        self.work()


def with_no_answer(act: Callable[[], Any]) -> None:
    with contextlib.suppress(Unknown):
        act()


@pytest.fixture
def payer(story: Story, monkeypatch: pytest.MonkeyPatch) -> Iterator[Payer]:
    """A customer of the smallest provider."""
    monkeypatch.setitem(registry.MODULES, "stripe", "tests.features.payments.bank")
    payer = Payer(story, None, monkeypatch)  # type: ignore[arg-type]
    monkeypatch.setattr(clock, "utc_now", payer.now)
    VAULT.append(Vault(payer.now, lambda call: ""))
    yield payer.begin(None)
    VAULT.clear()


def killing(world: World, real: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Transactions before or after which the process may die."""

    def transact(actions: Any) -> Any:
        place = world.chance.random() if world.kills else 1.0
        if place < 0.06:
            raise Killed
        done = real(actions)
        if place < 0.12:
            raise Killed
        return done

    return transact


@pytest.mark.parametrize("seed", range(examples(30)))
def test_each_invoice_is_paid_once(payer: Payer, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    world = World(payer, random.Random(seed)).begin()
    monkeypatch.setattr(dynamodb, "transact", killing(world, dynamodb.transact))
    steps = [world.work] * 6 + [world.pass_time] * 4 + [world.event] * 2
    steps += [world.retry, world.change_card, world.settle, world.release]
    for _ in range(STEPS):
        world.chance.choice(steps)()
    world.end()
    assert world.vault.reused == []
    there = Counter(each.status for each in world.vault.payments.values())
    assert there["succeeded"] == 1, (there, [(row.payment_status, row.collection) for row in world.rows()])
    assert there["processing"] == 0
    invoice = invoices.get(payer.story.ref.id, world.invoice_id)
    assert invoice is not None
    assert (invoice.payment_status, invoice.due_amount_cents) == ("succeeded", 0)
    assert (invoice.total_paid_amount_cents, invoice.payment_under_way) == (invoice.total_amount_cents, None)
    for row in world.rows():
        known = row.collected.provider_payment_id
        assert not row.under_way, row
        assert row.payment_status == (world.vault.payments[known].status if known else "failed")
