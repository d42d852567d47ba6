"""Objects as the API shows them, from which documents are drawn: the fields that a document reads."""

import io
import struct
import zlib
from datetime import date
from decimal import Decimal
from typing import Any

from chalicelib.features.documents import render
from chalicelib.features.documents.page import Page

ZONE = "Europe/Berlin"
LOCALES = ("en", "fr", "de", "nb", "it", "es", "sv", "pt-BR", "zh-TW")


def organization(**fields: Any) -> dict[str, Any]:
    """An organization."""
    return {
        "name": "Nordlicht",
        "legal_name": "Nordlicht Software GmbH",
        "legal_number": "HRB 218 445 B",
        "tax_identification_number": "DE301245678",
        "email": "billing@nordlicht.example",
        "address_line1": "Oranienstraße 24",
        "address_line2": None,
        "zipcode": "10999",
        "city": "Berlin",
        "state": None,
        "country": "DE",
        "billing_configuration": {
            "invoice_footer": "Thank you for your business. Questions? billing@nordlicht.example"
        },
    } | fields


def customer(**fields: Any) -> dict[str, Any]:
    """A customer."""
    return {
        "external_id": "brightline",
        "name": "Brightline",
        "legal_name": "Brightline Analytics, Inc.",
        "legal_number": None,
        "tax_identification_number": "94-3281790",
        "email": "accounts@brightline.example",
        "address_line1": "500 Howard Street",
        "address_line2": "Floor 4",
        "zipcode": "94105",
        "city": "San Francisco",
        "state": "CA",
        "country": "US",
        "applicable_timezone": ZONE,
        "metadata": [
            {"key": "Purchase order", "value": "PO-2024-0117", "display_in_invoice": True},
            {"key": "Segment", "value": "hidden", "display_in_invoice": False},
        ],
    } | fields


def fee(name: str, cents: int, units: str = "1", unit: str | None = None, **fields: Any) -> dict[str, Any]:
    """A fee; `unit`: its price, by default the whole amount. `item`: fields of its item."""
    price = Decimal(cents).scaleb(-2)
    item = {
        "type": "charge",
        "code": name.lower(),
        "name": name,
        "description": None,
        "invoice_display_name": name,
        "filters": None,
        "filter_invoice_display_name": None,
        "grouped_by": {},
    } | fields.pop("item", {})
    return {
        "lago_id": f"fee-{name}-{cents}-{units}-{fields.get('lago_charge_filter_id')}",
        "lago_charge_id": f"charge-{name}",
        "lago_charge_filter_id": None,
        "lago_subscription_id": "sub-1",
        "lago_true_up_parent_fee_id": None,
        "amount_cents": cents,
        "precise_amount": str(price),
        "precise_coupons_amount_cents": "0.0",
        "taxes_precise_amount": str(price * fields.get("taxes_rate", 20) / 100),
        "units": units,
        "precise_unit_amount": unit or str(price),
        "events_count": None,
        "taxes_rate": Decimal(20),
        "from_date": "2024-02-29T23:00:00Z",
        "to_date": "2024-03-31T21:59:59Z",
        "amount_details": {},
        "item": item,
    } | fields


def tier(low: int, high: int | None, units: str, price: str, flat: str, total: str) -> dict[str, Any]:
    """One tier of a graduated charge; `total` with the flat amount."""
    return {
        "from_value": low,
        "to_value": high,
        "units": units,
        "per_unit_amount": price,
        "flat_unit_amount": flat,
        "per_unit_total_amount": str(Decimal(total) - Decimal(flat)),
        "total_with_flat_amount": total,
    }


