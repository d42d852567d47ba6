"""Every fault at every call by which money moves, from the invoice on and over HTTP: one payment there, its status here, and
no row for ever in doubt. Source: rules/collection 2, 3."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from chalicelib import limits
from tests.features.payments.collecting import KEY, Payer
from tests.features.payments.far_side import TOKEN, connect, connect_gocardless, customer, deliver, leave_card
from tests.support.providers.faults import DONE, UNDONE
from tests.support.providers.frame import Running
from tests.support.story import Story, work

# `echo` is a refusal: it ends what was asked for.
KINDS = tuple(each for each in (*UNDONE, *DONE) if each != "echo")


class Far(NamedTuple):
    """A provider's far side. `calls`: patterns of its calls by what they are for; `payments`, `refunds`: those that stand
    there, and in which statuses money moved."""

    calls: dict[str, str]
    payments: tuple[str, tuple[str, ...]]
    refunds: str
    secret: str


STRIPE = Far(
    {
        "customer": "POST /v1/customers",
        "charge": "POST /v1/payment_intents",
        "find": "GET /v1/payment_intents*",
        "refund": "POST /v1/refunds",
        "find refund": "GET /v1/refunds*",
    },
    ("payment_intent", ("succeeded",)),
    "refund",
    KEY,
)
GOCARDLESS = Far(
    {
        "customer": "POST /customers",
        "charge": "POST /payments",
        "find": "GET /payments*",
        "refund": "POST /refunds",
        "find refund": "GET /refunds*",
    },
    ("payments", ("submitted", "confirmed", "paid_out", "pending_submission")),
    "refunds",
    TOKEN,
)
FARS = {"stripe": STRIPE, "gocardless": GOCARDLESS}
BOTH = pytest.mark.parametrize("name", list(FARS))
EACH = pytest.mark.parametrize("kind", KINDS)


class World:
    """A customer who can be charged, with one of the two."""

    def __init__(self, name: str, story: Story, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name, self.far, self.story, self.running = name, FARS[name], story, running
        self.payer = Payer(story, running, monkeypatch)
        self.fake: Any = running.fake
        self.monkeypatch = monkeypatch

    @property
    def account(self) -> Any:
        return self.fake.account(KEY if self.name == "stripe" else TOKEN)

    def connected(self) -> None:
        if self.name == "stripe":
            connect(self.story, key=KEY)
        else:
            connect_gocardless(self.story, self.running)

    def begin(self) -> "World":
        """Connect, and leave a card or a mandate."""
        self.connected()
        customer(self.story, provider=self.name, payment_provider_code=None)
        self.story.customer("cust", currency="EUR")
        self.leave()
        return self

    def leave(self) -> None:
        self.story.ok("POST", "/customers/cust/checkout_url")
        if self.name == "stripe":
            leave_card(self.running, key=KEY)
        else:
            flow = self.account.listed("billing_request_flows")[0]["id"]
            self.fake.control("complete", {"key": TOKEN, "id": flow})
        self.heard()

    def heard(self) -> None:
        deliver(self.running)
        while work():
            pass

    def fail(self, what: str, kind: str, times: int) -> None:
        if kind == "slow":
            self.monkeypatch.setattr(limits, "PROVIDER_READ_SECONDS", 0.3)
        self.fake.faults.add(self.far.calls[what], kind, times=times, seconds=0.6)

    def settle(self, done: Callable[[], bool]) -> None:
        """Time passes, banks do their part and what was put off is done, until it has ended; a day or two at the most."""
        for step in range(14):
            work()
            if self.name == "gocardless":
                self._banks()
            if done():
                return
            if step == 2:
                self.fake.release()
            self.payer.later(minutes=(2, 6, 31, 31, 125, 370)[min(step, 5)])

    def _banks(self) -> None:
        for each in [each for each in self.account.listed("payments") if each["status"] != "paid_out"]:
            for status in ("submitted", "confirmed", "paid_out"):
                self.account.move(each["id"], status)
        for each in [each for each in self.account.listed("refunds") if each["status"] != "paid"]:
            self.account.move(each["id"], "paid")
        self.heard()

    def moved(self) -> list[int]:
        """Amounts that were charged."""
        resource, statuses = self.far.payments
        return [int(each["amount"]) for each in self.account.listed(resource) if each["status"] in statuses]


@pytest.fixture
def world(name: str, story: Story, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> World:
    return World(name, story, request.getfixturevalue(name), monkeypatch)


def paid(world: World) -> Any:
    """An invoice of 19.99, collected whatever comes; one that the provider's own failure ended is asked for once more."""
    invoice = world.payer.bill()

    def done() -> bool:
        return world.payer.again(invoice)["payment_status"] in ("succeeded", "failed")

    world.settle(done)
    if world.payer.again(invoice)["payment_status"] != "succeeded":
        world.story.ok("POST", f"/invoices/{invoice['lago_id']}/retry_payment")
        world.settle(lambda: world.payer.again(invoice)["payment_status"] == "succeeded")
    return world.payer.again(invoice)


def check(world: World, invoice: Any) -> None:
    assert (invoice["payment_status"], invoice["total_paid_amount_cents"]) == ("succeeded", 1999)
    assert world.moved() == [1999]
    states = [each["payment_status"] for each in world.payer.payments()]
    assert states.count("succeeded") == 1
    assert {*states} <= {"succeeded", "failed"}


@BOTH
@EACH
def test_a_charge_that_fails_in_any_way_is_one_payment(world: World, kind: str) -> None:
    world.begin().fail("charge", kind, 3)
    check(world, paid(world))


@BOTH
@EACH
def test_whoever_looks_for_it_may_fail_too(world: World, kind: str) -> None:
    world.begin().fail("charge", "lost_done", 1)
    world.fail("find", kind, 2)
    check(world, paid(world))


@BOTH
@EACH
def test_a_refund_that_fails_in_any_way_is_one_refund(world: World, kind: str) -> None:
    invoice = paid(world.begin())
    world.fail("refund", kind, 1)
    world.fail("find refund", kind, 1)
    items = [{"fee_id": invoice["fees"][0]["lago_id"], "amount_cents": 500}]
    note = {"invoice_id": invoice["lago_id"], "reason": "other", "refund_amount_cents": 500, "items": items}
    made = world.story.ok("POST", "/credit_notes", {"credit_note": note})["credit_note"]

    def state() -> str:
        return str(world.story.ok("GET", f"/credit_notes/{made['lago_id']}")["credit_note"]["refund_status"])

    world.settle(lambda: state() != "pending")
    there = [each for each in world.account.listed(world.far.refunds) if each["status"] not in ("failed", "canceled")]
    # A failure that is kept under the key ends the refund after an hour, unless it was made all the same.
    assert (len(there), state()) in [(1, "succeeded"), (0, "failed")]
    if kind not in ("stored", "500"):
        assert state() == "succeeded"


@BOTH
@EACH
def test_a_customer_is_created_once(world: World, kind: str) -> None:
    world.connected()
    world.fail("customer", kind, 2)
    world.story.customer(
        "cust",
        currency="EUR",
        email="a@example.com",
        billing_configuration={"payment_provider": world.name, "sync_with_provider": True},
    )

    def linked() -> bool:
        shown = world.story.ok("GET", "/customers/cust")["customer"]["billing_configuration"]
        return shown["provider_customer_id"] is not None

    world.settle(linked)
    assert linked()
    assert len(world.account.listed("customer" if world.name == "stripe" else "customers")) == 1
