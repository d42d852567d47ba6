"""A customer with some of everything, for pages that show customers."""

from typing import Any

from tests.support.story import Story

EVERY_FIELD: dict[str, Any] = {
    "name": "Cobalt Robotics",
    "firstname": "Ada",
    "lastname": "Byron",
    "email": "billing@cobalt.example, cfo@cobalt.example",
    "phone": "+81 3 1234 5678",
    "url": "https://cobalt.example",
    "logo_url": "https://cobalt.example/logo.png",
    "legal_name": "Cobalt Robotics K.K.",
    "legal_number": "0123456789",
    "tax_identification_number": "JP123",
    "address_line1": "1-2-3 Jingumae",
    "address_line2": "Tower, floor 4",
    "city": "Tokyo",
    "country": "JP",
    "state": "Tokyo-to",
    "zipcode": "150-0001",
    "currency": "EUR",
    "timezone": "Asia/Tokyo",
    "account_type": "partner",
    "customer_type": "company",
    "net_payment_term": 14,
    "finalize_zero_amount_invoice": "skip",
    "skip_invoice_custom_sections": True,
    "shipping_address": {
        "address_line1": "Dock 9",
        "address_line2": "Gate 2",
        "city": "Osaka",
        "country": "JP",
        "state": "Osaka-fu",
        "zipcode": "530-0001",
    },
    "billing_configuration": {
        "invoice_grace_period": 3,
        "subscription_invoice_issuing_date_anchor": "next_period_start",
        "subscription_invoice_issuing_date_adjustment": "keep_anchor",
        "payment_provider": "stripe",
        "payment_provider_code": "stripe-eu",
        "provider_customer_id": "cus_123",
        "sync": True,
        "sync_with_provider": True,
        "document_locale": "fr",
        "provider_payment_methods": ["card", "link"],
    },
}


def tell(story: Story, external_id: str = "cobalt") -> str:
    """Make the customer, with a tax, a subscription, a coupon, a wallet and an invoice; its id."""
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": False}})
    pairs = [{"key": "segment", "value": "SMB", "display_in_invoice": True}]
    own = {"name": "Cobalt Robotics", "email": "billing@cobalt.example", "timezone": "Asia/Tokyo", "currency": "EUR"}
    made = story.customer(external_id, **own, tax_codes=["vat"], metadata=pairs)
    story.plan("scale", amount_cents=10_000, name="Scale", pay_in_advance=True)
    coupon(story, "LAUNCH", external_id, name="Launch credit", amount_cents=50_000)
    story.subscribe("scale", "cobalt-main", external_id, name="Cobalt production")
    wallet = {"external_customer_id": external_id, "rate_amount": "1.0", "currency": "EUR", "granted_credits": "240"}
    story.ok("POST", "/wallets", {"wallet": wallet})
    return str(made["lago_id"])


def coupon(story: Story, code: str, customer: str, **fields: Any) -> None:
    """Make a coupon, a fixed amount once where nothing else is said, and apply it."""
    body = {"name": code, "code": code, "coupon_type": "fixed_amount", "amount_currency": "EUR", "frequency": "once"}
    story.ok("POST", "/coupons", {"coupon": {**body, "expiration": "no_expiration", **fields}})
    applied = {"external_customer_id": customer, "coupon_code": code}
    story.ok("POST", "/applied_coupons", {"applied_coupon": applied})
