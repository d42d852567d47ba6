"""Wallets: the form with each field of the API, one wallet with its transactions, and acts on it."""

import dataclasses
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.console import pages
from chalicelib.console.views import wallets as views
from chalicelib.console.visit import Page, Values, Visit
from chalicelib.features.organizations import service as organizations
from chalicelib.features.wallets import schemas
from chalicelib.platform import clock
from chalicelib.platform.http import Client
from tests.support import capacity
from tests.support.console import Visitor, member_of
from tests.support.story import Story, work
from tests.support.wallets import ledger, pay, read, top_up, wallet

RULE = "recurring_transaction_rules.0"


@pytest.fixture
def payer(visitor: Visitor) -> Visitor:
    """An organization in Paris, a customer in Tokyo who is billed in EUR, and a metric."""
    story = visitor.story
    story.organization(default_currency="EUR", timezone="Europe/Paris")
    story.customer("cust", name="Cobalt", currency="EUR", timezone="Asia/Tokyo")
    story.metric("calls")
    return visitor


def customer_of(visitor: Visitor) -> str:
    """The customer's id."""
    return str(visitor.story.ok("GET", "/customers/cust")["customer"]["lago_id"])


def address(visitor: Visitor) -> tuple[str, ...]:
    """Where the customer gets a wallet."""
    return ("customers", customer_of(visitor), "wallets", "new")


def created(visitor: Visitor, **fields: Any) -> Any:
    """A wallet made by the form."""
    shown = visitor.get(*address(visitor))
    answer = visitor.post(*address(visitor), form={**shown.fields, "request_id": str(fields), **fields})
    assert answer.status == 303, answer.words
    return visitor.story.ok("GET", f"/wallets/{answer.location.rpartition('/')[2]}")["wallet"]


EVERY: dict[str, Any] = {
    "name": "Main",
    "code": "main",
    "rate_amount": "1.5",
    "priority": "3",
    "expiration_at": "2024-07-01T12:00",
    "invoice_requires_successful_payment": "true",
    "paid_top_up_min_amount_cents": "10",
    "paid_top_up_max_amount_cents": "200.50",
    "applies_to.fee_types": ["", "charge", "subscription"],
    "applies_to.billable_metric_codes": ["", "calls"],
    "metadata.0.key": "case",
    "metadata.0.value": "7",
    "granted_credits": "20",
    "paid_credits": "200",
    "transaction_name": "First",
    "transaction_priority": "5",
    "transaction_metadata.0.key": "po",
    "transaction_metadata.0.value": "9",
    "ignore_paid_top_up_limits_on_creation": "true",
    f"{RULE}.trigger": "interval",
    f"{RULE}.method": "fixed",
    f"{RULE}.interval": "quarterly",
    f"{RULE}.threshold_credits": "2",
    f"{RULE}.paid_credits": "30",
    f"{RULE}.granted_credits": "4",
    f"{RULE}.target_ongoing_balance": "40",
    f"{RULE}.grants_target_top_up": "true",
    f"{RULE}.started_at": "2024-02-01T00:00",
    f"{RULE}.expiration_at": "2025-02-01T00:00",
    f"{RULE}.invoice_requires_successful_payment": "true",
    f"{RULE}.ignore_paid_top_up_limits": "true",
    f"{RULE}.transaction_name": "Again",
    f"{RULE}.transaction_metadata.0.key": "by",
    f"{RULE}.transaction_metadata.0.value": "rule",
}