def fees() -> list[dict[str, Any]]:
    """Fees of every charge model."""
    tiers = [tier(0, 1000, "1000.0", "0.02", "10.0", "30.0"), tier(1001, None, "5210.0", "0.005", "0.0", "26.05")]
    percentage = {
        "units": "12000.0",
        "free_units": "2000.0",
        "paid_units": "10000.0",
        "free_events": 5,
        "paid_events": 37,
        "rate": "1.25",
        "per_unit_total_amount": "125.0",
        "fixed_fee_unit_amount": "0.1",
        "fixed_fee_total_amount": "3.7",
        "min_max_adjustment_total_amount": "-1.2",
    }
    package = {
        "free_units": "100.0",
        "paid_units": "9900.0",
        "per_package_size": 1000,
        "per_package_unit_amount": "5.0",
    }
    volume = {"per_unit_amount": "0.12", "per_unit_total_amount": "48.0", "flat_unit_amount": "5.0"}
    return [
        fee("Premium", 4900, item={"type": "subscription"}, lago_charge_id=None),
        fee("Seats", 6000, "12", "5.0"),
        fee(
            "API calls",
            5605,
            "6210",
            "0.009025764895330",
            events_count=6210,
            amount_details={"graduated_ranges": tiers},
        ),
        fee(
            "Storage",
            1240,
            "31",
            "0.4",
            lago_charge_filter_id="f-1",
            item={"filters": {"region": ["eu-west", "eu-north"], "class": ["standard"]}},
            lago_charge_id="storage",
        ),
        fee("Storage", 450, "9", "0.5", lago_charge_id="storage"),
        fee("Card payments", 12750, "12000", "0.010625", events_count=42, amount_details=percentage),
        fee("E-mails", 5000, "10000", "0.005", amount_details=package),
        fee("Messages", 5300, "400", "0.1325", amount_details=volume, item={"grouped_by": {"workspace": "Research"}}),
        fee("Compute hours", 1833, "200", "0.091666666666667", precise_amount="18.333333333333333"),
        fee("Unused", 0, "0", "0.0"),
        fee("Messages - True-up", 2700, lago_true_up_parent_fee_id="fee-x", events_count=0),
    ]


def many_fees(number: int) -> list[dict[str, Any]]:
    """Many fees of one subscription, some with notes."""
    return [
        fee(
            f"Metric {n:03d}",
            (n * 137) % 9000 + 1,
            item={"grouped_by": {"cluster": f"node-{n % 7}"} if n % 5 == 0 else {}},
            lago_id=f"fee-{n}",
        )
        for n in range(number)
    ]


