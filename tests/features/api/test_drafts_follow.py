"""Drafts follow the grace period, the payment term and the taxes they were made under. Source: rules/invoices 2, 4, 10."""

from typing import Any

import pytest

from tests.support.story import Story


@pytest.fixture
def drafted(story: Story) -> Story:
    """Billed 1 January in advance with three days of grace, by customer and by organization: due a month later."""
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    story.organization(net_payment_term=30, billing_configuration={"invoice_grace_period": 3})
    story.plan(amount_cents=3100, pay_in_advance=True)
    story.customer("own", billing_configuration={"invoice_grace_period": 3})
    story.customer("org")
    for name in ("own", "org"):
        story.subscribe("plan", name, name)
    return story


def dates(story: Story, customer: str) -> tuple[str, str, str, str]:
    """Status, expected finalization, issuing and due date of the customer's invoice."""
    (found,) = story.ok("GET", f"/customers/{customer}/invoices")["invoices"]
    names = ("status", "expected_finalization_date", "issuing_date", "payment_due_date")
    return tuple(found[name] for name in names)  # type: ignore[return-value]


def grace(days: int | None) -> dict[str, Any]:
    return {"billing_configuration": {"invoice_grace_period": days}}


def test_a_changed_grace_period_shifts_drafts(drafted):
    before = ("draft", "2024-01-04", "2024-01-04", "2024-02-03")
    assert (dates(drafted, "own"), dates(drafted, "org")) == (before, before)
    drafted.customer("own", **grace(3))  # The value that it has.
    assert dates(drafted, "own") == before
    drafted.customer("own", **grace(5))
    assert dates(drafted, "own") == ("draft", "2024-01-06", "2024-01-06", "2024-02-05")
    drafted.organization(**grace(2))
    assert dates(drafted, "org") == ("draft", "2024-01-03", "2024-01-03", "2024-02-02")
    assert dates(drafted, "own")[1] == "2024-01-06"
    drafted.customer("own", **grace(None))  # The organization's.
    assert dates(drafted, "own")[1] == "2024-01-03"
    drafted.travel("2024-01-02T23:59:59Z")
    assert dates(drafted, "own")[0] == "draft"
    drafted.travel("2024-01-03T00:00:00Z")
    assert dates(drafted, "own") == ("finalized", "2024-01-03", "2024-01-03", "2024-02-02")


@pytest.mark.parametrize("who", ["own", "org"])
def test_drafts_that_are_due_then_become_final_at_once(drafted, who):
    drafted.travel("2024-01-03T12:00:00Z")
    change = drafted.customer if who == "own" else lambda _, **fields: drafted.organization(**fields)
    change(who, **grace(1))
    assert dates(drafted, who) == ("finalized", "2024-01-03", "2024-01-03", "2024-02-02")
    assert dates(drafted, "org" if who == "own" else "own")[0] == "draft"


def test_a_payment_term_reaches_drafts_only(drafted):
    drafted.customer("final", **grace(0))
    drafted.subscribe("plan", "final", "final")
    drafted.organization(net_payment_term=10)
    assert dates(drafted, "own")[3] == dates(drafted, "org")[3] == "2024-01-14"
    drafted.customer("own", net_payment_term=0)
    assert dates(drafted, "own")[3] == "2024-01-04"
    assert dates(drafted, "final")[3] == "2024-01-31"


def test_keep_anchor_leaves_the_issuing_date(drafted):
    settings = {"invoice_grace_period": 3, "subscription_invoice_issuing_date_adjustment": "keep_anchor"}
    drafted.customer("kept", billing_configuration=settings)
    drafted.subscribe("plan", "kept", "kept")
    drafted.customer("kept", **grace(1))
    assert dates(drafted, "kept") == ("draft", "2024-01-02", "2024-01-01", "2024-01-31")


def test_drafts_take_changed_taxes(drafted):
    def taxes() -> list[int]:
        return [i["taxes_amount_cents"] for i in drafted.invoices()]

    assert taxes() == [620, 620]
    drafted.ok("PUT", "/taxes/vat", {"tax": {"rate": 10}})
    assert taxes() == [310, 310]
    drafted.ok("POST", "/taxes", {"tax": {"name": "Own", "code": "own", "rate": 1}})
    drafted.customer("own", tax_codes=["own"])
    assert sorted(taxes()) == [31, 310]
    drafted.ok("PUT", "/taxes/own", {"tax": {"applied_to_organization": True}})
    assert sorted(taxes()) == [31, 341]
    drafted.ok("DELETE", "/taxes/vat")
    assert taxes() == [31, 31]
    ids = [fee["lago_id"] for i in drafted.invoices() for fee in i["fees"]]
    drafted.travel("2024-01-04T00:00:00Z")
    assert [fee["lago_id"] for i in drafted.invoices() for fee in i["fees"]] == ids


def test_a_draft_refreshed_any_number_of_times_equals_one_made_at_the_end(story):
    metric = story.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "0.333"}}
    story.plan(charges=[charge], amount_cents=1000)
    for name in ("often", "once"):
        story.customer(name, **grace(3))
        story.subscribe("plan", name, name)
    story.travel("2024-02-01T00:00:00Z")
    draft = story.ok("GET", "/customers/often/invoices")["invoices"][0]["lago_id"]
    for day in (3, 9, 27):
        for name in ("often", "once"):
            story.use(at=1704067200 + day * 86400, subscription=name)
        story.usage("once", "once")
        story.ok("PUT", f"/invoices/{draft}/refresh")
    story.travel("2024-02-04T00:00:00Z")
    found = [story.invoices(f"&external_customer_id={name}")[0] for name in ("often", "once")]
    for name in ("fees_amount_cents", "total_amount_cents", "issuing_date", "billing_periods"):
        first, second = (invoice[name] for invoice in found)
        if name == "billing_periods":
            first, second = (
                [{k: v for k, v in p.items() if "subscription_id" not in k} for p in x] for x in (first, second)
            )
        assert first == second
    assert [fee["units"] for fee in found[0]["fees"]] == [fee["units"] for fee in found[1]["fees"]] == ["1.0", "3.0"]


def test_a_deleted_customer_ends_and_its_drafts_become_final(drafted):
    drafted.travel("2024-01-02T00:00:00Z")
    drafted.ok("DELETE", "/customers/own")
    drafted.customer("own")  # Its external id is free at once.
    drafted.travel("2024-01-02T00:05:00Z")
    statuses = {i["status"]: i["customer"]["external_id"] for i in drafted.invoices()}
    assert statuses == {"draft": "org", "finalized": "own"}
    assert drafted.ok("GET", "/customers/own/invoices")["invoices"] == []
    ended = drafted.ok("GET", "/subscriptions?status[]=terminated")["subscriptions"]
    assert [s["external_id"] for s in ended] == ["own"]
