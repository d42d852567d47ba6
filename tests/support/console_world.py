"""An organization that has something on every page of the console, and the addresses of all of them."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from chalicelib.console import router
from chalicelib.console.router import Route
from chalicelib.features.members import service as members
from chalicelib.platform.clock import utc_now
from tests.support import paying
from tests.support import story as queues
from tests.support.console import Visitor, member_of
from tests.support.http_story import HttpStory
from tests.support.receiving import deliver
from tests.support.story import Story

_ARRIVED_WITHIN_SECONDS = 60

# Tabs of objects that have some, beside the first.
TABS = {
    "customers": ("usage", "invoices", "wallets", "credit_notes", "payments", "information"),
    "subscriptions": ("plan", "usage", "invoices"),
    "invoices": ("payments", "credit_notes", "messages"),
    "settings": ("invoicing", "about"),
}


def full(story: Story) -> dict[str, str]:
    """Tell the story; the ids of what it made, by the first word of the addresses."""
    story.organization(default_currency="EUR")
    ids = {"taxes": story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20}})["tax"]["lago_id"]}
    story.ok("PUT", "/taxes/vat", {"tax": {"applied_to_organization": True}})
    metric = story.metric("calls", name="Calls")
    ids["billable_metrics"] = metric["lago_id"]
    add_on = {"name": "Setup", "code": "setup", "amount_cents": 5000, "amount_currency": "EUR"}
    ids["add_ons"] = story.ok("POST", "/add_ons", {"add_on": add_on})["add_on"]["lago_id"]
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "0.5"}}
    ids["plans"] = story.plan("pro", name="Pro", amount_cents=2000, charges=[charge])["lago_id"]
    ids["customers"] = story.customer("ada", name="Ada", currency="EUR", email="ada@example.com")["lago_id"]
    ids["subscriptions"] = story.subscribe("pro", "main", "ada", name="Production")["lago_id"]
    coupon = {
        "name": "Ten",
        "code": "ten",
        "coupon_type": "percentage",
        "percentage_rate": "10",
        "frequency": "forever",
    }
    made = story.ok("POST", "/coupons", {"coupon": {**coupon, "expiration": "no_expiration"}})["coupon"]
    ids["coupons"] = made["lago_id"]
    applied = {"applied_coupon": {"external_customer_id": "ada", "coupon_code": "ten"}}
    ids["applied"] = story.ok("POST", "/applied_coupons", applied)["applied_coupon"]["lago_id"]
    wallet = {"external_customer_id": "ada", "rate_amount": "1", "currency": "EUR", "granted_credits": "5"}
    ids["wallets"] = story.ok("POST", "/wallets", {"wallet": wallet})["wallet"]["lago_id"]
    ids["events"] = story.use("calls", at=1704200000, subscription="main")
    if not isinstance(story, HttpStory):
        queues.meter()
    story.travel("2024-02-03T00:00:00Z")
    (invoice,) = story.invoices()
    ids["invoices"] = invoice["lago_id"]
    pay = {"payment": {"invoice_id": invoice["lago_id"], "amount_cents": 500, "reference": "SEPA"}}
    ids["payments"] = story.ok("POST", "/payments", pay)["payment"]["lago_id"]
    whole = story.ok("GET", f"/invoices/{invoice['lago_id']}")["invoice"]
    ids["fee"] = whole["fees"][0]["lago_id"]
    items = [{"fee_id": ids["fee"], "amount_cents": 100}]
    asked = {"credit_note": {"invoice_id": invoice["lago_id"], "items": items}}
    most = story.ok("POST", "/credit_notes/estimate", asked)["estimated_credit_note"]["max_creditable_amount_cents"]
    note = {"invoice_id": invoice["lago_id"], "reason": "other", "credit_amount_cents": most, "refund_amount_cents": 0}
    ids["credit_notes"] = story.ok("POST", "/credit_notes", {"credit_note": {**note, "items": items}})["credit_note"][
        "lago_id"
    ]
    if not isinstance(story, HttpStory):
        queues.work()
    return ids | _told(story) | _collected(story)


def _collected(story: Story) -> dict[str, str]:
    """A connection, the customer's card that is declined, and a request of what is overdue. The ids by what they have in the
    addresses."""
    connection = paying.connect(story)["lago_id"]
    paying.link(story, "ada", currency="EUR")
    (method,) = paying.leave(story, "ada", paying.DECLINED)
    (invoice,) = paying.until(story, lambda: [each for each in story.invoices() if each["payment_status"] == "failed"])
    body = {"external_customer_id": "ada", "lago_invoice_ids": [invoice["lago_id"]]}
    asked = story.ok("POST", "/payment_requests", {"payment_request": body})["payment_request"]["lago_id"]
    paying.until(story, lambda: len(story.ok("GET", "/payments?external_customer_id=ada")["payments"]) >= 3)
    return {"integrations": connection, "provider": "stripe", "method": method["lago_id"], "payment_requests": asked}


def _told(story: Story) -> dict[str, str]:
    """An endpoint where nobody listens, a message to it, and a replay."""
    body = {"webhook_url": "http://127.0.0.1:9/hook", "name": "Accounting"}
    endpoint = story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": body})["webhook_endpoint"]["lago_id"]
    story.customer("ada", name="Ada")
    end = time.monotonic() + _ARRIVED_WITHIN_SECONDS
    while not (messages := story.ok("GET", "/webhooks")["webhooks"]):
        assert time.monotonic() < end, "the change is announced"
        if not isinstance(story, HttpStory):
            deliver()
        time.sleep(0.1)
    replay = story.ok("POST", f"/webhook_endpoints/{endpoint}/replay", {"replay": {"from_sequence": 1}})["replay"]
    return {"endpoint": endpoint, "message": messages[-1]["lago_id"], "replay": replay["lago_id"]}


def visited(story: Story) -> Visitor:
    """Its member, beside another one who could be removed."""
    member_of(story, "other@example.com")
    return member_of(story)


def addresses(visitor: Visitor, ids: dict[str, str]) -> Iterator[tuple[Route, str]]:
    """Every page that answers to GET, with an address of it."""
    me = members.signed_in(visitor.cookie, None, now=utc_now())
    assert me is not None
    others = [each.user_id for each in members.members_of(visitor.story.ref.id) if each.user_id != me.user.id]
    for route, segments, query in places({**ids, "members": others[0] if others else "none"}):
        yield route, visitor.address(*segments, **query)


def places(known: dict[str, Any]) -> Iterator[tuple[Route, Sequence[str], dict[str, str]]]:
    """Segments and query of every page of a member. Pages that only begin something else are left out: what a link of their own
    leads to (documents and files), and what a work in progress has."""
    for route in router.ROUTES:
        if route.who != "member" or "GET" not in route.methods or _is_left_out(route):
            continue
        of_customer = route.pattern.startswith("{org}/subscriptions/{id}") or "payment_requests/new" in route.pattern
        for segments in _filled(route, known):
            yield route, segments, {"customer": known["customers"]} if of_customer and "customers" in known else {}


def _is_left_out(route: Route) -> bool:
    last = route.segments[-1]
    return (
        last in ("pdf", "retry", "file")
        or route.pattern.endswith("invoices/bulk")
        or "work" in route.segments
        or "invitations" in route.segments
        or "api_keys/{" in route.pattern
    )


def _filled(route: Route, known: dict[str, Any]) -> Iterator[Sequence[str]]:
    segments = route.segments[1:]
    if "{tab}" in segments:
        for tab in TABS[segments[0]]:
            yield [_value(name, segments, known) if name != "{tab}" else tab for name in segments]
        return
    yield [_value(name, segments, known) for name in segments]


def _value(name: str, segments: Sequence[str], known: dict[str, Any]) -> str:
    if name[0] != "{":
        return name
    kind = name[1:-1]
    if kind == "list":
        return "invoices"
    if kind == "id":
        kind = next((each for each in ("members", "integrations") if each in segments), segments[0])
    return str(known.get(kind, "none"))
