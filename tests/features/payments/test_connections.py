"""Connections with payment providers: their secrets, their endpoints, their ends. Source: rules/catalog 10."""

import pytest

from chalicelib.features.payments.connections import reading, sealing, service
from chalicelib.platform import clock
from tests.support.changes import core_items
from tests.support.story import Story, work

KEY = "sk_test_connections_1234"
TOKEN = "sandbox_connections_1234"


def connect(story: Story, code: str = "main one", key: str = KEY, **more):
    body = {"code": code, "payment_provider": "stripe", "secret_key": key, **more}
    return story.call("POST", "/payment_providers", {"payment_provider": body})


def endpoints(stripe, key: str = KEY):
    return stripe.fake.account(key).listed("webhook_endpoint")


def secrets_of(story: Story, code: str = "main one"):
    found = reading.find(story.ref.id, code)
    return sealing.webhook_secrets(story.ref.id, found, at=clock.utc_now())


def test_connecting_registers_an_endpoint_and_shows_no_secret(story: Story, stripe):
    made = connect(story, success_redirect_url="https://example.com/back", supports_3ds=True)
    assert made.status == 200, made
    shown = made.body["payment_provider"]
    assert shown["secret_key"] == "••••1234"
    assert "webhook_secret" not in shown
    assert (shown["state"], shown["name"], shown["supports_3ds"], shown["retry_if_possible"]) == (
        *("active", "main one"),
        *(True, True),
    )
    (endpoint,) = endpoints(stripe)
    assert endpoint["url"] == shown["webhook_url"]
    assert endpoint["url"].endswith(f"/webhooks/stripe/{story.ref.id}?code=main%20one")
    assert story.ok("GET", "/payment_providers/main%20one")["payment_provider"] == shown
    assert story.ok("GET", "/payment_providers")["payment_providers"] == [shown]


def test_no_secret_is_kept_or_logged_as_it_is(story: Story, stripe, caplog, capsys):
    connect(story)
    stripe.fake.faults.add("POST /v1/webhook_endpoints", "echo")
    connect(story, "other", KEY + "x")
    (signing,) = secrets_of(story)
    kept = repr(core_items()) + caplog.text + capsys.readouterr().out
    assert KEY not in kept
    assert signing not in kept


def test_a_code_names_one_connection(story: Story, stripe):
    connect(story)
    assert connect(story).body["error_details"] == {"code": ["value_already_exist"]}
    assert len(endpoints(stripe)) == 1


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        pytest.param({"secret_key": "sk_live_1"}, {"secret_key": ["value_is_invalid"]}, id="a live key"),
        pytest.param({"secret_key": None}, {"secret_key": ["value_is_mandatory"]}, id="no key"),
        pytest.param({"secret_key": "sk test"}, {"secret_key": ["value_is_invalid"]}, id="no key at all"),
        pytest.param({"secret_key": "s" * 501}, {"secret_key": ["value_is_too_long"]}, id="a novel"),
        pytest.param({"secret_key": 5}, {"secret_key": ["value_is_invalid"]}, id="a number as key"),
        pytest.param({"secret_key": ["x"]}, {"secret_key": ["value_is_invalid"]}, id="a list as key"),
        pytest.param({"secret_key": "schl\u00fcssel"}, {"secret_key": ["value_is_invalid"]}, id="no ASCII"),
        pytest.param({"code": ""}, {"code": ["value_is_mandatory"]}, id="no code"),
        pytest.param({"code": "x" * 256}, {"code": ["value_is_too_long"]}, id="a long code"),
        pytest.param({"supports_3ds": "yes"}, {"supports_3ds": ["value_is_invalid"]}, id="a word as switch"),
        pytest.param({"payment_provider": None}, {"payment_provider": ["value_is_invalid"]}, id="no provider"),
        pytest.param({"payment_provider": {}}, {"payment_provider": ["value_is_invalid"]}, id="an object as provider"),
        pytest.param({"payment_provider": "paypal"}, {"payment_provider": ["value_is_invalid"]}, id="another provider"),
        pytest.param(
            {"success_redirect_url": "x"}, {"success_redirect_url": ["url_is_invalid"]}, id="an address that is none"
        ),
    ],
)
def test_what_is_wrong_is_said_of_its_field_and_leaves_the_code_free(story: Story, stripe, fields, details):
    refused = connect(story, **fields)
    assert (refused.status, refused.body.get("error_details")) == (422, details)
    assert connect(story).status == 200


def test_a_revoked_key_is_refused_under_its_field(story: Story, stripe, gocardless):
    stripe.fake.revoked.add(KEY)
    gocardless.fake.revoked.add(TOKEN)
    assert connect(story).body["error_details"] == {"secret_key": ["value_is_invalid"]}
    body = {"code": "debit", "payment_provider": "gocardless", "access_token": TOKEN}
    refused = story.call("POST", "/payment_providers", {"payment_provider": body})
    assert refused.body["error_details"] == {"access_token": ["value_is_invalid"]}


