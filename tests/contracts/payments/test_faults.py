"""Calls that fail in all the ways in which a call can fail, and whoever collects keeps three rules: what was sent is asked for
before it is sent again, it is sent unchanged, and under the same key. In the end there is one payment, and its outcome is the
provider's."""

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.features.payments.providers.errors import KeyReused, ProviderFailure, Unknown
from chalicelib.features.payments.providers.values import ChargeRequest, Outcome, RefundOutcome, RefundRequest
from tests.contracts.payments.rigs import CUSTOMER, RIGS, GoCardlessRig, Rig, StripeRig
from tests.support.examples import examples

TRIES, LAST = 12, 9  # By the last ones every call has ended, and every fault was met.
KINDS = sorted({(name, kind) for name, rig in RIGS.items() for kind in rig.faults})
SERVED = [each for each in KINDS if each[0] != "tillpay"]


@pytest.fixture
def broken(request: pytest.FixtureRequest) -> tuple[Rig, str]:
    """A provider, and one of the ways in which it can fail."""
    name, kind = request.param
    return request.getfixturevalue(f"{name}_rig"), kind


def every(kinds: list[tuple[str, str]] = KINDS) -> Any:
    """Each provider with each of its faults."""
    return pytest.mark.parametrize("broken", kinds, indirect=True, ids=["-".join(each) for each in kinds])


def collected(rig: Rig, request: ChargeRequest, between: Callable[[int], None] = lambda tried: None) -> Outcome:
    """A charge, by the rules. `between`: what happens before each further try."""
    since = datetime.now(UTC)

    def found() -> Outcome | None:
        return rig.provider.find(rig.connection, request, since)

    def sent() -> Outcome:
        return rig.provider.charge(rig.connection, request, f"payment-{request.payment_id}")

    return _by_the_rules(found, sent, between)


def given_back(rig: Rig, request: RefundRequest, between: Callable[[int], None]) -> RefundOutcome:
    """A refund, by the rules."""

    def found() -> RefundOutcome | None:
        return rig.provider.find_refund(rig.connection, request)

    def sent() -> RefundOutcome:
        return rig.provider.refund(rig.connection, request, f"refund-{request.refund_id}")

    return _by_the_rules(found, sent, between)


def _by_the_rules(found: Callable[[], Any], sent: Callable[[], Any], between: Callable[[int], None]) -> Any:
    for tried in range(TRIES):
        try:
            if tried:
                between(tried)
                known = found()
                if known is not None:
                    return known
            return sent()
        except Unknown:
            continue
    raise AssertionError("nobody ever knew")


def later(rig: Rig) -> Callable[[int], None]:
    """What was put off is done in the end."""
    return lambda tried: rig.release() if tried > 2 else None


@every()
@pytest.mark.parametrize("times", [1, 3])
def test_a_charge_that_fails_is_one_payment_in_the_end(broken, times):
    rig, kind = broken
    rig.fail("charge", kind, times=times)
    outcome = collected(rig, rig.request(), later(rig))
    rig.release()
    assert [payment for payment, _ in rig.payments()] == [outcome.provider_id]
    assert rig.provider.ask(rig.connection, str(outcome.provider_id)) == outcome


@every()
@pytest.mark.parametrize("times", [1, 3])
def test_a_refund_that_fails_is_one_refund_in_the_end(broken, times):
    rig, kind = broken
    payment = str(rig.provider.charge(rig.connection, rig.request(), "payment-pay-1").provider_id)
    rig.settle(payment)
    request = rig.refund_request(payment)
    rig.fail("refund", kind, times=times)
    outcome = given_back(rig, request, later(rig))
    rig.release()
    assert rig.refunds() == [500]
    assert rig.provider.ask_refund(rig.connection, str(outcome.provider_id)) == outcome


