"""Wallets over the API: making, topping up, voiding, changing, ending. Source: rules/invoices 8; rules/money 2."""

from typing import Any

import pytest

from tests.support import wallets
from tests.support.parallel import at_once, statuses
from tests.support.story import Story
from tests.support.wallets import ledger, pay, read, top_up, wallet


@pytest.fixture
def story(aws: None) -> Story:
    made = Story.begin()
    made.customer("cust", currency="EUR")
    return made


def test_a_wallet_with_its_first_credits(story: Story) -> None:
    made = wallet(story, name="Main wallet", rate_amount="5", granted_credits="10", paid_credits="2.5",
                  metadata={"a": "b"}, transaction_name="First", transaction_metadata=[{"key": "k", "value": "v"}],
                  applies_to={"fee_types": ["charge"]})  # fmt: skip
    assert (made["code"], made["status"], made["priority"], made["currency"]) == ("main_wallet", "active", 50, "EUR")
    assert (made["balance_cents"], made["credits_balance"], made["rate_amount"]) == (5000, "10.0", "5.0")
    assert (made["ongoing_balance_cents"], made["credits_ongoing_balance"]) == (5000, "10.0")
    assert made["applies_to"] == {"fee_types": ["charge"], "billable_metric_codes": []}
    assert made["metadata"] == {"a": "b"}
    (granted,) = ledger(story, made, "&transaction_status=granted")
    (purchased,) = ledger(story, made, "&status=pending")
    assert (granted["amount"], granted["status"], granted["remaining_amount_cents"]) == ("50.0", "settled", 5000)
    assert (purchased["amount"], purchased["credit_amount"], purchased["name"]) == ("12.5", "2.5", "First")
    assert purchased["metadata"] == [{"key": "k", "value": "v"}]
    assert purchased["remaining_amount_cents"] is None
    wallets.check(story)


def test_a_purchase_is_invoiced_and_settled_once(story: Story) -> None:
    made = wallet(story, rate_amount="5")
    (bought,) = top_up(story, made, paid_credits="10")
    (invoice,) = story.invoices()
    assert invoice["lago_id"] == bought["lago_invoice_id"]
    assert (invoice["invoice_type"], invoice["status"], invoice["total_amount_cents"]) == ("credit", "finalized", 5000)
    assert (invoice["taxes_amount_cents"], invoice["payment_status"]) == (0, "pending")
    (fee,) = invoice["fees"]
    assert (fee["item"]["type"], fee["units"], fee["precise_unit_amount"]) == ("credit", "10.0", "5.0")
    assert read(story, made)["balance_cents"] == 0
    for _ in range(2):
        pay(story, invoice["lago_id"])
    assert read(story, made)["balance_cents"] == 5000
    (settled,) = ledger(story, made)
    assert (settled["status"], settled["remaining_amount_cents"]) == ("settled", 5000)
    refused = story.call("PUT", f"/invoices/{invoice['lago_id']}", {"invoice": {"payment_status": "failed"}})
    assert refused.body["error_details"] == {"payment_status": ["value_is_invalid"]}
    assert read(story, made)["balance_cents"] == 5000
    wallets.check(story)


def test_a_failed_purchase_adds_nothing_until_it_is_paid_after_all(story: Story) -> None:
    made = wallet(story)
    (bought,) = top_up(story, made, paid_credits="10")
    pay(story, bought["lago_invoice_id"], "failed")
    (failed,) = ledger(story, made, "&status=failed")
    assert failed["failed_at"] is not None
    assert read(story, made)["balance_cents"] == 0
    pay(story, bought["lago_invoice_id"])
    assert read(story, made)["balance_cents"] == 1000
    wallets.check(story)


def test_an_invoice_that_requires_payment_is_shown_once_it_is_paid(story: Story) -> None:
    made = wallet(story)
    (bought,) = top_up(story, made, paid_credits="10", invoice_requires_successful_payment=True)
    assert story.invoices() == []
    assert story.call("GET", f"/invoices/{bought['lago_invoice_id']}").status == 404
    pay(story, bought["lago_invoice_id"])
    (invoice,) = story.invoices()
    assert (invoice["status"], invoice["payment_status"]) == ("finalized", "succeeded")
    assert invoice["number"].endswith("-001-001")
    assert read(story, made)["balance_cents"] == 1000
    wallets.check(story)


@pytest.mark.parametrize(
    ("rate", "credits", "amount", "kept"),
    [("5", "10", "50.0", "10.0"), ("0.5", "1.23456", "0.62", "1.24"), ("1.375", "10.34567", "14.23", "10.34909")],
)
def test_credits_follow_the_rounded_amount(story: Story, rate: str, credits: str, amount: str, kept: str) -> None:
    made = wallet(story, rate_amount=rate)
    (granted,) = top_up(story, made, granted_credits=credits)
    assert (granted["amount"], granted["credit_amount"]) == (amount, kept)
    wallets.check(story)


