"""Signatures of each attempt, by the key of the installation, of the organization, and of the endpoint; and their rotation."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from chalicelib import limits
from chalicelib.features.organizations import hmac_keys
from chalicelib.features.webhooks import delivery, secrets, service, signing
from chalicelib.features.webhooks.delivery import Envelope
from chalicelib.features.webhooks.store import ENDPOINTS
from chalicelib.platform import aws as clients
from chalicelib.platform import clock
from tests.features.webhooks.test_secrets import _OLD_KEY, _as_it_was_before, _whole_table
from tests.support.story import Story

BODY = b'{"webhook_type":"invoice.created","object_type":"invoice","organization_id":"o1","invoice":{"lago_id":"i1"}}'
VECTOR = "whsec_dG9sbGdhdGUtdGVzdC1zZWNyZXQtMDEyMw=="


def test_the_vector_of_standard_webhooks():
    signed = signing.standard_signature("m1", 1700000000, BODY, VECTOR)
    assert signed == "v1,FeIfY6Zc772Py/lk8JHuAKTp0vXJWc/KioXKGzfalsk="


def endpoint(story: Story, **fields: Any) -> dict[str, Any]:
    body = {"webhook_endpoint": {"webhook_url": "https://e.com/hook", **fields}}
    return story.ok("POST", "/webhook_endpoints", body)["webhook_endpoint"]


def rotate(story: Story, lago_id: str) -> dict[str, Any]:
    return story.ok("POST", f"/webhook_endpoints/{lago_id}/rotate_secret")["webhook_endpoint"]


def headers(story: Story, lago_id: str, *, at: datetime | None = None, attempt: int = 1) -> dict[str, str]:
    """The headers of an attempt."""
    envelope = Envelope(story.ref.id, "m1", sequence=7, attempt=attempt, at=at or clock.utc_now())
    return dict(delivery.prepare(envelope, service.find(story.ref.id, lago_id), BODY).headers)


def verify(secret: str, sent: dict[str, str]) -> Any:
    return Webhook(secret).verify(BODY.decode(), sent)


def test_the_headers_of_an_attempt(story):
    made = endpoint(story)
    at = datetime(2024, 2, 1, 12, 30, 0, 999999, tzinfo=UTC)
    sent = headers(story, made["lago_id"], at=at, attempt=3)
    assert {name: sent[name] for name in sent if "ignature" not in name} == {
        "Content-Type": "application/json",
        "X-Lago-Unique-Key": "m1",
        "X-Tollgate-Sequence": "7",
        "X-Tollgate-Attempt": "3",
        "webhook-id": "m1",
        "webhook-timestamp": "1706790600",
    }
    assert sent["webhook-signature"] == signing.standard_signature("m1", 1706790600, BODY, made["secret"])
    public = base64.b64decode(story.ok("GET", "/webhooks/json_public_key")["webhook"]["public_key"])
    assert jwt.decode(sent["X-Lago-Signature"], public, algorithms=["RS256"])["data"] == BODY.decode()


def test_the_library_of_standard_webhooks_verifies_and_refuses(story):
    made = endpoint(story, signature_algo="hmac")
    sent = headers(story, made["lago_id"])
    assert verify(made["secret"], sent) == json.loads(BODY)
    for wrong in (sent | {"webhook-id": "m2"}, sent | {"webhook-timestamp": str(int(sent["webhook-timestamp"]) + 1)}):
        with pytest.raises(WebhookVerificationError):
            verify(made["secret"], wrong)
    with pytest.raises(WebhookVerificationError):
        verify(VECTOR, sent)
    late = headers(story, made["lago_id"], at=clock.utc_now() - timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError):
        verify(made["secret"], late)


def test_a_secret_is_shown_where_it_is_made_and_masked_elsewhere(story):
    made = endpoint(story)
    secret, path = made["secret"], f"/webhook_endpoints/{made['lago_id']}"
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 32
    masked = f"whsec_••••{secret[-4:]}"
    assert story.ok("GET", path)["webhook_endpoint"]["secret"] == masked
    assert story.ok("GET", "/webhook_endpoints")["webhook_endpoints"][0]["secret"] == masked
    assert story.ok("PUT", path, {"webhook_endpoint": {"name": "x"}})["webhook_endpoint"]["secret"] == masked
    assert secret not in _whole_table()
    fresh = rotate(story, made["lago_id"])["secret"]
    assert fresh != secret
    assert story.ok("GET", path)["webhook_endpoint"]["secret"] == f"whsec_••••{fresh[-4:]}"
    assert fresh not in _whole_table()
    assert endpoint(story, webhook_url="https://e.com/2")["secret"] not in (secret, fresh)


def test_the_secret_before_signs_for_a_day_more(story):
    made = endpoint(story)
    first, lago_id = made["secret"], made["lago_id"]
    second = rotate(story, lago_id)["secret"]
    sent = headers(story, lago_id)
    assert [part[:3] for part in sent["webhook-signature"].split(" ")] == ["v1,", "v1,"]
    for secret in (first, second):
        verify(secret, sent)
    found = service.find(story.ref.id, lago_id)
    end = found.previous_until
    assert timedelta(hours=23, minutes=59) < end - clock.utc_now() <= timedelta(hours=24)
    before, after = end - timedelta(seconds=1), end
    assert secrets.current(story.ref.id, found, at=before) == [second, first]
    assert secrets.current(story.ref.id, found, at=after) == [second]
    third = rotate(story, lago_id)["secret"]
    found = service.find(story.ref.id, lago_id)
    assert secrets.current(story.ref.id, found, at=clock.utc_now()) == [third, second]


def test_an_endpoint_of_earlier_versions_gets_its_secret_by_the_first_rotation(story):
    made = endpoint(story)
    old = ENDPOINTS.get(story.ref.id, made["lago_id"])
    ENDPOINTS.replace(story.ref.id, old, old.model_copy(update={"sealed_secret": None, "secret_end": None}))
    assert story.ok("GET", f"/webhook_endpoints/{old.id}")["webhook_endpoint"]["secret"] is None
    sent = headers(story, old.id)
    assert (sent["webhook-id"], "webhook-signature" in sent) == ("m1", False)
    secret = rotate(story, old.id)["secret"]
    sent = headers(story, old.id)
    assert " " not in sent["webhook-signature"]
    verify(secret, sent)


def test_rotating_the_secret_of_nobody(story):
    made = endpoint(story)
    other = Story.begin(name="Other")
    for who, lago_id in ((story, "nobody"), (other, made["lago_id"])):
        answer = who.call("POST", f"/webhook_endpoints/{lago_id}/rotate_secret")
        assert (answer.status, answer.body["code"]) == (404, "webhook_endpoint_not_found")
    story.ok("DELETE", f"/webhook_endpoints/{made['lago_id']}")
    assert story.call("POST", f"/webhook_endpoints/{made['lago_id']}/rotate_secret").status == 404


def test_a_secret_is_opened_once_in_a_process(story, monkeypatch):
    made = endpoint(story)
    secrets._opened.clear()
    asked: list[Any] = []
    kms = clients.client("kms")
    real = kms.decrypt
    monkeypatch.setattr(kms, "decrypt", lambda **how: asked.append(how) or real(**how))
    for _ in range(3):
        verify(made["secret"], headers(story, made["lago_id"]))
    assert len([how for how in asked if how["EncryptionContext"]["purpose"] == "tollgate-webhook-secret"]) == 1
    assert asked[0]["EncryptionContext"]["endpoint"] == made["lago_id"]
    monkeypatch.setattr(limits, "WEBHOOK_SECRETS_REMEMBERED", 1)
    endpoint(story, webhook_url="https://e.com/2")
    assert len(secrets._opened) == 1


# The organization's key.


def signed_by(key: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), BODY, hashlib.sha256).digest()).decode()


def shown_key(story: Story) -> Any:
    return story.ok("GET", "/organizations/hmac_key")["organization"]


def test_the_key_of_an_organization_can_be_read_once(story):
    first = shown_key(story)
    assert first == {"lago_id": story.ref.id, "hmac_key": hmac_keys.read(story.ref.id), "previous_hmac_key_until": None}
    for _ in range(2):
        assert shown_key(story)["hmac_key"] == f"••••{first['hmac_key'][-4:]}"
    other = Story.begin(name="Other")
    assert len(shown_key(other)["hmac_key"]) == 64


def test_after_a_rotation_both_keys_sign_for_a_day(story):
    made = endpoint(story, signature_algo="hmac")
    first = shown_key(story)["hmac_key"]
    sent = headers(story, made["lago_id"])
    assert (sent["X-Lago-Signature"], "X-Lago-Signature-Previous" in sent) == (signed_by(first), False)
    rotated = story.ok("POST", "/organizations/rotate_hmac_key")["organization"]
    second = rotated["hmac_key"]
    assert len(second) == 64
    assert second != first
    sent = headers(story, made["lago_id"])
    assert sent["X-Lago-Signature"] == signed_by(second)
    assert sent["X-Lago-Signature-Previous"] == signed_by(first)
    assert sent["X-Lago-Signature-Algorithm"] == "hmac"
    later = headers(story, made["lago_id"], at=clock.utc_now() + timedelta(hours=24))
    assert (later["X-Lago-Signature"], "X-Lago-Signature-Previous" in later) == (signed_by(second), False)
    shown = shown_key(story)
    assert shown["hmac_key"] == f"••••{second[-4:]}"
    assert shown["previous_hmac_key_until"] == rotated["previous_hmac_key_until"]
    assert not {first, second} & set(_whole_table().split("'"))


def test_a_process_that_remembers_the_key_before_reads_the_new_one(story):
    """Workers are other processes than the one that rotates."""
    made = endpoint(story, signature_algo="hmac")
    headers(story, made["lago_id"])
    remembered = dict(hmac_keys._known)
    second = story.ok("POST", "/organizations/rotate_hmac_key")["organization"]["hmac_key"]
    hmac_keys._known.update(remembered)
    assert headers(story, made["lago_id"])["X-Lago-Signature"] == signed_by(second)
    assert hmac_keys._known != remembered


def test_a_key_of_earlier_versions_signs_for_a_day_after_its_rotation(story):
    _as_it_was_before(story)
    made = endpoint(story, signature_algo="hmac")
    fresh = story.ok("POST", "/organizations/rotate_hmac_key")["organization"]["hmac_key"]
    sent = headers(story, made["lago_id"])
    assert sent["X-Lago-Signature"] == signed_by(fresh)
    assert sent["X-Lago-Signature-Previous"] == signed_by(_OLD_KEY)
    assert _OLD_KEY not in _whole_table()


def test_rotating_a_key_that_nobody_used_has_no_overlap(story):
    rotated = story.ok("POST", "/organizations/rotate_hmac_key")["organization"]
    assert rotated["previous_hmac_key_until"] is None
    assert hmac_keys.read(story.ref.id) == rotated["hmac_key"]


def test_delivery_asks_for_the_key_once(story, monkeypatch):
    made = endpoint(story, signature_algo="hmac")
    story.ok("POST", "/organizations/rotate_hmac_key")
    headers(story, made["lago_id"])
    monkeypatch.setattr(hmac_keys, "_read_or_made", None)
    headers(story, made["lago_id"])


# How large a JWT is.


def test_an_endpoint_with_jwt_is_warned(story):
    made = endpoint(story)
    assert [each["code"] for each in made["warnings"]] == ["jwt_may_be_too_large"]
    assert "hmac" in made["warnings"][0]["message"]
    changed = story.ok("PUT", f"/webhook_endpoints/{made['lago_id']}", {"webhook_endpoint": {"signature_algo": "hmac"}})
    assert changed["webhook_endpoint"]["warnings"] == []


@pytest.mark.parametrize("letter", ["x", '"', "é", "😀", "\n"])
def test_a_jwt_is_too_large_as_soon_as_its_header_is(aws, letter):
    lengths = {}
    for number in range(1, 6000, 97):
        body = letter * number
        line = f"X-Lago-Signature: {signing.jwt_signature(body)}"
        lengths[number] = len(line)
        assert signing.jwt_too_large(body.encode()) == (len(line) > limits.WEBHOOK_JWT_HEADER_BYTES_MAX), number
    assert min(lengths.values()) < limits.WEBHOOK_JWT_HEADER_BYTES_MAX < max(lengths.values())
