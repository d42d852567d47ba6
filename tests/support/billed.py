"""An organization with a final invoice and a draft, for pages that show them."""

from typing import Any

from tests.support.console import Visitor
from tests.support.story import Story

# Charge models with their steps, by code of the metric.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "calls": ("standard", {"amount": "0.5"}),
    "tiers": (
        "graduated",
        {
            "graduated_ranges": [
                {"from_value": 0, "to_value": 2, "per_unit_amount": "1", "flat_amount": "0"},
                {"from_value": 3, "to_value": None, "per_unit_amount": "0.5", "flat_amount": "2"},
            ]
        },
    ),
    "packs": ("package", {"amount": "5", "package_size": 2, "free_units": 1}),
    "share": ("percentage", {"rate": "2", "fixed_amount": "0.3"}),
    "volume": (
        "volume",
        {"volume_ranges": [{"from_value": 0, "to_value": None, "per_unit_amount": "0.1", "flat_amount": "1"}]},
    ),
}


def bill(story: Story) -> None:
    """A final invoice with fees of each model and a coupon, and a draft, both of January."""
    story.organization(default_currency="EUR", net_payment_term=10)
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    charges = []
    for code, (model, properties) in MODELS.items():
        metric = story.metric(code, "sum_agg", field_name="n")
        charges.append({"billable_metric_id": metric["lago_id"], "charge_model": model, "properties": properties})
    story.plan("scale", name="Scale", charges=charges, amount_cents=5000)
    story.customer("cobalt", name="Cobalt Robotics", currency="EUR")
    story.customer("late", name="Late", currency="EUR", billing_configuration={"invoice_grace_period": 3})
    coupon = {"name": "Launch", "code": "launch", "coupon_type": "fixed_amount", "amount_cents": 1000}
    coupon |= {"amount_currency": "EUR", "frequency": "once", "expiration": "no_expiration"}
    story.ok("POST", "/coupons", {"coupon": coupon})
    story.ok(
        "POST", "/applied_coupons", {"applied_coupon": {"external_customer_id": "cobalt", "coupon_code": "launch"}}
    )
    for customer in ("cobalt", "late"):
        story.subscribe("scale", f"{customer}-sub", customer, name=f"{customer} production")
    for code in MODELS:
        story.use(code, at=1704500000, subscription="cobalt-sub", n=5)
    story.travel("2024-02-01T10:00:00Z")


def final(visitor: Visitor) -> Any:
    """The final invoice."""
    return visitor.story.invoices("&status=finalized")[0]


def draft(visitor: Visitor) -> Any:
    """The draft."""
    return visitor.story.invoices("&status=draft")[0]
