"""What only GoCardless has: mandates in one currency, answers that come days later, tries that it makes by itself, totals."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from chalicelib.features.payments.providers.errors import Misconfigured, Refused, Unknown
from chalicelib.features.payments.providers.gocardless_forms import CURRENCIES, MANDATE_STATES, STATUSES
from chalicelib.features.payments.providers.values import Hint, ProviderError
from tests.contracts.payments.rigs import CUSTOMER, GoCardlessRig
from tests.support.providers.gocardless_account import SCHEMES


def charged(rig: GoCardlessRig, payment_id: str = "pay-1", **more: Any) -> str:
    """The id of a payment."""
    request = replace(rig.request(payment_id), **more)
    return str(rig.provider.charge(rig.connection, request, f"payment-{payment_id}").provider_id)


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_every_status_of_a_payment_is_one_of_ours(gocardless_rig: GoCardlessRig, status):
    rig = gocardless_rig
    payment = charged(rig)
    rig.account.move(payment, status)
    outcome = rig.provider.ask(rig.connection, payment)
    assert (outcome.provider_status, outcome.status, outcome.known) == (status, STATUSES[status], True)
    assert (outcome.error is not None) is (outcome.status == "failed")


def test_a_status_that_nobody_knows_counts_as_processing_and_says_so(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    payment = charged(rig)
    rig.account.move(payment, "thought_about")
    outcome = rig.provider.ask(rig.connection, payment)
    assert (outcome.status, outcome.known) == ("processing", False)


def test_an_announced_try_keeps_a_failed_payment_processing_until_it_failed_for_good(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    payment = charged(rig)
    seen = []
    for status, details in (
        ("submitted", {}),
        ("failed", {"will_attempt_retry": True}),
        ("pending_submission", {}),
        ("submitted", {}),
        ("failed", {"will_attempt_retry": False, "cause": "bank_account_closed", "description": "Closed."}),
    ):
        rig.fake.forward(seconds=60)
        rig.account.move(payment, status, **details)
        outcome = rig.provider.ask(rig.connection, payment)
        seen.append((outcome.status, outcome.retry_announced))
    assert seen == [
        ("processing", False),
        ("processing", True),
        ("processing", False),
        ("processing", False),
        ("failed", False),
    ]
    assert outcome.error == ProviderError("Closed.", "bank_account_closed")
    # The first failure's event, come late, changes nothing: the newest one decides.
    late = Hint(error=ProviderError("Too little.", "insufficient_funds"), retry_announced=True)
    assert rig.provider.ask(rig.connection, payment, late) == outcome


def test_whoever_may_not_read_events_believes_the_one_that_came(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    payment = charged(rig)
    rig.account.move(payment, "failed", will_attempt_retry=True)
    rig.fake.forbidden[rig.secret] = ["GET /events"]
    error = ProviderError("Too little.", "insufficient_funds")
    told = rig.provider.ask(rig.connection, payment, Hint(error=error, retry_announced=True))
    assert (told.status, told.retry_announced, told.error) == ("processing", True, error)
    untold = rig.provider.ask(rig.connection, payment)
    assert (untold.status, untold.error) == ("failed", ProviderError("The payment is failed.", "failed"))


def test_a_payment_that_is_taken_back_may_come_back(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    payment = charged(rig)
    seen = []
    for status in ("paid_out", "charged_back", "paid_out", "failed"):
        rig.fake.forward(seconds=60)
        rig.account.move(payment, status)
        seen.append(rig.provider.ask(rig.connection, payment).status)
    assert seen == ["succeeded", "failed", "succeeded", "failed"]
    actions = [event.body["action"] for event in rig.fake.sender.events if event.body["resource_type"] == "payments"]
    assert actions == ["created", "paid_out", "charged_back", "chargeback_cancelled", "failed"]


def test_the_day_of_collection_is_told_and_a_try_has_another(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    payment = charged(rig)
    first = rig.provider.ask(rig.connection, payment).charge_date
    rig.account.move(payment, "failed", will_attempt_retry=True)
    rig.account.move(payment, "pending_submission")
    second = rig.provider.ask(rig.connection, payment).charge_date
    assert isinstance(first, date)
    assert isinstance(second, date)
    assert second > first


def test_amounts_may_come_as_text(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    rig.fake.as_text = True
    outcome = rig.provider.charge(rig.connection, rig.request(), "payment-pay-1")
    assert outcome.amount_cents == 1999
    assert rig.provider.charge(rig.connection, rig.request(), "payment-pay-1") == outcome
    rig.account.settle()
    refund = rig.provider.refund(rig.connection, rig.refund_request(str(outcome.provider_id)), "refund-note-1")
    assert refund.amount_cents == 500
    assert rig.provider.refundable(rig.connection, str(outcome.provider_id)) == 1499


def test_in_another_currency_nothing_is_sent(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    before = len(rig.fake.log)
    outcome = rig.provider.charge(rig.connection, replace(rig.request(), currency="JPY"), "payment-pay-1")
    assert outcome.error is not None
    assert (outcome.status, outcome.error.error_code) == ("failed", "currency_not_supported")
    with pytest.raises(Refused):
        rig.provider.setup_link(rig.connection, replace(rig.setup_request(), currency="JPY"))
    assert len(rig.fake.log) == before
    assert set(CURRENCIES.values()) == set(SCHEMES)


def test_a_mandate_of_another_currency_is_refused_with_the_field(gocardless_rig: GoCardlessRig):
    outcome = gocardless_rig.provider.charge(
        gocardless_rig.connection, replace(gocardless_rig.request(), currency="GBP"), "payment-pay-1"
    )
    assert outcome.error is not None
    assert outcome.error.message.startswith("currency ")
    assert outcome.error.error_code == "validation_failed"
    assert outcome.lost is None


@pytest.mark.parametrize("status", sorted(MANDATE_STATES))
def test_every_status_of_a_mandate_is_one_of_ours(gocardless_rig: GoCardlessRig, status):
    rig = gocardless_rig
    rig.account.move(rig.method.id, status)
    assert rig.provider.ask_method(rig.connection, rig.method.id).state == MANDATE_STATES[status]
    outcome = rig.provider.charge(rig.connection, rig.request(), "payment-pay-1")
    usable = MANDATE_STATES[status] == "usable"
    assert (outcome.status, outcome.lost) == (("processing", None) if usable else ("failed", "method"))


def test_a_mandate_that_is_replaced_names_the_other(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    other = rig.new_method()
    rig.account.move(rig.method.id, "cancelled", new_mandate=other.id, cause="mandate_replaced")
    assert rig.provider.ask_method(rig.connection, rig.method.id).replaced_by == other.id
    events = [event for headers, body in rig.signed() for event in _verified(rig, headers, body)]
    assert events[-1].hint.replaced_by == other.id


def test_the_currency_of_a_mandate_is_that_of_its_scheme(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    rig.currency = "GBP"
    assert (rig.new_method().type, rig.new_method().currency) == ("bacs", "GBP")


def test_a_payment_can_be_cancelled_until_the_bank_has_it(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    one, other = charged(rig, "pay-1"), charged(rig, "pay-2")
    rig.account.move(other, "submitted")
    assert rig.provider.cancel(rig.connection, one).status == "failed"
    assert rig.provider.cancel(rig.connection, other).status == "processing"


def test_a_refund_confirms_the_total_and_reads_it_again_when_somebody_was_faster(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    payment = charged(rig)
    rig.account.settle()
    real = rig.account.refund

    def faster(there: dict[str, Any], amount: int, confirmed: int | None, metadata: dict[str, Any]) -> dict[str, Any]:
        rig.account.refund = real  # type: ignore[method-assign]
        real(there, 300, 300, {})
        return real(there, amount, confirmed, metadata)

    rig.account.refund = faster  # type: ignore[method-assign]
    outcome = rig.provider.refund(rig.connection, rig.refund_request(payment), "refund-note-1")
    assert outcome.status == "pending"
    assert sorted(rig.refunds()) == [300, 500]
    assert rig.calls("refund") == 2


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        pytest.param(lambda rig, payment: None, "refund_payment_invalid_state", id="not collected yet"),
        pytest.param(
            lambda rig, payment: [rig.account.settle(), _refunded(rig, payment, 1600)],
            "available_refund_amount_insufficient",
            id="less left",
        ),
        pytest.param(
            lambda rig, payment: [rig.account.settle(), *(_refunded(rig, payment, 1) for _ in range(5))],
            "number_of_refunds_exceeded",
            id="five times",
        ),
        pytest.param(
            lambda rig, payment: [rig.account.settle(), rig.fake.control("refunds", {"key": rig.secret, "on": False})],
            "insufficient_permissions",
            id="the account has no refunds",
        ),
    ],
)
def test_a_refund_that_is_refused_is_refused_for_good(gocardless_rig: GoCardlessRig, prepare, code):
    rig = gocardless_rig
    payment = charged(rig)
    prepare(rig, payment)
    outcome = rig.provider.refund(rig.connection, rig.refund_request(payment), "refund-note-1")
    assert outcome.error is not None
    assert (outcome.status, outcome.provider_id, outcome.error.error_code) == ("failed", None, code)


def test_a_token_that_may_not_refund_is_misconfigured(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    payment = charged(rig)
    rig.account.settle()
    rig.fake.forbidden[rig.secret] = ["POST /refunds"]
    with pytest.raises(Misconfigured):
        rig.provider.refund(rig.connection, rig.refund_request(payment), "refund-note-1")


@pytest.mark.parametrize("status", ["failed", "bounced", "funds_returned", "cancelled"])
def test_a_refund_may_come_back(gocardless_rig: GoCardlessRig, status):
    rig = gocardless_rig
    payment = charged(rig)
    rig.account.settle()
    made = rig.provider.refund(rig.connection, rig.refund_request(payment), "refund-note-1")
    rig.account.move(str(made.provider_id), "paid")
    assert rig.provider.ask_refund(rig.connection, str(made.provider_id)).status == "succeeded"
    rig.account.move(str(made.provider_id), status)
    there = rig.provider.ask_refund(rig.connection, str(made.provider_id))
    assert there.error is not None
    assert (there.status, there.error.error_code) == ("failed", status)
    assert rig.provider.refundable(rig.connection, payment) == 1999


@pytest.mark.parametrize(
    ("details", "sent"),
    [
        ({"name": "Acme"}, {"company_name": "Acme"}),
        ({"name": "Acme", "firstname": "Ann", "lastname": "Bo"}, {"company_name": "Acme"}),
        ({"name": "", "firstname": "Ann", "lastname": "Bo"}, {"given_name": "Ann", "family_name": "Bo"}),
        ({"name": "", "firstname": "Ann"}, {"company_name": "Ann"}),
        ({"name": ""}, {"company_name": "a+b@example.com"}),
        ({"name": "", "email": ""}, {"company_name": "cust_1"}),
    ],
)
def test_a_customer_always_has_a_name_there(gocardless_rig: GoCardlessRig, details, sent):
    other = replace(CUSTOMER, id="22222222-2222-4222-8222-222222222222", **details)
    made = gocardless_rig.provider.ensure_customer(gocardless_rig.connection, other, "customer-2-c1", None)
    there = gocardless_rig.account.get("customers", made)
    names = {name: value for name, value in there.items() if name.endswith("_name")}
    assert names == sent


def test_three_keys_of_metadata_go_to_gocardless(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    there = rig.account.get("payments", charged(rig))
    assert there["metadata"] == {
        "lago_payment_id": "pay-1",
        "lago_payable_id": "inv-1",
        "lago_customer_id": CUSTOMER.id,
    }
    assert there["retry_if_possible"] is True
    other = rig.account.get("payments", charged(rig, "pay-2", retry_if_possible=False, description="x" * 300))
    assert (other["retry_if_possible"], len(other["description"])) == (False, 255)


def test_a_token_of_the_other_environment_is_not_sent(gocardless_rig: GoCardlessRig):
    before = len(gocardless_rig.fake.log)
    for token, sandbox in (("live_1", True), ("sandbox_1", False)):
        connection = replace(gocardless_rig.connection, secrets={"access_token": token}, sandbox=sandbox)
        with pytest.raises(Misconfigured):
            gocardless_rig.provider.connect(connection, "connect-1")
    assert len(gocardless_rig.fake.log) == before


def test_each_connection_has_a_secret_of_its_own_for_events(gocardless_rig: GoCardlessRig):
    made = {gocardless_rig.provider.connect(gocardless_rig.connection, "same").webhook_secret for _ in range(3)}
    assert len(made) == 3
    assert {len(each) for each in made} == {50}


def test_a_mandate_that_does_not_exist_has_no_payments(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    assert rig.provider.find(rig.connection, replace(rig.request(), method_id="MD0"), datetime.now(UTC)) is None


def test_lists_are_read_to_their_end_or_not_believed(gocardless_rig: GoCardlessRig, monkeypatch):
    rig = gocardless_rig
    for number in range(5):
        charged(rig, f"pay-{number}")
    monkeypatch.setattr("chalicelib.features.payments.providers.gocardless_client._PAGE", 2)
    found = rig.provider.find(rig.connection, rig.request("pay-0"), datetime.now(UTC))
    assert found is not None
    assert rig.calls("find") == 3
    monkeypatch.setattr("chalicelib.limits.PROVIDER_LISTED_MAX", 3)
    with pytest.raises(Unknown):
        rig.provider.find(rig.connection, rig.request("pay-0"), datetime.now(UTC))


def _refunded(rig: GoCardlessRig, payment: str, amount: int) -> None:
    rig.fake.control("refund", {"key": rig.secret, "id": payment, "amount": amount})


def _verified(rig: GoCardlessRig, headers: dict[str, str], body: bytes) -> list[Any]:
    return rig.provider.verify(headers, body, [rig.webhook_secret], now=datetime.now(UTC))