def invoice(own: list[dict[str, Any]] | None = None, **fields: Any) -> dict[str, Any]:
    """An invoice whose totals are those of its fees, with 20 % tax."""
    shown = fees() if own is None else own
    subtotal = sum(each["amount_cents"] for each in shown)
    tax = -(-subtotal * 20 // 100)
    credits = fields.pop("credits", [])
    coupons = sum(each["amount_cents"] for each in credits if each["item"]["type"] == "coupon")
    notes = sum(each["amount_cents"] for each in credits if each["item"]["type"] == "credit_note")
    prepaid = fields.get("prepaid_credit_amount_cents", 0)
    return {
        "number": "NOR-4F1C-001-012",
        "issuing_date": "2024-04-01",
        "payment_due_date": "2024-05-01",
        "net_payment_term": 30,
        "invoice_type": "subscription",
        "status": "finalized",
        "payment_status": "pending",
        "currency": "EUR",
        "coupons_amount_cents": coupons,
        "credit_notes_amount_cents": notes,
        "prepaid_credit_amount_cents": 0,
        "sub_total_excluding_taxes_amount_cents": subtotal,
        "sub_total_including_taxes_amount_cents": subtotal + tax,
        "total_amount_cents": subtotal + tax - coupons - notes - prepaid,
        "customer": customer(),
        "applied_taxes": [
            {"tax_name": "VAT", "tax_rate": Decimal(20), "fees_amount_cents": subtotal, "amount_cents": tax}
        ],
        "subscriptions": [{"lago_id": "sub-1", "name": None, "plan_code": "premium"}],
        "billing_periods": [
            {
                "lago_subscription_id": "sub-1",
                "subscription_from_datetime": "2024-03-31T22:00:00Z",
                "subscription_to_datetime": "2024-04-30T21:59:59Z",
                "charges_from_datetime": "2024-02-29T23:00:00Z",
                "charges_to_datetime": "2024-03-31T21:59:59Z",
            }
        ],
        "fees": shown,
        "credits": credits,
        "applied_invoice_custom_sections": [],
    } | fields


def credit(kind: str, cents: int, name: str, *, before: bool = False) -> dict[str, Any]:
    """A part of an invoice that a coupon or a credit note paid."""
    return {"amount_cents": cents, "before_taxes": before, "item": {"type": kind, "code": name, "name": name}}


BANK = {
    "display_name": "Bank transfer",
    "details": "Nordlicht Software GmbH\nIBAN DE89 3704 0044 0532 0130 00\nBIC COBADEFFXXX",
}


def reduced() -> dict[str, Any]:
    """An invoice that a credit note, a coupon and prepaid credits lower."""
    credits = [credit("credit_note", 2000, "NOR-4F1C-001-011-CN001"), credit("coupon", 1000, "Spring offer")]
    return invoice(credits=credits, prepaid_credit_amount_cents=3000, applied_invoice_custom_sections=[BANK])


def one_off() -> dict[str, Any]:
    """A one-off invoice."""
    add_on = {"type": "add_on", "description": "Two days on site: schema, importers, training of the team"}
    own = [
        fee("Onboarding", 240000, "2", "1200.0", item=add_on, lago_subscription_id=None),
        fee(
            "Data migration",
            85050,
            "8.1",
            "105.0",
            item={"type": "add_on", "description": None},
            lago_subscription_id=None,
        ),
    ]
    return invoice(own, invoice_type="one_off", subscriptions=[], billing_periods=[], number="NOR-4F1C-001-013")


def advance() -> dict[str, Any]:
    """An invoice of prepaid credits, untaxed."""
    own = [
        fee("credit", 50000, "100", "5.0", item={"type": "credit"}, lago_subscription_id=None, taxes_rate=Decimal(0))
    ]
    made = invoice(own, invoice_type="credit", subscriptions=[], billing_periods=[], number="NOR-4F1C-001-014")
    totals = dict.fromkeys(("sub_total_including_taxes_amount_cents", "total_amount_cents"), 50000)
    return made | totals | {"applied_taxes": []}


def credit_note(**fields: Any) -> dict[str, Any]:
    """A credit note of two parts."""
    own = fees()
    return {
        "number": "NOR-4F1C-001-012-CN001",
        "invoice_number": "NOR-4F1C-001-012",
        "issuing_date": "2024-04-09",
        "description": None,
        "currency": "EUR",
        "total_amount_cents": 5040,
        "sub_total_excluding_taxes_amount_cents": 4200,
        "coupons_adjustment_amount_cents": 250,
        "credit_amount_cents": 3040,
        "refund_amount_cents": 2000,
        "offset_amount_cents": 0,
        "customer": customer(),
        "items": [{"amount_cents": 2450, "fee": own[0]}, {"amount_cents": 2000, "fee": own[2]}],
        "applied_taxes": [{"tax_name": "VAT", "tax_rate": Decimal(20), "base_amount_cents": 4200, "amount_cents": 840}],
    } | fields


PAID_ON = date(2024, 4, 18)


def receipt(**fields: Any) -> dict[str, Any]:
    """A receipt of a payment by hand."""
    payment = {
        "amount_cents": 48934,
        "amount_currency": "EUR",
        "reference": "Wire 2024-04-18 / 88213",
        "created_at": "2024-04-18T09:12:44Z",
    }
    return {"number": "NOR-4F1C-001-012-R001", "payment": payment} | fields


def logo() -> bytes:
    """A small picture: a disc on white, 96 pixels square."""
    size = 96
    rows = b"".join(
        b"\x00"
        + b"".join(
            b"\x0e\x5a\x6b" if (x - 48) ** 2 + (y - 48) ** 2 < 46**2 and abs(x - y) > 6 else b"\xff\xff\xff"
            for x in range(size)
        )
        for y in range(size)
    )

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pages(page: Page) -> list[str]:
    """The text of each page of a document."""
    from pypdf import PdfReader

    return [each.extract_text() for each in PdfReader(io.BytesIO(render.pdf(page))).pages]