def test_each_field_of_the_form_is_one_of_the_api(payer):
    made = created(payer, **EVERY)
    own = ("name", "code", "rate_amount", "priority", "expiration_at", "invoice_requires_successful_payment")
    assert [made[name] for name in own] == ["Main", "main", "1.5", 3, "2024-07-01T10:00:00Z", True]
    assert (made["paid_top_up_min_amount_cents"], made["paid_top_up_max_amount_cents"]) == (1000, 20050)
    assert made["applies_to"] == {"fee_types": ["charge", "subscription"], "billable_metric_codes": ["calls"]}
    assert made["metadata"] == {"case": "7"}
    entries = {each["transaction_status"]: each for each in ledger(payer.story, made)}
    assert {name: each["credit_amount"] for name, each in entries.items()} == {"granted": "20.0", "purchased": "200.0"}
    granted = entries["granted"]
    assert (granted["name"], granted["priority"]) == ("First", 5)
    assert granted["metadata"] == [{"key": "po", "value": "9"}]
    (rule,) = made["recurring_transaction_rules"]
    expected = {
        "trigger": "interval",
        "method": "fixed",
        "interval": "quarterly",
        "threshold_credits": "2.0",
        "paid_credits": "30.0",
        "granted_credits": "4.0",
        "target_ongoing_balance": "40.0",
        "grants_target_top_up": True,
        "started_at": "2024-01-31T23:00:00Z",
        "expiration_at": "2025-01-31T23:00:00Z",
        "invoice_requires_successful_payment": True,
        "ignore_paid_top_up_limits": True,
        "transaction_name": "Again",
        "transaction_metadata": [{"key": "by", "value": "rule"}],
    }
    assert {name: rule[name] for name in expected} == expected


def test_the_form_has_each_field_that_the_api_takes(payer):
    drawn = {*payer.get(*address(payer)).fields}
    rows = dict.fromkeys(("metadata.0.key", "transaction_metadata.0.key", f"{RULE}.transaction_metadata.0.key"), "")
    for trigger, method in (("interval", "fixed"), ("threshold", "target")):
        chosen = {f"{RULE}.trigger": trigger, f"{RULE}.method": method, f"{RULE}.lago_id": "x"} | {
            f"{RULE}.interval": "weekly"
        }
        drawn |= {*payer.post(*address(payer), form={**rows, **chosen, "_do": "draw"}).fields}
    groups = {"applies_to", "metadata", "transaction_metadata", "recurring_transaction_rules", "external_customer_id"}
    assert set(schemas.WalletInput.model_fields) - groups <= drawn
    assert {f"applies_to.{name}" for name in schemas.AppliesTo.model_fields} <= drawn
    rule = set(schemas.RuleInput.model_fields) - {"transaction_metadata"}
    assert {f"{RULE}.{name}" for name in rule} <= drawn
    for group in ("metadata", "transaction_metadata", f"{RULE}.transaction_metadata"):
        assert {f"{group}.0.key", f"{group}.0.value"} <= drawn


def test_the_rate_is_written_out_and_the_currency_is_the_customers(payer):
    shown = payer.get(*address(payer))
    assert "1 credit = 1.00 EUR, 100 credits = 100.00 EUR" in shown.words
    assert "This customer is billed in EUR." in shown.words
    assert set(shown.fields["currency"]) == {"EUR"}
    again = payer.post(*address(payer), form={**shown.fields, "rate_amount": "0.0125", "_do": "draw"})
    assert "1 credit = 0.0125 EUR, 100 credits = 1.25 EUR" in again.words
    wrong = payer.post(*address(payer), form={**shown.fields, "rate_amount": "x", "_do": "draw"})
    assert "The value of a credit is a price above 0." in wrong.words


def test_a_double_click_makes_one_wallet(payer):
    form = {**payer.get(*address(payer)).fields, "granted_credits": "5", "request_id": "mark"}
    answers = [payer.post(*address(payer), form=form) for _ in range(2)]
    assert [each.status for each in answers] == [303, 303]
    assert answers[0].location == answers[1].location
    assert len(payer.story.ok("GET", "/wallets")["wallets"]) == 1


