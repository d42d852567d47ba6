"""The fakes are no kinder than the providers: what the official library does not know is refused, what it checks is checked."""

import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import pytest
import stripe

from tests.contracts.payments.rigs import GoCardlessRig, StripeRig
from tests.support.providers.faults import Faults

ROOT = Path(__file__).parents[3]
Said = tuple[int, Any]


def said(url: str, body: bytes | None = None, method: str = "POST", **headers: str) -> Said:
    """Status and body of an answer."""
    request = Request(url, data=body, method=method, headers={name.replace("_", "-"): v for name, v in headers.items()})
    try:
        with urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")


def to_stripe(rig: StripeRig, path: str, body: dict[str, Any] | None = None, **headers: str) -> Said:
    """A call of Stripe, good but for what is given."""
    usual = {"Authorization": f"Bearer {rig.secret}", "Stripe_Version": stripe.api_version, "Idempotency_Key": "k"}
    data = None if body is None else urlencode(body).encode()
    kind = {"Content_Type": "application/x-www-form-urlencoded"}
    sent = {**usual, **kind, **headers}
    return said(f"{rig.server.url}{path}", data, "GET" if body is None else "POST", **sent)


def to_gocardless(rig: GoCardlessRig, path: str, body: Any = None, **headers: str) -> Said:
    """A call of GoCardless, good but for what is given."""
    usual = {"Authorization": f"Bearer {rig.secret}", "GoCardless_Version": "2015-07-06", "Idempotency_Key": "k"}
    data = None if body is None else json.dumps(body).encode()
    sent = {**usual, "Content_Type": "application/json", **headers}
    return said(f"{rig.server.url}{path}", data, "GET" if body is None else "POST", **sent)


def intent(rig: StripeRig, **more: Any) -> dict[str, Any]:
    """A good charge in Stripe's own fields, but for what is given; None takes a field away."""
    good = {
        "amount": 1999,
        "currency": "eur",
        "customer": rig.customer_id,
        "payment_method": rig.method.id,
        "allowed_payment_method_types[0]": "card",
        "confirm": "true",
        "off_session": "true",
        "error_on_requires_action": "true",
    }
    return {name: value for name, value in (good | more).items() if value is not None}


def test_a_good_call_is_taken(stripe_rig: StripeRig, gocardless_rig: GoCardlessRig):
    assert to_stripe(stripe_rig, "/v1/payment_intents", intent(stripe_rig))[0] == 200
    body = {"amount": 100, "currency": "EUR", "links": {"mandate": gocardless_rig.method.id}}
    status, made = to_gocardless(gocardless_rig, "/payments", {"payments": body})
    assert (status, made["payments"]["status"]) == (201, "pending_submission")


@pytest.mark.parametrize(
    ("more", "param"),
    [
        pytest.param({"payment_method_types[0]": "card"}, "payment_method_types", id="a field that is gone"),
        pytest.param({"nonsense": 1}, "nonsense", id="a field that never was"),
        pytest.param({"payment_method_options[card][nonsense]": 1}, None, id="a field inside"),
        pytest.param({"amount": "12.5"}, "amount", id="no whole amount"),
        pytest.param({"amount": 0}, "amount", id="nothing"),
        pytest.param({"amount": None}, "amount", id="no amount"),
        pytest.param({"amount": 49}, "amount", id="below the least"),
        pytest.param({"currency": "EUR"}, "currency", id="capital letters"),
        pytest.param({"currency": "isk", "amount": 12345}, "amount", id="hundredths that there are not"),
        pytest.param({"currency": "kwd", "amount": 1001}, "amount", id="a third decimal"),
        pytest.param({"allowed_payment_method_types[0]": "karte"}, None, id="no type"),
        pytest.param({"allowed_payment_method_types[0]": "sepa_debit"}, "payment_method", id="another type"),
        pytest.param({"allowed_payment_method_types[0]": None}, "return_url", id="the dashboard's types"),
        pytest.param({"automatic_payment_methods[enabled]": "true"}, "automatic_payment_methods", id="both choices"),
        pytest.param({"confirm": None}, "confirm", id="off session without confirm"),
        pytest.param({"customer": "cus_0"}, "customer", id="no customer"),
        pytest.param({"payment_method": "pm_0"}, "payment_method", id="no card"),
        pytest.param({f"metadata[{'k' * 41}]": "v"}, None, id="a long key"),
        pytest.param({"metadata[k]": "v" * 501}, None, id="a long value"),
        pytest.param({f"metadata[{n}k]": "v" for n in range(51)}, "metadata", id="fifty-one keys"),
    ],
)
def test_stripe_refuses_what_its_library_does_not_know(stripe_rig: StripeRig, more, param):
    before = stripe_rig.payments()
    status, body = to_stripe(stripe_rig, "/v1/payment_intents", intent(stripe_rig, **more))
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")
    assert param in (None, body["error"].get("param"))
    assert stripe_rig.payments() == before
    # What was refused before it began is not kept under its key.
    assert to_stripe(stripe_rig, "/v1/payment_intents", intent(stripe_rig))[0] == 200


