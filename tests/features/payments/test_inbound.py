"""What payment providers tell: verified, stored once, applied by asking. Source: rules/catalog 10."""

import base64
import hashlib
import hmac
import json

import pytest

from app import app
from chalicelib.features.customers import service as customers
from chalicelib.features.payments.collection import service as collection
from chalicelib.features.payments.connections import reading
from chalicelib.features.payments.links.reading import account_of
from tests.features.payments import far_side
from tests.features.payments.far_side import KEY, connect, customer, deliver, leave_card, methods, provider_customer_id
from tests.support.story import Story, request, work


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The external ids of customers whose invoices are submitted."""
    found: list[str] = []
    monkeypatch.setattr(collection, "submit_unpaid", lambda _, customer, method_id: found.append(customer.external_id))
    return found


def ready(story: Story, stripe) -> None:
    """A customer who left a card; nothing of that was told yet."""
    connect(story)
    customer(story)
    leave_card(stripe)


def test_a_card_that_was_left_is_the_default_and_what_is_owed_is_submitted(story: Story, stripe, submitted):
    ready(story, stripe)
    assert methods(story) == []
    assert set(deliver(stripe)) == {200}
    assert methods(story) == []
    work()
    (method,) = methods(story)
    assert method["is_default"] is True
    assert (method["payment_provider_code"], method["payment_provider_type"]) == ("main", "stripe")
    assert submitted == ["cust"]
    account = account_of(story.ref, customers.find(story.ref.id, "cust"))
    assert account is not None
    assert account.method is not None
    assert (account.method.brand, account.method.last4) == ("visa", "4242")


@pytest.mark.parametrize(
    "how", [{"reverse": True}, {}, {"batch": 1}], ids=["the other way round", "in order", "one by one"]
)
def test_events_that_come_twice_are_applied_once(story: Story, stripe, submitted, how):
    ready(story, stripe)
    reverse = how.pop("reverse", False)
    sent = stripe.fake.sender.requests(**how)
    for each in [*(reversed(sent) if reverse else sent), *sent]:
        assert far_side.post(each.url, each.body, each.headers).status == 200
    work()
    assert submitted == ["cust"]
    assert len(methods(story)) == 1
    assert work() == 0


@pytest.mark.parametrize(
    "how", [{"forged": True}, {"unsigned": True}, {"shift": -301}, {"shift": 400}, {"tail": b"\xff"}]
)
def test_what_is_not_signed_now_by_the_provider_is_refused(story: Story, stripe, submitted, how):
    ready(story, stripe)
    assert set(deliver(stripe, **how)) == {400}
    work()
    assert methods(story) == []


def test_events_of_another_organization_or_connection_are_refused(story: Story, stripe):
    ready(story, stripe)
    other = Story.begin()
    connect(other, key="sk_test_other_side_5678")
    (sent, *_) = stripe.fake.sender.requests()
    path = f"/webhooks/stripe/{other.ref.id}?code=main"
    assert far_side.post(path, sent.body, sent.headers).status == 400
    for unknown in (
        f"/webhooks/stripe/{story.ref.id}?code=none",
        f"/webhooks/stripe/{story.ref.id}",
        f"/webhooks/gocardless/{story.ref.id}?code=main",
        f"/webhooks/paypal/{story.ref.id}?code=main",
        "/webhooks/stripe/nobody?code=main",
    ):
        answer = far_side.post(unknown, sent.body, sent.headers)
        assert (answer.status, answer.body["code"]) == (404, "payment_provider_not_found")


def test_both_secrets_are_good_after_a_rotation(story: Story, stripe, submitted):
    ready(story, stripe)
    sent = stripe.fake.sender.requests()
    story.ok("POST", "/payment_providers/main/rotate_webhook_secret")
    for each in sent:
        assert far_side.post(each.url, each.body, each.headers).status == 200
    assert set(deliver(stripe)) == {200}
    work()
    assert submitted == ["cust"]


def test_no_call_to_the_provider_is_made_while_it_waits_for_the_answer(story: Story, stripe):
    ready(story, stripe)
    calls = len(stripe.fake.calls("* /v1/*"))
    deliver(stripe)
    assert len(stripe.fake.calls("* /v1/*")) == calls


def test_bodies_from_the_gateway_come_as_base64(story: Story, stripe):
    ready(story, stripe)
    sent = stripe.fake.sender.requests()[-1]
    place, _, query = sent.url.partition("/webhooks")[2].partition("?")
    _, provider, organization_id = place.split("/")
    event = {
        "resource": "/webhooks/{provider}/{organization_id}",
        "path": f"/webhooks{place}",
        "httpMethod": "POST",
        "headers": {**sent.headers, "Content-Type": "application/json"},
        "multiValueHeaders": {},
        "multiValueQueryStringParameters": {"code": [query.partition("=")[2]]},
        "pathParameters": {"provider": provider, "organization_id": organization_id},
        "requestContext": {
            "resourcePath": "/webhooks/{provider}/{organization_id}",
            "httpMethod": "POST",
            "identity": {"sourceIp": "127.0.0.1"},
            "requestId": "r",
        },
        "stageVariables": None,
        "body": base64.b64encode(sent.body).decode(),
        "isBase64Encoded": True,
    }
    answer = app(event, None)
    assert answer["statusCode"] == 200, answer
    work()


def test_events_of_nobody_here_are_harmless(story: Story, stripe, submitted):
    connect(story)
    account = stripe.fake.account(KEY)
    with_nobody = {"id": "pm_none", "object": "payment_method", "type": "card", "customer": "cus_none"}
    for kind in ("customer.deleted", "customer.updated"):
        account.tell(kind, {"id": "cus_none", "object": "customer"})
    account.tell("payment_method.detached", with_nobody)
    account.tell("invoice.paid", {"id": "in_1", "object": "invoice"})
    assert set(deliver(stripe)) == {200}
    work()
    assert submitted == []
    assert work() == 0


def test_a_card_that_was_taken_away_there_is_forgotten(story: Story, stripe, submitted):
    ready(story, stripe)
    story.ok("POST", "/customers/cust/checkout_url")
    leave_card(stripe, "4000000000000341")
    deliver(stripe)
    work()
    default, other = methods(story)
    own = provider_customer_id(story)
    assert own is not None
    opened = reading.opened(story.ref, reading.find(story.ref.id, "main"))
    reading.provider_of(reading.find(story.ref.id, "main")).forget(opened, default["provider_method_id"])
    deliver(stripe)
    work()
    (left,) = methods(story)
    assert left == other | {"is_default": True}


def test_a_customer_that_was_deleted_there_has_no_way_to_pay(story: Story, stripe, submitted):
    ready(story, stripe)
    deliver(stripe)
    work()
    account, own = stripe.fake.account(KEY), provider_customer_id(story)
    gone = account.get("customer", own)
    gone["deleted"] = True
    account.tell("customer.deleted", gone)
    deliver(stripe)
    work()
    assert methods(story) == []
    assert account_of(story.ref, customers.find(story.ref.id, "cust")) is None


def test_ways_to_pay_are_chosen_and_deleted(story: Story, stripe, submitted):
    ready(story, stripe)
    story.ok("POST", "/customers/cust/checkout_url")
    leave_card(stripe, "4000000000000341")
    deliver(stripe)
    work()
    default, other = methods(story)
    assert not other["is_default"]
    path = f"/customers/cust/payment_methods/{other['lago_id']}"
    chosen = story.ok("PUT", f"{path}/set_as_default")["payment_method"]
    assert chosen == other | {"is_default": True}
    assert [each["lago_id"] for each in methods(story)] == [other["lago_id"], default["lago_id"]]
    gone = story.ok("DELETE", path)["payment_method"]
    assert gone == chosen
    assert [each["lago_id"] for each in methods(story)] == [default["lago_id"]]
    assert methods(story)[0]["is_default"] is True
    assert story.call("DELETE", path).body["code"] == "payment_method_not_found"
    deliver(stripe)
    work()
    assert len(methods(story)) == 1


@pytest.mark.parametrize("kind", ["503", "502", "429", "500", "odd"])
def test_an_event_waits_while_the_provider_gives_no_answer(story: Story, stripe, submitted, kind):
    ready(story, stripe)
    deliver(stripe)
    stripe.fake.faults.add("GET /v1/customers/*", kind)
    work()
    assert methods(story) == []
    far_side.run_waiting()
    work()
    assert len(methods(story)) == 1
    assert submitted == ["cust"]


def test_a_batch_of_many_events_is_taken_whole(story: Story, gocardless):
    made = far_side.connect_gocardless(story, gocardless)
    work()
    events = [
        {
            "id": f"EV{number}",
            "created_at": "2026-11-30T00:00:00.000Z",
            "resource_type": "payments",
            "action": "confirmed",
            "links": {"payment": f"PM{number}"},
            "details": {"origin": "gocardless", "cause": "payment_confirmed", "description": "d"},
            "metadata": {},
            "resource_metadata": {},
        }
        for number in range(60)
    ]
    body = json.dumps({"events": events, "meta": {"webhook_id": "WB1"}}).encode()

    signature = hmac.new(made["webhook_secret"].encode(), body, hashlib.sha256).hexdigest()
    for expected in (60, 0):
        answer = request("POST", made["webhook_url"].partition("8000")[2], body, {"Webhook-Signature": signature})
        assert answer.status == 200
        assert work() == expected


@pytest.fixture
def signed(story: Story, gocardless, submitted) -> Story:
    """A customer who signed a mandate, of which we know."""
    far_side.connect_gocardless(story, gocardless)
    billing = {"payment_provider": "gocardless", "sync_with_provider": True}
    story.customer("cust", name="Umbra", currency="EUR", email="a@example.com", billing_configuration=billing)
    work()
    sign(story, gocardless)
    return story


def sign(story: Story, gocardless) -> None:
    account = gocardless.fake.account(far_side.TOKEN)
    url = story.ok("POST", "/customers/cust/checkout_url")["customer"]["checkout_url"]
    flow = next(each["id"] for each in account.listed("billing_request_flows") if each["authorisation_url"] == url)
    gocardless.fake.control("complete", {"key": far_side.TOKEN, "id": flow})
    assert set(deliver(gocardless)) == {200}
    work()


@pytest.mark.parametrize("status", ["cancelled", "failed", "expired"])
def test_a_mandate_that_has_ended_is_forgotten_and_another_one_is_the_default(signed: Story, gocardless, status):
    (first,) = methods(signed)
    sign(signed, gocardless)
    assert [each["is_default"] for each in methods(signed)] == [True, False]
    gocardless.fake.account(far_side.TOKEN).move(first["provider_method_id"], status)
    deliver(gocardless)
    work()
    (left,) = methods(signed)
    assert left["is_default"] is True
    assert left["lago_id"] != first["lago_id"]


def test_a_blocked_mandate_is_kept_and_not_charged(signed: Story, gocardless):
    (method,) = methods(signed)
    gocardless.fake.account(far_side.TOKEN).move(method["provider_method_id"], "blocked")
    deliver(gocardless)
    work()
    (kept,) = methods(signed)
    assert (kept["lago_id"], kept["is_default"]) == (method["lago_id"], False)
    account = account_of(signed.ref, customers.find(signed.ref.id, "cust"))
    assert account is not None
    assert account.method is None
    path = f"/customers/cust/payment_methods/{kept['lago_id']}"
    refused = signed.call("PUT", f"{path}/set_as_default")
    assert (refused.status, refused.body["error_details"]) == (422, {"payment_method": ["value_is_invalid"]})


def test_a_mandate_is_cancelled_when_it_is_deleted_here(signed: Story, gocardless):
    (method,) = methods(signed)
    signed.ok("DELETE", f"/customers/cust/payment_methods/{method['lago_id']}")
    (there,) = gocardless.fake.account(far_side.TOKEN).listed("mandates")
    assert there["status"] == "cancelled"
    assert methods(signed) == []


@pytest.mark.parametrize("how", [{"forged": True}, {"unsigned": True}, {"tail": b" "}])
def test_batches_that_are_not_signed_are_refused(signed: Story, gocardless, how):
    expected = {200} if how == {"tail": b" "} else {400}  # What is behind the body is signed with it.
    assert set(deliver(gocardless, **how)) == expected


def test_the_mandate_that_replaces_the_default_takes_its_place(signed: Story, gocardless):
    (first,) = methods(signed)
    for _ in range(2):
        sign(signed, gocardless)
    by_age = [each["id"] for each in gocardless.fake.account(far_side.TOKEN).listed("mandates")][::-1]
    assert by_age[0] == first["provider_method_id"]
    gocardless.fake.account(far_side.TOKEN).move(
        by_age[0], "cancelled", new_mandate=by_age[1], cause="mandate_replaced"
    )
    deliver(gocardless)
    work()
    assert methods(signed)[0]["provider_method_id"] == by_age[1]
    assert len(methods(signed)) == 2