def test_voided_credits_are_taken_off_as_they_are(story: Story) -> None:
    made = wallet(story, granted_credits="100")
    (voided,) = top_up(story, made, voided_credits="14.28444999")
    assert (voided["amount"], voided["credit_amount"]) == ("14.28", "14.28444")
    assert (voided["transaction_type"], voided["transaction_status"]) == ("outbound", "voided")
    now = read(story, made)
    assert (now["balance_cents"], now["credits_balance"]) == (8572, "85.71556")
    wallets.check(story)


def test_codes_limits_and_priorities(story: Story) -> None:
    codes = [wallet(story, name="Main wallet")["code"] for _ in range(2)] + [wallet(story)["code"]]
    assert codes == ["main_wallet", "main_wallet_2", "default"]
    path = "/customers/cust/wallets"
    for n in range(3):
        story.ok("POST", path, {"wallet": {"rate_amount": "1", "code": f"c{n}"}})
    refused = story.call("POST", path, {"wallet": {"rate_amount": "1"}})
    assert refused.body["error_details"] == {"customer": ["wallet_limit_reached"]}
    story.ok("DELETE", f"{path}/c1")
    taken = story.call("POST", path, {"wallet": {"rate_amount": "1", "code": "c2"}})
    assert taken.body["error_details"] == {"code": ["value_already_exist"]}
    again = story.ok("POST", path, {"wallet": {"rate_amount": "1", "code": "c1"}})["wallet"]
    assert story.ok("GET", f"{path}/c1")["wallet"]["lago_id"] == again["lago_id"]
    assert story.ok("GET", path)["meta"]["total_count"] == 7
    assert story.ok("GET", "/wallets?external_customer_id=cust&currency=USD")["wallets"] == []


def test_six_at_once_stay_six(story: Story) -> None:
    for n in range(4):
        wallet(story, code=f"c{n}")
    body = {"wallet": {"external_customer_id": "cust", "rate_amount": "1", "currency": "EUR"}}
    assert statuses(at_once(story.call, [("POST", "/wallets", body)] * 4)) == {200: 2, 422: 2}


def test_changes_and_the_end(story: Story) -> None:
    made = wallet(story, granted_credits="10")
    path = f"/wallets/{made['lago_id']}"
    changed = story.ok("PUT", path, {"wallet": {"name": "New", "priority": 3, "code": "new",
        "applies_to": {"fee_types": ["subscription"]}}})["wallet"]  # fmt: skip
    assert (changed["name"], changed["priority"], changed["code"], changed["balance_cents"]) == ("New", 3, "new", 1000)
    assert story.ok("POST", f"{path}/metadata", {"metadata": {"a": "1", "b": None}}) == {
        "metadata": {"a": "1", "b": None}
    }
    assert story.ok("PATCH", f"{path}/metadata", {"metadata": {"c": "2"}})["metadata"] == {
        "a": "1",
        "b": None,
        "c": "2",
    }
    below = "/customers/cust/wallets/new/metadata"
    assert story.ok("DELETE", f"{below}/a")["metadata"] == {"b": None, "c": "2"}
    assert story.ok("DELETE", below)["metadata"] is None
    assert "metadata" not in read(story, made)
    ended = story.ok("DELETE", path)["wallet"]
    assert (ended["status"], ended["terminated_at"]) == ("terminated", "2024-01-01T00:00:00Z")
    assert story.ok("DELETE", path)["wallet"]["status"] == "terminated"
    assert story.call("PUT", path, {"wallet": {"name": "x"}}).status == 405
    refused = story.call("POST", "/wallet_transactions", {"wallet_transaction": {
        "wallet_id": made["lago_id"], "granted_credits": "1"}})  # fmt: skip
    assert refused.body["error_details"] == {"wallet_id": ["wallet_is_terminated"]}
    wallets.check(story)