@pytest.mark.parametrize("kind", ["503", "502", "429", "empty"])
def test_a_provider_without_an_answer_is_no_fault_of_the_request(story: Story, stripe, kind):
    stripe.fake.faults.add("POST /v1/webhook_endpoints", kind)
    refused = connect(story)
    assert (refused.status, refused.body["error_details"]) == (422, {"base": ["payment_provider_not_reached"]})
    assert connect(story).status == 200


def test_a_refusal_is_told(story: Story, stripe):
    stripe.fake.faults.add("POST /v1/webhook_endpoints", "echo")
    refused = connect(story)
    assert (refused.status, refused.body["error_details"]) == (422, {"base": ["payment_provider_refused"]})


def test_a_request_that_was_cut_off_behind_the_provider_registers_no_second_endpoint(
    story: Story, stripe, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as killed:
        killed.setattr("chalicelib.features.payments.connections.service._kept", lambda *_: 1 / 0)
        assert connect(story).status == 500
    assert len(endpoints(stripe)) == 1
    assert story.call("GET", "/payment_providers/main%20one").status == 404
    assert story.ok("GET", "/payment_providers")["payment_providers"] == []
    assert connect(story).status == 200
    (endpoint,) = endpoints(stripe)
    assert reading.find(story.ref.id, "main one").webhook_id == endpoint["id"]


def test_disconnecting_removes_the_endpoint_and_frees_the_code(story: Story, stripe):
    connect(story)
    gone = story.ok("DELETE", "/payment_providers/main%20one")["payment_provider"]
    assert gone["state"] == "disconnected"
    work()
    assert endpoints(stripe) == []
    assert story.call("GET", "/payment_providers/main%20one").body["code"] == "payment_provider_not_found"
    assert connect(story).status == 200
    assert len(endpoints(stripe)) == 1


def test_two_secrets_hold_after_a_rotation(story: Story, stripe):
    connect(story)
    (before,) = secrets_of(story)
    story.ok("POST", "/payment_providers/main%20one/rotate_webhook_secret")
    after, still = secrets_of(story)
    assert still == before
    assert after != before
    work()
    (endpoint,) = endpoints(stripe)
    assert endpoint["id"] == reading.find(story.ref.id, "main one").webhook_id


def test_the_secret_of_a_provider_that_is_told_by_hand_is_shown_once(story: Story, gocardless):
    body = {"code": "debit", "payment_provider": "gocardless", "access_token": TOKEN, "retry_if_possible": False}
    made = story.ok("POST", "/payment_providers", {"payment_provider": body})["payment_provider"]
    assert secrets_of(story, "debit") == [made["webhook_secret"]]
    assert len(made["webhook_secret"]) == 50
    shown = story.ok("GET", "/payment_providers/debit")["payment_provider"]
    assert made.items() - shown.items() == {("webhook_secret", made["webhook_secret"])}
    turned = story.ok("POST", "/payment_providers/debit/rotate_webhook_secret")["payment_provider"]
    assert secrets_of(story, "debit") == [turned["webhook_secret"], made["webhook_secret"]]


def test_a_change_keeps_what_it_does_not_name(story: Story, stripe):
    connect(story, name="First", supports_3ds=True)
    body = {"name": "Second"}
    shown = story.ok("PUT", "/payment_providers/main%20one", {"payment_provider": body})["payment_provider"]
    assert (shown["name"], shown["supports_3ds"], shown["secret_key"]) == ("Second", True, "••••1234")
    assert len(endpoints(stripe)) == 1
    for wrong in ({"code": "other"}, {"payment_provider": "gocardless"}):
        refused = story.call("PUT", "/payment_providers/main%20one", {"payment_provider": wrong})
        assert refused.body["error_details"] == {next(iter(wrong)): ["value_is_invalid"]}


def test_a_key_of_another_account_moves_the_endpoint(story: Story, stripe):
    connect(story)
    other = "sk_test_other_account_5678"
    body = {"secret_key": other}
    shown = story.ok("PUT", "/payment_providers/main%20one", {"payment_provider": body})["payment_provider"]
    assert shown["secret_key"] == "••••5678"
    work()
    assert endpoints(stripe) == []
    assert len(endpoints(stripe, other)) == 1


def test_an_organization_sees_its_own_only(story: Story, stripe):
    connect(story)
    other = Story.begin()
    assert other.call("GET", "/payment_providers/main%20one").status == 404
    assert other.ok("GET", "/payment_providers")["payment_providers"] == []


def test_a_rotation_that_lost_its_race_leaves_no_endpoint(story: Story, stripe, monkeypatch: pytest.MonkeyPatch):
    connect(story)
    meanwhile = service._connect

    def slowly(*given, **how):
        made = meanwhile(*given, **how)
        story.ok("PUT", "/payment_providers/main%20one", {"payment_provider": {"name": "Meanwhile"}})
        return made

    monkeypatch.setattr(service, "_connect", slowly)
    lost = story.call("POST", "/payment_providers/main%20one/rotate_webhook_secret")
    assert (lost.status, lost.body["code"]) == (409, "payment_provider_changed_meanwhile")
    (endpoint,) = endpoints(stripe)
    assert reading.find(story.ref.id, "main one").webhook_id == endpoint["id"]
