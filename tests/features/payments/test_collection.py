"""Invoices that are collected through a provider. Source: rules/collection 1, 2."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.client import BaseClient

from chalicelib.features.customers import service as customers
from chalicelib.features.payments.collection import service, starting
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import runner
from tests.features.payments.collecting import CONFIRMED, DECLINED, GOOD, KEY, Payer
from tests.support.messages import messages
from tests.support.providers.frame import Running
from tests.support.story import Story, work


@pytest.fixture
def payer(story: Story, stripe: Running, monkeypatch: pytest.MonkeyPatch) -> Payer:
    """A customer with a provider."""
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    return Payer(story, stripe, monkeypatch)


def told(payer: Payer) -> list[str]:
    """The types of the messages about payments, in their order."""
    found = [each.webhook_type for each in messages(payer.story.ref.id)]
    return [each for each in found if "payment" in each]


def test_a_final_invoice_is_collected(payer: Payer) -> None:
    invoice = payer.begin().bill()
    (pending,) = payer.payments()
    assert (pending["payment_status"], pending["type"], pending["amount_cents"]) == ("pending", "provider", 1999)
    assert payer.again(invoice)["payment_status"] == "pending"
    work()
    (paid,) = payer.payments()
    (intent,) = payer.intents()
    assert (paid["payment_status"], paid["provider_payment_id"]) == ("succeeded", intent["id"])
    assert (paid["payment_provider_code"], paid["payment_provider_type"]) == ("main", "stripe")
    after = payer.again(invoice)
    assert (after["payment_status"], after["total_paid_amount_cents"]) == ("succeeded", 1999)
    assert payer.row().collected.request.description == f"Acme - Invoice {invoice['number']}"
    receipts = payer.story.ok("GET", "/payment_receipts")["payment_receipts"]
    assert [each["payment"]["lago_id"] for each in receipts] == [paid["lago_id"]]
    assert sorted(told(payer)) == ["invoice.payment_status_updated", "payment.succeeded", "payment_receipt.created"]
    payer.later(days=3)
    assert len(payer.account.listed("payment_intent")) == 1


def test_a_refusal_fails_the_invoice_and_another_card_pays_it(payer: Payer) -> None:
    invoice = payer.begin(DECLINED).bill()
    work()
    (failed,) = payer.payments()
    assert (failed["payment_status"], payer.again(invoice)["payment_status"]) == ("failed", "failed")
    assert sorted(told(payer)) == ["invoice.payment_failure", "invoice.payment_status_updated"]
    payer.later(days=2)
    assert len(payer.payments()) == 1
    payer.leave(GOOD)
    assert payer.story.call("POST", f"/invoices/{invoice['lago_id']}/retry_payment").status == 200
    twice = payer.story.call("POST", f"/invoices/{invoice['lago_id']}/retry_payment")
    assert (twice.status, twice.body["code"]) == (405, "payment_processor_is_currently_handling_payment")
    work()
    assert [each["payment_status"] for each in payer.payments()] == ["failed", "succeeded"]
    assert payer.again(invoice)["payment_status"] == "succeeded"
    assert len(payer.intents()) == 1


@pytest.mark.parametrize("fault", ["lost_done", "lost_undone", "reset", "503", "500", "500_done", "409", "429", "odd"])
def test_a_lost_answer_charges_once(payer: Payer, fault: str) -> None:
    payer.begin()
    payer.stripe.fake.faults.add("POST /v1/payment_intents", fault)
    invoice = payer.bill()
    work()
    assert payer.row().payment_status in ("pending", "succeeded", "processing")
    payer.story.organization(name="Renamed")
    payer.later(minutes=7)
    payer.later(hours=1)
    payer.later(hours=3)
    assert len(payer.intents()) == 1
    assert payer.again(invoice)["payment_status"] == "succeeded"
    assert payer.again(invoice)["total_paid_amount_cents"] == 1999


def test_a_card_that_must_be_confirmed_is_asked_for_where_that_is_wanted(payer: Payer) -> None:
    invoice = payer.begin(CONFIRMED, supports_3ds=True).bill()
    work()
    work()
    first, second = payer.payments()
    assert (first["payment_status"], second["payment_status"]) == ("failed", "processing")
    assert second["next_action"]
    assert told(payer) == ["payment.requires_action"]
    assert payer.again(invoice)["payment_status"] == "pending"


def test_less_than_a_provider_collects_is_not_told(payer: Payer) -> None:
    invoice = payer.begin().bill(20)
    work()
    assert (payer.row().payment_status, payer.again(invoice)["payment_status"]) == ("failed", "pending")
    assert told(payer) == []


def test_a_secret_that_was_revoked_is_told_once_and_the_payment_waits(payer: Payer) -> None:
    invoice = payer.begin().bill()
    payer.stripe.fake.revoked.add(KEY)
    work()
    payer.later(hours=1)
    assert told(payer) == ["payment_provider.error"]
    assert payer.row().payment_status == "pending"
    payer.stripe.fake.revoked.clear()
    again = {"payment_provider": {"secret_key": KEY}}
    payer.story.ok("PUT", "/payment_providers/main", again)
    payer.later(hours=1)
    assert payer.again(invoice)["payment_status"] == "succeeded"
    assert len(payer.intents()) == 1


def test_a_card_that_was_detached_is_forgotten(payer: Payer) -> None:
    invoice = payer.begin().bill()
    payer.account.detach(payer.account.listed("payment_method")[0])
    work()
    assert payer.again(invoice)["payment_status"] == "failed"
    again = payer.story.call("POST", f"/invoices/{invoice['lago_id']}/retry_payment")
    assert again.status == 200
    work()
    assert len(payer.payments()) == 1


def test_a_connection_that_was_removed_charges_nothing(payer: Payer) -> None:
    invoice = payer.begin().bill()
    payer.story.ok("DELETE", "/payment_providers/main")
    work()
    assert payer.account.listed("payment_intent") == []
    assert (payer.row().payment_status, payer.again(invoice)["payment_status"]) == ("failed", "pending")
    assert "invoice.payment_failure" not in told(payer)


def test_a_failure_that_the_provider_keeps_is_final_after_an_hour(payer: Payer) -> None:
    payer.begin()
    payer.stripe.fake.faults.add("POST /v1/payment_intents", "stored")
    invoice = payer.bill()
    work()
    for minutes in (2, 6, 31):
        payer.later(minutes=minutes)
        assert payer.row().payment_status == "pending"
    payer.later(hours=3)
    assert payer.row().collected.error.error_code == "provider_error"
    assert payer.again(invoice)["payment_status"] == "failed"
    payer.story.ok("POST", f"/invoices/{invoice['lago_id']}/retry_payment")
    work()
    assert (payer.again(invoice)["payment_status"], len(payer.intents())) == ("succeeded", 1)


def test_what_waited_for_a_card_is_submitted_the_oldest_first(payer: Payer) -> None:
    payer.begin(None)
    invoices = [payer.bill(1000 + number) for number in range(3)]
    work()
    assert payer.payments() == []
    payer.leave(GOOD)
    customer = customers.get(payer.story.ref.id, payer.customer_id)
    for _ in range(2):
        service.submit_unpaid(payer.story.ref, customer)
    assert sorted(each["amount_cents"] for each in payer.payments()) == [1000, 1001, 1002]
    work()
    assert {payer.again(each)["payment_status"] for each in invoices} == {"succeeded"}
    assert len(payer.intents()) == 3


def test_two_workers_with_the_same_task_charge_once(payer: Payer) -> None:
    invoice = payer.begin().bill()
    task = agenda.task(starting.COLLECT, payer.story.ref, payer.payments()[0]["lago_id"], clock.utc_now())
    standing = agenda.find(task.key)
    assert standing is not None
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda _: runner.run(standing, now=standing.due_at), range(4)))
    payer.later(minutes=2)
    assert (payer.again(invoice)["payment_status"], len(payer.intents())) == ("succeeded", 1)
    assert len(payer.stripe.fake.calls("POST /v1/payment_intents")) == 1


@pytest.mark.parametrize(("listens", "most"), [(False, 9), (True, 9)])
def test_collecting_takes_few_requests(
    payer: Payer, monkeypatch: pytest.MonkeyPatch, *, listens: bool, most: int
) -> None:
    """Also where somebody listens: the messages are made by a task of their own."""
    if not listens:
        (endpoint,) = payer.story.ok("GET", "/webhook_endpoints")["webhook_endpoints"]
        payer.story.ok("DELETE", f"/webhook_endpoints/{endpoint['lago_id']}")
    payer.begin().bill()
    due = [each for number in range(16) for each in agenda.due(number, until=clock.utc_now())]
    (standing,) = [each for each in due if each.kind == starting.COLLECT]
    made: list[str] = []
    real = BaseClient._make_api_call

    def counting(self: Any, name: str, how: Any) -> Any:
        made.append(name)
        return real(self, name, how)

    monkeypatch.setattr(BaseClient, "_make_api_call", counting)
    before = len(payer.stripe.fake.log)
    assert runner.run(standing, now=standing.due_at) is None
    assert len(payer.stripe.fake.log) - before == 1
    assert len(made) <= most, made