def test_a_wallet_ends_at_its_instant(story: Story) -> None:
    made = wallet(story, granted_credits="10", expiration_at="2024-01-10T12:00:00Z")
    story.ok("PUT", f"/wallets/{made['lago_id']}", {"wallet": {"expiration_at": "2024-01-11T12:00:00Z"}})
    story.travel("2024-01-11T11:59:59Z")
    assert read(story, made)["status"] == "active"
    story.travel("2024-01-12T00:00:00Z")
    ended = read(story, made)
    assert (ended["status"], ended["terminated_at"]) == ("terminated", "2024-01-11T12:00:00Z")


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ({"external_customer_id": "nobody"}, {"customer": ["customer_not_found"]}),
        ({"external_customer_id": None}, {"customer": ["customer_not_found"]}),
        ({"rate_amount": "0"}, {"rate_amount": ["value_is_out_of_range"]}),
        ({"currency": "USD"}, {"currency": ["currencies_does_not_match"]}),
        ({"paid_credits": "foo"}, {"paid_credits": ["invalid_paid_credits", "invalid_amount"]}),
        ({"granted_credits": "-1"}, {"granted_credits": ["invalid_granted_credits", "invalid_amount"]}),
        ({"granted_credits": "0.001"}, {"granted_credits": ["amount_rounds_to_zero"]}),
        ({"expiration_at": "2023-12-31T00:00:00Z"}, {"expiration_at": ["invalid_date"]}),
        ({"priority": 51}, {"priority": ["value_is_out_of_range"]}),
        ({"paid_credits": "1", "paid_top_up_min_amount_cents": 101}, {"paid_credits": ["amount_below_minimum"]}),
        ({"paid_credits": "2", "paid_top_up_max_amount_cents": 199}, {"paid_credits": ["amount_above_maximum"]}),
        ({"recurring_transaction_rules": [{"trigger": "interval"}]},
         {"recurring_transaction_rules": ["invalid_recurring_rule"]}),
        ({"recurring_transaction_rules": [{}, {}]},
         {"recurring_transaction_rules": ["invalid_number_of_recurring_rules"]}),
        ({"paid_top_up_min_amount_cents": 500, "recurring_transaction_rules": [
            {"trigger": "threshold", "threshold_credits": "1", "paid_credits": "1"}]},
         {"recurring_transaction_rules": ["invalid_recurring_rule"]}),
    ],
)  # fmt: skip
def test_wallets_that_are_refused(story: Story, fields: dict[str, Any], details: dict[str, list[str]]) -> None:
    body = {"external_customer_id": "cust", "rate_amount": "1", "currency": "EUR"} | fields
    answer = story.call("POST", "/wallets", {"wallet": body})
    assert (answer.status, answer.body["code"]) == (422, "validation_errors")
    assert answer.body["error_details"] == details
    assert story.ok("GET", "/wallets")["wallets"] == []
    assert story.invoices() == []


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ({"wallet_id": "nobody", "paid_credits": "1"}, {"wallet_id": ["wallet_not_found"]}),
        ({"paid_credits": "x"}, {"paid_credits": ["invalid_paid_credits", "invalid_amount"]}),
        ({"granted_credits": "x"}, {"granted_credits": ["invalid_granted_credits", "invalid_amount"]}),
        ({"voided_credits": "11"}, {"voided_credits": ["insufficient_credits"]}),
        ({"voided_credits": "0.004"}, {"voided_credits": ["amount_rounds_to_zero"]}),
        ({"paid_credits": "6"}, {"paid_credits": ["amount_above_maximum"]}),
        ({"metadata": [{"key": f"k{n}", "value": "v"} for n in range(16)]}, {"metadata": ["invalid_count"]}),
    ],
)
def test_top_ups_that_are_refused(story: Story, fields: dict[str, Any], details: dict[str, list[str]]) -> None:
    made = wallet(story, granted_credits="10", paid_top_up_max_amount_cents=500)
    answer = story.call("POST", "/wallet_transactions", {"wallet_transaction": {"wallet_id": made["lago_id"]} | fields})
    assert (answer.status, answer.body["error_details"]) == (422, details)
    assert len(ledger(story, made)) == 1


def test_unknown_things(story: Story) -> None:
    for path in ("/wallets/x", "/wallets/x/wallet_transactions", "/customers/cust/wallets/x"):
        answer = story.call("GET", path)
        assert (answer.status, answer.body["code"]) == (404, "wallet_not_found")
    assert story.call("GET", "/wallets?external_customer_id=x").body["code"] == "customer_not_found"
    assert story.call("GET", "/wallet_transactions/x").body["code"] == "wallet_transaction_not_found"
    unknown = {"rate_amount": "1", "applies_to": {"billable_metric_codes": ["x"]}}
    assert (
        story.call("POST", "/customers/cust/wallets", {"wallet": unknown}).body["code"] == "billable_metrics_not_found"
    )


def test_the_currency_is_locked(aws: None) -> None:
    story = Story.begin()
    story.customer("cust")
    wallet(story)
    assert story.ok("GET", "/customers/cust")["customer"]["currency"] == "EUR"
    refused = story.call("POST", "/customers", {"customer": {"external_id": "cust", "currency": "USD"}})
    assert refused.body["error_details"] == {"currency": ["currencies_does_not_match"]}


def test_parallel_voids_never_overdraw(story: Story) -> None:
    made = wallet(story, granted_credits="10")
    body = {"wallet_transaction": {"wallet_id": made["lago_id"], "voided_credits": "6"}}
    assert statuses(at_once(story.call, [("POST", "/wallet_transactions", body)] * 3)) == {200: 1, 422: 2}
    wallets.check(story)
