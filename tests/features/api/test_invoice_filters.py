"""Filters of the lists of invoices and customers by their metadata and by what was paid. Source: rules/invoices 1, 11."""

from typing import Any

from tests.features.api.test_notes_by_hand import again, fee_of, invoiced, noted, pay
from tests.support.story import Story


def listed(story: Story, query: str, path: str = "/invoices") -> list[Any]:
    """The ids of a list, whose total is their number."""
    body = story.ok("GET", f"{path}?{query}")
    found = body[path.rsplit("/", 1)[-1]]
    assert body["meta"]["total_count"] == len(found)
    return [each["lago_id"] for each in found]


def three(story: Story) -> list[Any]:
    """Invoices of 10.00, of three customers, the oldest first."""
    first = invoiced(story, 1000, rate="0")
    for name in ("second", "third"):
        story.customer(name, currency="EUR")
        story.subscribe("plan", name, name)
    rest = {i["customer"]["external_id"]: i for i in story.invoices() if i["lago_id"] != first["lago_id"]}
    return [first, rest["second"], rest["third"]]


def test_by_what_was_paid(story: Story) -> None:
    first, second, third = three(story)
    pay(story, first, 400)
    pay(story, second, 1000)
    noted(story, third, (fee_of(third, 1000), 300), offset_amount_cents=300)
    ids = {name: each["lago_id"] for name, each in (("part", first), ("whole", second), ("offset", third))}
    assert listed(story, "partially_paid=true") == [ids["part"]]
    assert set(listed(story, "partially_paid=false")) == {ids["whole"], ids["offset"]}
    assert set(listed(story, "settlements[]=payment")) == {ids["part"], ids["whole"]}
    assert listed(story, "settlements[]=credit_note") == [ids["offset"]]
    assert len(listed(story, "settlements[]=credit_note&settlements[]=payment")) == 3
    assert story.call("GET", "/invoices?settlements=other").status == 422
    assert listed(story, "purchase_order_number=PO-1") == []


def test_by_metadata(story: Story) -> None:
    first, second, third = three(story)
    for invoice, pairs in ((first, {"color": "red", "size": "L"}), (second, {"size": "L", "color": "blue"})):
        entries = [{"key": key, "value": value} for key, value in pairs.items()]
        story.ok("PUT", f"/invoices/{invoice['lago_id']}", {"invoice": {"metadata": entries}})
    assert listed(story, "metadata[color]=red") == [first["lago_id"]]
    assert listed(story, "metadata%5Bcolor%5D=blue&metadata%5Bsize%5D=L") == [second["lago_id"]]
    assert listed(story, "metadata[color]=L") == []
    assert listed(story, "metadata[color]=") == [third["lago_id"]]
    assert listed(story, "metadata[size]=L&metadata[color]=blue", "/customers/second/invoices") == [second["lago_id"]]
    many = "&".join(f"metadata[k{n}]=v" for n in range(6))
    assert story.call("GET", f"/invoices?{many}").body["error_details"] == {"metadata": ["invalid_count"]}
    story.customer("second", metadata=[{"key": "tier", "value": "gold"}])
    (customer,) = story.ok("GET", "/customers?metadata[tier]=gold")["customers"]
    assert customer["external_id"] == "second"
    assert len(story.ok("GET", "/customers?metadata[tier]=")["customers"]) == 2


def test_a_purchase_of_credits_is_refundable_as_far_as_its_wallet_holds_it(story: Story) -> None:
    story.customer(currency="EUR")
    body = {"external_customer_id": "cust", "rate_amount": "1", "currency": "EUR", "paid_credits": "50"}
    wallet = story.ok("POST", "/wallets", {"wallet": body})["wallet"]
    (invoice,) = story.invoices()
    assert invoice["refundable_amount_cents"] == 0
    assert pay(story, invoice, 5000).status == 200
    assert again(story, invoice)["refundable_amount_cents"] == 5000
    taken = {"wallet_id": wallet["lago_id"], "voided_credits": "20"}
    story.ok("POST", "/wallet_transactions", {"wallet_transaction": taken})
    shown = again(story, invoice)
    assert (shown["creditable_amount_cents"], shown["refundable_amount_cents"]) == (0, 3000)
    (row,) = story.ok("GET", "/invoices")["invoices"]
    assert row["refundable_amount_cents"] == 3000
    estimate = {"invoice_id": invoice["lago_id"], "items": [{"fee_id": fee_of(invoice, 5000), "amount_cents": 5000}]}
    found = story.ok("POST", "/credit_notes/estimate", {"credit_note": estimate})["estimated_credit_note"]
    assert (found["max_creditable_amount_cents"], found["max_refundable_amount_cents"]) == (0, 3000)
    story.ok("DELETE", f"/wallets/{wallet['lago_id']}")
    assert again(story, invoice)["refundable_amount_cents"] == 0