@pytest.mark.parametrize(
    ("fields", "code", "place"),
    [
        ({"rate_amount": "0"}, "value_is_out_of_range", "f-rate_amount-error"),
        ({"rate_amount": ""}, "value_is_mandatory", "f-rate_amount-error"),
        ({"currency": "USD"}, "currencies_does_not_match", "f-currency-error"),
        ({"paid_credits": "x"}, "invalid_paid_credits", "f-paid_credits-error"),
        ({"granted_credits": "0.001"}, "amount_rounds_to_zero", "f-granted_credits-error"),
        ({"priority": "51"}, "value_is_out_of_range", "f-priority-error"),
        ({"expiration_at": "2023-01-01T00:00"}, "invalid_date", "f-expiration_at-error"),
        ({"expiration_at": "soon"}, "invalid_date", "f-expiration_at-error"),
        ({"paid_top_up_min_amount_cents": "1.234"}, "invalid_amount", "f-paid_top_up_min_amount_cents-error"),
        (
            {"paid_top_up_min_amount_cents": "2", "paid_top_up_max_amount_cents": "1"},
            "value_is_out_of_range",
            "f-paid_top_up_max_amount_cents-error",
        ),
        ({"paid_credits": "1", "paid_top_up_min_amount_cents": "2"}, "amount_below_minimum", "f-paid_credits-error"),
        ({f"{RULE}.trigger": "threshold", f"{RULE}.method": "fixed"}, "invalid_recurring_rule", "field-error"),
        ({"metadata.0.key": "a", "metadata.1.key": "a"}, "value_already_exist", "f-metadata.1.key-error"),
    ],
)
def test_what_the_api_refuses_is_said_at_its_field(payer, fields, code, place):
    form = {**payer.get(*address(payer)).fields, **fields}
    answer = payer.post(*address(payer), form=form)
    assert (answer.status, code in answer.words, place in answer.text) == (422, True, True), answer.words
    assert payer.story.ok("GET", "/wallets")["wallets"] == []


def test_the_form_of_a_wallet_shows_it_and_changes_nothing_by_itself(payer):
    made = created(payer, **EVERY)
    shown = payer.get("wallets", made["lago_id"], "edit")
    assert "It cannot change: credits have this value." in shown.words
    assert payer.post("wallets", made["lago_id"], "edit", form=shown.fields).status == 303
    after = read(payer.story, made)
    # The target has no field while the rule adds the same credits each time.
    for each in (made, after):
        (rule,) = each["recurring_transaction_rules"]
        for name in ("target_ongoing_balance", "threshold_credits", "grants_target_top_up"):
            rule.pop(name)
    assert after == made


def test_a_wallet_is_changed(payer):
    made = created(payer, **EVERY)
    fields = payer.get("wallets", made["lago_id"], "edit").fields
    kept = {name: values for name, values in fields.items() if not name.startswith(RULE)}
    changes = {"name": "Other", "expiration_at": "", "applies_to.fee_types": "", "metadata.0.value": "8"}
    assert payer.post("wallets", made["lago_id"], "edit", form={**kept, **changes}).status == 303
    after = read(payer.story, made)
    assert (after["name"], after["expiration_at"], after["recurring_transaction_rules"]) == ("Other", None, [])
    assert after["applies_to"] == {"fee_types": [], "billable_metric_codes": ["calls"]}
    assert after["metadata"] == {"case": "8"}
    assert after["rate_amount"] == "1.5"


def test_instants_to_the_second_stay_where_nobody_touches_them(payer):
    made = wallet(payer.story, expiration_at="2024-05-05T05:05:05Z")
    shown = payer.get("wallets", made["lago_id"], "edit")
    payer.post("wallets", made["lago_id"], "edit", form={**shown.fields, "name": "New"})
    assert read(payer.story, made)["expiration_at"] == "2024-05-05T05:05:05Z"


