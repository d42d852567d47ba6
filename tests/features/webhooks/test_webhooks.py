"""Messages: made once, signed over the exact bytes, delivered with patience."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta

import jwt
import pytest

from chalicelib.features.webhooks import delivery, outcomes, signing
from chalicelib.platform.settings import settings
from tests.support.messages import messages
from tests.support.receiving import Receiver, deliver, listen
from tests.support.story import work as work_off


@pytest.fixture
def receiver():
    found = Receiver()
    yield found
    found.stop()


def deliver_all() -> None:
    work_off("jobs")
    deliver()


def test_a_message_is_signed_over_the_bytes_that_are_sent(story, receiver):
    listen(story, receiver)
    story.customer("c", name="Zoë")
    deliver_all()
    ((headers, body),) = receiver.calls
    public = base64.b64decode(story.ok("GET", "/webhooks/json_public_key")["webhook"]["public_key"])
    claims = jwt.decode(headers["X-Lago-Signature"], public, algorithms=["RS256"], issuer=settings().public_url)
    assert claims["data"] == body.decode()
    message = json.loads(body)
    assert (message["webhook_type"], message["object_type"]) == ("customer.created", "customer")
    assert message["customer"]["name"] == "Zoë"
    assert headers["X-Lago-Signature-Algorithm"] == "jwt"
    assert headers["X-Lago-Unique-Key"] == messages(story.ref.id)[0].id
    assert headers["Content-Type"] == "application/json"


def test_hmac_is_over_the_raw_body():
    body = (
        b'{"webhook_type":"invoice.created","object_type":"invoice","organization_id":"o1","invoice":{"lago_id":"i1"}}'
    )
    assert signing.hmac_signature(body, "key-123") == "hfQtjdp6SEMVI07oq1D9uyXFbp5AiHv22zpGkv6+IP4="


def test_an_hmac_endpoint_gets_the_organizations_own_signature(story, receiver):
    from chalicelib.features.organizations import service as organizations

    listen(story, receiver, signature_algo="hmac")
    story.customer("c")
    deliver_all()
    ((headers, body),) = receiver.calls
    organization = story.ref
    key = organizations.hmac_key(organization.id).encode()
    expected = base64.b64encode(hmac.new(key, body, hashlib.sha256).digest()).decode()
    assert headers["X-Lago-Signature"] == expected


def test_the_story_of_an_invoice_is_told(story, receiver):
    listen(story, receiver)
    story.plan(amount_cents=100)
    story.subscribe()
    story.travel("2024-02-01T00:00:00Z")
    deliver_all()
    told = [json.loads(body)["webhook_type"] for _, body in receiver.calls]
    assert sorted(told) == ["customer.created", "invoice.created", "plan.created", "subscription.started"]
    invoice = next(m["invoice"] for _, b in receiver.calls if (m := json.loads(b))["object_type"] == "invoice")
    assert invoice == story.invoices()[0] | {"file_url": None}


def test_an_endpoint_gets_only_what_it_subscribed_to(story, receiver):
    listen(story, receiver, event_types=["invoice.created"])
    story.customer("c")
    deliver_all()
    assert receiver.calls == []
    assert messages(story.ref.id) == []


@pytest.mark.parametrize(("failures", "seconds"), [(1, 3), (2, 18), (3, 83), (4, 258), (8, 4098), (16, 65538)])
def test_waits_grow_with_the_fourth_power(failures, seconds):
    assert outcomes.wait_after(failures, draw=lambda: 0) == timedelta(seconds=seconds)
    assert outcomes.wait_after(failures, draw=lambda: 1) <= timedelta(seconds=seconds * 1.15)


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "::1", "localhost"])
def test_private_addresses_are_refused_outside_the_local_stack(monkeypatch, host):
    settings.cache_clear()
    monkeypatch.setenv("LOCAL", "0")
    with pytest.raises(delivery.RefusedAddress):
        delivery.checked_addresses(host, 80)
    settings.cache_clear()


def test_endpoints_have_their_rules(story):
    def post(**fields: object) -> object:
        return story.call("POST", "/webhook_endpoints", {"webhook_endpoint": fields})

    assert post(name="x").body["error_details"] == {"webhook_url": ["value_is_mandatory"]}
    assert post(webhook_url="ftp://x").body["error_details"] == {"webhook_url": ["url_is_invalid"]}
    assert post(webhook_url="http://e.com", signature_algo="md5").body["error_details"] == {
        "signature_algo": ["value_is_invalid"]
    }
    wrong = post(webhook_url="http://e.com", event_types=["no.such"])
    assert wrong.body["error_details"]["event_types"][0].startswith("contains invalid types")
    made = post(webhook_url="http://e.com/0", event_types=["*"]).body["webhook_endpoint"]
    assert made["event_types"] is None
    assert post(webhook_url="http://e.com/0").body["error_details"] == {"webhook_url": ["value_already_exist"]}
    for n in range(1, 10):
        assert post(webhook_url=f"http://e.com/{n}").status == 200
    assert post(webhook_url="http://e.com/10").body["error_details"] == {"base": ["exceeded_limit"]}
    changed = story.ok("PUT", f"/webhook_endpoints/{made['lago_id']}", {"webhook_endpoint": {"event_types": []}})
    assert changed["webhook_endpoint"]["event_types"] == []
    story.ok("DELETE", f"/webhook_endpoints/{made['lago_id']}")
    assert story.ok("GET", "/webhook_endpoints")["meta"]["total_count"] == 9
