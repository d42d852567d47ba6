"""What every payment provider keeps, whatever it is called. An entry of the registry is tried here, or the first test fails."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.features.payments.providers import registry
from chalicelib.features.payments.providers.errors import Misconfigured, Refused, Unknown
from chalicelib.features.payments.providers.values import Closed, Link, NotOffered, PayRequest
from tests.contracts.payments.rigs import CUSTOMER, RIGS, Rig

NOW = datetime.now(UTC)


def test_every_provider_of_the_registry_is_tried_here():
    assert set(registry.names()) == set(RIGS)
    for name in registry.names():
        provider = registry.provider(name)
        assert provider.name == name
        assert provider.title
        assert provider.secret_fields


def test_a_name_that_is_not_registered_is_no_provider():
    with pytest.raises(KeyError):
        registry.provider("nobody")


def test_a_second_connect_under_one_key_gives_the_same_endpoint(rig: Rig):
    again = rig.provider.connect(rig.connection, "connect-c1-1")
    assert again.webhook_id == rig.connection.webhook_id
    if again.webhook_id is not None:  # Else nothing was registered there, and a secret that is ours may be a new one.
        assert again.webhook_secret == rig.webhook_secret


def test_rotating_gives_another_secret(rig: Rig):
    assert rig.provider.connect(rig.connection, "connect-c1-2").webhook_secret != rig.webhook_secret


def test_disconnecting_twice_is_disconnecting_once(rig: Rig):
    rig.provider.disconnect(rig.connection)
    rig.provider.disconnect(rig.connection)


def test_a_secret_that_is_not_good_says_which_field_is_wrong(rig: Rig):
    rig.revoke()
    for call in (
        lambda: rig.provider.connect(rig.connection, "connect-c1-2"),
        lambda: rig.provider.charge(rig.connection, rig.request(), "payment-pay-1"),
        lambda: rig.provider.find(rig.connection, rig.request(), NOW),
        lambda: rig.provider.methods(rig.connection, rig.customer_id),
    ):
        with pytest.raises(Misconfigured) as problem:
            call()
        assert problem.value.field == rig.provider.secret_fields[0]
    assert rig.payments() == []


def test_a_customer_is_made_once_whatever_was_lost(rig: Rig):
    other = replace(CUSTOMER, id="22222222-2222-4222-8222-222222222222", external_id="cust_2", email="")
    rig.fail("customer", "lost_done")
    with pytest.raises(Unknown):
        rig.provider.ensure_customer(rig.connection, other, "customer-2-c1", None)
    found = rig.provider.ensure_customer(rig.connection, other, "customer-2-c1", NOW)
    renamed = replace(other, name="Another", email="new@example.com")
    assert rig.provider.ensure_customer(rig.connection, renamed, "customer-2-c1", NOW) == found
    rig.day_passes()
    assert rig.provider.ensure_customer(rig.connection, renamed, "customer-2-c1", NOW) == found
    assert found != rig.customer_id


def test_a_customer_who_is_gone_is_told_from_other_refusals(rig: Rig):
    with pytest.raises(Refused) as refusal:
        rig.provider.update_customer(rig.connection, "CU0GONE", CUSTOMER)
    assert refusal.value.lost == "customer"
    rig.provider.update_customer(rig.connection, rig.customer_id, replace(CUSTOMER, name="New name", city=""))


def test_a_page_for_leaving_a_way_to_pay_is_a_new_one_each_time(rig: Rig):
    found = rig.provider.setup_link(rig.connection, rig.setup_request())
    assert found.id
    assert found.url.startswith("http")
    assert found.url not in repr(found)


def test_a_page_for_paying_is_offered_or_said_not_to_be(rig: Rig):
    request = PayRequest(
        *(CUSTOMER.id, "Invoice", "inv-1", rig.customer_id, 700, rig.currency, "Invoice ACM-1", "Acme - Invoice ACM-1"),
        success_url="http://127.0.0.1:9/done",
        expires_at=datetime.now(UTC) + timedelta(hours=23),
    )
    made = rig.provider.pay_link(rig.connection, request, "checkout-inv-1-1")
    assert isinstance(made, Link if rig.provider.pays_by_link else NotOffered)
    if isinstance(made, Link):
        assert rig.provider.pay_link(rig.connection, request, "checkout-inv-1-1") == made
        assert rig.provider.close_link(rig.connection, made.id) == Closed()
        assert rig.provider.close_link(rig.connection, made.id) == Closed()
    assert rig.provider.close_link(rig.connection, "nothing") == Closed()
    assert rig.provider.ask_link(rig.connection, "nothing") == Closed()


def test_of_the_ways_to_pay_one_that_can_be_used_is_the_default(rig: Rig):
    newer = rig.new_method()
    found = rig.provider.methods(rig.connection, rig.customer_id)
    assert [each.id for each in found] == [newer.id, rig.method.id]
    assert [each.is_default for each in found] == [True, False]
    assert {each.customer_id for each in found} == {rig.customer_id}
    assert {each.currency for each in found} <= {"", rig.currency}


def test_a_way_to_pay_is_forgotten_once_and_for_good(rig: Rig):
    assert rig.provider.ask_method(rig.connection, rig.method.id).state == "usable"
    for _ in range(2):
        rig.provider.forget(rig.connection, rig.method.id)
    assert rig.provider.ask_method(rig.connection, rig.method.id).state == "forgotten"
    assert rig.provider.ask_method(rig.connection, "PM0GONE").state == "forgotten"
    outcome = rig.provider.charge(rig.connection, rig.request(), "payment-pay-1")
    assert (outcome.status, outcome.provider_id, outcome.lost) == ("failed", None, "method")
    assert outcome.error is not None
    assert outcome.error.message
    assert rig.payments() == []


def test_a_charge_is_one_payment_with_our_names_on_it(rig: Rig):
    outcome = rig.provider.charge(rig.connection, rig.request(), "payment-pay-1")
    assert outcome.provider_id is not None
    assert outcome.status in ("processing", "succeeded")
    assert (outcome.amount_cents, outcome.currency, outcome.payment_id) == (1999, rig.currency, "pay-1")
    assert (outcome.error, outcome.known, outcome.method_id) == (None, True, rig.method.id)
    assert rig.payments() == [(outcome.provider_id, 1999)]
    assert rig.provider.ask(rig.connection, outcome.provider_id) == outcome
    assert rig.provider.find(rig.connection, rig.request(), NOW) == outcome
    rig.settle(outcome.provider_id)
    assert rig.provider.ask(rig.connection, outcome.provider_id).status == "succeeded"


def test_the_same_charge_again_is_the_same_payment(rig: Rig):
    first = rig.provider.charge(rig.connection, rig.request(), "payment-pay-1")
    assert rig.provider.charge(rig.connection, rig.request(), "payment-pay-1") == first
    assert len(rig.payments()) == 1


def test_what_was_never_sent_is_not_found(rig: Rig):
    rig.provider.charge(rig.connection, rig.request("pay-1"), "payment-pay-1")
    assert rig.provider.find(rig.connection, rig.request("pay-2"), NOW) is None


def test_a_bank_that_refuses_fails_the_payment_and_a_new_one_may_succeed(rig: Rig):
    bad = rig.new_method(declines=True)
    outcome = rig.provider.charge(rig.connection, rig.request("pay-1", method=bad), "payment-pay-1")
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert outcome.error.shown().keys() == {"message", "error_code"}
    assert all(outcome.error.shown().values())
    assert rig.payments() == []
    assert rig.provider.charge(rig.connection, rig.request("pay-2"), "payment-pay-2").status != "failed"


def test_cancelling_says_where_the_payment_stands_afterwards(rig: Rig):
    outcome = rig.provider.charge(rig.connection, rig.request(), "payment-pay-1")
    assert outcome.provider_id is not None
    first = rig.provider.cancel(rig.connection, outcome.provider_id)
    again = rig.provider.cancel(rig.connection, outcome.provider_id)
    assert first.status == again.status
    assert first.status in ("succeeded", "failed")


def test_a_payment_that_is_not_there_is_refused(rig: Rig):
    with pytest.raises(Refused):
        rig.provider.ask(rig.connection, "PM0GONE")


def test_refunds_go_as_far_as_what_is_left(rig: Rig):
    payment = rig.provider.charge(rig.connection, rig.request(), "payment-pay-1").provider_id
    assert payment is not None
    rig.settle(payment)
    assert rig.provider.refundable(rig.connection, payment) == 1999
    first = rig.provider.refund(rig.connection, rig.refund_request(payment), "refund-note-1")
    assert first.provider_id is not None
    assert (first.status in ("pending", "succeeded"), first.amount_cents) == (True, 500)
    assert first.provider_payment_id == payment
    assert rig.provider.refund(rig.connection, rig.refund_request(payment), "refund-note-1") == first
    assert rig.provider.ask_refund(rig.connection, first.provider_id) == first
    assert rig.provider.find_refund(rig.connection, rig.refund_request(payment)) == first
    assert rig.provider.find_refund(rig.connection, rig.refund_request(payment, "note-2")) is None
    assert rig.provider.refundable(rig.connection, payment) == 1499
    too_much = rig.provider.refund(rig.connection, rig.refund_request(payment, "note-2", amount=1500), "refund-note-2")
    assert (too_much.status, too_much.provider_id) == ("failed", None)
    assert too_much.error is not None
    rest = rig.provider.refund(rig.connection, rig.refund_request(payment, "note-3", amount=1499), "refund-note-3")
    assert rest.status != "failed"
    assert rig.provider.refundable(rig.connection, payment) == 0
    assert sorted(rig.refunds()) == [500, 1499]