def test_granted_credits_count_at_once_and_paid_ones_when_they_are_paid(payer):
    made = wallet(payer.story)
    fields = {"paid_credits": "100", "granted_credits": "20", "name": "Extra", "priority": "4", "request_id": "mark"}
    fields |= {"metadata.0.key": "po", "metadata.0.value": "9"}
    for _ in range(2):
        assert payer.post("wallets", made["lago_id"], "top_up", form=fields).status == 303
    words = payer.get("wallets", made["lago_id"]).words
    assert "Balance €20.00 20 credits" in words
    entries = ledger(payer.story, made)
    assert {(each["name"], each["priority"], str(each["metadata"])) for each in entries} == {
        ("Extra", 4, "[{'key': 'po', 'value': '9'}]")
    }
    (invoice,) = payer.story.invoices()
    assert f"{invoice['number']} 100 €100.00" in words
    pay(payer.story, invoice["lago_id"])
    work()
    shown = payer.get("wallets", made["lago_id"])
    assert "Balance €120.00 120 credits" in shown.words
    signed = [
        (-1 if e["transaction_type"] == "outbound" else 1) * Decimal(e["amount"]) for e in ledger(payer.story, made)
    ]
    assert sum(signed) == 120


def test_each_field_of_a_top_up_is_there(payer):
    made = wallet(payer.story, paid_top_up_min_amount_cents=1000)
    shown = payer.get("wallets", made["lago_id"], "top_up")
    void = payer.get("wallets", made["lago_id"], "void")
    drawn = {*shown.fields, *void.fields}
    assert set(schemas.TopUpInput.model_fields) - {"wallet_id", "metadata"} <= drawn
    form = {**shown.fields, "paid_credits": "5"}
    refused = payer.post("wallets", made["lago_id"], "top_up", form=form)
    assert (refused.status, "amount_below_minimum" in refused.words) == (422, True)
    ignored = {**form, "ignore_paid_top_up_limits": "true", "invoice_requires_successful_payment": "true"}
    assert payer.post("wallets", made["lago_id"], "top_up", form=ignored).status == 303
    (entry,) = ledger(payer.story, made)
    assert entry["invoice_requires_successful_payment"] is True


@pytest.mark.parametrize(
    ("act", "fields", "code"),
    [
        ("top_up", {}, "value_is_mandatory"),
        ("top_up", {"granted_credits": "-1"}, "invalid_granted_credits"),
        ("top_up", {"granted_credits": "1", "priority": "0"}, "value_is_out_of_range"),
        ("void", {}, "value_is_mandatory"),
        ("void", {"voided_credits": "51"}, "insufficient_credits"),
        ("void", {"voided_credits": "x"}, "invalid_voided_credits"),
    ],
)
def test_what_moves_nothing_is_refused(payer, act, fields, code):
    made = wallet(payer.story, granted_credits="50")
    answer = payer.post("wallets", made["lago_id"], act, form=fields)
    assert (answer.status, code in answer.words) == (422, True)
    assert len(ledger(payer.story, made)) == 1


def test_credits_are_voided_once(payer):
    made = wallet(payer.story, granted_credits="50")
    assert "The wallet has 50 credits, €50.00." in payer.get("wallets", made["lago_id"], "void").words
    form = {"voided_credits": "20", "name": "Mistake", "request_id": "mark"}
    assert [payer.post("wallets", made["lago_id"], "void", form=form).status for _ in range(2)] == [303, 303]
    assert read(payer.story, made)["balance_cents"] == 3000
    assert "Voided Mistake Settled – −20 −€20.00" in payer.get("wallets", made["lago_id"]).words


def test_a_wallet_with_a_balance_is_named_before_it_ends(payer):
    made = wallet(payer.story, granted_credits="50", code="main")
    address = ("wallets", made["lago_id"], "terminate")
    assert "€50.00 (50 credits) is left in it and is lost" in payer.get(*address).words
    answer = payer.post(*address, form={"confirmation": "other"})
    assert (answer.status, "confirmation_does_not_match" in answer.words) == (422, True)
    for _ in range(2):
        assert payer.post(*address, form={"confirmation": "main"}).status == 303
    assert read(payer.story, made)["status"] == "terminated"
    assert "This wallet ended on" in payer.get("wallets", made["lago_id"]).words
    refused = payer.post("wallets", made["lago_id"], "top_up", form={"granted_credits": "1"})
    assert (refused.status, "wallet_is_terminated" in refused.words) == (422, True)


def test_an_empty_wallet_ends_without_its_name(payer):
    made = wallet(payer.story)
    assert payer.post("wallets", made["lago_id"], "terminate").status == 303


