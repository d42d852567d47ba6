"""Each code of `domain/error_codes.py` is answered, and no other code is."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY

import pytest
from botocore.exceptions import ClientError

from chalicelib import limits
from chalicelib.api import files
from chalicelib.domain import errors
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.members import invitations, resets
from chalicelib.features.members import service as members
from chalicelib.features.organizations import api_keys
from chalicelib.features.organizations import service as organizations
from chalicelib.platform.clock import TestClock
from chalicelib.platform.dynamodb import ConditionFailed
from chalicelib.platform.ids import ApiKeyId, OrganizationId, UserId
from tests.features.api.test_refusing_rules import RULES, codes_of
from tests.support import bodies
from tests.support.aws import ADMIN_KEY
from tests.support.bodies import World
from tests.support.story import Story, request

ROOT = Path(__file__).parents[3]
NOW = datetime(2024, 2, 1, tzinfo=UTC)

C = ErrorCode


@pytest.fixture(scope="module")
def world(module_aws: None) -> World:
    made = bodies.world()
    made.story.plan("numbers", [{"billable_metric_id": made.ids["gb"], "charge_model": "standard"} | _IN_ADVANCE])
    made.story.subscribe("numbers", "numbers")
    made.story.ok("POST", "/coupons", {"coupon": bodies.coupon("single") | {"applies_to": None, "reusable": False}})
    for code in ("ten", "single"):
        made.story.ok("POST", *_apply(coupon_code=code)[1:])
    fees = made.story.ok("GET", "/fees?per_page=1000")["fees"]
    (purchase,) = made.story.ok("GET", f"/wallets/{made.ids['wallet']}/wallet_transactions?status=pending")[
        "wallet_transactions"
    ]
    made.ids["purchase"] = purchase["lago_id"]
    made.ids["of_invoice"] = next(fee["lago_id"] for fee in fees if fee["lago_invoice_id"])
    return made


_IN_ADVANCE = {"pay_in_advance": True, "invoiceable": True, "properties": {"amount": "1"}}


Request = tuple[str, str, Any]


def _metric(**fields: Any) -> Request:
    return "POST", "/billable_metrics", {"billable_metric": bodies.metric() | {"code": "other"} | fields}


def _customer(**fields: Any) -> Request:
    return "POST", "/customers", {"customer": {"external_id": "cust"} | fields}


def _organization(**fields: Any) -> Request:
    return "PUT", "/organizations", {"organization": fields}


def _endpoint(**fields: Any) -> Request:
    return "POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/n"} | fields}


def _tax(**fields: Any) -> Request:
    return "POST", "/taxes", {"tax": {"name": "T", "code": "t", "rate": 5} | fields}


def _coupon(**fields: Any) -> Request:
    return "POST", "/coupons", {"coupon": bodies.coupon("new") | fields}


def _apply(**fields: Any) -> Request:
    return "POST", "/applied_coupons", {"applied_coupon": {"external_customer_id": "cust"} | fields}


def _fixed(**fields: Any) -> Request:
    return "POST", "/plans/plan/fixed_charges", {"fixed_charge": bodies.fixed_charge("new") | fields}


def _estimate(**fields: Any) -> Request:
    return "POST", "/events/estimate_fees", {"event": {"external_subscription_id": "numbers", "code": "gb"} | fields}


def _wallet(**fields: Any) -> Request:
    return "POST", "/wallets", {"wallet": {"external_customer_id": "cust", "rate_amount": "1"} | fields}


def _clock(now: str) -> Request:
    return "PUT", "/test_clock", {"test_clock": {"now": now}}


def _one_off(**fields: Any) -> Request:
    body = {"external_customer_id": "cust", "currency": "EUR", "fees": [{"add_on_code": "setup"} | fields]}
    return "POST", "/invoices", {"invoice": body}


_TOO_MANY = [{}] * (limits.EVENTS_PER_BATCH_MAX + 1)
_PAIRS = [{"key": f"k{n}", "value": "v"} for n in range(6)]

# Requests to an organization that has one of everything; `@name` in a path is one of its ids.
REQUESTS: dict[ErrorCode, Request] = {
    C.VALIDATION_ERRORS: _tax(name=""),
    C.REQUEST_TOO_LARGE: _tax(description="x" * (limits.BODY_BYTES_MAX + 1)),
    C.INVOICED_FEE: ("PUT", "/fees/@of_invoice", {"fee": {"payment_status": "failed"}}),
    C.NOT_DELETABLE: ("DELETE", "/invoices/@invoice", None),
    C.INVALID_STATUS: ("POST", "/invoices/@invoice/retry", None),
    C.NO_LINKED_PAYMENT_PROVIDER: ("POST", "/invoices/@invoice/payment_url", None),
    C.TOTAL_AMOUNT_EXCEEDS_INVOICE_AMOUNT: (
        "POST",
        "/invoices/@invoice/void",
        {"generate_credit_note": True, "credit_amount": 10**12},
    ),
    C.BILLING_ENTITY_MUST_BE_IN_EU: (
        "PUT",
        "/billing_entities/default",
        {"billing_entity": {"country": "US", "eu_tax_management": True}},
    ),
    C.VALUES_ARE_INVALID: _one_off(from_datetime="2024-01-01"),
    C.NO_ACTIVE_SUBSCRIPTION: ("GET", "/customers/cust/current_usage?external_subscription_id=gone", None),
    C.ONLY_ONE_LIMITATION_TYPE_PER_COUPON_ALLOWED: _coupon(
        applies_to={"plan_codes": ["plan"], "billable_metric_codes": ["gb"]}
    ),
    C.PLAN_OVERLAPPING: _apply(coupon_code="ten"),
    C.COUPON_IS_NOT_REUSABLE: _apply(coupon_code="single"),
    C.VALUE_IS_MANDATORY: _tax(code=" "),
    C.VALUE_IS_INVALID: _tax(rate="many"),
    C.VALUE_IS_TOO_LONG: _tax(code="x" * 256),
    C.VALUE_IS_OUT_OF_RANGE: _tax(rate=101),
    C.VALUE_ALREADY_EXIST: _tax(code="vat"),
    C.VALUE_MUST_BE_BLANK: (
        "GET",
        "/customers/cust/current_usage?external_subscription_id=sub&full_usage=true",
        None,
    ),
    C.INVALID_COUNT: _customer(metadata=_PAIRS),
    C.INVALID_TYPE: _customer(metadata="x"),
    C.INVALID_VALUE: _customer(finalize_zero_amount_invoice="x"),
    C.INVALID_FORMAT: ("POST", "/events", {"event": bodies.event() | {"timestamp": "x"}}),
    C.UNSUPPORTED_VALUE: _organization(email_settings=["x"]),
    C.INVALID_DATE: _clock("2024-02-30"),
    C.INVALID_TIMEZONE: _organization(timezone="Mars/Olympus"),
    C.INVALID_EMAIL_FORMAT: _customer(email="a@"),
    C.NOT_A_VALID_COUNTRY_CODE: _customer(country="EU"),
    C.NOT_A_VALID_LANGUAGE_CODE: _customer(billing_configuration={"document_locale": "tlh"}),
    C.INVALID_CONTENT_TYPE: _organization(logo="R0lGODlhAQABAAAAACw="),
    C.INVALID_SIZE: _organization(logo="A" * 1_200_000),
    C.URL_IS_INVALID: _endpoint(webhook_url="ftp://example.com"),
    C.CONTAINS_INVALID_TYPES: _endpoint(event_types=["x"]),
    C.MUST_BE_AN_ARRAY: ("POST", "/credit_notes", {"credit_note": {"items": "x"}}),
    C.INVALID_EXPRESSION: _metric(expression="1 +"),
    C.INVALID_EVENT: (
        "POST",
        "/billable_metrics/evaluate_expression",
        {"expression": "event.properties.a", "event": {}},
    ),
    C.NOT_COMPATIBLE_WITH_AGGREGATION_TYPE: _metric(aggregation_type="max_agg", recurring=True),
    C.INVALID_CHARGE_MODEL: _fixed(
        charge_model="volume", pay_in_advance=True, properties={"volume_ranges": [bodies.tier()]}
    ),
    C.CURRENCIES_DOES_NOT_MATCH: _customer(currency="USD"),
    C.DOES_NOT_MATCH_AN_INSTANT_CHARGE: _estimate(external_subscription_id="sub", properties={"n": 1}),
    C.NO_LINKED_PAYMENT_PROVIDER: ("POST", "/wallet_transactions/@purchase/payment_url", None),
    C.CUSTOMER_NOT_FOUND: _wallet(external_customer_id="nobody"),
    C.INVALID_PAID_CREDITS: _wallet(paid_credits="x"),
    C.INVALID_GRANTED_CREDITS: _wallet(granted_credits="x"),
    C.INVALID_VOIDED_CREDITS: ("POST", "/wallet_transactions", {"wallet_transaction": {"voided_credits": "x"}}),
    C.WALLET_NOT_FOUND: ("POST", "/wallet_transactions", {"wallet_transaction": {"wallet_id": "x"}}),
    C.INVALID_RECURRING_RULE: _wallet(recurring_transaction_rules=[{"trigger": "interval"}]),
    C.INVALID_NUMBER_OF_RECURRING_RULES: _wallet(recurring_transaction_rules=[{}, {}]),
    C.AMOUNT_ROUNDS_TO_ZERO: _wallet(granted_credits="0.001"),
    C.AMOUNT_BELOW_MINIMUM: _wallet(paid_credits="1", paid_top_up_min_amount_cents=500),
    C.AMOUNT_ABOVE_MAXIMUM: _wallet(paid_credits="9", paid_top_up_max_amount_cents=500),
    C.VALUE_IS_NOT_VALID_NUMBER: _estimate(properties={"n": "x"}),
    C.NO_EVENTS: ("POST", "/events/batch", {"events": []}),
    C.TOO_MANY_EVENTS: ("POST", "/events/batch", {"events": _TOO_MANY}),
    C.VALUE_MUST_BE_LATER: _clock("2023-01-01T00:00:00Z"),
    C.VALUE_MUST_BE_AT_MOST_3653_DAYS_LATER: _clock("2090-01-01T00:00:00Z"),
}


@pytest.mark.parametrize("code", REQUESTS, ids=str)
def test_a_request_that_is_answered_with_the_code(world, code):
    method, path, body = REQUESTS[code]
    for name, value in world.ids.items():
        path = path.replace(f"@{name}", value)
    answer = world.story.call(method, path, body)
    assert answer.status >= 400, answer
    assert any(found.partition(":")[0] == code for found in codes_of(answer.body)), answer


# States that something else brings about: where to put them in, what then stands there, and the request that meets it.


def _advancing(*_: Any) -> TestClock:
    return TestClock(now=NOW, target=NOW.replace(year=2025))


def _raises(error: Exception) -> Callable[..., Any]:
    def raising(*_: Any, **__: Any) -> Any:
        raise error

    return raising


_LOST = ConditionFailed()
_THROTTLED = ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem")
_ON_TIME = SimpleNamespace(customer_id=ANY, visible=True, payment_overdue=False)
_UNDER_WAY = Invoice.model_construct(status="finalized", payment_status="pending", payment_under_way="p")
_DRAFT = Invoice.model_construct(status="draft", invoice_type="subscription")
_REGROUPED = Invoice.model_construct(invoice_type="advance_charges", status="finalized")
STATES: dict[ErrorCode, tuple[str, Callable[..., Any], Request]] = {
    C.TEST_CLOCK_ADVANCING: ("chalicelib.platform.clock.read", _advancing, _tax()),
    C.CHANGED_MEANWHILE: ("chalicelib.features.taxes.service.show", _raises(_LOST), ("GET", "/taxes/vat", None)),
    C.SERVICE_BUSY: ("chalicelib.features.taxes.service.show", _raises(_THROTTLED), ("GET", "/taxes/vat", None)),
    C.INVALID_TYPE_OR_STATUS: (
        "chalicelib.features.invoices.service.find",
        lambda *_: _REGROUPED,
        ("PUT", "/invoices/@invoice/refresh", None),
    ),
    C.NOT_VOIDABLE: (
        "chalicelib.features.invoices.service.find",
        lambda *_: _DRAFT,
        ("POST", "/invoices/@invoice/void", {}),
    ),
    C.INVOICES_NOT_OVERDUE: (
        "chalicelib.features.invoices.reading.get_many",
        lambda _, ids: dict.fromkeys(ids, _ON_TIME),
        ("POST", "/payment_requests", {"payment_request": {"external_customer_id": "cust", "lago_invoice_ids": ["i"]}}),
    ),
    C.PAYMENT_PROCESSOR_IS_CURRENTLY_HANDLING_PAYMENT: (
        "chalicelib.features.invoices.service.find",
        lambda *_: _UNDER_WAY,
        ("POST", "/invoices/@invoice/retry_payment", None),
    ),
    C.NOT_DISPUTABLE: (
        "chalicelib.features.invoices.service.find",
        lambda *_: _DRAFT,
        ("POST", "/invoices/@invoice/lose_dispute", None),
    ),
    C.WALLET_IS_TERMINATED: (
        "chalicelib.features.wallets.reading.of_id",
        lambda *_: SimpleNamespace(status="terminated"),
        ("PUT", "/wallets/@wallet", {"wallet": {"name": "x"}}),
    ),
    C.NO_VOIDABLE_AMOUNT: (
        "chalicelib.features.credit_notes.service.find",
        lambda *_: SimpleNamespace(open=False),
        ("PUT", "/credit_notes/@note/void", None),
    ),
}


@pytest.mark.parametrize("code", STATES, ids=str)
def test_a_state_that_is_answered_with_the_code(world, monkeypatch, code):
    where, what, (method, path, body) = STATES[code]
    monkeypatch.setattr(where, what)
    for name, value in world.ids.items():
        path = path.replace(f"@{name}", value)
    assert world.story.call(method, path, body).body["code"] == code


def test_only_sandboxes_have_a_test_clock(world):
    made = request("POST", "/admin/organizations", {"name": "Live", "sandbox": False}, {"X-Admin-API-Key": ADMIN_KEY})
    answer = Story(made.body["api_key"]).call("GET", "/test_clock")
    assert (answer.status, answer.body["code"]) == (403, C.TEST_CLOCK_NOT_ALLOWED)


def test_each_code_is_tried():
    apart = {C.TEST_CLOCK_NOT_ALLOWED}
    assert set(ErrorCode) == {*REQUESTS, *RULES, *STATES, *apart}
    assert all(code.when.endswith(".") for code in ErrorCode)


_PLAN_WITH = {"name": "n", "code": "n", "interval": "monthly", "amount_cents": 1, "amount_currency": "EUR"}
_UNKNOWN_METRIC = {"billable_metric_id": "none", "charge_model": "standard", "properties": {"amount": "1"}}
NOT_FOUND: dict[Resource, Request] = {
    Resource.ADD_ON: ("GET", "/add_ons/none", None),
    Resource.APPLIED_COUPON: ("DELETE", "/customers/cust/applied_coupons/none", None),
    Resource.BILLABLE_METRIC: ("GET", "/billable_metrics/none", None),
    Resource.BILLABLE_METRICS: ("POST", "/plans", {"plan": _PLAN_WITH | {"charges": [_UNKNOWN_METRIC]}}),
    Resource.BILLING_ENTITY: ("GET", "/billing_entities/none", None),
    Resource.CHARGE: ("GET", "/plans/plan/charges/none", None),
    Resource.CHARGE_FILTER: ("GET", "/plans/plan/charges/gb/filters/none", None),
    Resource.COUPON: ("GET", "/coupons/none", None),
    Resource.CREDIT_NOTE: ("GET", "/credit_notes/none", None),
    Resource.CUSTOMER: ("GET", "/customers/none", None),
    Resource.EVENT: ("GET", "/events/none", None),
    Resource.FEE: ("GET", "/fees/none", None),
    Resource.FEES: ("POST", "/invoices", {"invoice": {"external_customer_id": "cust", "fees": []}}),
    Resource.FIXED_CHARGE: ("GET", "/plans/plan/fixed_charges/none", None),
    Resource.INVOICE: ("GET", "/invoices/none", None),
    Resource.METADATA: ("DELETE", "/plans/plan/metadata/none", None),
    Resource.PAYMENT: ("GET", "/payments/none", None),
    Resource.PAYMENT_METHOD: ("DELETE", "/customers/cust/payment_methods/none", None),
    Resource.PAYMENT_PROVIDER: ("GET", "/payment_providers/none", None),
    Resource.PAYMENT_REQUEST: ("GET", "/payment_requests/none", None),
    Resource.PAYMENT_RECEIPT: ("GET", "/payment_receipts/none", None),
    Resource.PLAN: ("GET", "/plans/none", None),
    Resource.PLANS: _coupon(applies_to={"plan_codes": ["none"]}),
    Resource.SUBSCRIPTION: ("GET", "/subscriptions/none", None),
    Resource.TAX: ("GET", "/taxes/none", None),
    Resource.WALLET: ("GET", "/wallets/none", None),
    Resource.WALLET_TRANSACTION: ("GET", "/wallet_transactions/none", None),
    Resource.WEBHOOK: ("GET", "/webhooks/none", None),
    Resource.WEBHOOK_ENDPOINT: ("GET", "/webhook_endpoints/none", None),
    Resource.WEBHOOK_REPLAY: ("GET", "/webhook_endpoints/{endpoint}/replays/none", None),
}


@pytest.mark.parametrize("resource", NOT_FOUND, ids=str)
def test_what_is_not_there_is_named(world, resource):
    method, path, body = NOT_FOUND[resource]
    answer = world.story.call(method, path.format(**world.ids), body)
    assert (answer.status, answer.body["code"]) == (404, f"{resource}_not_found")


_ORG = OrganizationId("none")

# Objects that no route names by itself.
NOT_FOUND_BY_RULES: dict[Resource, Callable[[], Any]] = {
    Resource.API_KEY: lambda: api_keys.get(_ORG, ApiKeyId("none")),
    Resource.ORGANIZATION: lambda: organizations.get(_ORG),
    Resource.FILE: lambda: files._printed("none"),
    Resource.INVITE: lambda: invitations.renew(_ORG, "none", now=NOW),
    Resource.MEMBERSHIP: lambda: members.remove(_ORG, UserId("a"), by=UserId("b"), now=NOW),
    Resource.PASSWORD_RESET: lambda: resets.use("none", "x", browser="", address="", now=NOW),
    Resource.USER: lambda: resets.make_link("nobody@example.com", now=NOW),
}


@pytest.mark.parametrize("resource", NOT_FOUND_BY_RULES, ids=str)
def test_what_a_rule_does_not_find_is_named(world, resource):
    with pytest.raises(errors.NotFound, match=f"^{resource}_not_found$"):
        NOT_FOUND_BY_RULES[resource]()


def test_each_resource_is_tried():
    assert set(Resource) == {*NOT_FOUND, *NOT_FOUND_BY_RULES}