@every()
def test_whoever_asks_for_what_was_lost_may_fail_too(broken):
    rig, kind = broken
    rig.fail("charge", "lost_done")
    rig.fail("find", kind, times=2)
    outcome = collected(rig, rig.request(), later(rig))
    assert [payment for payment, _ in rig.payments()] == [outcome.provider_id]


@every([each for each in SERVED if each[1] not in ("lost_later", "lost_done")])
def test_no_library_tries_again_by_itself(broken):
    rig, kind = broken
    rig.fail("charge", kind)
    with pytest.raises(Unknown):
        rig.provider.charge(rig.connection, rig.request(), "payment-pay-1")
    assert rig.calls("charge") == 1


@every([each for each in KINDS if each[1] != "stored_done"])
@pytest.mark.parametrize("act", ["connect", "customer", "methods", "ask"])
def test_no_other_call_takes_a_failure_for_a_refusal(broken, act):
    rig, kind = broken
    payment = str(rig.provider.charge(rig.connection, rig.request(), "payment-pay-1").provider_id)
    calls = {
        "connect": lambda: rig.provider.connect(rig.connection, "connect-c1-2"),
        "customer": lambda: rig.provider.ensure_customer(
            rig.connection, replace(CUSTOMER, id="3", email=""), "c3", None
        ),
        "methods": lambda: rig.provider.methods(rig.connection, rig.customer_id),
        "ask": lambda: rig.provider.ask(rig.connection, payment),
    }
    rig.fail(act, kind)
    if kind == "empty" and act in ("connect", "methods"):
        return  # An object of nothing is an empty list.
    with pytest.raises(Unknown):
        calls[act]()
    rig.release()
    rig.wait_longer()
    calls[act]()


@pytest.mark.parametrize("kind", ["lost_done", "lost_undone"])
def test_a_key_that_has_expired_charges_once_all_the_same(rig: Rig, kind):
    rig.fail("charge", kind)
    outcome = collected(rig, rig.request(), lambda tried: rig.day_passes())
    assert [payment for payment, _ in rig.payments()] == [outcome.provider_id]


@pytest.mark.parametrize("kind", ["lost_done", "lost_undone"])
def test_a_key_that_has_expired_refunds_once_all_the_same(rig: Rig, kind):
    payment = str(rig.provider.charge(rig.connection, rig.request(), "payment-pay-1").provider_id)
    rig.settle(payment)
    rig.fail("refund", kind)
    given_back(rig, rig.refund_request(payment), lambda tried: rig.day_passes())
    assert rig.refunds() == [500]


def test_two_workers_at_once_charge_once(rig: Rig):
    barrier = Barrier(2)

    def work() -> Outcome:
        barrier.wait(10)
        return collected(rig, rig.request())

    with ThreadPoolExecutor(2) as pool:
        one, other = [each.result() for each in [pool.submit(work), pool.submit(work)]]
    assert one.provider_id == other.provider_id
    assert len(rig.payments()) == 1


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_faults_in_any_order_end_in_one_payment(rig: Rig, data):
    kinds = st.lists(st.sampled_from([each for each in rig.faults if each != "slow"]), max_size=4)
    passes = st.lists(st.sampled_from([rig.release, rig.day_passes, int]), min_size=LAST, max_size=LAST)
    faults = {"charge": data.draw(kinds), "find": data.draw(kinds)}
    acts = [*data.draw(passes), *[rig.release] * (TRIES - LAST)]
    amount = 1000 + len(rig.payments())
    for act, each in faults.items():
        for kind in each:
            rig.fail(act, kind)
    before = rig.payments()
    outcome = collected(rig, rig.request(f"pay-{amount}", amount=amount), lambda tried: acts[tried]())
    rig.release()
    rig._faults().clear()
    new = [each for each in rig.payments() if each not in before]
    assert new == [(outcome.provider_id, amount)]