def test_the_ongoing_balance_is_the_apis(payer):
    story = payer.story
    charge = {
        "billable_metric_id": story.ok("GET", "/billable_metrics/calls")["billable_metric"]["lago_id"],
        "charge_model": "standard",
        "properties": {"amount": "4"},
    }
    story.plan(charges=[charge])
    story.subscribe()
    made = wallet(story, granted_credits="50")
    story.use(at=1704100000)
    assert story.usage()["amount_cents"] == 400
    page = payer.get("wallets", made["lago_id"])
    assert "?ongoing=1" in page.text
    payer.headers["HX-Request"] = "true"
    part = payer.get("wallets", made["lago_id"], ongoing="1")
    assert part.words == "Balance €50.00 50 credits Ongoing balance €46.00 after €4.00 of usage Consumed 0 credits"
    payer.headers.clear()
    assert "Ongoing balance €46.00" in payer.get("wallets", made["lago_id"], ongoing="1").words


def test_filters_of_transactions_are_the_apis(payer):
    made = wallet(payer.story, granted_credits="50")
    top_up(payer.story, made, voided_credits="5")
    assert "1–2 of 2" in payer.get("wallets", made["lago_id"]).words
    assert "1–1 of 1" in payer.get("wallets", made["lago_id"], transaction_status="voided").words
    assert "1–1 of 1" in payer.get("wallets", made["lago_id"], transaction_type="inbound").words
    assert "Nothing matches" in payer.get("wallets", made["lago_id"], status="failed").words


def test_the_customers_panel_has_a_card_for_each(payer):
    wallet(payer.story, name="Second", priority=9)
    wallet(payer.story, name="First", priority=1, granted_credits="5")
    ended = wallet(payer.story, name="Ended", priority=1)
    payer.story.ok("DELETE", f"/wallets/{ended['lago_id']}")
    visit = visiting(payer)
    found = views.panel(visit, customer_of(payer))
    assert [each["name"] for each in found["wallets"]] == ["First", "Second", "Ended"]
    customer = payer.story.ok("GET", "/customers/cust")["customer"]
    text = pages.drawn(visit, Page("wallets/panel.html", {**found, "customer": customer})).text
    assert "after €0.00 of usage" not in text.partition("Ended")[0]
    asked = dataclasses.replace(visit, query=Values({"ongoing": ["1"]}))
    whole = pages.drawn(
        asked, Page("wallets/panel.html", {**views.panel(asked, customer_of(payer)), "customer": customer})
    )
    assert whole.text.count("after €0.00 of usage") == 3
    assert text.count('<section class="card"') == 3
    assert "1 credit = €1.00" in text
    bare = pages.drawn(visit, Page("wallets/panel.html", {"wallets": [], "ongoing": False, "customer": customer})).text
    assert "No wallets yet" in bare


def visiting(visitor: Visitor) -> Visit:
    """A visit as pages receive it."""
    organization = organizations.get(visitor.story.ref.id)
    now = clock.read(organization.ref).now
    assert now is not None
    bare = Visit("GET", "/", {}, Values(), Values(), {}, now, "request", "127.0.0.1")
    return dataclasses.replace(bare, organization_=organization, api_=Client(organization.ref, now, False))


def test_wallets_of_others_are_not_there(payer):
    made = wallet(payer.story)
    other = member_of(Story.begin(name="Other"), "otto@example.com")
    for tail in ((), ("edit",), ("top_up",), ("void",), ("terminate",)):
        assert other.get("wallets", made["lago_id"], *tail).status == 404
    assert other.get(*address(payer)).status == 404


def test_the_pages_cost_few_requests(payer):
    made = wallet(payer.story, granted_credits="50", paid_credits="5")
    one = ("wallets", made["lago_id"])
    for segments in (address(payer), one, *((*one, act) for act in ("edit", "top_up", "void", "terminate"))):
        with capacity.counting() as meter:
            assert payer.get(*segments).status == 200
        assert meter.total <= 8, (segments, meter.requests)
