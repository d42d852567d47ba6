"""Events that come in: only what the provider signed, of this moment where it says so; what cannot be read is refused."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.features.payments.providers import registry
from chalicelib.features.payments.providers.errors import NotVerified
from chalicelib.features.payments.providers.values import Event
from tests.contracts.payments.rigs import GoCardlessRig, Rig, StripeRig
from tests.support import gocardless_server, stripe_server

NOW = datetime.now(UTC)

BATCH = (
    b'{"events":[{"id":"EV1","created_at":"2026-11-30T00:00:00.000Z","resource_type":"payments","action":"paid_out",'
    b'"links":{"payment":"PM1"},"details":{"origin":"gocardless","cause":"payment_paid_out","description":"d"},'
    b'"metadata":{},"resource_metadata":{}}],"meta":{"webhook_id":"WB1"}}'
)


def verified(rig: Rig, headers: dict[str, str], body: bytes, **more: object) -> list[Event]:
    """The events of a request."""
    now = more.get("now", datetime.now(UTC))
    assert isinstance(now, datetime)
    return rig.provider.verify(headers, body, [rig.webhook_secret], now=now)


@pytest.fixture
def happened(rig: Rig) -> Rig:
    """A provider with a payment that was made and paid."""
    payment = rig.provider.charge(rig.connection, rig.request(), "payment-pay-1").provider_id
    rig.settle(str(payment))
    return rig


def test_events_say_which_payment_to_ask_for(happened: Rig):
    found = [event for headers, body in happened.signed() for event in verified(happened, headers, body)]
    assert len({event.id for event in found}) == len(found)
    ((payment, _),) = happened.payments()
    about = [event for event in found if event.kind == "payment"]
    assert about
    assert {event.object_id for event in about} == {payment}
    assert {event.hint.payment_id for event in about} <= {"pay-1", None}


def test_names_of_headers_come_in_any_case(happened: Rig):
    for headers, body in happened.signed():
        assert verified(happened, {name.upper(): value for name, value in headers.items()}, body)
        assert verified(happened, {name.lower(): value for name, value in headers.items()}, body)


@pytest.mark.parametrize("how", [{"forged": True}, {"unsigned": True}, {"secret": "of another organization"}])
def test_what_the_provider_did_not_sign_with_this_secret_is_no_event(happened: Rig, how):
    for headers, body in happened.signed(**how):
        with pytest.raises(NotVerified):
            verified(happened, headers, body)


@pytest.mark.parametrize("tail", [b" ", b"}", b"\xff", b"\x00"])
def test_bytes_that_were_added_are_not_signed(happened: Rig, tail):
    for headers, body in happened.signed():
        with pytest.raises(NotVerified):
            verified(happened, headers, body + tail)


@pytest.mark.parametrize("tail", [b"\xff\xfe", b"}", b"[" * 100_000])
def test_what_is_signed_and_cannot_be_read_is_refused(happened: Rig, tail):
    for headers, body in happened.signed(tail=tail):
        with pytest.raises(NotVerified):
            verified(happened, headers, body)


@pytest.mark.parametrize("value", ["", " ", "é", "t=,v1=", "v1=abc", "t=1", "t=x,v1=abc", "\udcff", "0" * 64])
def test_a_header_that_is_none_is_refused(happened: Rig, value):
    for headers, body in happened.signed():
        with pytest.raises(NotVerified):
            verified(happened, {**headers, happened.provider.signature_header: value}, body)


def test_two_secrets_hold_while_one_takes_the_place_of_the_other(happened: Rig):
    for headers, body in happened.signed():
        secrets = ["the new one", happened.webhook_secret]
        assert happened.provider.verify(headers, body, secrets, now=datetime.now(UTC))
        for none in ([], ["the new one"], [""]):
            with pytest.raises(NotVerified):
                happened.provider.verify(headers, body, none, now=datetime.now(UTC))


@pytest.mark.parametrize(
    ("shift", "good"), [(-301, False), (-290, True), (0, True), (290, True), (301, False), (4000, False)]
)
def test_a_signature_of_stripe_holds_five_minutes_before_and_after(stripe_rig: StripeRig, shift, good):
    stripe_rig.provider.charge(stripe_rig.connection, stripe_rig.request(), "payment-pay-1")
    for headers, body in stripe_rig.signed(shift=shift):
        if good:
            assert verified(stripe_rig, headers, body)
            continue
        with pytest.raises(NotVerified):
            verified(stripe_rig, headers, body)


def test_any_signature_of_stripe_may_match_while_it_rotates_a_secret(stripe_rig: StripeRig):
    body = b'{"id":"evt_1","type":"customer.deleted","created":1700000000,"data":{"object":{"id":"cus_1"}}}'
    one, other = (stripe_server.signature(secret, 1700000000, body) for secret in ("whsec_old", "whsec_test"))
    header = f"{one},{other.partition(',')[2]}"
    (event,) = stripe_rig.provider.verify(
        {"Stripe-Signature": header}, body, ["whsec_test"], now=datetime.fromtimestamp(1700000000, UTC)
    )
    assert (event.kind, event.object_id, event.at) == ("customer", "cus_1", datetime.fromtimestamp(1700000000, UTC))


def test_the_vectors_of_both_providers_hold():
    """Source: rules/catalog 10.2, 10.3."""
    stripe, gocardless = registry.provider("stripe"), registry.provider("gocardless")
    header = "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925"
    at = datetime.fromtimestamp(1700000000, UTC)
    (event,) = stripe.verify({"Stripe-Signature": header}, b'{"id":"evt_1"}', ["whsec_test"], now=at)
    assert (event.id, event.kind) == ("evt_1", "other")
    late = at + timedelta(seconds=301)
    with pytest.raises(NotVerified):
        stripe.verify({"Stripe-Signature": header}, b'{"id":"evt_1"}', ["whsec_test"], now=late)
    empty = {"Webhook-Signature": "8c1a261cd03ebf850efc633a4763f65875e01ae5bd8d994912f764a63441dab5"}
    assert gocardless.verify(empty, b'{"events":[]}', ["gc_secret"], now=at) == []
    one = {"Webhook-Signature": "249abaa168d40819b58c914ff11aadc9244a9bafd3c5ac22a108e25666345a6a"}
    (event,) = gocardless.verify(one, BATCH, ["gc_secret"], now=at)
    assert (event.id, event.kind, event.object_id, event.action) == ("EV1", "payment", "PM1", "payments.paid_out")
    assert event.at == datetime(2026, 11, 30, tzinfo=UTC)
    assert (event.hint.error, event.hint.retry_announced) == (None, False)


def test_the_official_libraries_take_what_we_take(stripe_rig: StripeRig, gocardless_rig: GoCardlessRig):
    import stripe
    from gocardless_pro import webhooks

    for rig in (stripe_rig, gocardless_rig):
        rig.provider.charge(rig.connection, rig.request(), "payment-pay-1")
    for headers, body in stripe_rig.signed():
        theirs = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], stripe_rig.webhook_secret)
        (ours,) = verified(stripe_rig, headers, body)
        assert (ours.id, ours.action) == (theirs.id, theirs.type)
    for headers, body in gocardless_rig.signed():
        found = webhooks.parse_with_meta(body, gocardless_rig.webhook_secret, headers["Webhook-Signature"])
        ours_all = verified(gocardless_rig, headers, body)
        assert [each.id for each in ours_all] == [each.id for each in found.events]


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({}, id="no id"),
        pytest.param({"id": 5}, id="a number"),
        pytest.param({"id": "a b"}, id="a space"),
        pytest.param({"id": "\ud800"}, id="half a letter"),
        pytest.param({"id": "e" * 256}, id="too long"),
    ],
)
def test_an_event_without_a_usable_id_is_refused(event):
    stripe, gocardless = registry.provider("stripe"), registry.provider("gocardless")
    body = json.dumps(event).encode()
    at = int(NOW.timestamp())
    with pytest.raises(NotVerified):
        stripe.verify({"Stripe-Signature": stripe_server.signature("s", at, body)}, body, ["s"], now=NOW)
    batch = json.dumps({"events": [event]}).encode()
    with pytest.raises(NotVerified):
        gocardless.verify({"Webhook-Signature": gocardless_server.signature("s", batch)}, batch, ["s"], now=NOW)


@pytest.mark.parametrize(
    "event",
    [
        {"id": "e1", "type": "payment_intent.succeeded"},
        {"id": "e1", "type": "payment_intent.succeeded", "data": []},
        {"id": "e1", "type": "payment_intent.succeeded", "data": {"object": {"id": 3}}, "created": "now"},
        {"id": "e1", "type": ["payment_intent.succeeded"], "created": 10**30},
        {"id": "e1", "type": "invoice.paid", "data": {"object": {"id": "in_1"}}},
        {"id": "e1", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found"},
        {"id": "e1", "resource_type": "payments", "action": "paid_out", "links": None, "details": 3},
        {"id": "e1", "resource_type": "payouts", "action": "paid", "links": {"payout": "PO1"}, "created_at": "now"},
        {"id": "e1", "resource_type": {}, "action": [], "links": {"payment": ["PM1"]}, "created_at": 3},
    ],
)
def test_an_event_that_is_about_nothing_of_ours_is_another(event):
    stripe, gocardless = registry.provider("stripe"), registry.provider("gocardless")
    body, at = json.dumps(event).encode(), int(NOW.timestamp())
    headers = {"Stripe-Signature": stripe_server.signature("s", at, body)}
    (found,) = stripe.verify(headers, body, ["s"], now=NOW)
    assert (found.id, found.kind, found.object_id) == ("e1", "other", "")
    batch = json.dumps({"events": [event]}).encode()
    headers = {"Webhook-Signature": gocardless_server.signature("s", batch)}
    (found,) = gocardless.verify(headers, batch, ["s"], now=NOW)
    assert (found.id, found.kind, found.object_id) == ("e1", "other", "")


def test_a_batch_of_gocardless_brings_each_of_its_events(gocardless_rig: GoCardlessRig):
    rig = gocardless_rig
    for number in range(3):
        rig.provider.charge(rig.connection, rig.request(f"pay-{number}"), f"payment-pay-{number}")
    (request,) = rig.fake.sender.requests()
    found = verified(rig, request.headers, request.body)
    assert [each.hint.payment_id for each in found if each.kind == "payment"] == ["pay-0", "pay-1", "pay-2"]