def test_stripe_keeps_what_it_began_under_the_key_for_a_day(stripe_rig: StripeRig):
    rig = stripe_rig
    first = to_stripe(rig, "/v1/payment_intents", intent(rig))
    assert to_stripe(rig, "/v1/payment_intents", intent(rig)) == first
    status, body = to_stripe(rig, "/v1/payment_intents", intent(rig, amount=5000))
    assert (status, body["error"]["type"]) == (400, "idempotency_error")
    rig.day_passes()
    assert to_stripe(rig, "/v1/payment_intents", intent(rig)) != first
    assert len(rig.payments()) == 2
    bad = rig.card("4000000000000341").id
    refusals = [to_stripe(rig, "/v1/payment_intents", intent(rig, payment_method=bad), Idempotency_Key="bad")[1]]
    refusals += [to_stripe(rig, "/v1/payment_intents", intent(rig, payment_method=bad), Idempotency_Key="bad")[1]]
    assert refusals[0] == refusals[1]
    assert refusals[0]["error"]["payment_intent"]["status"] == "requires_payment_method"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer nothing"}, 401),
        ({"Authorization": ""}, 401),
        ({"Stripe_Version": "2020-08-27"}, 400),
        ({"Stripe_Version": ""}, 400),
        ({"Idempotency_Key": ""}, 400),
        ({"Idempotency_Key": "k" * 256}, 400),
        ({"Content_Type": "application/json"}, 400),
    ],
)
def test_stripe_refuses_wrong_headers(stripe_rig: StripeRig, headers, status):
    assert to_stripe(stripe_rig, "/v1/payment_intents", intent(stripe_rig), **headers)[0] == status


def test_unknown_routes_are_not_found(stripe_rig: StripeRig, gocardless_rig: GoCardlessRig):
    assert to_stripe(stripe_rig, "/v1/subscriptions")[0] == 404
    assert to_gocardless(gocardless_rig, "/redirect_flows")[0] == 404


def test_a_card_of_another_customer_cannot_be_charged(stripe_rig: StripeRig):
    _, other = to_stripe(stripe_rig, "/v1/customers", {"name": "Other"}, Idempotency_Key="other")
    status, body = to_stripe(stripe_rig, "/v1/payment_intents", intent(stripe_rig, customer=other["id"]))
    assert (status, body["error"]["param"]) == (400, "payment_method")


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"metadata": {f"k{n}": "v" for n in range(4)}}, 422),
        ({"metadata": {"k": "v" * 501}}, 422),
        ({"metadata": {"k": 1}}, 422),
        ({"amount": 0}, 422),
        ({"amount": 1.5}, 422),
        ({"amount": True}, 422),
        ({"currency": "eur"}, 422),
        ({"currency": "GBP"}, 422),
        ({"currency": "JPY"}, 422),
        ({"links": {}}, 422),
        ({"links": {"mandate": "MD0"}}, 422),
        ({"nonsense": 1}, 400),
    ],
)
def test_gocardless_refuses_what_it_does_not_know(gocardless_rig: GoCardlessRig, more, status):
    good = {"amount": 100, "currency": "EUR", "links": {"mandate": gocardless_rig.method.id}}
    found, body = to_gocardless(gocardless_rig, "/payments", {"payments": good | more})
    assert (found, body["error"]["code"]) == (status, status)
    assert gocardless_rig.payments() == []
    assert to_gocardless(gocardless_rig, "/payments", {"payments": good})[0] == 201


def test_a_key_of_gocardless_makes_one_thing_a_day(gocardless_rig: GoCardlessRig):
    body = {"amount": 100, "currency": "EUR", "links": {"mandate": gocardless_rig.method.id}}
    made = to_gocardless(gocardless_rig, "/payments", {"payments": body})[1]["payments"]
    status, again = to_gocardless(gocardless_rig, "/payments", {"payments": {**body, "amount": 5}})
    (error,) = again["error"]["errors"]
    assert (status, error["reason"]) == (409, "idempotent_creation_conflict")
    assert error["links"] == {"conflicting_resource_id": made["id"]}
    gocardless_rig.day_passes()
    assert to_gocardless(gocardless_rig, "/payments", {"payments": body})[0] == 201


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 401),
        ({"GoCardless_Version": ""}, 400),
        ({"Idempotency_Key": ""}, 400),
        ({"Content_Type": "text/plain"}, 415),
    ],
)
def test_gocardless_refuses_wrong_headers(gocardless_rig: GoCardlessRig, headers, status):
    body = {"amount": 100, "currency": "EUR", "links": {"mandate": gocardless_rig.method.id}}
    assert to_gocardless(gocardless_rig, "/payments", {"payments": body}, **headers)[0] == status


