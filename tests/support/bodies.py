"""Valid bodies of requests, and an organization that has one of everything that they name.

Which route takes which body is said in `tests/support/valid_requests.py`.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.support.charging import ts
from tests.support.story import Story, meter, work


@dataclass
class World:
    """An organization with one of everything; `ids`: what paths and bodies name by ids that are made anew each time."""

    story: Story
    ids: dict[str, str] = field(default_factory=dict)


def world() -> World:
    """The organization, on 1 February 2024: plans, a customer, subscriptions, events, an invoice, a loose fee, a credit note
    and an endpoint."""
    story = Story.begin()
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    clouds = [{"key": "cloud", "values": ["aws", "gcp"]}]
    calls = story.metric()
    gb = story.metric("gb", "sum_agg", field_name="n", filters=clouds)
    story.ok("POST", "/add_ons", {"add_on": add_on()})
    made = World(story, {"calls": calls["lago_id"], "gb": gb["lago_id"]})
    shown = story.ok("POST", "/plans", {"plan": plan(made, "plan")})["plan"]
    made.ids["filter"] = shown["charges"][0]["filters"][0]["lago_id"]
    story.ok("POST", "/coupons", {"coupon": coupon()})
    story.ok("POST", "/coupons", {"coupon": coupon("five") | {"applies_to": None}})
    made.ids["charge"] = shown["charges"][0]["lago_id"]
    loose = {"billable_metric_id": calls["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    story.plan(
        "loose", [loose | {"pay_in_advance": True, "invoiceable": False}], pay_in_advance=True, amount_cents=3100
    )
    story.customer("cust", currency="EUR")
    story.subscribe("plan", "sub")
    story.subscribe("loose", "gone")
    story.subscribe("loose", "loose")
    story.use(at=ts("2024-01-02T00:00:00"), subscription="gone")
    story.use("gb", at=ts("2024-01-02T00:00:00"), n=3, cloud="aws")
    meter()
    story.travel("2024-01-10T00:00:00Z")
    story.terminate("gone")
    story.travel("2024-02-01T00:00:00Z")
    work()
    invoice = story.invoices()[-1]
    made.ids["invoice"] = invoice["lago_id"]
    made.ids["credited"] = max(invoice["fees"], key=lambda fee: fee["amount_cents"])["lago_id"]
    made.ids["note"] = story.notes()[0]["lago_id"]
    fees = story.ok("GET", "/fees?per_page=1000")["fees"]
    made.ids["fee"] = next(fee["lago_id"] for fee in fees if fee["event_transaction_id"])
    made.ids["wallet"] = story.ok("POST", "/wallets", {"wallet": wallet() | {"code": "wallet"}})["wallet"]["lago_id"]
    endpoint = story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/old"}})
    made.ids["endpoint"] = endpoint["webhook_endpoint"]["lago_id"]
    return made


def coupon(code: str = "ten") -> dict[str, Any]:
    return {
        "name": "Ten",
        "code": code,
        "description": "d",
        "coupon_type": "fixed_amount",
        "amount_cents": 1000,
        "amount_currency": "EUR",
        "frequency": "recurring",
        "frequency_duration": 3,
        "reusable": True,
        "expiration": "time_limit",
        "expiration_at": "2030-01-01T00:00:00Z",
        "applies_to": {"plan_codes": ["plan"]},
    }


def wallet() -> dict[str, Any]:
    return wallet_change() | {
        "external_customer_id": "cust",
        "rate_amount": "2",
        "currency": "EUR",
        "paid_credits": "3",
        "granted_credits": "4",
        "transaction_name": "First",
        "transaction_priority": 4,
        "transaction_metadata": [{"key": "k", "value": "v"}],
        "ignore_paid_top_up_limits_on_creation": True,
    }


def wallet_change() -> dict[str, Any]:
    rule = {
        "trigger": "interval",
        "method": "fixed",
        "interval": "monthly",
        "threshold_credits": "1",
        "paid_credits": "5",
        "granted_credits": "6",
        "target_ongoing_balance": "9",
        "grants_target_top_up": False,
        "started_at": "2024-02-20T00:00:00Z",
        "expiration_at": "2025-02-20T00:00:00Z",
        "invoice_requires_successful_payment": False,
        "ignore_paid_top_up_limits": False,
        "transaction_metadata": [{"key": "k", "value": "v"}],
        "transaction_name": "Refill",
    }
    return {
        "name": "W",
        "priority": 5,
        "expiration_at": "2025-02-01T00:00:00Z",
        "invoice_requires_successful_payment": False,
        "paid_top_up_min_amount_cents": 100,
        "paid_top_up_max_amount_cents": 90000,
        "applies_to": {"fee_types": ["charge"], "billable_metric_codes": ["calls"]},
        "metadata": {"a": "b"},
        "recurring_transaction_rules": [rule],
    }


def add_on() -> dict[str, Any]:
    return {"name": "Setup", "code": "setup", "amount_cents": 500, "amount_currency": "EUR", "tax_codes": ["vat"]} | {
        "description": "once",
        "invoice_display_name": "Set-up",
    }


def metric() -> dict[str, Any]:
    return {
        "name": "Stored",
        "code": "stored",
        "description": "d",
        "aggregation_type": "sum_agg",
        "field_name": "n",
        "recurring": False,
        "rounding_function": "round",
        "rounding_precision": 2,
        "expression": "event.properties.a + 1",
        "filters": [{"key": "region", "values": ["eu", "us"]}],
    }


def charge(world: World, code: str = "use") -> dict[str, Any]:
    return {
        "billable_metric_id": world.ids["gb"],
        "code": code,
        "charge_model": "graduated",
        "pay_in_advance": False,
        "invoiceable": True,
        "prorated": False,
        "min_amount_cents": 10,
        "invoice_display_name": "Use",
        "tax_codes": ["vat"],
        "properties": {
            "graduated_ranges": [
                {"from_value": 0, "to_value": 10, "per_unit_amount": "1", "flat_amount": "0"},
                {"from_value": 11, "to_value": None, "per_unit_amount": "0.5", "flat_amount": "0.1"},
            ],
            "pricing_group_keys": ["user"],
        },
        "filters": [charge_filter({"graduated_ranges": [tier()]}, "gcp")],
    }


def tier() -> dict[str, Any]:
    return {"from_value": 0, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"}


def charge_filter(properties: dict[str, Any], cloud: str = "aws") -> dict[str, Any]:
    return {"invoice_display_name": "F", "properties": properties, "values": {"cloud": [cloud]}}


def percentage() -> dict[str, Any]:
    return {
        "rate": "1",
        "fixed_amount": "0.1",
        "free_units_per_events": 3,
        "free_units_per_total_aggregation": "10",
        "per_transaction_min_amount": "0.1",
        "per_transaction_max_amount": "10",
    }


def fixed_charge(code: str = "seat") -> dict[str, Any]:
    return {
        "add_on_code": "setup",
        "code": code,
        "charge_model": "standard",
        "properties": {"amount": "5"},
        "units": "2",
        "apply_units_immediately": False,
        "pay_in_advance": False,
        "prorated": False,
        "invoice_display_name": "Seats",
        "tax_codes": ["vat"],
    }


def plan(world: World, code: str) -> dict[str, Any]:
    shares = {"billable_metric_id": world.ids["calls"], "charge_model": "percentage", "properties": percentage()}
    packages = {"amount": "1", "package_size": 10, "free_units": 1}
    return {
        "name": "Plan",
        "code": code,
        "interval": "monthly",
        "amount_cents": 1000,
        "amount_currency": "EUR",
        "invoice_display_name": "The plan",
        "description": "d",
        "pay_in_advance": False,
        "bill_charges_monthly": None,
        "trial_period": 0,
        "tax_codes": ["vat"],
        "charges": [
            {"billable_metric_id": world.ids["gb"], "code": "gb", "charge_model": "standard"}
            | {"properties": {"amount": "2"}, "filters": [charge_filter({"amount": "3"})]},
            shares | {"code": "shares"},
            shares | {"code": "packages", "charge_model": "package", "properties": packages},
        ],
        "fixed_charges": [fixed_charge("fixed")],
        "minimum_commitment": {"amount_cents": 100, "invoice_display_name": "Least", "tax_codes": ["vat"]},
        "metadata": {"color": "blue"},
        "cascade_updates": False,
    }


def customer() -> dict[str, Any]:
    return {
        "external_id": "cust",
        "name": "Ada",
        "firstname": "Ada",
        "lastname": "L",
        "email": "a@example.com",
        "phone": "1",
        "url": "http://example.com",
        "logo_url": "http://example.com/l",
        "legal_name": "Ada Ltd",
        "legal_number": "12",
        "tax_identification_number": "FR1",
        "address_line1": "a",
        "address_line2": "b",
        "city": "Paris",
        "country": "FR",
        "state": "s",
        "zipcode": "75000",
        "currency": "EUR",
        "timezone": "Europe/Paris",
        "account_type": "customer",
        "customer_type": "company",
        "net_payment_term": 30,
        "finalize_zero_amount_invoice": "inherit",
        "skip_invoice_custom_sections": False,
        "tax_codes": ["vat"],
        "billing_configuration": {
            "invoice_grace_period": 1,
            "payment_provider": "stripe",
            "payment_provider_code": "s",
            "provider_customer_id": "cus_1",
            "sync": True,
            "sync_with_provider": True,
            "document_locale": "fr",
            "provider_payment_methods": ["card"],
            "subscription_invoice_issuing_date_anchor": "current_period_end",
            "subscription_invoice_issuing_date_adjustment": "keep_anchor",
        },
        "shipping_address": {"address_line1": "a", "city": "Paris", "country": "FR", "zipcode": "1"},
        "metadata": [{"key": "k", "value": "v", "display_in_invoice": True}],
    }


def organization() -> dict[str, Any]:
    return {
        "name": "Acme",
        "email": "a@example.com",
        "webhook_url": "http://127.0.0.1:9/hook",
        "country": "FR",
        "default_currency": "EUR",
        "address_line1": "a",
        "legal_name": "Acme SA",
        "legal_number": "1",
        "tax_identification_number": "FR1",
        "timezone": "Europe/Paris",
        "net_payment_term": 10,
        "document_numbering": "per_customer",
        "document_number_prefix": "ACM",
        "email_settings": ["invoice.finalized"],
        "finalize_zero_amount_invoice": True,
        "billing_configuration": {
            "invoice_footer": "f",
            "invoice_grace_period": 1,
            "document_locale": "fr",
            "vat_rate": "20",
        },
    }


def overrides(world: World) -> dict[str, Any]:
    return {
        "amount_cents": 900,
        "name": "Own",
        "invoice_display_name": "Own",
        "description": "d",
        "tax_codes": ["vat"],
        "charges": [{"id": world.ids["charge"], "properties": {"amount": "1"}, "min_amount_cents": 0}],
        "minimum_commitment": {"amount_cents": 1},
        "metadata": {"a": "b"},
    }


def event(transaction_id: str = "new") -> dict[str, Any]:
    return {
        "transaction_id": transaction_id,
        "external_subscription_id": "sub",
        "code": "gb",
        "timestamp": ts("2024-01-20T00:00:00"),
        "precise_total_amount_cents": "12.5",
        "properties": {"n": 5, "cloud": "aws", "user": "u"},
    }
