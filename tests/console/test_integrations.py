"""Connections with payment providers: connecting, changing, rotating, disconnecting, and what is never shown."""

from collections.abc import Iterator

import pytest

from chalicelib.platform.settings import settings
from tests.support import gocardless_server, paying
from tests.support.console import Visitor, member_of, sent
from tests.support.story import Story

_NEW = ("settings", "integrations", "new")


@pytest.fixture
def gocardless(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = gocardless_server.start()
    monkeypatch.setenv("GOCARDLESS_API_BASE", server.url)
    settings.cache_clear()
    yield
    server.stop()


def connections(visitor: Visitor) -> list[dict]:
    return visitor.story.ok("GET", "/payment_providers")["payment_providers"]


def test_stripe_is_connected_by_its_key_which_is_never_shown_again(visitor: Visitor):
    empty = visitor.get("settings", "integrations")
    assert "No payment provider yet" in empty.words
    secret = "sk_test_console_9f8e7d6c"
    made = sent(visitor, *_NEW, "stripe", secret_key=secret, supports_3ds="true")
    (found,) = connections(visitor)
    assert made.location == visitor.address("settings", "integrations", found["lago_id"])
    assert (found["code"], found["name"], found["state"], found["supports_3ds"]) == ("stripe", "Stripe", "active", True)
    for segments in ((), (found["lago_id"],), (found["lago_id"], "edit")):
        shown = visitor.get("settings", "integrations", *segments)
        assert shown.status == 200
        assert secret not in shown.text
    assert "3-D Secure Asked for" in visitor.get("settings", "integrations", found["lago_id"]).words


def test_gocardless_says_once_what_has_to_be_entered_there(visitor: Visitor, gocardless: None):
    made = sent(visitor, *_NEW, "gocardless", access_token="sandbox_console", retry_if_possible="false")
    (found,) = connections(visitor)
    assert made.status == 200
    assert found["webhook_url"].replace("&", "&amp;") in made.text
    assert "Webhook secret" in made.words
    assert found["retry_if_possible"] is False
    place = ("settings", "integrations", found["lago_id"])
    assert "Webhook secret" not in visitor.get(*place).words
    assert "Success+ resubmission Off" in visitor.get(*place).words
    sent(visitor, *place, "edit", retry_if_possible="true")
    assert connections(visitor)[0]["retry_if_possible"] is True
    rotated = sent(visitor, *place, "rotate")
    assert rotated.status == 200
    assert "Webhook secret" in rotated.words


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"secret_key": ""}, "value_is_mandatory"),
        ({"secret_key": "sk_live_of_a_sandbox"}, "value_is_invalid"),
        ({"secret_key": "sk_test_x", "code": ""}, "value_is_mandatory"),
        ({"secret_key": "sk_test_x", "success_redirect_url": "nowhere"}, "url_is_invalid"),
    ],
)
def test_what_is_refused_is_said_at_its_field(visitor: Visitor, fields: dict[str, str], code: str):
    shown = sent(visitor, *_NEW, "stripe", **fields)
    assert shown.status == 422
    assert code in shown.text
    assert not fields["secret_key"] or fields["secret_key"] not in shown.text
    assert connections(visitor) == []


def test_an_empty_secret_keeps_the_one_that_is_there(visitor: Visitor):
    before = paying.connect(visitor.story)
    shown = sent(visitor, "settings", "integrations", before["lago_id"], "edit", name="Cards")
    assert shown.status == 303
    (after,) = connections(visitor)
    assert (after["name"], after["secret_key"]) == ("Cards", before["secret_key"])


def test_it_is_disconnected_after_its_consequence_was_told(visitor: Visitor):
    place = ("settings", "integrations", paying.connect(visitor.story)["lago_id"])
    assert "No invoice is collected through it any more" in visitor.get(*place, "disconnect").words
    assert connections(visitor)
    assert visitor.post(*place, "disconnect").location == visitor.address("settings", "integrations")
    assert connections(visitor) == []
    assert visitor.get(*place).status == 404


def test_connections_of_others_and_unknown_providers_are_not_there(visitor: Visitor):
    other = member_of(Story.begin(name="Other"), "otto@example.com")
    place = ("settings", "integrations", paying.connect(visitor.story)["lago_id"])
    for segments in (place, (*place, "edit"), (*place, "rotate"), (*place, "disconnect"), (*_NEW, "nobody")):
        assert other.get(*segments).status == 404, segments
    assert other.post(*place, "disconnect").status == 404
    assert len(connections(visitor)) == 1
