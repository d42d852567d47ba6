"""What is refused before money is moved by it: limits, rules and dates that cannot hold. Source: rules/catalog 7.3."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.features.events import service as events
from chalicelib.features.organizations.service import default_prefix
from chalicelib.platform.ids import OrganizationId
from tests.support.story import Story
from tests.support.wallets import top_up, wallet

RULES = "recurring_transaction_rules"
MOST = "paid_top_up_max_amount_cents"


@pytest.fixture
def story(aws: None) -> Story:
    made = Story.begin()
    made.customer("cust", currency="EUR")
    return made


def refusal(story: Story, method: str, path: str, body: Any) -> Any:
    answer = story.call(method, path, body)
    assert answer.status == 422, answer
    return answer.body["error_details"]


def test_wallets_whose_fields_cannot_hold(story: Story) -> None:
    def refused(**fields: Any) -> Any:
        body = {"external_customer_id": "cust", "rate_amount": "1", "currency": "EUR", **fields}
        return refusal(story, "POST", "/wallets", {"wallet": body})

    limits = {"paid_top_up_min_amount_cents": 200, MOST: 100}
    assert refused(**limits) == {MOST: ["value_is_out_of_range"]}
    threshold = {"trigger": "threshold", "threshold_credits": "10"}
    for rule in (
        {"trigger": "interval", "interval": "monthly", "paid_credits": "0", "granted_credits": "0"},
        threshold,
        {**threshold, "method": "target", "target_ongoing_balance": "10"},
        {**threshold, "paid_credits": "10000000000000"},
    ):
        assert refused(**{RULES: [rule]}) == {RULES: ["invalid_recurring_rule"]}
    assert refused(rate_amount="1000000000000001") == {"rate_amount": ["value_is_out_of_range"]}
    assert refused(paid_credits="10000000000000") == {"paid_credits": ["value_is_out_of_range"]}
    assert refused(rate_amount="1000000", granted_credits="10000000") == {"granted_credits": ["value_is_out_of_range"]}
    for pair, name in (({"key": "k"}, "value"), ({"value": "v"}, "key"), ({"key": "k", "value": ""}, "value")):
        assert refused(transaction_metadata=[pair]) == {name: ["value_is_mandatory"]}


def test_changes_of_wallets_that_cannot_hold(story: Story) -> None:
    made = wallet(story, paid_top_up_min_amount_cents=200)
    path = f"/wallets/{made['lago_id']}"
    assert refusal(story, "PUT", path, {"wallet": {MOST: 100}}) == {MOST: ["value_is_out_of_range"]}
    story.ok("PUT", path, {"wallet": {MOST: 200}})
    top_up(story, made, granted_credits="9000000000000")
    more = {"wallet_id": made["lago_id"], "granted_credits": "1000000000000"}
    found = refusal(story, "POST", "/wallet_transactions", {"wallet_transaction": more})
    assert found == {"granted_credits": ["value_is_out_of_range"]}


def test_a_payment_of_the_future(story: Story) -> None:
    """Later than the test clock, and than the real one."""
    fees = [{"add_on_code": "a"}]
    story.ok("POST", "/add_ons", {"add_on": {"name": "a", "code": "a", "amount_cents": 9, "amount_currency": "EUR"}})
    one_off = {"external_customer_id": "cust", "fees": fees}
    invoice_id = story.ok("POST", "/invoices", {"invoice": one_off})["invoice"]["lago_id"]
    for at in ("8999-01-01", "8999-01-01T00:00:00Z"):
        body = {"invoice_id": invoice_id, "amount_cents": 1, "paid_at": at}
        assert refusal(story, "POST", "/payments", {"payment": body}) == {"paid_at": ["invalid_date"]}


@pytest.mark.parametrize("customer", [{"name": "New"}, {"external_id": "cust"}])
def test_a_preview_with_taxes_that_are_tried(story: Story, customer: dict[str, str]) -> None:
    story.plan(amount_cents=1000, pay_in_advance=True)
    story.ok("POST", "/taxes", {"tax": {"name": "T", "code": "t", "rate": 20}})
    body = {"customer": {**customer, "tax_codes": ["t"]}, "plan_code": "plan"}
    assert story.ok("POST", "/invoices/preview", body)["invoice"]["taxes_amount_cents"] == 200
    unknown = story.call("POST", "/invoices/preview", {**body, "customer": {**customer, "tax_codes": ["t", "x"]}})
    assert (unknown.status, unknown.body["code"]) == (404, "tax_not_found")


def test_the_default_prefix_has_the_letters_of_the_name() -> None:
    assert default_prefix("Müller", OrganizationId("00001a2b")) == "MUL-1A2B"


def test_a_refresh_in_a_sandbox_waits_for_events(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.plan(amount_cents=1000, pay_in_advance=True)
    story.customer("late", billing_configuration={"invoice_grace_period": 3})
    story.subscribe(customer="late")
    (draft,) = story.invoices()
    waited: list[datetime] = []
    monkeypatch.setattr(events, "wait_for_events", lambda organization: waited.append(datetime.now(UTC)))
    story.ok("PUT", f"/invoices/{draft['lago_id']}/refresh")
    assert len(waited) == 1
