"""A valid request for each route that takes a body, to the organization of `bodies.world`.

A route that is in neither of `REQUESTS` and `WITHOUT_BODY` fails a test, so that new routes are tried with wrong bodies as all
others are.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app import app
from tests.support.bodies import (
    World,
    add_on,
    charge,
    charge_filter,
    coupon,
    customer,
    event,
    fixed_charge,
    metric,
    organization,
    overrides,
    plan,
    wallet,
    wallet_change,
)

API = "/api/v1"
Route = tuple[str, str]


@dataclass(frozen=True)
class Valid:
    """A request that is accepted: the body, where its route's placeholders lead, and where what was written is read back
    (None: the answer is all there is). `root`: under which key answers hold it."""

    body: Callable[[World], Any]
    names: dict[str, str] = field(default_factory=dict)
    root: str | None = None
    back: str | None = None
    admin: bool = False


def routes_with_bodies() -> list[Route]:
    """All routes of the API whose requests may have a body. Pages take forms, which tests/console sends."""
    methods = ("POST", "PUT", "PATCH", "DELETE")
    routes = {path: entries for path, entries in app.routes.items() if not path.startswith("/console")}
    return [(method, path) for path, entries in routes.items() for method in methods if method in entries]


# Routes at which a body says nothing; or that ask a payment provider, whose own tests send wrong bodies too.
WITHOUT_BODY: frozenset[Route] = frozenset(
    [
        ("POST", f"{API}/payment_providers"),
        ("POST", f"{API}/payment_requests"),
        ("POST", f"{API}/payment_requests/{{lago_id}}/payment_url"),
        ("POST", f"{API}/payment_requests/{{lago_id}}/retry_payment"),
        ("POST", f"{API}/customers/{{external_id}}/checkout_url"),
        ("DELETE", f"{API}/customers/{{external_id}}/payment_methods/{{lago_id}}"),
        ("PUT", f"{API}/customers/{{external_id}}/payment_methods/{{lago_id}}/set_as_default"),
        ("POST", "/webhooks/{provider}/{organization_id}"),
        ("PUT", f"{API}/payment_providers/{{code}}"),
        ("DELETE", f"{API}/payment_providers/{{code}}"),
        ("POST", f"{API}/payment_providers/{{code}}/rotate_webhook_secret"),
        ("DELETE", f"{API}/test_clock"),
        ("DELETE", f"{API}/taxes/{{code}}"),
        ("DELETE", f"{API}/billable_metrics/{{code}}"),
        ("DELETE", f"{API}/add_ons/{{code}}"),
        ("DELETE", f"{API}/coupons/{{code}}"),
        ("DELETE", f"{API}/customers/{{external_id}}/applied_coupons/{{lago_id}}"),
        ("DELETE", f"{API}/plans/{{code}}"),
        ("DELETE", f"{API}/plans/{{code}}/metadata"),
        ("DELETE", f"{API}/plans/{{code}}/metadata/{{key}}"),
        ("DELETE", f"{API}/customers/{{external_id}}"),
        ("DELETE", f"{API}/subscriptions/{{external_id}}/charges/{{charge_code}}/filters/{{filter_id}}"),
        ("DELETE", f"{API}/fees/{{lago_id}}"),
        ("DELETE", f"{API}/webhook_endpoints/{{lago_id}}"),
        ("POST", f"{API}/webhook_endpoints/{{lago_id}}/rotate_secret"),
        ("POST", f"{API}/organizations/rotate_hmac_key"),
        ("POST", f"{API}/webhook_endpoints/{{lago_id}}/pause"),
        ("POST", f"{API}/webhook_endpoints/{{lago_id}}/resume"),
        ("POST", f"{API}/webhooks/{{lago_id}}/retry"),
        ("DELETE", f"{API}/invoices/{{lago_id}}"),
        ("POST", f"{API}/invoices/{{lago_id}}/lose_dispute"),
        ("PUT", f"{API}/invoices/{{lago_id}}/lose_dispute"),
        ("POST", f"{API}/invoices/{{lago_id}}/retry"),
        ("POST", f"{API}/invoices/{{lago_id}}/retry_payment"),
        ("POST", f"{API}/invoices/{{lago_id}}/payment_url"),
        ("POST", f"{API}/invoices/{{lago_id}}/download"),
        ("POST", f"{API}/invoices/{{lago_id}}/download_pdf"),
        ("POST", f"{API}/credit_notes/{{lago_id}}/download"),
        ("POST", f"{API}/credit_notes/{{lago_id}}/download_pdf"),
        ("PUT", f"{API}/invoices/{{lago_id}}/refresh"),
        ("PUT", f"{API}/invoices/{{lago_id}}/finalize"),
        ("PUT", f"{API}/credit_notes/{{lago_id}}/void"),
        ("POST", f"{API}/credit_notes/{{lago_id}}/download"),
        ("POST", f"{API}/credit_notes/{{lago_id}}/download_pdf"),
        ("DELETE", f"{API}/credit_notes/{{lago_id}}/metadata"),
        ("DELETE", f"{API}/credit_notes/{{lago_id}}/metadata/{{key}}"),
        ("POST", f"{API}/wallet_transactions/{{lago_id}}/payment_url"),
        ("DELETE", f"{API}/wallets/{{lago_id}}"),
        ("DELETE", f"{API}/wallets/{{lago_id}}/metadata"),
        ("DELETE", f"{API}/wallets/{{lago_id}}/metadata/{{key}}"),
        ("DELETE", f"{API}/customers/{{external_customer_id}}/wallets/{{code}}"),
        ("DELETE", f"{API}/customers/{{external_customer_id}}/wallets/{{wallet_code}}/metadata"),
        ("DELETE", f"{API}/customers/{{external_customer_id}}/wallets/{{wallet_code}}/metadata/{{key}}"),
    ]
)


def _clock(_: World) -> Any:
    return {"test_clock": {"now": "2024-02-02T00:00:00Z"}}


def _subscription(world: World) -> Any:
    return {
        "external_customer_id": "cust",
        "plan_code": "plan",
        "external_id": "second",
        "name": "S",
        "billing_time": "calendar",
        "subscription_at": "2024-02-01T00:00:00Z",
        "ending_at": "2025-02-01T00:00:00Z",
        "consolidate_invoice": True,
        "plan_overrides": overrides(world) | {"amount_currency": "EUR", "trial_period": 3},
    }


def _subscription_change(world: World) -> Any:
    return {
        "name": "S",
        "ending_at": "2025-02-01T00:00:00Z",
        "consolidate_invoice": False,
        "on_termination_credit_note": "credit",
        "on_termination_invoice": "generate",
        "plan_overrides": overrides(world),
    }


def _credit_note(world: World) -> Any:
    return {
        "invoice_id": world.ids["invoice"],
        "reason": "order_change",
        "description": "d",
        "credit_amount_cents": 70,
        "refund_amount_cents": 0,
        "offset_amount_cents": 50,
        "items": [{"fee_id": world.ids["credited"], "amount_cents": 100}],
        "metadata": {"a": "b"},
    }


def _estimate(world: World) -> Any:
    return {name: value for name, value in _credit_note(world).items() if name in ("invoice_id", "items")}


def _payment(world: World) -> Any:
    sent = {"amount_cents": 100, "reference": "bank", "paid_at": "2024-01-31"}
    return {"invoice_id": world.ids["invoice"], **sent}


def _under(root: str, make: Callable[[World], Any]) -> Callable[[World], Any]:
    return lambda world: {root: make(world)}


def _of(root: str, body: Any, names: dict[str, str] | None = None, back: str | None = None) -> Valid:
    make = body if callable(body) else lambda _: body
    return Valid(_under(root, make), names or {}, root, back)


_PLAN = {"code": "plan"}
_CUSTOMER = {"external_customer_id": "cust"}
_CHARGE, _FIXED = _PLAN | {"charge_code": "gb"}, _PLAN | {"fixed_charge_code": "fixed"}
_SUB = {"external_id": "sub"}
_SUB_CHARGE, _SUB_FIXED = _SUB | {"charge_code": "gb"}, _SUB | {"fixed_charge_code": "fixed"}
_NEW_FILTER = charge_filter({"amount": "4"}, "gcp")
_EVALUATION = {"expression": "event.properties.a * 2", "event": {"code": "c", "timestamp": 1, "properties": {"a": 1}}}
_STANDARD = {"charge_model": "standard", "properties": {"amount": "3"}, "filters": [charge_filter({"amount": "4"})]}
_METADATA = {"metadata": [{"key": "k", "value": "v"}]}
_TAX = {"name": "T", "code": "t", "rate": 5, "description": "d", "applied_to_organization": False}
_ENDPOINT = {
    "webhook_url": "http://127.0.0.1:9/h",
    "signature_algo": "hmac",
    "name": "n",
    "event_types": ["plan.created"],
}

_PREVIEW = {
    "customer": {"external_id": "cust", "timezone": "Europe/Paris", "currency": "EUR"},
    "plan_code": "plan",
    "billing_time": "anniversary",
    "subscription_at": "2024-02-01T00:00:00Z",
    "coupons": [{"code": "c", "coupon_type": "fixed_amount", "amount_cents": 5, "amount_currency": "EUR"}],
    "subscriptions": {"external_ids": ["sub"], "terminated_at": "2024-02-10T00:00:00Z"},
}
_ONE_OFF = {
    "external_customer_id": "cust",
    "currency": "EUR",
    "fees": [
        {"add_on_code": "setup", "units": "2.5", "unit_amount_cents": 7, "description": "d", "tax_codes": ["vat"]}
        | {"invoice_display_name": "n", "from_datetime": "2024-01-01T00:00:00Z", "to_datetime": "2024-01-02T00:00:00Z"}
    ],
}
_VOID = {"generate_credit_note": True, "credit_amount": 1, "refund_amount": 0}
_HISTORY = {"external_historical_usage_amount_cents": 5}
_APPLIED = {
    "external_customer_id": "cust",
    "coupon_code": "five",
    "amount_cents": 5,
    "amount_currency": "EUR",
    "frequency": "recurring",
    "frequency_duration": 2,
}

REQUESTS: dict[Route, Valid] = {
    ("POST", f"{API}/invoices"): _of("invoice", _ONE_OFF, back="/invoices/{lago_id}"),
    ("POST", f"{API}/invoices/preview"): Valid(lambda _: _PREVIEW, root="invoice"),
    ("POST", f"{API}/invoices/{{lago_id}}/void"): Valid(lambda _: _VOID, {"lago_id": "@invoice"}, "invoice"),
    ("PUT", f"{API}/subscriptions/{{external_id}}/lifetime_usage"): _of("lifetime_usage", _HISTORY, _SUB),
    ("POST", "/admin/organizations"): Valid(
        lambda _: {"name": "New", "email": "n@example.com", "sandbox": False}, root="organization", admin=True
    ),
    ("PUT", f"{API}/organizations"): _of("organization", organization(), back="/organizations"),
    ("PUT", f"{API}/billing_entities/{{code}}"): _of(
        "billing_entity", {"country": "FR", "eu_tax_management": False, "net_payment_term": 3}, {"code": "default"}
    ),
    ("PUT", f"{API}/test_clock"): Valid(_clock, root="test_clock", back="/test_clock"),
    ("POST", f"{API}/taxes"): _of("tax", _TAX, back="/taxes/{code}"),
    ("PUT", f"{API}/taxes/{{code}}"): _of("tax", _TAX, {"code": "vat"}, "/taxes/{code}"),
    ("POST", f"{API}/billable_metrics"): _of("billable_metric", metric(), back="/billable_metrics/{code}"),
    ("PUT", f"{API}/billable_metrics/{{code}}"): _of(
        "billable_metric", metric() | {"code": "gb"}, {"code": "gb"}, "/billable_metrics/{code}"
    ),
    ("POST", f"{API}/billable_metrics/evaluate_expression"): Valid(lambda _: _EVALUATION, root="expression_result"),
    ("POST", f"{API}/add_ons"): _of("add_on", add_on() | {"code": "a2"}, back="/add_ons/{code}"),
    ("PUT", f"{API}/add_ons/{{code}}"): _of("add_on", add_on(), {"code": "setup"}, "/add_ons/{code}"),
    ("POST", f"{API}/coupons"): _of("coupon", coupon("c2"), back="/coupons/{code}"),
    ("PUT", f"{API}/coupons/{{code}}"): _of("coupon", coupon(), {"code": "ten"}, "/coupons/{code}"),
    ("POST", f"{API}/applied_coupons"): _of("applied_coupon", _APPLIED),
    ("POST", f"{API}/plans"): _of("plan", lambda w: plan(w, "p2") | {"charges": [charge(w)]}, back="/plans/{code}"),
    ("PUT", f"{API}/plans/{{code}}"): _of("plan", lambda w: plan(w, "plan"), _PLAN, "/plans/{code}"),
    ("POST", f"{API}/plans/{{code}}/charges"): _of("charge", charge, _PLAN, "/plans/plan/charges/{code}"),
    ("PUT", f"{API}/plans/{{code}}/charges/{{charge_code}}"): _of(
        "charge", lambda w: charge(w) | _STANDARD, _CHARGE, "/plans/plan/charges/{code}"
    ),
    ("DELETE", f"{API}/plans/{{code}}/charges/{{charge_code}}"): _of("charge", {"cascade_updates": False}, _CHARGE),
    ("POST", f"{API}/plans/{{code}}/fixed_charges"): _of(
        "fixed_charge", fixed_charge(), _PLAN, "/plans/plan/fixed_charges/{code}"
    ),
    ("PUT", f"{API}/plans/{{code}}/fixed_charges/{{fixed_charge_code}}"): _of(
        "fixed_charge", fixed_charge("fixed"), _FIXED, "/plans/plan/fixed_charges/{code}"
    ),
    ("DELETE", f"{API}/plans/{{code}}/fixed_charges/{{fixed_charge_code}}"): _of(
        "fixed_charge", {"cascade_updates": False}, _FIXED
    ),
    ("POST", f"{API}/plans/{{code}}/charges/{{charge_code}}/filters"): _of(
        "filter", _NEW_FILTER | {"cascade_updates": False}, _CHARGE, "/plans/plan/charges/gb/filters/{lago_id}"
    ),
    ("PUT", f"{API}/plans/{{code}}/charges/{{charge_code}}/filters/{{filter_id}}"): _of(
        "filter", _NEW_FILTER, _CHARGE | {"filter_id": "@filter"}, "/plans/plan/charges/gb/filters/{lago_id}"
    ),
    ("DELETE", f"{API}/plans/{{code}}/charges/{{charge_code}}/filters/{{filter_id}}"): _of(
        "filter", {"cascade_updates": False}, _CHARGE | {"filter_id": "@filter"}
    ),
    ("POST", f"{API}/plans/{{code}}/metadata"): _of("metadata", {"a": "b"}, _PLAN),
    ("PATCH", f"{API}/plans/{{code}}/metadata"): _of("metadata", {"a": "b"}, _PLAN),
    ("POST", f"{API}/customers"): _of("customer", customer(), back="/customers/{external_id}"),
    ("POST", f"{API}/subscriptions"): _of("subscription", _subscription, back="/subscriptions/{external_id}"),
    ("PUT", f"{API}/subscriptions/{{external_id}}"): _of(
        "subscription", _subscription_change, _SUB, "/subscriptions/{external_id}"
    ),
    ("DELETE", f"{API}/subscriptions/{{external_id}}"): Valid(
        lambda _: {"on_termination_credit_note": "skip", "on_termination_invoice": "skip"}, _SUB, "subscription"
    ),
    ("PUT", f"{API}/subscriptions/{{external_id}}/charges/{{charge_code}}"): _of(
        "charge",
        {"properties": {"amount": "7"}, "min_amount_cents": 1},
        _SUB_CHARGE,
        "/subscriptions/sub/charges/{code}",
    ),
    ("PUT", f"{API}/subscriptions/{{external_id}}/fixed_charges/{{fixed_charge_code}}"): _of(
        "fixed_charge",
        {"properties": {"amount": "7"}, "units": "3", "apply_units_immediately": True},
        _SUB_FIXED,
        "/subscriptions/sub/fixed_charges/{code}",
    ),
    ("POST", f"{API}/subscriptions/{{external_id}}/charges/{{charge_code}}/filters"): _of(
        "filter", _NEW_FILTER, _SUB_CHARGE, "/subscriptions/sub/charges/gb/filters/{lago_id}"
    ),
    ("PUT", f"{API}/subscriptions/{{external_id}}/charges/{{charge_code}}/filters/{{filter_id}}"): _of(
        "filter", _NEW_FILTER, _SUB_CHARGE | {"filter_id": "@filter"}, "/subscriptions/sub/charges/gb/filters/{lago_id}"
    ),
    ("POST", f"{API}/events"): _of("event", event(), back="/events/{transaction_id}"),
    ("POST", f"{API}/events/batch"): Valid(lambda _: {"events": [event("a"), event("b")]}, root="events"),
    ("POST", f"{API}/events/estimate_fees"): _of(
        "event", event() | {"external_subscription_id": "loose", "code": "calls"}
    ),
    ("PUT", f"{API}/invoices/{{lago_id}}"): _of(
        "invoice", {"payment_status": "succeeded"} | _METADATA, {"lago_id": "@invoice"}, "/invoices/{lago_id}"
    ),
    ("PUT", f"{API}/fees/{{lago_id}}"): _of(
        "fee", {"payment_status": "succeeded"}, {"lago_id": "@fee"}, "/fees/{lago_id}"
    ),
    ("POST", f"{API}/credit_notes"): _of("credit_note", _credit_note, back="/credit_notes/{lago_id}"),
    ("POST", f"{API}/credit_notes/estimate"): Valid(
        lambda w: {"credit_note": _estimate(w)}, root="estimated_credit_note"
    ),
    ("POST", f"{API}/credit_notes/{{lago_id}}/metadata"): _of("metadata", {"a": "b"}, {"lago_id": "@note"}),
    ("PATCH", f"{API}/credit_notes/{{lago_id}}/metadata"): _of("metadata", {"a": "b"}, {"lago_id": "@note"}),
    ("POST", f"{API}/payments"): _of("payment", _payment, back="/payments/{lago_id}"),
    ("PUT", f"{API}/credit_notes/{{lago_id}}"): _of(
        "credit_note",
        {"refund_status": "succeeded", "metadata": {"a": "b"}},
        {"lago_id": "@note"},
        "/credit_notes/{lago_id}",
    ),
    ("POST", f"{API}/wallets"): _of("wallet", wallet(), back="/wallets/{lago_id}"),
    ("PUT", f"{API}/wallets/{{lago_id}}"): _of("wallet", wallet_change(), {"lago_id": "@wallet"}, "/wallets/{lago_id}"),
    ("POST", f"{API}/customers/{{external_customer_id}}/wallets"): _of(
        "wallet", wallet_change() | {"rate_amount": "2"}, _CUSTOMER, "/wallets/{lago_id}"
    ),
    ("PUT", f"{API}/customers/{{external_customer_id}}/wallets/{{code}}"): _of(
        "wallet", wallet_change(), _CUSTOMER | {"code": "wallet"}, "/wallets/{lago_id}"
    ),
    ("POST", f"{API}/wallets/{{lago_id}}/metadata"): _of("metadata", {"a": "b"}, {"lago_id": "@wallet"}),
    ("PATCH", f"{API}/wallets/{{lago_id}}/metadata"): _of("metadata", {"a": "b"}, {"lago_id": "@wallet"}),
    ("POST", f"{API}/customers/{{external_customer_id}}/wallets/{{wallet_code}}/metadata"): _of(
        "metadata", {"a": "b"}, _CUSTOMER | {"wallet_code": "wallet"}
    ),
    ("PATCH", f"{API}/customers/{{external_customer_id}}/wallets/{{wallet_code}}/metadata"): _of(
        "metadata", {"a": "b"}, _CUSTOMER | {"wallet_code": "wallet"}
    ),
    ("POST", f"{API}/wallet_transactions"): Valid(
        lambda w: {
            "wallet_transaction": {
                "wallet_id": w.ids["wallet"],
                "name": "T",
                "priority": 3,
                "metadata": [{"key": "k", "value": "v"}],
                "invoice_requires_successful_payment": False,
                "ignore_paid_top_up_limits": True,
                "paid_credits": "3",
                "granted_credits": "4",
                "voided_credits": "1",
            }
        },
        root="wallet_transactions",
    ),
    ("POST", f"{API}/webhook_endpoints"): _of("webhook_endpoint", _ENDPOINT, back="/webhook_endpoints/{lago_id}"),
    ("PUT", f"{API}/webhook_endpoints/{{lago_id}}"): _of(
        "webhook_endpoint", _ENDPOINT, {"lago_id": "@endpoint"}, "/webhook_endpoints/{lago_id}"
    ),
    ("POST", f"{API}/webhook_endpoints/{{lago_id}}/replay"): _of(
        "replay", {"from_sequence": 1, "to_sequence": 2, "webhook_types": ["plan.created"]}, {"lago_id": "@endpoint"}
    ),
}
