"""One-off invoices over the API. Source: rules/invoices 6; rules/money 6; rules/catalog 7.3."""

import pytest

from tests.support.story import Story, work


@pytest.fixture
def shop(story: Story) -> Story:
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    story.ok("POST", "/taxes", {"tax": {"name": "Low", "code": "low", "rate": 5}})
    for code, cents in (("setup", 1250), ("hour", 999)):
        body = {"name": code.title(), "code": code, "amount_cents": cents, "amount_currency": "EUR", "description": "d"}
        story.ok("POST", "/add_ons", {"add_on": body})
    story.customer("cust", currency="EUR")
    return story


def create(story: Story, fees: list[dict], **fields):
    return story.call("POST", "/invoices", {"invoice": {"external_customer_id": "cust", "fees": fees} | fields})


def made(story: Story, fees: list[dict], **fields):
    answer = create(story, fees, **fields)
    assert answer.status == 200, answer
    return answer.body["invoice"]


def test_the_worked_example(shop):
    fees = [{"add_on_code": "setup", "units": 3}, {"add_on_code": "hour", "units": "0.5"}]
    invoice = made(shop, fees, currency="EUR")
    assert [fee["amount_cents"] for fee in invoice["fees"]] == [3750, 500]
    assert (invoice["fees_amount_cents"], invoice["taxes_amount_cents"], invoice["total_amount_cents"]) == (
        4250,
        850,
        5100,
    )
    assert (invoice["invoice_type"], invoice["status"], invoice["payment_status"]) == (
        "one_off",
        "finalized",
        "pending",
    )
    assert invoice["number"].endswith("-001-001")
    assert (invoice["subscriptions"], invoice["billing_periods"], invoice["credits"]) == ([], [], [])
    work()
    assert len(shop.ok("GET", "/fees?fee_type=add_on")["fees"]) == 2


def test_a_fee_shows_what_it_is_for(shop):
    fields = {"unit_amount_cents": 0, "description": "own", "invoice_display_name": "Shown"}
    fields |= {"from_datetime": "2024-01-01T00:00:00Z", "to_datetime": "2024-01-31T23:59:59Z"}
    (fee,) = made(shop, [{"add_on_code": "setup", **fields}])["fees"]
    item = fee["item"]
    assert (item["type"], item["code"], item["name"], item["item_type"]) == ("add_on", "setup", "Setup", "AddOn")
    assert (item["invoice_display_name"], item["description"]) == ("Shown", "own")
    assert (fee["from_date"], fee["to_date"]) == ("2024-01-01T00:00:00Z", "2024-01-31T23:59:59Z")
    assert (fee["amount_cents"], fee["units"], fee["precise_unit_amount"]) == (0, "1.0", "0.0")


def test_the_nearest_level_of_taxes_wins(shop):
    shop.ok("PUT", "/add_ons/hour", {"add_on": {"tax_codes": ["low"]}})
    fees = [{"add_on_code": "setup"}, {"add_on_code": "hour"}, {"add_on_code": "hour", "tax_codes": ["vat", "low"]}]
    assert [fee["taxes_rate"] for fee in made(shop, fees)["fees"]] == [20, 5, 25]
    shop.customer("cust", tax_codes=["low"])
    assert [fee["taxes_rate"] for fee in made(shop, fees)["fees"]] == [5, 5, 25]


REFUSED = [
    ([], {}, 404, "fees_not_found"),
    ([{"add_on_code": "setup"}], {"external_customer_id": "none"}, 404, "customer_not_found"),
    ([{"add_on_code": "setup"}, {"add_on_code": "none"}], {}, 404, "add_on_not_found"),
    ([{"add_on_code": "setup", "tax_codes": ["none"]}], {}, 404, "tax_not_found"),
    ([{"add_on_code": "setup"}], {"currency": "USD"}, 422, {"currency": ["currencies_does_not_match"]}),
    ([{"add_on_code": "setup"}], {"currency": "XXX"}, 422, {"currency": ["value_is_invalid"]}),
    ([{"add_on_code": "setup", "units": -1}], {}, 422, {"units": ["value_is_out_of_range"]}),
    ([{"add_on_code": "setup", "unit_amount_cents": -1}], {}, 422, {"unit_amount_cents": ["value_is_out_of_range"]}),
    ([{"add_on_code": "setup", "unit_amount_cents": 1.5}], {}, 422, {"unit_amount_cents": ["invalid_value"]}),
    ([{"add_on_code": "setup", "from_datetime": "2024-01-01"}], {}, 422, {"boundaries": ["values_are_invalid"]}),
    (
        [{"add_on_code": "setup", "from_datetime": "2024-01-02", "to_datetime": "2024-01-01"}],
        {},
        422,
        {"boundaries": ["values_are_invalid"]},
    ),
]


def test_what_is_refused_leaves_nothing(shop):
    for fees, fields, status, refusal in REFUSED:
        answer = create(shop, fees, **fields)
        assert (answer.status, answer.body.get("error_details") or answer.body["code"]) == (status, refusal), fees
    assert shop.invoices() == []


def test_the_first_one_fixes_the_currency(shop):
    shop.customer("free")
    made(shop, [{"add_on_code": "setup"}], external_customer_id="free")
    assert shop.ok("GET", "/customers/free")["customer"]["currency"] == "EUR"
    refused = shop.call("POST", "/customers", {"customer": {"external_id": "free", "currency": "USD"}})
    assert refused.body["error_details"] == {"currency": ["currencies_does_not_match"]}


def test_it_is_final_whatever_the_grace_period_and_the_amount(shop):
    shop.organization(finalize_zero_amount_invoice=False, billing_configuration={"invoice_grace_period": 3})
    invoice = made(shop, [{"add_on_code": "setup", "units": 0}])
    assert (invoice["status"], invoice["payment_status"], invoice["total_amount_cents"]) == (
        "finalized",
        "succeeded",
        0,
    )
    assert invoice["issuing_date"] == "2024-01-01"
