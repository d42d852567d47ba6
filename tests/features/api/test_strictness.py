"""What is not understood is refused, what is dropped is dropped whole, and text of any characters is carried as it is."""

import os
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from chalicelib import limits
from chalicelib.features.events import service as events
from chalicelib.platform import aws, files
from chalicelib.platform.dynamodb import Cancelled, Reason
from chalicelib.platform.unit import Unit
from infra.local.run import keep_secret
from tests.support import strict
from tests.support.charging import priced, ts
from tests.support.story import meter, request

ODD = "\ufffe\uffff\u0000\r\n\u0085\u2028\U0001fffe\U0010ffff\u202e#~%/ü"


# Who calls.


@pytest.mark.parametrize(
    "header", ["Basic {}", "Token {}", "{}", "Bearer: {}", "Bearer{}", "Bearer {} x", "x Bearer {}"]
)
def test_only_a_bearer_is_known(story, header):
    answer = request("GET", "/api/v1/plans", None, {"Authorization": header.format(story.api_key)})
    assert (answer.status, answer.body) == (401, {"status": 401, "error": "Unauthorized"})


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", " Bearer  "])
def test_the_scheme_is_read_in_any_letters(story, scheme):
    assert request("GET", "/api/v1/plans", None, {"Authorization": f"{scheme} {story.api_key}"}).status == 200


# Switches.

_CUSTOMER: dict[str, Any] = {"external_id": "c"}
_PLAN = {"name": "p", "code": "p", "interval": "monthly", "amount_cents": 0, "amount_currency": "EUR"}


@pytest.mark.parametrize("value", ["false", "true", "", "x", 0, 1, [], {}])
@pytest.mark.parametrize(
    ("path", "root", "body", "field"),
    [
        (
            "customers",
            "customer",
            lambda v: _CUSTOMER | {"metadata": [{"key": "k", "value": "v", "display_in_invoice": v}]},
            "display_in_invoice",
        ),
        (
            "customers",
            "customer",
            lambda v: _CUSTOMER | {"skip_invoice_custom_sections": v},
            "skip_invoice_custom_sections",
        ),
        ("plans", "plan", lambda v: _PLAN | {"pay_in_advance": v}, "pay_in_advance"),
        ("plans", "plan", lambda v: _PLAN | {"bill_charges_monthly": v, "interval": "yearly"}, "bill_charges_monthly"),
        (
            "taxes",
            "tax",
            lambda v: {"name": "t", "code": "t", "rate": 1, "applied_to_organization": v},
            "applied_to_organization",
        ),
        ("billable_metrics", "billable_metric", lambda v: {"name": "m", "code": "m", "recurring": v}, "recurring"),
    ],
)
def test_a_switch_is_true_or_false(story, path, root, body, field, value):
    answer = story.call("POST", f"/{path}", {root: body(value)})
    assert answer.status == 422
    assert answer.body["error_details"][field] == ["value_is_invalid"]


@pytest.mark.parametrize("value", [True, [], {}, ["x"], {"a": 1}])
@pytest.mark.parametrize("name", ["key", "value"])
def test_metadata_is_text_or_a_number(story, name, value):
    pair = {"key": "k", "value": "v", name: value}
    answer = story.call("POST", "/customers", {"customer": _CUSTOMER | {"metadata": [pair]}})
    assert (answer.status, answer.body["error_details"]) == (422, {name: ["value_is_invalid"]})


def test_metadata_shows_what_it_was_given(story):
    pairs = [{"key": "a", "value": "1"}, {"key": 2, "value": 1.50, "display_in_invoice": True}]
    shown = story.customer("c", metadata=pairs)["metadata"]
    assert [(p["key"], p["value"], p["display_in_invoice"]) for p in shown] == [("a", "1", False), ("2", "1.5", True)]


# Containers where words belong.


@pytest.mark.parametrize("value", [["sum_agg"], {"a": 1}, [["x"]], [{}]])
def test_a_container_is_no_word(story, value):
    story.metric("m")
    for method, path in (("POST", ""), ("PUT", "/m")):
        body = {"name": "m", "code": "m2", "aggregation_type": value, "field_name": "n"}
        answer = story.call(method, f"/billable_metrics{path}", {"billable_metric": body})
        assert (answer.status, answer.body["error_details"]) == (422, {"aggregation_type": ["value_is_invalid"]})
    answer = story.call("PUT", "/organizations", {"organization": {"email_settings": [value]}})
    assert answer.body["error_details"] == {"email_settings": ["unsupported_value"]}
    body = {"webhook_url": "http://example.com/h", "event_types": [value, "plan.created"]}
    answer = story.call("POST", "/webhook_endpoints", {"webhook_endpoint": body})
    (told,) = answer.body["error_details"]["event_types"]
    assert (answer.status, told) == (422, f"contains invalid types: {value}")