def test_stripe_repeats_a_failure_that_it_keeps_and_says_so(stripe_rig: StripeRig):
    rig, since = stripe_rig, datetime.now(UTC)
    rig.fail("charge", "stored")
    replayed = []
    for _ in range(3):
        with pytest.raises(Unknown) as unknown:
            rig.provider.charge(rig.connection, rig.request(), "payment-pay-1")
        replayed.append(unknown.value.replayed)
    assert replayed == [False, True, True]
    # Nobody waits a day for the key: with nothing there, a new payment under a new key may try.
    assert rig.provider.find(rig.connection, rig.request(), since) is None
    assert rig.provider.charge(rig.connection, rig.request("pay-2"), "payment-pay-2").status == "succeeded"
    assert len(rig.payments()) == 1


def test_stripe_says_that_a_key_is_in_use_until_what_it_began_ends(stripe_rig: StripeRig):
    rig, since = stripe_rig, datetime.now(UTC)
    rig.fail("charge", "lost_later")
    codes = []
    for _ in range(2):
        with pytest.raises(Unknown) as unknown:
            rig.provider.charge(rig.connection, rig.request(), "payment-pay-1")
        codes.append(unknown.value.error.error_code)
    assert codes[1] == "idempotency_key_in_use"
    assert rig.provider.find(rig.connection, rig.request(), since) is None
    rig.release()
    assert rig.provider.charge(rig.connection, rig.request(), "payment-pay-1").status == "succeeded"
    assert len(rig.payments()) == 1


def test_too_many_calls_say_how_long_to_wait(stripe_rig: StripeRig):
    stripe_rig.fail("charge", "429")
    with pytest.raises(Unknown) as unknown:
        stripe_rig.provider.charge(stripe_rig.connection, stripe_rig.request(), "payment-pay-1")
    assert (unknown.value.retry_after, unknown.value.error.error_code) == (7, "rate_limit")


def test_another_request_under_a_key_of_stripe_is_no_refusal(stripe_rig: StripeRig):
    rig = stripe_rig
    first = rig.provider.charge(rig.connection, rig.request(), "payment-pay-1")
    renamed = replace(rig.request(), description="Acme Inc. - Invoice ACM-1")
    with pytest.raises(KeyReused) as reused:
        rig.provider.charge(rig.connection, renamed, "payment-pay-1")
    assert reused.value.error.error_code == "idempotency_error"
    assert rig.provider.find(rig.connection, renamed, datetime.now(UTC)) == first


def test_another_request_under_a_key_of_gocardless_is_told_by_what_it_made(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    first = rig.provider.charge(rig.connection, rig.request(), "payment-pay-1")
    renamed = replace(rig.request(), description="Acme Inc. - Invoice ACM-1")
    assert rig.provider.charge(rig.connection, renamed, "payment-pay-1") == first
    for other in (replace(renamed, amount_cents=5), replace(renamed, payment_id="pay-2")):
        outcome = rig.provider.charge(rig.connection, other, "payment-pay-1")
        assert (outcome.status, outcome.provider_id) == ("failed", None)
        assert outcome.error is not None
        assert outcome.error.error_code == "idempotent_creation_conflict"
    assert len(rig.payments()) == 1


@every([*KINDS, *((name, "echo") for name in RIGS)])
def test_no_failure_has_a_secret_in_it(broken, caplog):
    rig, kind = broken
    caplog.set_level("DEBUG")
    rig.fail("any", kind, times=100)
    shown = [repr(rig.connection), str(rig.connection)]
    for call in (
        lambda: rig.provider.charge(rig.connection, rig.request(), "payment-pay-1"),
        lambda: rig.provider.connect(rig.connection, "connect-c1-2"),
        lambda: rig.provider.methods(rig.connection, rig.customer_id),
    ):
        try:
            shown.append(repr(call()))
        except ProviderFailure as failure:
            shown += [str(failure), repr(failure), repr(vars(failure)), *traceback.format_exception(failure)]
    text = "\n".join([*shown, caplog.text])
    assert rig.secret not in text
    assert rig.webhook_secret not in text
