"""Wallets over periods: payment of invoices, ongoing balances, recurring top-ups. Source: rules/invoices 8; rules/money 2."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.features.credits.wallets import restored
from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import reading as invoices
from chalicelib.platform import agenda
from chalicelib.platform.aws import client
from chalicelib.platform.dynamodb import Cancelled
from chalicelib.platform.unit import Unit
from tests.support import wallets
from tests.support.charging import ts
from tests.support.parallel import at_once, statuses
from tests.support.quick_moto import on_the_wire
from tests.support.story import Story, meter
from tests.support.wallets import ledger, pay, read, top_up, wallet


@pytest.fixture
def story(aws: None) -> Story:
    """A customer who pays a euro per call, and no tax."""
    made = Story.begin()
    metric = made.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    made.plan("plan", [charge])
    made.customer("cust", currency="EUR")
    made.subscribe()
    return made


def tax(story: Story, rate: float) -> None:
    body = {"name": "T", "code": "t", "rate": rate, "applied_to_organization": True}
    story.ok("POST", "/taxes", {"tax": body})


def use(story: Story, number: int, code: str = "calls") -> None:
    for _ in range(number):
        story.use(code, at=ts("2024-01-01T00:00:00"))
    meter()


def test_the_wallet_pays_last_and_leaves_the_rest(aws: None) -> None:
    story = Story.begin()
    tax(story, 10)
    story.plan("plan", amount_cents=7000)
    story.customer("cust", currency="EUR")
    story.subscribe()
    made = wallet(story, rate_amount="3", granted_credits="10")
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    assert (invoice["sub_total_including_taxes_amount_cents"], invoice["prepaid_credit_amount_cents"]) == (7700, 3000)
    assert invoice["total_due_amount_cents"] == 4700
    assert invoice["credits"] == []
    now = read(story, made)
    assert (now["balance_cents"], now["credits_balance"], now["consumed_credits"]) == (0, "0.0", "10.0")
    assert now["last_consumed_credit_at"] == "2024-02-01T00:00:00Z"
    wallets.check(story)


def test_three_uses_empty_cents_and_credits_together(story: Story) -> None:
    """Source: rules/money 2, row 10."""
    made = wallet(story, rate_amount="3", granted_credits="10")
    for month in (1, 2, 3):
        for _ in range(10):
            story.use(at=ts(f"2024-0{month}-01T12:00:00"))
        story.travel(f"2024-0{month + 1}-01T00:00:00Z")
    uses = ledger(story, made, "&transaction_status=invoiced")
    assert [each["credit_amount"] for each in reversed(uses)] == ["3.33333", "3.33333", "3.33334"]
    assert all(invoice["payment_status"] == "succeeded" for invoice in story.invoices())
    wallets.check(story)


def test_granted_credits_go_before_purchased_ones(story: Story) -> None:
    made = wallet(story)
    (bought,) = top_up(story, made, paid_credits="10")
    pay(story, bought["lago_invoice_id"])
    (given,) = top_up(story, made, granted_credits="5")
    use(story, 7)
    story.travel("2024-02-01T00:00:00Z")
    invoice = story.invoices()[-1]
    assert invoice["prepaid_granted_credit_amount_cents"] == 500
    assert invoice["prepaid_purchased_credit_amount_cents"] == 200
    (used,) = ledger(story, made, "&transaction_type=outbound")
    path = f"/wallet_transactions/{used['lago_id']}/fundings"
    fundings = story.ok("GET", path)["wallet_transaction_fundings"]
    assert [(f["amount_cents"], f["credit_amount"], f["wallet_transaction"]["lago_id"]) for f in fundings] == [
        (500, "5.0", given["lago_id"]), (200, "2.0", bought["lago_id"])]  # fmt: skip
    path = f"/wallet_transactions/{bought['lago_id']}/consumptions"
    (part,) = story.ok("GET", path)["wallet_transaction_consumptions"]
    assert (part["amount_cents"], part["wallet_transaction"]["lago_id"]) == (200, used["lago_id"])
    assert story.ok("GET", f"/wallet_transactions/{bought['lago_id']}")["wallet_transaction"][
        "remaining_amount_cents"] == 800  # fmt: skip
    wallets.check(story)


def test_a_lower_priority_number_goes_first(story: Story) -> None:
    made = wallet(story)
    (late,) = top_up(story, made, granted_credits="5", priority=9)
    (early,) = top_up(story, made, granted_credits="5", priority=1)
    top_up(story, made, voided_credits="5")
    left = {entry["lago_id"]: entry["remaining_amount_cents"] for entry in ledger(story, made)}
    assert (left[early["lago_id"]], left[late["lago_id"]]) == (0, 500)


def test_wallets_pay_by_priority_and_only_for_what_they_may(story: Story) -> None:
    only = wallet(story, granted_credits="100", priority=1, applies_to={"fee_types": ["subscription"]})
    other = wallet(story, granted_credits="3", priority=2, applies_to={"billable_metric_codes": ["calls"]})
    rest = wallet(story, granted_credits="100", priority=3)
    use(story, 5)
    story.travel("2024-02-01T00:00:00Z")
    assert [read(story, each)["balance_cents"] for each in (only, other, rest)] == [10000, 0, 9800]
    wallets.check(story)


def test_credits_end_at_their_instant_not_with_the_sweep(story: Story) -> None:
    """Source: rules/money 2, row 16."""
    made = wallet(story, granted_credits="100", expiration_at="2024-01-31T23:59:30Z")
    use(story, 100)
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    assert (invoice["prepaid_credit_amount_cents"], invoice["total_amount_cents"]) == (0, 10000)
    assert read(story, made)["balance_cents"] == 10000


def test_a_restricted_wallet_pays_its_buckets_rounded_once(aws: None) -> None:
    """Source: rules/money 2, row 8."""
    story = Story.begin()
    tax(story, 6)
    charges = []
    for code in ("a", "b", "c"):
        metric = story.metric(code)
        charges.append({"billable_metric_id": metric["lago_id"], "charge_model": "standard",
                        "properties": {"amount": "1.03"}})  # fmt: skip
    story.plan("plan", charges)
    story.customer("cust", currency="EUR")
    story.subscribe()
    for code in ("a", "b", "c"):
        story.use(code, at=ts("2024-01-01T00:00:00"))
    meter()
    made = wallet(story, granted_credits="10", applies_to={"fee_types": ["charge"]})
    assert read(story, made)["ongoing_usage_balance_cents"] == 328
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    assert (invoice["prepaid_credit_amount_cents"], invoice["total_amount_cents"]) == (328, 0)
    wallets.check(story)


def test_the_ongoing_balance_is_exact_when_it_is_read(aws: None) -> None:
    story = Story.begin()
    tax(story, 20)
    charges = []
    for code, amount in (("a", "0.17"), ("b", "4.46")):
        metric = story.metric(code)
        charges.append({"billable_metric_id": metric["lago_id"], "charge_model": "standard",
                        "properties": {"amount": amount}})  # fmt: skip
    story.plan("plan", charges)
    story.customer("cust", currency="EUR", billing_configuration={"invoice_grace_period": 3})
    story.subscribe()
    made = wallet(story, rate_amount="5", granted_credits="10")
    for code in ("a", "b"):
        story.use(code, at=ts("2024-01-01T00:00:00"))
    meter()
    now = read(story, made)
    assert (now["ongoing_usage_balance_cents"], now["ongoing_balance_cents"]) == (556, 4444)
    assert (now["credits_ongoing_balance"], now["balance_cents"]) == ("8.888", 5000)
    story.travel("2024-02-01T00:00:00Z")  # The same as a draft.
    assert read(story, made)["ongoing_balance_cents"] == 4444
    story.travel("2024-02-04T00:00:00Z")
    final = read(story, made)
    assert (final["balance_cents"], final["ongoing_balance_cents"]) == (4444, 4444)
    wallets.check(story)


def test_a_threshold_rule_counts_what_is_on_its_way(story: Story) -> None:
    """Source: rules/money 2, row 13."""
    rule = {"trigger": "threshold", "threshold_credits": "100", "paid_credits": "50", "method": "fixed"}
    made = wallet(story, granted_credits="130", recurring_transaction_rules=[rule])
    assert ledger(story, made, "&source=threshold&status=pending") == []
    use(story, 100)  # Ongoing 30.
    read(story, made)
    assert [each["credit_amount"] for each in ledger(story, made, "&status=pending")] == ["100.0"]
    use(story, 20)  # 10, and 100 on their way.
    read(story, made)
    assert len(ledger(story, made, "&status=pending")) == 1
    use(story, 15)  # -5.
    read(story, made)
    assert [each["credit_amount"] for each in ledger(story, made, "&status=pending")] == ["50.0", "100.0"]
    assert {each["source"] for each in ledger(story, made, "&status=pending")} == {"threshold"}
    wallets.check(story)


def test_a_failed_automatic_purchase_rests_for_a_day(story: Story) -> None:
    """Source: rules/money 2, row 14."""
    rule = {"trigger": "threshold", "threshold_credits": "10", "paid_credits": "50", "method": "fixed"}
    made = wallet(story, granted_credits="20", recurring_transaction_rules=[rule])
    use(story, 15)
    read(story, made)
    (bought,) = ledger(story, made, "&status=pending")
    pay(story, bought["lago_invoice_id"], "failed")
    use(story, 1)
    read(story, made)
    assert ledger(story, made, "&status=pending") == []
    story.travel("2024-01-02T00:00:00Z")
    use(story, 1)
    read(story, made)
    assert len(ledger(story, made, "&status=pending")) == 1


@pytest.mark.parametrize(
    ("rule", "limits", "made"),
    [
        ({"target_ongoing_balance": "200"}, {}, ("purchased", "170.0")),
        ({"target_ongoing_balance": "200"}, {"paid_top_up_max_amount_cents": 10000}, ("purchased", "100.0")),
        ({"target_ongoing_balance": "200", "ignore_paid_top_up_limits": True}, {"paid_top_up_max_amount_cents": 10000},
         ("purchased", "170.0")),
        ({"target_ongoing_balance": "50", "threshold_credits": "40"}, {"paid_top_up_min_amount_cents": 5000},
         ("purchased", "50.0")),
        ({"target_ongoing_balance": "200", "grants_target_top_up": True}, {}, ("granted", "170.0")),
    ],
)  # fmt: skip
def test_a_target_fills_the_gap(story: Story, rule: Any, limits: Any, made: tuple[str, str]) -> None:
    rules = [{"trigger": "threshold", "threshold_credits": "100", "method": "target", **rule}]
    filled = wallet(story, granted_credits="130", recurring_transaction_rules=rules, **limits)
    use(story, 100)
    read(story, filled)
    newest = ledger(story, filled)[0]
    assert (newest["transaction_status"], newest["credit_amount"], newest["source"]) == (*made, "threshold")
    wallets.check(story)


def test_an_interval_rule_tops_up_at_local_midnight(story: Story) -> None:
    story.customer("far", currency="EUR", timezone="America/New_York")
    rule = {"trigger": "interval", "interval": "weekly", "method": "fixed", "paid_credits": "1", "granted_credits": "2",
            "transaction_name": "Weekly", "expiration_at": "2024-01-20T00:00:00Z"}  # fmt: skip
    made = wallet(story, "far", recurring_transaction_rules=[rule])
    story.travel("2024-01-07T04:59:59Z")
    assert ledger(story, made) == []
    story.travel("2024-01-07T05:00:00Z")  # A week after 31 December, there.
    assert {(e["transaction_status"], e["credit_amount"], e["source"], e["name"]) for e in ledger(story, made)} == {
        ("purchased", "1.0", "interval", "Weekly"), ("granted", "2.0", "interval", "Weekly")}  # fmt: skip
    story.travel("2024-03-01T00:00:00Z")
    assert len(ledger(story, made)) == 4
    wallets.check(story)


def test_a_changed_rule_takes_its_task_along(story: Story) -> None:
    rule = {"trigger": "interval", "interval": "monthly", "method": "fixed", "granted_credits": "2",
            "started_at": "2024-01-10T08:00:00Z"}  # fmt: skip
    made = wallet(story, recurring_transaction_rules=[rule])
    (known,) = made["recurring_transaction_rules"]
    path = f"/wallets/{made['lago_id']}"
    story.travel("2024-01-10T08:00:00Z")
    assert read(story, made)["balance_cents"] == 200
    changed = {"lago_id": known["lago_id"], "trigger": "interval", "interval": "weekly", "granted_credits": "3"}
    shown = story.ok("PUT", path, {"wallet": {"recurring_transaction_rules": [changed]}})["wallet"]
    assert shown["recurring_transaction_rules"][0]["lago_id"] == known["lago_id"]
    story.travel("2024-01-17T00:00:00Z")
    assert read(story, made)["balance_cents"] == 500
    story.ok("PUT", path, {"wallet": {"recurring_transaction_rules": []}})
    story.travel("2024-02-17T00:00:00Z")
    assert read(story, made)["balance_cents"] == 500
    wallets.check(story)


def test_what_an_invoice_used_is_given_back_to_wallets_still_active(story: Story) -> None:
    first = wallet(story, granted_credits="3", priority=1)
    second = wallet(story, granted_credits="3", priority=2)
    third = wallet(story, granted_credits="3", priority=3)
    use(story, 8)
    story.travel("2024-02-01T00:00:00Z")
    story.ok("DELETE", f"/wallets/{second['lago_id']}")
    (shown,) = story.invoices()
    ref = story.ref
    invoice = invoices.get(ref.id, shown["lago_id"])
    assert invoice is not None
    now = datetime(2024, 2, 1, tzinfo=UTC)
    items = customers.items_of(ref.id, invoice.customer_id)
    writes, tasks = restored(ref, items, invoice, now=now)
    Unit(writes, (agenda.put(task, now=now) for task in tasks)).commit()
    with pytest.raises(Cancelled):  # Once.
        Unit(writes).commit()
    assert [read(story, each)["balance_cents"] for each in (first, second, third)] == [300, 0, 300]
    (back,) = ledger(story, first, "&transaction_type=inbound&status=settled")[:1]
    assert (back["transaction_status"], back["lago_voided_invoice_id"]) == ("granted", shown["lago_id"])
    assert read(story, first)["consumed_credits"] == "0.0"


def test_parallel_settlements_add_once(story: Story) -> None:
    made = wallet(story)
    (bought,) = top_up(story, made, paid_credits="10")
    body = {"invoice": {"payment_status": "succeeded"}}
    call = ("PUT", f"/invoices/{bought['lago_invoice_id']}", body)
    assert statuses(at_once(story.call, [call] * 3)) == {200: 3}
    assert read(story, made)["balance_cents"] == 1000
    wallets.check(story)


def test_reading_a_wallet_costs_two_requests_more_than_current_usage(aws: None) -> None:
    story = Story.begin(sandbox=False)
    metric = story.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    story.plan("plan", [charge])
    story.customer("cust", currency="EUR")
    story.subscribe()
    made = wallet(story, granted_credits="1")
    seen: list[str] = []
    register = client("dynamodb").meta.events.register
    register("before-call.dynamodb", lambda model, **_: seen.append(model.name), unique_id="count")
    try:
        with on_the_wire():
            story.usage()
            usage = len(seen)
            read(story, made)
            assert len(seen) - usage <= usage + 2, seen
    finally:
        client("dynamodb").meta.events.unregister("before-call.dynamodb", unique_id="count")
