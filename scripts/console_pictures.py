"""`make pictures`: a picture of each main page of the console, in docs/console/, of a made-up cloud company.

Needs Chromium and Playwright, which `infra/setup.sh test` installs; a stack of its own runs meanwhile.
"""

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.support import browsing, paying
from tests.support.browsing import Organization, Running
from tests.support.http_story import HttpStory
from tests.support.make_run import MakeRun
from tests.support.receiving import Receiver

FOLDER = Path("docs/console")
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
_WIDE, _PHONE = {"width": 1360, "height": 860}, {"width": 390, "height": 844}
_CUSTOMERS = (
    ("cobalt", "Cobalt Robotics", "Asia/Tokyo", "scale"),
    ("lumen", "Lumen Publishing", "Europe/Paris", "growth"),
    ("ada", "Ada Analytics", "Europe/Paris", "growth"),
    ("fjord", "Fjord Mobility", "Europe/Oslo", "growth"),
    ("harbor", "Harbor & Pine", "America/New_York", "start"),
    ("juniper", "Juniper Health", "America/New_York", "start"),
    ("ember", "Ember Studios", "Europe/Paris", "scale"),
    ("delta", "Delta Grid Energy", "Europe/Paris", "growth"),
)
_DELIVERED_WITHIN_SECONDS = 60
_MONTHS = ("2026-08", "2026-09", "2026-10")


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: its name, the address below the organization's, and how it is taken."""

    name: str
    path: Sequence[str]
    theme: str = "light"
    width: str = "wide"
    press: str = ""


