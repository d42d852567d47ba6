"""A story in which everything happens that messages tell of, and a listener to which they are sent."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from unittest.mock import patch

from chalicelib import wiring
from chalicelib.features.documents import render
from chalicelib.platform.settings import settings
from scripts.listen import Listener, register
from tests.support import telling_payments
from tests.support.charging import priced, ts
from tests.support.events import send
from tests.support.story import Story, meter, received
from tests.support.wallets import pay, read, top_up, wallet

_QUEUES = ("jobs", "sandbox", "providers", "documents", "webhooks")


def deliver() -> None:
    """Carry out everything that is due, to the last message."""
    busy = True
    while busy:
        busy = False
        for name in _QUEUES:
            handle = wiring.deliver if name == "webhooks" else wiring.work
            while records := received(str(getattr(settings(), f"{name}_queue"))):
                busy = True
                assert handle(records) == {"batchItemFailures": []}


@contextlib.contextmanager
def listening(story: Story, *types: str) -> Iterator[Listener]:
    """A listener that the organization tells of these types, of all where none is named."""
    said: list[str] = []
    listener = Listener(say=said.append)
    listener.keeps, listener.said = True, said
    register(listener, lambda method, path, body: story.ok(method, path, _only(types, body)))
    try:
        yield listener
    finally:
        listener.stop()


def _only(types: tuple[str, ...], body: object) -> object:
    if not types or not isinstance(body, dict):
        return body
    return {"webhook_endpoint": {**body["webhook_endpoint"], "event_types": list(types)}}


def everything(story: Story) -> None:
    """All that messages tell of, on a sandbox's clock from New Year 2024; documents are not drawn."""
    with patch.object(render, "pdf", lambda page: b"%PDF-1.7"), telling_payments.stripe() as server:
        _catalog(story)
        _subscriptions(story)
        _invoices(story)
        _wallets(story)
        telling_payments.customers(story, server)
        deliver()
        telling_payments.invoices(story)
        _endings(story)
        telling_payments.payments(story, server, deliver)
        deliver()


def _catalog(story: Story) -> None:
    tax = {"name": "VAT", "code": "vat", "rate": "20", "applied_to_organization": True}
    story.ok("POST", "/taxes", {"tax": tax})
    story.metric("calls")
    story.metric("old")
    story.ok("PUT", "/billable_metrics/old", {"billable_metric": {"description": "Not used any more"}})
    story.ok("DELETE", "/billable_metrics/old")
    setup = {"name": "Setup", "code": "setup", "amount_cents": 500, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": setup})
    calls = story.ok("GET", "/billable_metrics/calls")["billable_metric"]
    story.plan("basic", [priced(calls)], name="Basic", amount_cents=2000, trial_period=3)
    at_once = priced(calls, pay_in_advance=True, invoiceable=False)
    story.plan("pro", [at_once], name="Pro", amount_cents=4900, pay_in_advance=True)
    story.plan("old", name="Old")
    story.ok("PUT", "/plans/old", {"plan": {"description": "Not sold any more"}})
    story.ok("DELETE", "/plans/old")
    story.customer("ada", name="Ada Ltd", currency="EUR", net_payment_term=2)
    story.customer("ada", email="ada@example.com")
    story.customer("late", name="Later Ltd", currency="EUR", billing_configuration={"invoice_grace_period": 3})


def _subscriptions(story: Story) -> None:
    story.subscribe("basic", "trial", "ada")
    story.subscribe("pro", "pro", "ada", ending_at="2024-02-17T00:00:00Z")
    story.subscribe("pro", "draft", "late")
    story.ok("PUT", "/subscriptions/pro", {"subscription": {"name": "Ada's"}})
    story.use(at=ts("2024-01-01T00:00:00"), subscription="pro")
    send(story, 1, "unknown", at=datetime(2024, 1, 1, tzinfo=UTC), sub="pro")
    meter()
    story.travel("2024-01-05T00:00:00Z")
    deliver()


def _invoices(story: Story) -> None:
    """A draft that is deleted, a payment, a note, a void, a dispute, an invoice for an add-on."""
    one_off = {"external_customer_id": "ada", "currency": "EUR", "fees": [{"add_on_code": "setup", "units": 2}]}
    first, second, third, _ = (story.ok("POST", "/invoices", {"invoice": one_off})["invoice"] for _ in range(4))
    story.ok(
        "POST", "/payments", {"payment": {"invoice_id": first["lago_id"], "amount_cents": 1200, "reference": "bank"}}
    )
    fee = story.ok("GET", f"/invoices/{first['lago_id']}")["invoice"]["fees"][0]
    note = {"invoice_id": first["lago_id"], "reason": "other", "credit_amount_cents": 120}
    story.ok(
        "POST", "/credit_notes", {"credit_note": note | {"items": [{"fee_id": fee["lago_id"], "amount_cents": 100}]}}
    )
    story.ok("POST", f"/invoices/{second['lago_id']}/retry_payment")
    story.ok("POST", f"/invoices/{second['lago_id']}/void")
    story.ok("POST", f"/invoices/{third['lago_id']}/lose_dispute")
    story.subscribe("pro", "draft again", "late")
    (draft, *_) = story.ok("GET", "/invoices?status=draft")["invoices"]
    story.ok("DELETE", f"/invoices/{draft['lago_id']}")
    deliver()
    story.travel("2024-01-08T00:00:00Z")
    deliver()


def _wallets(story: Story) -> None:
    """Credits given, bought and not paid for, and a wallet that usage uses up."""
    made = wallet(story, "late", granted_credits="10")
    (bought,) = top_up(story, made, paid_credits="5")
    pay(story, bought["lago_invoice_id"])
    (lost,) = top_up(story, made, paid_credits="7")
    pay(story, lost["lago_invoice_id"], "failed")
    story.subscribe("basic", "used", "late")
    for _ in range(20):
        story.use(at=ts("2024-01-08T00:00:00"), subscription="used")
    meter()
    deliver()
    read(story, made)
    deliver()
    story.ok("DELETE", f"/wallets/{made['lago_id']}")


def _endings(story: Story) -> None:
    story.terminate("trial")
    story.travel("2024-02-02T00:00:00Z")
    deliver()