def test_a_fault_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="no such fault"):
        Faults().add("POST *", "lost")


class _Inbox(BaseHTTPRequestHandler):
    came: list[tuple[str, dict[str, str], bytes]]
    answers: list[int]

    def do_POST(self) -> None:
        """Take what comes, or refuse it as often as told."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.came.append((self.path, dict(self.headers), body))
        self.send_response(self.answers.pop() if self.answers else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def inbox() -> Iterator[tuple[str, type[_Inbox]]]:
    """Somebody who takes events: where, and what came."""
    handler = type("Inbox", (_Inbox,), {"came": [], "answers": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()
    thread.join()


def control(rig: StripeRig | GoCardlessRig, route: str, **body: Any) -> Any:
    """A control route."""
    status, answer = said(f"{rig.server.url}/_test/{route}", json.dumps(body).encode())
    assert status == 200, answer
    return answer


def test_control_routes_break_move_and_send(gocardless_rig: GoCardlessRig, inbox):
    rig, (url, taken) = gocardless_rig, inbox
    control(rig, "webhook", key=rig.secret, url=f"{url}/in?code=a%20b", secret="s" * 50)
    control(rig, "forget", key=rig.secret, url=rig.connection.webhook_url)
    control(rig, "faults", call="POST /payments", kind="502", times=2)
    body = {"payments": {"amount": 100, "currency": "EUR", "links": {"mandate": rig.method.id}}}
    for expected in (502, 502, 201):
        connection = http.client.HTTPConnection(urlsplit(rig.server.url).netloc, timeout=20)
        headers = {"Authorization": f"Bearer {rig.secret}", "GoCardless-Version": "2015-07-06"}
        headers |= {"Idempotency-Key": "k", "Content-Type": "application/json"}
        connection.request("POST", "/payments", json.dumps(body), headers)
        answer = connection.getresponse()
        assert answer.status == expected
        text = answer.read()
        connection.close()
    payment = json.loads(text)["payments"]["id"]
    control(rig, "move", key=rig.secret, id=payment, status="failed", will_attempt_retry=True)
    sent = control(rig, "emit", copies=2, reverse=True)
    assert [each["status"] for each in sent] == [200, 200]
    assert [path for path, _, _ in taken.came] == ["/in?code=a%20b"] * 2
    actions = [each["action"] for each in json.loads(taken.came[0][2])["events"]]
    assert actions[:2] == ["failed", "created"]
    assert control(rig, "emit") == []  # Nothing new.
    log = said(f"{rig.server.url}/_test/log", method="GET")[1]
    assert [each["path"] for each in log[-3:]] == ["/payments"] * 3
    assert said(f"{rig.server.url}/_test/nothing", b'{"key": "k"}')[0] == 422


def test_a_customer_of_stripe_pays_by_hand_and_events_follow_by_themselves(stripe_rig: StripeRig, inbox):
    rig, (url, taken) = stripe_rig, inbox
    endpoint = {"url": f"{url}/in", "enabled_events[0]": "setup_intent.succeeded"}
    to_stripe(rig, "/v1/webhook_endpoints", {**endpoint, "api_version": stripe.api_version}, Idempotency_Key="e")
    control(rig, "forget", key=rig.secret, id=rig.connection.webhook_id)
    control(rig, "emit", post=False)
    control(rig, "automatic", on=True)
    taken.answers.append(503)  # The first try is not taken.
    session = {"mode": "setup", "customer": rig.customer_id, "currency": "eur", "success_url": f"{url}/back"}
    _, made = to_stripe(rig, "/v1/checkout/sessions", session, Idempotency_Key="s")
    with urlopen(made["url"], timeout=20) as page:
        assert b"4000000000000341" in page.read()
    connection = http.client.HTTPConnection(urlsplit(made["url"]).netloc, timeout=20)
    connection.request("POST", urlsplit(made["url"]).path, urlencode({"choice": "4000000000000341"}))
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (303, f"{url}/back")
    connection.close()
    deadline = time.monotonic() + 30
    while len(taken.came) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [json.loads(body)["type"] for _, _, body in taken.came] == ["setup_intent.succeeded"] * 2
    assert len(rig.provider.methods(rig.connection, rig.customer_id)) == 2


@pytest.mark.parametrize(
    ("module", "name"), [("stripe_server", "STRIPE_API_BASE"), ("gocardless_server", "GOCARDLESS_API_BASE")]
)
def test_a_fake_runs_by_itself_and_without_the_tests_tools(module, name):
    code = f"import sys; from tests.support import {module}; {module}.start().stop(); print('pytest' in sys.modules)"
    alone = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert alone.stdout.strip() == "False"
    command = [sys.executable, "-m", f"tests.support.{module}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.fullmatch(rf"{name}=(http://127\.0\.0\.1:\d+)\n", process.stdout.readline())
            assert found is not None
            assert said(f"{found[1]}/_test/log", method="GET") == (200, [])
        finally:
            process.terminate()
