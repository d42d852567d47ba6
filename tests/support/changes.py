"""Every route that changes something, with a request for it in a world that has one of everything."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app import app
from chalicelib.features.webhooks import numbering
from tests.support import credit_notes
from tests.support.aws import ADMIN_KEY
from tests.support.items import core
from tests.support.quick_tables import State, state
from tests.support.story import Answer, Story, meter, request, work

# Routes that change no object: what comes in goes to a queue, or nothing is kept, or the clock has rules of its own.
# Connections, ways to pay and requests for payment need a provider: tests/features/payments has them.
OTHERS = {
    "POST /api/v1/events",
    "POST /api/v1/events/batch",
    "POST /api/v1/events/estimate_fees",
    "POST /api/v1/billable_metrics/evaluate_expression",
    "POST /api/v1/invoices/preview",
    "POST /api/v1/invoices/{lago_id}/retry",
    "POST /api/v1/invoices/{lago_id}/retry_payment",
    "POST /api/v1/invoices/{lago_id}/payment_url",
    "POST /api/v1/invoices/{lago_id}/download",
    "POST /api/v1/invoices/{lago_id}/download_pdf",
    "POST /api/v1/credit_notes/estimate",
    "POST /api/v1/credit_notes/{lago_id}/download",
    "POST /api/v1/credit_notes/{lago_id}/download_pdf",
    "POST /api/v1/wallet_transactions/{lago_id}/payment_url",
    "POST /api/v1/payment_providers",
    "POST /api/v1/payment_requests",
    "POST /api/v1/payment_requests/{lago_id}/payment_url",
    "POST /api/v1/payment_requests/{lago_id}/retry_payment",
    "POST /api/v1/customers/{external_id}/checkout_url",
    "DELETE /api/v1/customers/{external_id}/payment_methods/{lago_id}",
    "PUT /api/v1/customers/{external_id}/payment_methods/{lago_id}/set_as_default",
    "PUT /api/v1/payment_providers/{code}",
    "DELETE /api/v1/payment_providers/{code}",
    "POST /api/v1/payment_providers/{code}/rotate_webhook_secret",
    "PUT /api/v1/test_clock",
    "DELETE /api/v1/test_clock",
}


@dataclass(frozen=True)
class Change:
    """One request. `route` as the app names it; braces in `path` and in texts of `body` are filled from the world. `again`:
    the status of the same request on top of itself."""

    route: str
    path: str = ""
    body: Any = None
    again: int = 200

    @property
    def method(self) -> str:
        return self.route.partition(" ")[0]


@dataclass
class World:
    """An organization in real time, with one of everything: the names of all of it, and the tables as they were then."""

    story: Story
    names: Mapping[str, str]
    state: State

    def call(self, change: Change) -> Answer:
        """Carry out a change."""
        body = _filled(change.body, self.names)
        if change.route.startswith("POST /admin"):
            return request("POST", "/admin/organizations", body, {"X-Admin-API-Key": ADMIN_KEY})
        path = change.path or change.route.partition("/api/v1")[2]
        return self.story.call(change.method, path.format(**self.names), body)

    @classmethod
    def begin(cls) -> "World":
        """The world: a plan in advance with a filtered charge and seats, subscribed; a final invoice, a draft, a credit
        note, a fee without invoice, a webhook endpoint."""
        story = Story.begin(sandbox=False)
        for code in ("vat", "spare"):
            story.ok("POST", "/taxes", {"tax": {"name": code, "code": code, "rate": 20}})
        for code in ("seat", "desk"):
            add_on = {"name": code, "code": code, "amount_cents": 100, "amount_currency": "EUR"}
            story.ok("POST", "/add_ons", {"add_on": add_on})
        dimension = {"key": "cloud", "values": ["aws", "gcp"]}
        calls, spare = story.metric(filters=[dimension]), story.metric("spare")
        filters = [{"properties": {"amount": "2"}, "values": {"cloud": ["aws"]}}]
        charge = {"billable_metric_id": calls["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
        plan = story.plan(
            amount_cents=3100,
            pay_in_advance=True,
            charges=[{**charge, "code": "calls", "filters": filters}],
            fixed_charges=[{"add_on_code": "seat", "code": "seat", "charge_model": "standard", "units": 5,
                            "properties": {"amount": "3"}}],
            metadata={"tier": "gold"},
        )  # fmt: skip
        story.plan("spare")
        loose = {**charge, "billable_metric_id": spare["lago_id"], "pay_in_advance": True, "invoiceable": False}
        story.plan("loose", charges=[loose])
        story.customer("cust", currency="EUR", metadata=[{"key": "k", "value": "v"}])
        story.subscribe()
        story.subscribe("loose", "loose")
        work()
        (invoice,) = story.invoices()
        note = credit_notes.stored(story)
        story.ok("PUT", f"/credit_notes/{note.id}", {"credit_note": {"metadata": {"tier": "gold"}}})
        story.customer("late", billing_configuration={"invoice_grace_period": 3})
        story.subscribe("plan", "late", "late")
        now = datetime.now(UTC)
        story.use("spare", at=(now + timedelta(seconds=1)).timestamp(), subscription="loose")
        meter()
        work()
        (draft,) = story.invoices("&status=draft")
        (fee,) = [f for f in story.ok("GET", "/fees?per_page=1000")["fees"] if f["lago_invoice_id"] is None]
        url = {"webhook_url": "https://example.com/first"}
        endpoint = story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": url})["webhook_endpoint"]
        silent = {"webhook_url": "https://example.com/silent", "event_types": []}
        paused = story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": silent})["webhook_endpoint"]["lago_id"]
        story.ok("POST", f"/webhook_endpoints/{paused}/pause")
        story.customer("told")
        numbering.number(story.ref)
        (message,) = story.ok("GET", "/webhooks")["webhooks"]
        names = {"metric": calls["lago_id"], "spare_metric": spare["lago_id"], "invoice": invoice["lago_id"]}
        names |= {"draft": draft["lago_id"], "fee": fee["lago_id"], "note": note.id, "endpoint": endpoint["lago_id"]}
        names |= {"message": message["lago_id"], "paused": paused}
        names["credited"] = max(invoice["fees"], key=lambda each: each["amount_cents"])["lago_id"]
        for code, reusable in (("rest", True), ("single", False)):
            coupon = {**_COUPON, "code": code, "reusable": reusable}
            story.ok("POST", "/coupons", {"coupon": coupon})
        applied = story.ok("POST", "/applied_coupons", {"applied_coupon": {
            "external_customer_id": "cust", "coupon_code": "rest"}})  # fmt: skip
        names["applied"] = applied["applied_coupon"]["lago_id"]
        body = {"wallet": {"external_customer_id": "cust", "rate_amount": "1", "granted_credits": "9", "code": "wallet",
                           "metadata": {"tier": "gold"}}}  # fmt: skip
        names["wallet"] = story.ok("POST", "/wallets", body)["wallet"]["lago_id"]
        names["filter"] = plan["charges"][0]["filters"][0]["lago_id"]
        return cls(story, names, state())


def routes() -> set[str]:
    """All routes of the app that change something."""
    known = {f"{method} {path}" for path, methods in app.routes.items() for method in methods if method != "GET"}
    return {route for route in known if route.split(" ")[1].startswith(("/api/v1/", "/admin/"))}


def core_items() -> dict[tuple[str, str], Any]:
    """All that stands in the core table, by key."""
    pages = core.client.get_paginator("scan").paginate(TableName=core.name)
    return {(item["pk"]["S"], item["sk"]["S"]): item for page in pages for item in page["Items"]}


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return value.format(**names)
    if isinstance(value, dict):
        return {key: _filled(inner, names) for key, inner in value.items()}
    return [_filled(inner, names) for inner in value] if isinstance(value, list) else value


def _crud(root: str, plural: str, new: dict[str, Any], old: str, changed: dict[str, Any]) -> list[Change]:
    return [
        Change(f"POST /api/v1/{plural}", body={root: new}, again=422),
        Change(
            f"PUT /api/v1/{plural}/{{code}}",
            f"/{plural}/{old}",
            {root: changed},
            again=404 if "code" in changed else 200,
        ),
        Change(f"DELETE /api/v1/{plural}/{{code}}", f"/{plural}/{old}", again=404),
    ]


def _parts(root: str, plural: str, code: str, new: dict[str, Any], changed: dict[str, Any]) -> list[Change]:
    path, name = f"/api/v1/plans/{{code}}/{plural}", "{" + root + "_code}"
    return [
        Change(f"POST {path}", f"/plans/plan/{plural}", {root: new}),
        Change(f"PUT {path}/{name}", f"/plans/plan/{plural}/{code}", {root: changed}),
        Change(f"DELETE {path}/{name}", f"/plans/plan/{plural}/{code}", again=404),
        Change(f"PUT /api/v1/subscriptions/{{external_id}}/{plural}/{name}", f"/subscriptions/sub/{plural}/{code}",
               {root: {**changed, "invoice_display_name": "Own"}}),
    ]  # fmt: skip


def _filters(route: str, path: str) -> list[Change]:
    added = {"properties": {"amount": "3"}, "values": {"cloud": ["gcp"]}}
    one, single = {"filter": {"properties": {"amount": "4"}}}, f"{path}/{{filter}}"
    return [
        # The same values have one filter: the second request replaces the first one's.
        Change(f"POST {route}", path, {"filter": added}),
        Change(f"PUT {route}/{{filter_id}}", single, one),
        Change(f"DELETE {route}/{{filter_id}}", single, again=404),
    ]


def _wallets(route: str, path: str, name: str) -> list[Change]:
    metadata = route.replace("{code}", "{" + name + "}") + "/metadata"
    return [
        Change(f"PUT {route}", path, {"wallet": {"name": "Renamed", "priority": 2}}),
        Change(f"DELETE {route}", path),
        Change(f"POST {metadata}", f"{path}/metadata", {"metadata": {"a": "b"}}),
        Change(f"PATCH {metadata}", f"{path}/metadata", {"metadata": {"a": "b"}}),
        Change(f"DELETE {metadata}", f"{path}/metadata", again=404),
        Change(f"DELETE {metadata}/{{key}}", f"{path}/metadata/tier", again=404),
    ]


_PRICE = {"charge_model": "standard", "properties": {"amount": "7"}}
_ADD_ON = {"name": "n", "code": "new", "amount_cents": 5, "amount_currency": "EUR"}
_COUPON = {"name": "n", "code": "new", "coupon_type": "fixed_amount", "amount_cents": 5, "amount_currency": "EUR",
           "frequency": "forever", "expiration": "time_limit", "expiration_at": "2190-01-01T00:00:00Z"}  # fmt: skip
_PLAN = {"name": "n", "code": "new", "interval": "monthly", "amount_cents": 5, "amount_currency": "EUR"}
_CHARGE = {"billable_metric_id": "{spare_metric}", **_PRICE}
_METRIC = {"name": "n", "code": "new", "aggregation_type": "count_agg"}
_ENDPOINTS = "/api/v1/webhook_endpoints"
_PLAN_FILTERS = "/plans/plan/charges/calls/filters"

CHANGES: list[Change] = [
    Change("POST /admin/organizations", body={"name": "Two", "api_key": "two"}, again=422),
    Change("PUT /api/v1/organizations", body={"organization": {
        "name": "Renamed", "timezone": "Europe/Paris", "webhook_url": "https://example.com/other"}}),
    Change("PUT /api/v1/billing_entities/{code}", "/billing_entities/default", {"billing_entity": {
        "country": "FR", "net_payment_term": 3}}),
    *_crud("tax", "taxes", {"name": "n", "code": "new", "rate": 1}, "spare", {"rate": 7, "code": "moved"}),
    *_crud("add_on", "add_ons", _ADD_ON, "desk", {"amount_cents": 7}),
    *_crud("coupon", "coupons", _COUPON, "rest", {"name": "Renamed", "amount_cents": 7}),
    Change("POST /api/v1/applied_coupons", body={"applied_coupon": {
        "external_customer_id": "late", "coupon_code": "single", "amount_cents": 5}}, again=422),
    Change("DELETE /api/v1/customers/{external_id}/applied_coupons/{lago_id}",
           "/customers/cust/applied_coupons/{applied}"),
    *_crud("billable_metric", "billable_metrics", _METRIC, "calls", {"name": "Renamed"}),
    *_crud("plan", "plans", {**_PLAN, "charges": [_CHARGE]}, "plan",
           {"name": "Renamed", "amount_cents": 7, "cascade_updates": True}),
    *_parts("charge", "charges", "calls", _CHARGE, _PRICE),
    *_parts("fixed_charge", "fixed_charges", "seat", {"add_on_code": "desk", "units": 2, **_PRICE}, {"units": 9}),
    *_filters("/api/v1/plans/{code}/charges/{charge_code}/filters", _PLAN_FILTERS),
    *_filters("/api/v1/subscriptions/{external_id}/charges/{charge_code}/filters",
              "/subscriptions/sub/charges/calls/filters"),
    Change("POST /api/v1/plans/{code}/metadata", "/plans/plan/metadata", {"metadata": {"a": "b"}}),
    Change("PATCH /api/v1/plans/{code}/metadata", "/plans/plan/metadata", {"metadata": {"a": "b"}}),
    Change("DELETE /api/v1/plans/{code}/metadata", "/plans/plan/metadata", again=404),
    Change("DELETE /api/v1/plans/{code}/metadata/{key}", "/plans/plan/metadata/tier", again=404),
    Change("POST /api/v1/customers", body={"customer": {"external_id": "new", "name": "New"}}),
    Change("POST /api/v1/customers", body={"customer": {"external_id": "cust", "timezone": "Asia/Tokyo",
           "metadata": [{"key": "l", "value": "w"}]}}),
    Change("DELETE /api/v1/customers/{external_id}", "/customers/cust", again=404),
    Change("POST /api/v1/subscriptions", body={"subscription": {
        "external_customer_id": "cust", "plan_code": "spare", "external_id": "new"}}),
    Change("POST /api/v1/subscriptions", body={"subscription": {
        "external_customer_id": "newcomer", "plan_code": "plan", "external_id": "new",
        "plan_overrides": {"amount_cents": 9}}}),
    Change("POST /api/v1/subscriptions", body={"subscription": {  # A cheaper plan, with the next period.
        "external_customer_id": "cust", "plan_code": "spare", "external_id": "sub"}}),
    Change("POST /api/v1/subscriptions", body={"subscription": {  # A dearer one, at once.
        "external_customer_id": "cust", "plan_code": "plan", "external_id": "loose"}}),
    Change("PUT /api/v1/subscriptions/{external_id}", "/subscriptions/sub", {"subscription": {
        "name": "Renamed", "plan_overrides": {"amount_cents": 11}}}),
    Change("DELETE /api/v1/subscriptions/{external_id}", "/subscriptions/sub", again=404),
    Change("PUT /api/v1/invoices/{lago_id}", "/invoices/{invoice}", {"invoice": {
        "payment_status": "succeeded", "metadata": [{"key": "a", "value": "b"}]}}),
    Change("POST /api/v1/invoices", body={"invoice": {"external_customer_id": "cust", "fees": [{"add_on_code": "seat"}]}}),
    Change("POST /api/v1/invoices/{lago_id}/void", "/invoices/{invoice}/void", again=405),
    Change("POST /api/v1/invoices/{lago_id}/lose_dispute", "/invoices/{invoice}/lose_dispute"),
    Change("PUT /api/v1/invoices/{lago_id}/lose_dispute", "/invoices/{invoice}/lose_dispute"),
    Change("DELETE /api/v1/invoices/{lago_id}", "/invoices/{draft}", again=404),
    Change("PUT /api/v1/subscriptions/{external_id}/lifetime_usage", "/subscriptions/sub/lifetime_usage",
           {"lifetime_usage": {"external_historical_usage_amount_cents": 5}}),
    Change("PUT /api/v1/invoices/{lago_id}/refresh", "/invoices/{draft}/refresh"),
    Change("PUT /api/v1/invoices/{lago_id}/finalize", "/invoices/{draft}/finalize"),
    Change("POST /api/v1/credit_notes", body={"credit_note": {
        "invoice_id": "{invoice}", "credit_amount_cents": 25, "offset_amount_cents": 15,
        "items": [{"fee_id": "{credited}", "amount_cents": 40}]}}),
    Change("POST /api/v1/credit_notes/{lago_id}/metadata", "/credit_notes/{note}/metadata", {"metadata": {"a": "b"}}),
    Change("PATCH /api/v1/credit_notes/{lago_id}/metadata", "/credit_notes/{note}/metadata", {"metadata": {"a": "b"}}),
    Change("DELETE /api/v1/credit_notes/{lago_id}/metadata", "/credit_notes/{note}/metadata", again=404),
    Change("DELETE /api/v1/credit_notes/{lago_id}/metadata/{key}", "/credit_notes/{note}/metadata/tier", again=404),
    Change("POST /api/v1/payments", body={"payment": {
        "invoice_id": "{invoice}", "amount_cents": 40, "reference": "bank"}}),
    Change("PUT /api/v1/credit_notes/{lago_id}", "/credit_notes/{note}", {"credit_note": {"metadata": {"a": "b"}}}),
    Change("PUT /api/v1/credit_notes/{lago_id}/void", "/credit_notes/{note}/void", again=405),
    Change("PUT /api/v1/fees/{lago_id}", "/fees/{fee}", {"fee": {"payment_status": "succeeded"}}),
    Change("DELETE /api/v1/fees/{lago_id}", "/fees/{fee}", again=404),
    *_wallets("/api/v1/wallets/{lago_id}", "/wallets/{wallet}", "lago_id"),
    *_wallets("/api/v1/customers/{external_customer_id}/wallets/{code}", "/customers/cust/wallets/wallet", "wallet_code"),
    Change("POST /api/v1/wallets", body={"wallet": {
        "external_customer_id": "cust", "rate_amount": "1", "paid_credits": "3", "granted_credits": "4"}}),
    Change("POST /api/v1/customers/{external_customer_id}/wallets", "/customers/cust/wallets", {"wallet": {
        "rate_amount": "2"}}),
    Change("POST /api/v1/wallet_transactions", body={"wallet_transaction": {
        "wallet_id": "{wallet}", "paid_credits": "3", "granted_credits": "4", "voided_credits": "1"}}),
    Change(f"POST {_ENDPOINTS}", body={"webhook_endpoint": {"webhook_url": "https://example.com/new"}}, again=422),
    Change(f"PUT {_ENDPOINTS}/{{lago_id}}", "/webhook_endpoints/{endpoint}", {"webhook_endpoint": {
        "webhook_url": "https://example.com/moved", "name": "Renamed"}}),
    Change(f"POST {_ENDPOINTS}/{{lago_id}}/rotate_secret", "/webhook_endpoints/{endpoint}/rotate_secret"),
    Change("POST /api/v1/organizations/rotate_hmac_key"),
    Change(f"POST {_ENDPOINTS}/{{lago_id}}/replay", "/webhook_endpoints/{endpoint}/replay", {"replay": {
        "from_sequence": 1, "to_sequence": 1}}),
    Change(f"POST {_ENDPOINTS}/{{lago_id}}/pause", "/webhook_endpoints/{endpoint}/pause"),
    Change(f"POST {_ENDPOINTS}/{{lago_id}}/resume", "/webhook_endpoints/{paused}/resume"),
    Change("POST /api/v1/webhooks/{lago_id}/retry", "/webhooks/{message}/retry"),
    Change(f"DELETE {_ENDPOINTS}/{{lago_id}}", "/webhook_endpoints/{endpoint}", again=404),
]  # fmt: skip
