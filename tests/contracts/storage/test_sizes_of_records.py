"""The largest legal input of what is charged at once and of the catalog, on the store that enforces limits."""

from typing import Any

import pytest

from chalicelib import limits
from chalicelib.platform import agenda, clock
from chalicelib.platform.unit import Unit
from tests.support.largest import POO, listed, longest, metered
from tests.support.story import Story
from tests.support.usage import ORG

pytestmark = [pytest.mark.local_dynamodb, pytest.mark.xdist_group("local_dynamodb")]


@pytest.mark.parametrize("sandbox", [True, False])
def test_events_with_the_longest_names_are_charged_in_advance(sent: list[str], sandbox: bool) -> None:
    story = Story.begin(sandbox=sandbox)
    charges = []
    for n in range(limits.METRICS_PER_PLAN_MAX):
        metric = story.metric(longest(n))
        charge = {
            "charge_model": "standard",
            "properties": {"amount": "1"},
            "pay_in_advance": True,
            "invoiceable": False,
        }
        charges.append({"billable_metric_id": metric["lago_id"], **charge})
    story.plan(longest(1), charges)
    story.customer(longest(2))
    story.subscribe(longest(1), longest(3), longest(2))
    at = clock.utc_now().timestamp() if not sandbox else 1704100000
    bodies = [
        {
            "transaction_id": longest(n),
            "external_subscription_id": longest(3),
            "code": longest(n % 40),
            "timestamp": int(at),
        }
        for n in range(100)
    ]
    story.ok("POST", "/events/batch", {"events": bodies})
    metered(sent)
    assert len(listed(story)) == 100
    tasks = (
        list(agenda.tasks_of_clock(story.ref, until=clock.utc_now()))
        if sandbox
        else [t for n in range(limits.DUE_SHARDS) for t in agenda.due(n, until=clock.utc_now())]
    )
    assert sum(task.kind.name == "charge_event" for task in tasks) == 100


def test_many_long_codes_paid_in_advance_fit_their_item(tables: None) -> None:
    from chalicelib.features.plans import advance_codes

    codes = [longest(n) for n in range(4000)]
    at = clock.utc_now()
    for start in range(0, 4000, 40):
        Unit(advance_codes.actions(ORG.id, before=set(), after=set(codes[start : start + 40]), real_now=at)).commit()
    known = advance_codes.current(ORG.id, real_now=at)
    assert all(code in known for code in codes)
    assert longest(4001) not in known


LONG = POO * 255
TEXT = POO * 10_000


@pytest.mark.parametrize(
    ("path", "root", "body"),
    [
        ("/taxes", "tax", {"name": LONG, "code": LONG, "rate": "10", "description": TEXT}),
        (
            "/add_ons",
            "add_on",
            {"name": LONG, "code": LONG, "amount_cents": 1, "amount_currency": "EUR", "description": TEXT},
        ),
        (
            "/billable_metrics",
            "billable_metric",
            {"name": LONG, "code": LONG, "description": TEXT, "aggregation_type": "sum_agg", "field_name": LONG},
        ),
        (
            "/customers",
            "customer",
            {
                "external_id": LONG,
                **dict.fromkeys(
                    ("name", "firstname", "lastname", "legal_name", "address_line1", "address_line2", "city"), LONG
                ),
                **dict.fromkeys(("state", "zipcode", "phone", "url", "logo_url", "legal_number"), LONG),
                "tax_identification_number": LONG,
                "metadata": [
                    {"key": f"{n}" + POO * 19, "value": POO * 100, "display_in_invoice": True} for n in range(5)
                ],
            },
        ),
        (
            "/plans",
            "plan",
            {
                "name": LONG,
                "code": LONG,
                "description": TEXT,
                "interval": "monthly",
                "amount_cents": 1,
                "amount_currency": "EUR",
            },
        ),
    ],
    ids=lambda each: each if isinstance(each, str) and each.startswith("/") else "",
)
def test_the_longest_texts_of_the_catalog_are_kept(sent: list[str], path: str, root: str, body: dict[str, Any]) -> None:
    story = Story.begin()
    made = story.ok("POST", path, {root: body})[root]
    name = next(name for name in ("code", "external_id") if name in body)
    assert made[name] == LONG
    assert story.ok("GET", path)["meta"]["total_count"] == 1


def test_the_longest_names_are_billed_credited_and_told(sent: list[str]) -> None:
    story = Story.begin()
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/" + "x" * 1_900}})
    metric = story.metric(LONG)
    filters = [
        {"values": {"k": [f"{n}"]}, "properties": {"amount": "1"}, "invoice_display_name": LONG} for n in range(20)
    ]
    changed = {"filters": [{"key": "k", "values": [f"{n}" for n in range(20)]}]}
    story.ok("PUT", f"/billable_metrics/{LONG}", {"billable_metric": changed})
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    charges = [{**charge, "filters": filters, "invoice_display_name": LONG} for _ in range(10)]
    story.plan(LONG, charges, amount_cents=1000, pay_in_advance=True, invoice_display_name=LONG, description=TEXT)
    story.customer(LONG, name=LONG)
    story.subscribe(LONG, LONG, LONG, name=LONG)
    for n in range(20):
        story.use(LONG, at=1704100000 + n, subscription=LONG, k=f"{n}")
    metered(sent)
    story.travel("2024-02-01T00:00:00Z")
    story.travel("2024-02-10T00:00:00Z")
    invoices = story.invoices()
    assert len(invoices) == 2
    metadata = [{"key": f"{n}" + POO * 19, "value": POO * 100} for n in range(5)]
    story.ok("PUT", f"/invoices/{invoices[-1]['lago_id']}", {"invoice": {"metadata": metadata}})
    story.ok("DELETE", f"/subscriptions/{LONG}")
    assert story.ok("GET", "/invoices")["meta"]["total_count"] == 3


@pytest.mark.parametrize("size", [390_000, 500_000])
def test_what_no_item_holds_is_refused_clearly(sent: list[str], size: int) -> None:
    story = Story.begin()
    bodies = [
        ("/customers", {"customer": {"external_id": "c", "email": "x" * size + "@example.com"}}),
    ]
    for path, body in bodies:
        answer = story.call("POST", path, body)
        assert (answer.status, answer.body["error_details"]) == (422, {"base": ["value_is_too_long"]})
