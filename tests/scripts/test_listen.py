"""`make listen`: what it verifies, what it misses, and that it comes and goes as an endpoint."""

import base64
import hashlib
import hmac
import json

import pytest

from scripts.listen import Keys, Listener, Numbers, checks, register
from tests.support.story import Story
from tests.support.telling import deliver, listening

BODY = b'{"webhook_type":"customer.created","object_type":"customer","customer":{"lago_id":"c1"}}'
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()


def signed(stamp: str = "1700000000", body: bytes = BODY) -> dict[str, str]:
    mac = hmac.new(b"0123456789abcdef01234567", f"m1.{stamp}.".encode() + body, hashlib.sha256).digest()
    signature = base64.b64encode(mac).decode()
    return {"webhook-id": "m1", "webhook-timestamp": stamp, "webhook-signature": f"v1,AAAA v1,{signature}"}


@pytest.mark.parametrize(
    ("headers", "secret", "holds"),
    [
        (signed(), SECRET, True),
        (signed(), None, None),
        (signed(body=b"{}"), SECRET, False),
        (signed("1699999000"), SECRET, False),
        (signed() | {"webhook-id": "m2"}, SECRET, False),
    ],
)
def test_standard_signatures(headers, secret, holds):
    assert checks(headers, BODY, Keys(secret=secret), now=1700000100.0) == {"standard": holds}


def test_hmac_signatures_by_the_new_key_or_the_one_before():
    own = base64.b64encode(hmac.new(b"key", BODY, hashlib.sha256).digest()).decode()
    head = {"x-lago-signature-algorithm": "hmac"}
    for headers, holds in (
        ({"x-lago-signature": own}, True),
        ({"x-lago-signature": "x", "x-lago-signature-previous": own}, True),
        ({"x-lago-signature": "x"}, False),
    ):
        assert checks(head | headers, BODY, Keys(hmac_key="key"), now=0.0) == {"hmac": holds}


def test_numbers_may_come_in_any_order_and_twice_but_leave_no_gap():
    numbers = Numbers()
    assert [numbers.note(n) for n in (5, 6, 6, 9, 7, 5)] == [True, True, False, True, True, False]
    assert numbers.missing == {8}


def test_a_gap_and_a_wrong_signature_are_said():
    said: list[str] = []
    listener = Listener(keys=Keys(hmac_key="key"), say=said.append)
    for number in ("1", "3"):
        headers = {"x-tollgate-sequence": number, "x-lago-signature-algorithm": "hmac", "x-lago-signature": "x"}
        listener.receive("/", headers, BODY)
    listener.stop()
    assert "#1  customer.created  c1  hmac WRONG" in said[0]
    assert said[1].endswith("MISSING 2")
    assert listener.summary() == ["2 messages with a wrong signature, or none", "/: missing 2"]


def test_it_receives_and_verifies_what_the_world_sends(story: Story):
    with listening(story) as listener:
        story.customer("c", name="Zoë")
        deliver()
        (message,) = listener.messages
        assert message["customer"]["name"] == "Zoë"
        (line,) = listener.said
        assert f"customer.created  {message['customer']['lago_id']}  jwt ok" in line
        assert listener.summary() == []
        # One that was left behind is taken over.
        known = story.ok("GET", "/webhook_endpoints")["webhook_endpoints"]
        assert [register(listener, story.ok)] == [each["lago_id"] for each in known]
        listener.receive("/", {"x-lago-signature-algorithm": "jwt", "x-lago-signature": "x"}, json.dumps({}).encode())
        assert listener.wrong == 1