def main() -> int:
    """Tell the story, and take all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        run = MakeRun(Path(folder), PROVIDERS="fake").wait_until_up()
        try:
            url = f"http://127.0.0.1:{run.port}"
            stack = Running(url, (run.folder / ".local" / "admin_api_key").read_text().strip(), run.said)
            own = browsing.new_organization(
                stack, name="Northwind Cloud", timezone="Europe/Paris", at="2026-08-01T08:00:00Z"
            )
            ids = tell(own.story)
            _take(url, own, ids)
        finally:
            run.end(signal.SIGTERM)
    return 0


def tell(story: HttpStory) -> dict[str, str]:
    """Three months of the company; the ids that pictures are of."""
    story.organization(default_currency="EUR", billing_configuration={"document_locale": "en"})
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    metrics = _metrics(story)
    _plans(story, metrics)
    ids: dict[str, str] = {}
    for external_id, name, zone, plan in _CUSTOMERS:
        email = f"billing@{external_id}.example"
        fields: dict[str, Any] = {
            "name": name,
            "email": email,
            "currency": "EUR",
            "timezone": zone,
            "net_payment_term": 30,
        }
        if external_id == "fjord":
            fields["billing_configuration"] = {"invoice_grace_period": 5}
        if external_id == "cobalt":
            fields["metadata"] = [
                {"key": "account_manager", "value": "Marie Kent", "display_in_invoice": False},
                {"key": "segment", "value": "SMB", "display_in_invoice": True},
            ]
        ids[external_id] = story.customer(external_id, **fields)["lago_id"]
        made = story.subscribe(plan, f"{external_id}-main", external_id, name=f"{name.split()[0]} production")
        ids[f"{external_id}-main"] = made["lago_id"]
    _credits(story)
    for month in _MONTHS:
        _use(story, month)
        if month != _MONTHS[-1]:
            story.metered()
            number = int(month[-2:]) + 1
            story.travel(f"2026-{number:02d}-01T12:00:00Z")
            _pay(story, every=2)
    story.travel("2026-10-19T14:20:00Z")
    invoices = story.invoices()
    ids["invoice"] = next(each["lago_id"] for each in invoices if each["customer"]["external_id"] == "cobalt")
    ids["plan"] = story.ok("GET", "/plans/scale")["plan"]["lago_id"]
    ids["endpoint"] = _listen(story)
    _collect(story)
    return ids


def _collect(story: HttpStory) -> None:
    """Two who owe leave cards, of which one is declined: what they owe is charged."""
    paying.connect(story)
    owing = {each["customer"]["external_id"] for each in story.invoices() if each["payment_status"] == "pending"}
    for external_id, card in zip(sorted(owing), (paying.GOOD, paying.DECLINED), strict=False):
        paying.link(story, external_id)
        paying.leave(story, external_id, card)
    paying.until(story, lambda: {"succeeded", "failed"} <= {each["payment_status"] for each in _by_provider(story)})


def _by_provider(story: HttpStory) -> list[Any]:
    return [each for each in story.ok("GET", "/payments?per_page=100")["payments"] if each["type"] == "provider"]


def _listen(story: HttpStory) -> str:
    """An endpoint that misses some of its messages, and listens while pictures are taken; its id."""
    receiver = Receiver()
    receiver.always = lambda number: 503 if number % 5 == 3 else 200
    body = {"webhook_url": receiver.url, "name": "Accounting", "signature_algo": "hmac"}
    endpoint = story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": body})["webhook_endpoint"]["lago_id"]
    for external_id, name, _, _ in _CUSTOMERS:
        story.customer(external_id, name=name, url=f"https://{external_id}.example")
    for invoice in story.invoices()[:6]:
        if invoice["payment_status"] == "pending":
            story.ok("PUT", f"/invoices/{invoice['lago_id']}", {"invoice": {"payment_status": "succeeded"}})
    end = time.monotonic() + _DELIVERED_WITHIN_SECONDS
    while story.ok("GET", "/webhooks?status=pending")["webhooks"] or len(receiver.calls) < len(_CUSTOMERS):
        assert time.monotonic() < end, "every message has its first attempt"
        time.sleep(0.2)
    return str(endpoint)


def _metrics(story: HttpStory) -> dict[str, str]:
    filters = [{"key": "region", "values": ["us-east", "eu-west"]}]
    return {
        "api_calls": story.metric("api_calls", name="API calls")["lago_id"],
        "compute": story.metric("compute", "sum_agg", name="Compute", field_name="gb_seconds", filters=filters)[
            "lago_id"
        ],
        "storage": story.metric("storage", "max_agg", name="Storage", field_name="gb")["lago_id"],
    }


def _plans(story: HttpStory, metrics: dict[str, str]) -> None:
    ranges = [
        {"from_value": 0, "to_value": 10_000, "per_unit_amount": "0.002", "flat_amount": "0"},
        {"from_value": 10_001, "to_value": None, "per_unit_amount": "0.001", "flat_amount": "0"},
    ]
    calls = {
        "billable_metric_id": metrics["api_calls"],
        "charge_model": "graduated",
        "properties": {"graduated_ranges": ranges},
    }
    compute = {
        "billable_metric_id": metrics["compute"],
        "charge_model": "standard",
        "properties": {"amount": "0.012"},
        "filters": [
            {"properties": {"amount": "0.0095"}, "values": {"region": ["us-east"]}, "invoice_display_name": "us-east"}
        ],
    }
    storage = {"billable_metric_id": metrics["storage"], "charge_model": "standard", "properties": {"amount": "0.08"}}
    for code, cents, charges in (
        ("start", 1900, [calls]),
        ("growth", 9900, [calls, compute]),
        ("scale", 49900, [calls, compute, storage]),
    ):
        story.plan(code, name=code.capitalize(), amount_cents=cents, charges=charges, pay_in_advance=code == "start")


def _credits(story: HttpStory) -> None:
    for coupon in (
        {"name": "Launch credit", "code": "LAUNCH500", "coupon_type": "fixed_amount", "amount_cents": 50000,
         "amount_currency": "EUR", "frequency": "once", "expiration": "no_expiration"},
        {"name": "Partner", "code": "PARTNER10", "coupon_type": "percentage", "percentage_rate": "10",
         "frequency": "recurring", "frequency_duration": 6, "expiration": "no_expiration"},
    ):  # fmt: skip
        story.ok("POST", "/coupons", {"coupon": coupon})
        body = {"applied_coupon": {"external_customer_id": "cobalt", "coupon_code": coupon["code"]}}
        story.ok("POST", "/applied_coupons", body)
    wallet = {"external_customer_id": "cobalt", "rate_amount": "1", "currency": "EUR", "name": "Prepaid"}
    story.ok("POST", "/wallets", {"wallet": {**wallet, "granted_credits": "240"}})


def _use(story: HttpStory, month: str) -> None:
    """Usage of every customer, on most days of a month, in batches of a hundred."""
    days = range(1, 20 if month == _MONTHS[-1] else 29)
    events: list[dict[str, Any]] = []
    for place, (external_id, _, _, plan) in enumerate(_CUSTOMERS):
        for day in days:
            size = 1 + (day * 7 + place * 3) % 11
            for code, properties in _samples(plan, size, day):
                number = len(events)
                events.append(
                    {
                        "transaction_id": f"{external_id}-{month}-{day}-{number}",
                        "external_subscription_id": f"{external_id}-main",
                        "code": code,
                        "timestamp": datetime.fromisoformat(f"{month}-{day:02d}T10:00:00+00:00").timestamp(),
                        "properties": properties,
                    }
                )
    for begin in range(0, len(events), 100):
        story.ok("POST", "/events/batch", {"events": events[begin : begin + 100]})


def _samples(plan: str, size: int, day: int) -> list[tuple[str, dict[str, Any]]]:
    calls: list[tuple[str, dict[str, Any]]] = [("api_calls", {}) for _ in range(size % 4 + 1)]
    if plan == "start":
        return calls
    region = "us-east" if day % 3 else "eu-west"
    return [*calls, ("compute", {"gb_seconds": 900 * size, "region": region}), ("storage", {"gb": 300 + day * 4})]


def _pay(story: HttpStory, *, every: int) -> None:
    """Most invoices are paid; one payment fails."""
    for place, invoice in enumerate(story.invoices()):
        if invoice["status"] == "finalized" and invoice["payment_status"] == "pending":
            status = "failed" if place == 1 else "succeeded" if place % every == 0 else None
            if status:
                story.ok("PUT", f"/invoices/{invoice['lago_id']}", {"invoice": {"payment_status": status}})


def _shots(ids: dict[str, str]) -> list[Shot]:
    return [
        Shot("home", []),
        Shot("customers", ["customers"]),
        Shot("customer", ["customers", ids["cobalt"]]),
        Shot("usage", ["subscriptions", ids["cobalt-main"], "usage"]),
        Shot("subscription", ["subscriptions", ids["cobalt-main"]]),
        Shot("invoices", ["invoices"]),
        Shot("invoice", ["invoices", ids["invoice"]]),
        Shot("plan", ["plans", ids["plan"]]),
        Shot("plan-form", ["plans", ids["plan"], "edit"]),
        Shot("events", ["events"]),
        Shot("webhooks", ["webhooks", ids["endpoint"]]),
        Shot("payments", ["payments"]),
        Shot("integrations", ["settings", "integrations"]),
        Shot("settings", ["settings", "invoicing"]),
        Shot("clock-dark", ["invoices"], theme="dark", press="Choose…"),
        Shot("customer-phone", ["customers", ids["cobalt"]], width="phone"),
        Shot("invoices-phone-dark", ["invoices"], theme="dark", width="phone"),
    ]


def _take(url: str, own: Organization, ids: dict[str, str]) -> None:
    member = browsing.accept_invitation(url, own.invite_url, own.email)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(_FLAGS))
        for shot in _shots(ids):
            size = _WIDE if shot.width == "wide" else _PHONE
            context = chromium.new_context(viewport=size, reduced_motion="reduce")  # type: ignore[arg-type]
            context.add_cookies(
                [
                    {"name": "tollgate", "value": member.session, "url": url},
                    {"name": "theme", "value": shot.theme, "url": url},
                ]
            )
            page = context.new_page()
            page.goto(url + own.address(*shot.path))
            _settle(page, shot)
            page.screenshot(path=str(FOLDER / f"{shot.name}.png"))
            context.close()
        chromium.close()


def _settle(page: Page, shot: Shot) -> None:
    page.wait_for_load_state("networkidle")
    if shot.press:
        page.get_by_role("link", name=shot.press).click()
        page.get_by_role("dialog").wait_for()
        page.wait_for_load_state("networkidle")


if __name__ == "__main__":
    sys.exit(main())
