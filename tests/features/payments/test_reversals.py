"""What providers say later: debits that come back, are tried again, and succeed after all. Source: rules/collection 1."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.features.payments.collection import applying
from chalicelib.features.payments.providers import registry
from chalicelib.features.payments.providers.values import Event, Hint, ProviderError
from chalicelib.platform import clock
from tests.features.payments.bank import VAULT, Vault
from tests.features.payments.collecting import Payer
from tests.features.payments.test_model import World
from tests.support.messages import messages
from tests.support.story import Story, work

BACK = ProviderError("The payer took it back.", "charged_back")


@pytest.fixture
def payer(story: Story, monkeypatch: pytest.MonkeyPatch) -> Iterator[Payer]:
    """A customer who pays by debit."""
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    monkeypatch.setitem(registry.MODULES, "stripe", "tests.features.payments.bank")
    payer = Payer(story, None, monkeypatch)  # type: ignore[arg-type]
    monkeypatch.setattr(clock, "utc_now", payer.now)
    VAULT.append(Vault(payer.now, lambda call: ""))
    yield payer.begin(None)
    VAULT.clear()


def told(payer: Payer) -> list[str]:
    found = [each.webhook_type for each in messages(payer.story.ref.id)]
    return [each for each in found if "payment" in each]


def hear(payer: Payer, **values: Any) -> None:
    """The provider's payment changes, and it says so, twice."""
    VAULT[-1].payments["P1"] = replace(VAULT[-1].payments["P1"], **values)
    for _ in range(2):
        applying.apply(payer.story.ref, payer.connection, Event("e", "payment", "P1", "x", None, Hint()))
        work()


def debited(payer: Payer) -> Any:
    World(payer, None).card("slow")  # type: ignore[arg-type]
    invoice = payer.bill()
    work()
    return invoice


def state(payer: Payer, invoice: Any) -> tuple[str, str, int]:
    after = payer.again(invoice)
    return payer.payments()[0]["payment_status"], after["payment_status"], after["total_paid_amount_cents"]


PAID = {"status": "succeeded", "provider_status": "paid_out", "error": None, "retry_announced": False}
TAKEN_BACK = {"status": "failed", "provider_status": "charged_back", "error": BACK, "retry_announced": False}


def test_a_debit_that_comes_back_is_owed_again(payer: Payer) -> None:
    invoice = debited(payer)
    assert state(payer, invoice) == ("processing", "pending", 0)
    hear(payer, **PAID)
    assert state(payer, invoice) == ("succeeded", "succeeded", 1999)
    hear(payer, **TAKEN_BACK)
    assert state(payer, invoice) == ("failed", "failed", 0)
    assert payer.again(invoice)["total_due_amount_cents"] == 1999
    (failure,) = [each for each in messages(payer.story.ref.id) if each.webhook_type == "invoice.payment_failure"]
    assert '"error_code":"charged_back"' in failure.payload
    hear(payer, **PAID)
    assert state(payer, invoice) == ("succeeded", "succeeded", 1999)
    assert told(payer).count("payment.succeeded") == 2
    assert told(payer).count("payment_receipt.created") == 1


def test_a_failure_that_is_tried_again_stays_under_way(payer: Payer) -> None:
    invoice = debited(payer)
    hear(payer, status="processing", provider_status="failed", error=BACK, retry_announced=True)
    assert state(payer, invoice) == ("processing", "pending", 0)
    assert told(payer) == ["invoice.payment_failure"]
    again = payer.story.call("POST", f"/invoices/{invoice['lago_id']}/retry_payment")
    assert again.body["code"] == "payment_processor_is_currently_handling_payment"
    hear(payer, status="processing", provider_status="submitted", error=None, retry_announced=False)
    hear(payer, **PAID)
    assert state(payer, invoice) == ("succeeded", "succeeded", 1999)


def test_a_lost_event_is_made_up_for_by_asking(payer: Payer) -> None:
    invoice = debited(payer)
    VAULT[-1].settle("P1", "succeeded")
    payer.later(hours=26)
    assert state(payer, invoice) == ("succeeded", "succeeded", 1999)


def test_a_debit_is_asked_for_days_after_its_day(payer: Payer) -> None:
    invoice = debited(payer)
    hear(payer, provider_status="submitted", charge_date=(payer.now() + timedelta(days=2)).date())
    VAULT[-1].settle("P1", "failed")
    payer.later(days=5)
    assert state(payer, invoice)[0] == "processing"
    payer.later(days=3)
    assert state(payer, invoice) == ("failed", "failed", 0)


def test_a_failure_after_all_is_followed_by_success_only_if_the_provider_says_so(payer: Payer) -> None:
    invoice = debited(payer)
    hear(payer, **TAKEN_BACK)
    World(payer, None).card("good")  # type: ignore[arg-type]
    payer.story.ok("POST", f"/invoices/{invoice['lago_id']}/retry_payment")
    work()
    assert payer.again(invoice)["payment_status"] == "succeeded"
    hear(payer, status="failed", provider_status="failed", error=BACK)
    assert payer.again(invoice)["payment_status"] == "succeeded"
    hear(payer, **PAID)
    after = payer.again(invoice)
    assert (after["payment_status"], after["total_paid_amount_cents"], after["total_due_amount_cents"]) == (
        *("succeeded", 3998),
        0,
    )


def test_payments_of_others_are_left_alone(payer: Payer) -> None:
    debited(payer)
    VAULT[-1].payments["P2"] = replace(VAULT[-1].payments["P1"], provider_id="P2", metadata={})
    VAULT[-1].payments["P3"] = replace(VAULT[-1].payments["P1"], provider_id="P3", status="succeeded")
    for own_id in ("P2", "P3"):
        applying.apply(payer.story.ref, payer.connection, Event("e", "payment", own_id, "x", None, Hint()))
    assert [each["payment_status"] for each in payer.payments()] == ["processing"]


@pytest.mark.parametrize("needs_payment", [True, False])
def test_a_purchase_of_credits_is_collected(payer: Payer, *, needs_payment: bool) -> None:
    World(payer, None).card("good")  # type: ignore[arg-type]
    body = {"external_customer_id": "cust", "rate_amount": "1", "currency": "EUR", "paid_credits": "12"}
    wallet = payer.story.ok(
        "POST", "/wallets", {"wallet": {**body, "invoice_requires_successful_payment": needs_payment}}
    )["wallet"]
    for _ in range(3):
        work()
    payer.story.travel("2024-01-02T00:00:00Z")
    after = payer.story.ok("GET", f"/wallets/{wallet['lago_id']}")["wallet"]
    assert after["credits_balance"] == "12.0"
    assert [each["payment_status"] for each in payer.payments()] == ["succeeded"]


def test_a_purchase_that_cannot_be_collected_is_told(payer: Payer) -> None:
    World(payer, None).card("declined")  # type: ignore[arg-type]
    body = {"external_customer_id": "cust", "rate_amount": "1", "currency": "EUR", "paid_credits": "12"}
    wallet = payer.story.ok("POST", "/wallets", {"wallet": body})["wallet"]
    work()
    payer.story.travel("2024-01-02T00:00:00Z")
    work()
    found = payer.story.ok("GET", f"/wallets/{wallet['lago_id']}/wallet_transactions")["wallet_transactions"]
    assert [each["status"] for each in found] == ["failed"]
    assert "wallet_transaction.payment_failure" in told(payer)
