"""What only Stripe has: 3-D Secure, pages for paying, debits that take days, disputes, amounts that it counts otherwise."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.features.payments.providers import stripe_forms
from chalicelib.features.payments.providers.errors import Misconfigured, Refused
from chalicelib.features.payments.providers.values import Closed, Link, Open, Outcome, Paid, PayRequest
from tests.contracts.payments.rigs import CUSTOMER, StripeRig
from tests.support.providers import stripe_calls
from tests.support.providers.frame import Problem

GOOD, DECLINED = "4242424242424242", "4000000000000341"


def charged(rig: StripeRig, number: str, payment_id: str = "pay-1", **more: object) -> Outcome:
    """A charge of a test card."""
    request = replace(rig.request(payment_id, method=rig.card(number)), **more)  # type: ignore[arg-type]
    return rig.provider.charge(rig.connection, request, f"payment-{payment_id}")


def a_page(rig: StripeRig, *, amount: int = 700) -> Link:
    """A page for paying."""
    request = PayRequest(
        *(CUSTOMER.id, "Invoice", "inv-1", rig.customer_id, amount, "EUR", "Invoice ACM-1", "Acme - Invoice ACM-1"),
        success_url="http://127.0.0.1:9/done",
        expires_at=datetime.now(UTC) + timedelta(hours=23),
    )
    made = rig.provider.pay_link(rig.connection, request, "checkout-inv-1-1")
    assert isinstance(made, Link)
    return made


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("4000000000000341", "generic_decline"),
        ("4000000000009995", "insufficient_funds"),
        ("4000000000000069", "expired_card"),
        ("4000002760003184", "authentication_required"),
    ],
)
def test_a_card_that_is_refused_says_why_and_leaves_an_intent(stripe_rig: StripeRig, number, code):
    outcome = charged(stripe_rig, number)
    assert (outcome.status, outcome.provider_status) == ("failed", "requires_payment_method")
    assert outcome.error is not None
    assert outcome.error.error_code == code
    there = stripe_rig.provider.ask(stripe_rig.connection, str(outcome.provider_id))
    assert (there.status, there.error) == ("failed", outcome.error)
    request = replace(stripe_rig.request(), method_id="pm_other")
    assert stripe_rig.provider.find(stripe_rig.connection, request, datetime.now(UTC)) == there


def test_3d_secure_is_asked_for_on_session_only(stripe_rig: StripeRig):
    outcome = charged(stripe_rig, "4000002760003184", on_session=True, return_url="http://127.0.0.1:9/back")
    assert (outcome.status, outcome.provider_status) == ("processing", "requires_action")
    assert outcome.next_action["redirect_to_url"]["url"].startswith("https://")
    assert "hooks.stripe.com" not in repr(outcome)
    stripe_calls.complete(stripe_rig.account, str(outcome.provider_id), "")
    done = stripe_rig.provider.ask(stripe_rig.connection, str(outcome.provider_id))
    assert (done.status, done.next_action) == ("succeeded", {})


def test_3d_secure_that_nobody_passes_can_be_cancelled(stripe_rig: StripeRig):
    outcome = charged(stripe_rig, "4000002760003184", on_session=True, return_url="http://127.0.0.1:9/back")
    cancelled = stripe_rig.provider.cancel(stripe_rig.connection, str(outcome.provider_id))
    assert (cancelled.status, cancelled.provider_status) == ("failed", "canceled")
    assert stripe_rig.provider.cancel(stripe_rig.connection, str(outcome.provider_id)) == cancelled


@pytest.mark.parametrize(
    ("number", "status"), [("DE89370400440532013000", "succeeded"), ("DE62370400440532013001", "failed")]
)
def test_a_debit_is_processing_until_the_bank_answers(stripe_rig: StripeRig, number, status):
    outcome = charged(stripe_rig, number)
    assert outcome.status == "processing"
    stripe_rig.account.settle()
    assert stripe_rig.provider.ask(stripe_rig.connection, str(outcome.provider_id)).status == status


def test_a_status_that_nobody_knows_counts_as_processing_and_says_so(stripe_rig: StripeRig):
    outcome = charged(stripe_rig, GOOD)
    stripe_rig.account.objects[str(outcome.provider_id)]["status"] = "requires_patience"
    there = stripe_rig.provider.ask(stripe_rig.connection, str(outcome.provider_id))
    assert (there.status, there.known) == ("processing", False)


def test_below_the_least_amount_the_code_says_so(stripe_rig: StripeRig):
    outcome = stripe_rig.provider.charge(stripe_rig.connection, stripe_rig.request(amount=49), "payment-pay-1")
    assert outcome.error is not None
    assert (outcome.status, outcome.error.error_code, outcome.lost) == ("failed", "amount_too_small", None)


@pytest.mark.parametrize(("currency", "sent"), [("ISK", 190_000), ("UGX", 190_000), ("JPY", 1900), ("KWD", 1900)])
def test_amounts_are_sent_as_stripe_counts_and_come_back_as_we_do(stripe_rig: StripeRig, currency, sent):
    rig = stripe_rig
    amount = 1900 if currency != "UGX" else 2000
    outcome = charged(rig, GOOD, amount_cents=amount, currency=currency)
    assert (outcome.amount_cents, outcome.currency, outcome.status) == (amount, currency, "succeeded")
    assert rig.payments()[0][1] == (sent if currency != "UGX" else 200_000)
    request = replace(rig.refund_request(str(outcome.provider_id), amount=300), currency=currency)
    assert rig.provider.refund(rig.connection, request, "refund-note-1").amount_cents == 300
    assert rig.provider.refundable(rig.connection, str(outcome.provider_id)) == amount - 300


def test_a_page_is_open_until_somebody_pays_or_it_is_closed(stripe_rig: StripeRig):
    rig, page = stripe_rig, a_page(stripe_rig)
    assert rig.provider.ask_link(rig.connection, page.id) == Open()
    with pytest.raises(Problem):
        stripe_calls.complete(rig.account, page.id, DECLINED)
    assert rig.provider.ask_link(rig.connection, page.id) == Open()
    stripe_calls.complete(rig.account, page.id, GOOD)
    for state in (rig.provider.ask_link(rig.connection, page.id), rig.provider.close_link(rig.connection, page.id)):
        assert isinstance(state, Paid)
        assert state.payment is not None
        assert (state.payment.status, state.payment.amount_cents, state.payment.payment_id) == ("succeeded", 700, None)
        assert state.payment.metadata["lago_invoice_id"] == "inv-1"
        assert state.payment.metadata["payment_type"] == "one-time"


def test_a_page_that_is_paid_by_debit_is_paid_though_the_money_is_on_its_way(stripe_rig: StripeRig):
    rig, page = stripe_rig, a_page(stripe_rig)
    stripe_calls.complete(rig.account, page.id, "DE89370400440532013000")
    state = rig.provider.close_link(rig.connection, page.id)
    assert isinstance(state, Paid)
    assert state.payment is not None
    assert state.payment.status == "processing"


def test_a_page_that_nobody_closed_ends_by_itself(stripe_rig: StripeRig):
    rig, page = stripe_rig, a_page(stripe_rig)
    rig.fake.forward(hours=23, minutes=1)
    assert rig.provider.ask_link(rig.connection, page.id) == Closed()
    assert rig.provider.close_link(rig.connection, page.id) == Closed()


def test_a_page_for_leaving_a_card_was_completed_and_paid_nothing(stripe_rig: StripeRig):
    rig = stripe_rig
    link = rig.provider.setup_link(rig.connection, rig.setup_request())
    assert rig.provider.ask_link(rig.connection, link.id) == Open()
    stripe_calls.complete(rig.account, link.id, GOOD)
    assert rig.provider.ask_link(rig.connection, link.id) == Paid(None)


def test_the_default_of_the_dashboard_comes_before_the_newest(stripe_rig: StripeRig):
    rig = stripe_rig
    first, second = rig.method, rig.card(GOOD)
    settings = rig.account.objects[rig.customer_id]["invoice_settings"]
    for chosen, expected in ((None, second.id), (first.id, first.id), ("pm_of_another", second.id)):
        settings["default_payment_method"] = chosen
        found = rig.provider.methods(rig.connection, rig.customer_id)
        assert [each.id for each in found if each.is_default] == [expected]


def test_a_customer_who_was_deleted_there_is_lost_everywhere(stripe_rig: StripeRig):
    rig = stripe_rig
    paid = rig.provider.charge(rig.connection, rig.request(), "payment-pay-1")
    stripe_calls.CALLS["DELETE /v1/customers/:id"](rig.account, {}, rig.customer_id)
    outcome = rig.provider.charge(rig.connection, rig.request("pay-2"), "payment-pay-2")
    assert (outcome.status, outcome.lost) == ("failed", "customer")
    for call in (
        lambda: rig.provider.methods(rig.connection, rig.customer_id),
        lambda: rig.provider.update_customer(rig.connection, rig.customer_id, CUSTOMER),
    ):
        with pytest.raises(Refused) as refusal:
            call()
        assert refusal.value.lost == "customer"
    # What was paid before is found all the same.
    found = rig.provider.find(rig.connection, rig.request(), datetime.now(UTC))
    assert found is not None
    assert found.provider_id == paid.provider_id


def test_a_customer_is_found_by_e_mail_from_another_connection_too(stripe_rig: StripeRig):
    found = stripe_rig.provider.ensure_customer(stripe_rig.connection, CUSTOMER, "customer-1-c2", None)
    assert found == stripe_rig.customer_id
    stranger = replace(CUSTOMER, id="99999999-9999-4999-8999-999999999999")
    assert stripe_rig.provider.ensure_customer(stripe_rig.connection, stranger, "customer-9-c1", None) != found


def test_details_that_are_empty_by_now_are_emptied_there(stripe_rig: StripeRig):
    rig = stripe_rig
    assert rig.account.objects[rig.customer_id]["address"] == {"city": "Köln", "country": "DE"}
    bare = replace(CUSTOMER, name="", firstname="Ann", lastname="Bo", email="", city="", country="")
    rig.provider.update_customer(rig.connection, rig.customer_id, bare)
    there = rig.account.objects[rig.customer_id]
    assert (there["address"], there["email"], there["name"]) == (None, None, "Ann Bo")
    assert there["metadata"] == {"lago_customer_id": CUSTOMER.id, "customer_id": "cust_1"}


def test_a_lost_dispute_is_told_from_one_that_is_won(stripe_rig: StripeRig):
    rig = stripe_rig
    payment = str(charged(rig, "4000000000000259").provider_id)
    (dispute,) = rig.account.listed("dispute")
    for status, lost in (("needs_response", False), ("won", False), ("lost", True)):
        rig.account.move(dispute["id"], status)
        found = rig.provider.ask_dispute(rig.connection, dispute["id"])
        assert found is not None
        assert (found.provider_payment_id, found.lost) == (payment, lost)
    refund = rig.provider.refund(rig.connection, rig.refund_request(payment), "refund-note-1")
    assert refund.error is not None
    assert (refund.status, refund.error.error_code) == ("failed", "charge_disputed")
    kinds = {
        e.kind for h, b in rig.signed() for e in rig.provider.verify(h, b, [rig.webhook_secret], now=datetime.now(UTC))
    }
    assert "dispute" in kinds


def test_a_refund_may_fail_after_it_succeeded_and_what_the_dashboard_gave_back_counts(stripe_rig: StripeRig):
    rig = stripe_rig
    payment = str(charged(rig, GOOD).provider_id)
    rig.account.refund(rig.account.objects[payment], 1000)
    assert rig.provider.refundable(rig.connection, payment) == 999
    made = rig.provider.refund(rig.connection, rig.refund_request(payment), "refund-note-1")
    assert made.status == "succeeded"
    rig.account.move(str(made.provider_id), "failed", failure_reason="lost_or_stolen_card")
    there = rig.provider.ask_refund(rig.connection, str(made.provider_id))
    assert there.error is not None
    assert (there.status, there.error.error_code) == ("failed", "lost_or_stolen_card")
    assert rig.provider.refundable(rig.connection, payment) == 999
    assert rig.provider.find_refund(rig.connection, rig.refund_request(payment)) == there


@pytest.mark.parametrize(
    ("reason", "sent"), [("duplicated_charge", "duplicate"), ("other", None), ("order_change", None)]
)
def test_reasons_of_credit_notes_are_sent_where_stripe_has_them(stripe_rig: StripeRig, reason, sent):
    request = replace(stripe_rig.refund_request("pi_1"), reason=reason)
    expected = "requested_by_customer" if reason == "order_change" else sent
    assert stripe_forms.refund_body(request).get("reason") == expected


@pytest.mark.parametrize("key", ["sk_live_1", "rk_live_1", "pk_test_1", "sk_test1", "", "whsec_1"])
def test_a_sandbox_takes_test_keys_only(stripe_rig: StripeRig, key):
    before = len(stripe_rig.fake.log)
    for secret, sandbox in ((key, True), ("sk_test_1", False)):
        connection = replace(stripe_rig.connection, secrets={"secret_key": secret}, sandbox=sandbox)
        with pytest.raises(Misconfigured):
            stripe_rig.provider.connect(connection, "connect-1")
    assert len(stripe_rig.fake.log) == before  # Nothing was sent.


def test_a_key_without_the_right_is_misconfigured(stripe_rig: StripeRig):
    stripe_rig.fake.forbidden[stripe_rig.secret] = ["POST /v1/payment_intents"]
    with pytest.raises(Misconfigured):
        stripe_rig.provider.charge(stripe_rig.connection, stripe_rig.request(), "payment-pay-1")
    assert stripe_rig.provider.methods(stripe_rig.connection, stripe_rig.customer_id)


def test_the_endpoint_is_registered_with_our_events_and_version(stripe_rig: StripeRig):
    (endpoint,) = stripe_rig.account.listed("webhook_endpoint")
    assert endpoint["url"] == stripe_rig.connection.webhook_url
    assert endpoint["enabled_events"] == list(stripe_forms.EVENTS)
    assert endpoint["api_version"] is not None
    stripe_rig.provider.disconnect(stripe_rig.connection)
    assert stripe_rig.account.listed("webhook_endpoint") == []


def test_lists_are_read_to_their_end(stripe_rig: StripeRig):
    rig = stripe_rig
    for number in range(105):
        rig.provider.charge(rig.connection, rig.request(f"pay-{number}"), f"payment-pay-{number}")
    found = rig.provider.find(rig.connection, rig.request("pay-0"), datetime.now(UTC))
    assert found is not None
    assert rig.calls("find") == 2