# Properties of charges.


def test_what_a_charge_model_does_not_know_is_dropped(story):
    nested: Any = "x"
    for _ in range(32):
        nested = [nested]
    unknown = {"digits": int("1" * 41), "nested": nested, "long": "x" * 70_000, "graduated_ranges": nested, "": 1}
    known = {"amount": "1", "pricing_group_keys": ["user"]}
    metric = story.metric()
    with strict.limits_kept():
        plan = story.plan(charges=[priced(metric, properties=known | unknown)])
        assert plan["charges"][0]["properties"] == known
        ranges = [{"from_value": 0, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"}]
        changed = {"charge_model": "graduated", "properties": unknown | {"graduated_ranges": [ranges[0] | unknown]}}
        code = plan["charges"][0]["code"]
        shown = story.ok("PUT", f"/plans/plan/charges/{code}", {"charge": changed})["charge"]
    assert shown["properties"] == {"graduated_ranges": ranges}


@pytest.mark.parametrize("model", ["graduated", "volume", "graduated_percentage"])
def test_tiers_with_fractional_bounds_are_shown_as_given_and_billed(story, model):
    name, price = f"{model}_ranges", "rate" if "percentage" in model else "per_unit_amount"
    bounds = [(0, 0.1), (0.1, 1), (1, None)]
    tiers = [
        {"from_value": low, "to_value": high, price: str(100 * n), "flat_amount": "0"}
        for n, (low, high) in enumerate(bounds, 1)
    ]
    metric = story.metric("gb", "sum_agg", field_name="n")
    plan = story.plan(charges=[priced(metric, model, {name: tiers})])
    assert plan["charges"][0]["properties"] == {name: tiers}
    assert story.ok("GET", "/plans/plan")["plan"]["charges"][0]["properties"] == {name: tiers}
    story.customer(currency="EUR")
    story.subscribe()
    cents = {"graduated": (500, 9000), "volume": (500, 10000), "graduated_percentage": (5, 90)}[model]
    story.use("gb", at=ts("2024-01-02T00:00:00"), n="0.05")
    assert story.usage()["amount_cents"] == cents[0]  # 0.05 x 100
    story.use("gb", at=ts("2024-01-02T00:00:00"), n="0.45")
    assert story.usage()["amount_cents"] == cents[1]  # 0.1 x 100 + 0.4 x 200; volume: 0.5 x 200
    story.travel("2024-02-01T00:00:00Z")
    (fee,) = (fee for fee in story.invoices()[0]["fees"] if fee["item"]["type"] == "charge")
    assert fee["amount_cents"] == cents[1]
    if model != "volume":
        found = [(tier["from_value"], tier["to_value"]) for tier in fee["amount_details"][name]]
        assert found == bounds[:2]


# Text of any characters.


def test_an_event_of_any_characters_is_counted_and_reads_back(story):
    story.metric("gb", "sum_agg", field_name="n")
    event = {"transaction_id": ODD, "external_subscription_id": f"s{ODD}", "code": f"c{ODD}", "timestamp": 1704300000}
    event["properties"] = {ODD: [ODD, {ODD: ODD}], "n": 1}
    with strict.limits_kept():
        story.ok("POST", "/events", {"event": event})
        story.ok("POST", "/events/batch", {"events": [event | {"transaction_id": f"{n}{ODD}"} for n in range(3)]})
        assert events.in_flight(story.ref)
        meter()
        assert not events.in_flight(story.ref)
        found = story.ok("GET", f"/events/{quote(ODD, safe='')}")["event"]
    assert {name: found[name] for name in event if name != "timestamp"} == {
        name: value for name, value in event.items() if name != "timestamp"
    }
    assert (
        story.ok("GET", f"/events?external_subscription_id={quote(event['external_subscription_id'], safe='')}")[
            "meta"
        ]["total_count"]
        == 4
    )


class _Failing:
    """The client of SQS, whose sends fail."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def get_queue_url(self, **_: Any) -> dict[str, str]:
        return {"QueueUrl": "http://queue"}

    def send_message(self, **_: Any) -> None:
        raise self._error


def _answered(status: int) -> ClientError:
    answer: Any = {"Error": {"Code": "InvalidMessageContents"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "SendMessage")


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        pytest.param(_answered(400), False, id="refused: nothing is on its way"),
        pytest.param(_answered(500), True, id="the service failed: it may be"),
        pytest.param(EndpointConnectionError(endpoint_url="x"), True, id="no answer: it may be"),
    ],
)
def test_a_message_that_was_not_sent_is_not_waited_for(story, monkeypatch, error, waits):
    client = aws.client
    sqs = _Failing(error)
    monkeypatch.setattr(aws, "client", lambda name, *use: sqs if name == "sqs" else client(name, *use))
    event = {"transaction_id": "t", "external_subscription_id": "s", "code": "c"}
    # SQS that is busy or does not answer may be asked again: 503. That it refuses a message is a fault of ours.
    assert story.call("POST", "/events", {"event": event}).status == (503 if waits else 500)
    assert events.in_flight(story.ref) == waits


# What meets others, and what stands in headers.


@pytest.mark.parametrize("reasons", [["ConditionalCheckFailed"], ["None", "TransactionConflict"]])
def test_an_invoice_that_others_change_all_the_time_is_a_conflict(story, monkeypatch, reasons):
    monkeypatch.setattr(limits, "CHANGE_RETRIED_FOR", timedelta(milliseconds=100))  # test_retry.py waits them out.
    story.plan(amount_cents=100, pay_in_advance=True)
    story.customer(currency="EUR")
    story.subscribe()
    invoice = story.invoices()[0]["lago_id"]

    def lost(*_: Any) -> None:
        raise Cancelled([Reason(code) for code in reasons])

    monkeypatch.setattr(Unit, "commit", lost)
    answer = story.call("PUT", f"/invoices/{invoice}", {"invoice": {"payment_status": "failed"}})
    assert (answer.status, answer.body["status"], answer.body["error"]) == (409, 409, "Conflict")


@pytest.mark.parametrize(
    ("reasons", "status"),
    [(["ConditionalCheckFailed", "None"], 409), (["TransactionConflict"], 409), (["ValidationError"], 500)],
)
def test_a_lost_race_that_nobody_expected_is_a_conflict(story, monkeypatch, reasons, status):
    monkeypatch.setattr(limits, "CHANGE_RETRIED_FOR", timedelta(milliseconds=100))  # test_retry.py waits them out.
    from chalicelib.features.taxes.store import TAXES

    def lost(*_: Any) -> None:
        raise Cancelled([Reason(code) for code in reasons])

    monkeypatch.setattr(type(TAXES), "create", lost)
    answer = story.call("POST", "/taxes", {"tax": {"name": "t", "code": "t", "rate": 1}})
    assert (answer.status, answer.body["status"]) == (status, status)


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        ("ACM-1 2.pdf", 'inline; filename="ACM-1 2.pdf"'),
        ('A"; x="\\.pdf', "inline; filename=\"A__ x___.pdf\"; filename*=UTF-8''A%22%3B%20x%3D%22%5C.pdf"),
        ("Ü.pdf", "inline; filename=\"_.pdf\"; filename*=UTF-8''%C3%9C.pdf"),
        ("a\r\nSet-Cookie: b", "inline; filename=\"a__Set-Cookie_ b\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20b"),
        ("../a", "inline; filename=\".._a\"; filename*=UTF-8''..%2Fa"),
    ],
)
def test_a_files_name_cannot_end_its_header(filename, header):
    assert files.disposition(filename) == header


def test_the_prefix_of_documents_is_a_part_of_a_name_and_nothing_else(story):
    for prefix in ("a\r\nb", "a\x00", "\ufffe", "a\u2028b", " \t"):
        answer = story.call("PUT", "/organizations", {"organization": {"document_number_prefix": prefix}})
        assert answer.body["error_details"] == {"document_number_prefix": ["value_is_invalid"]}, prefix
    story.organization(document_number_prefix='ä";x="')
    story.plan(amount_cents=100, pay_in_advance=True)
    story.customer(currency="EUR")
    story.subscribe()
    number = story.invoices()[0]["number"]
    assert number.startswith('Ä";X="')
    link = files.link("a/b.pdf", f"{number}.pdf")
    (header,) = parse_qs(urlsplit(link).query)["response-content-disposition"]
    assert header == files.disposition(f"{number}.pdf")
    assert header.isascii()


def test_local_secrets_are_their_owners_alone(tmp_path):
    place = tmp_path / "key"
    place.write_text("old")
    place.chmod(0o644)
    before = os.umask(0)
    try:
        keep_secret(place, "new")
    finally:
        os.umask(before)
    assert (place.read_text(), place.stat().st_mode & 0o777) == ("new", 0o600)
