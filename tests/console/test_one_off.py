"""One-off invoices: each field of the form is one of the API's body, and the total beside it is what will be issued."""

from typing import Any

import pytest

from chalicelib.features.invoicing import one_off
from chalicelib.platform import clock
from tests.support import capacity
from tests.support.console import Visitor


@pytest.fixture
def shop(visitor: Visitor) -> Visitor:
    """Two add-ons in euros and one in dollars, two taxes, a customer."""
    story = visitor.story
    story.organization(timezone="Europe/Paris", default_currency="EUR")
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    story.ok("POST", "/taxes", {"tax": {"name": "Low", "code": "low", "rate": 5}})
    for code, cents, currency in (("setup", 1250, "EUR"), ("hour", 999, "EUR"), ("dollar", 500, "USD")):
        body = {"name": code.title(), "code": code, "amount_cents": cents, "amount_currency": currency}
        story.ok("POST", "/add_ons", {"add_on": body})
    story.customer("cust", name="Cobalt", currency="EUR")
    return visitor


def form(**fields: Any) -> dict[str, Any]:
    """One fee of one add-on, with some fields changed."""
    blank = {"external_customer_id": "cust", "currency": "", "request_id": "mark", "fees.0.add_on_code": "setup"}
    return blank | fields


FEE = {
    "fees.0.units": "3",
    "fees.0.unit_amount_cents": "10.50",
    "fees.0.description": "What for",
    "fees.0.invoice_display_name": "Shown",
    "fees.0.from_datetime": "2024-01-01",
    "fees.0.to_datetime": "2024-01-31",
    "fees.0.tax_codes": ["", "vat", "low"],
}


def test_each_field_of_the_form_is_one_of_the_api(shop):
    assert shop.post("invoices", "new", form=form(**FEE, currency="EUR")).status == 303
    (invoice,) = shop.story.invoices()
    (fee,) = invoice["fees"]
    item = fee["item"]
    assert (fee["units"], fee["precise_unit_amount"], fee["taxes_rate"]) == ("3.0", "10.5", 25)
    assert (item["invoice_display_name"], item["description"]) == ("Shown", "What for")
    # Days are the organization's, and the last one is inclusive.
    assert (fee["from_date"], fee["to_date"]) == ("2023-12-31T23:00:00Z", "2024-01-31T22:59:59Z")
    assert (invoice["invoice_type"], invoice["total_amount_cents"]) == ("one_off", 3938)


def test_the_form_has_each_field_that_the_api_takes(shop):
    drawn = {name.removeprefix("fees.0.") for name in shop.get("invoices", "new").fields}
    # `name`: another word for the display name.
    known = {*one_off.FeeInput.model_fields, *one_off.OneOffInput.model_fields} - {"name", "fees"}
    assert known <= drawn


def test_a_double_click_makes_one_invoice(shop):
    answers = [shop.post("invoices", "new", form=form()) for _ in range(2)]
    assert [each.status for each in answers] == [303, 303]
    assert answers[0].location == answers[1].location
    assert len(shop.story.invoices()) == 1
    assert shop.post("invoices", "new", form=form(request_id="another")).status == 303
    assert len(shop.story.invoices()) == 2


def test_the_total_is_what_will_be_issued_and_nothing_is_stored(shop):
    drawn = shop.post("invoices", "new", form=form(**FEE, _do="draw"))
    assert drawn.status == 200
    assert "Total due €39.38" in drawn.words
    assert "VAT (20%) on €31.50 €6.30" in drawn.words
    assert shop.story.invoices() == []
    incomplete = shop.post("invoices", "new", form=form(external_customer_id="", _do="draw"))
    assert "what it comes to stands here" in incomplete.words
    assert "value_is_mandatory" not in incomplete.words


def test_the_preview_of_the_service_equals_the_invoice(shop):
    story = shop.story
    values = {
        "external_customer_id": "cust",
        "fees": [{"add_on_code": "setup"}, {"add_on_code": "hour", "units": "0.5"}],
    }
    now = clock.read(story.ref).now
    assert now is not None
    shown = one_off.preview(story.ref, values, now=now)
    made = story.ok("POST", "/invoices", {"invoice": values})["invoice"]
    names = [name for name in made if name.endswith("_amount_cents")]
    assert {name: shown[name] for name in names} == {name: made[name] for name in names}
    assert [fee["amount_cents"] for fee in shown["fees"]] == [fee["amount_cents"] for fee in made["fees"]]
    assert shown["number"] == ""


def test_rows_of_fees_are_added_and_removed(shop):
    more = shop.post("invoices", "new", form=form(_do="add:fees"))
    assert "Fee 2" in more.words
    less = shop.post("invoices", "new", form={**form(), "fees.1.add_on_code": "hour", "_do": "remove:fees.0"})
    assert less.status == 200
    assert "Fee 2" not in less.words
    both = form(**{"fees.2.add_on_code": "hour"})
    assert shop.post("invoices", "new", form=both).status == 303
    assert [fee["item"]["code"] for fee in shop.story.invoices()[0]["fees"]] == ["setup", "hour"]


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"external_customer_id": "nobody"}, 404, "customer_not_found"),
        ({"external_customer_id": ""}, 422, "value_is_mandatory"),
        ({"fees.0.add_on_code": ""}, 422, "value_is_mandatory"),
        ({"fees.0.add_on_code": "none"}, 404, "add_on_not_found"),
        ({"fees.0.add_on_code": "dollar"}, 422, "currencies_does_not_match"),
        ({"currency": "USD"}, 422, "currencies_does_not_match"),
        ({"fees.0.units": "-1"}, 422, "value_is_out_of_range"),
        ({"fees.0.unit_amount_cents": "1.234"}, 422, "invalid_amount"),
        ({"fees.0.from_datetime": "2024-01-01"}, 422, "values_are_invalid"),
        ({"fees.0.from_datetime": "yesterday"}, 422, "invalid_date"),
        ({"fees.0.tax_codes": "none"}, 404, "tax_not_found"),
    ],
)
def test_what_the_api_refuses_is_said(shop, fields, status, code):
    answer = shop.post("invoices", "new", form=form(**fields))
    assert (answer.status, code in answer.words) == (status, True)
    assert shop.story.invoices() == []


def test_a_refusal_stands_at_its_row(shop):
    answer = shop.post("invoices", "new", form=form(**{"fees.1.add_on_code": "hour", "fees.1.units": "-1"}))
    assert 'id="f-fees.1.units-error"' in answer.text
    assert 'id="f-fees.0.units-error"' not in answer.text


def test_without_fees_the_group_says_so(shop):
    answer = shop.post("invoices", "new", form={"external_customer_id": "cust"})
    assert (answer.status, "Add at least one fee. fees_not_found" in answer.words) == (404, True)


def test_customers_are_suggested_and_one_may_be_given(shop):
    shown = shop.get("invoices", "new", options="customers", external_customer_id="cob")
    assert '<option value="cust">Cobalt</option>' in shown.text
    customer = shop.story.ok("GET", "/customers/cust")["customer"]
    given = shop.get("invoices", "new", customer=customer["lago_id"], add_on="hour")
    assert given.fields["external_customer_id"] == ["cust"]
    assert given.fields["fees.0.add_on_code"] == ["hour"]


def test_without_add_ons_the_page_leads_to_them(visitor):
    assert "Create an add-on" in visitor.get("invoices", "new").words


def test_the_form_costs_few_requests(shop):
    customer = shop.story.ok("GET", "/customers/cust")["customer"]["lago_id"]
    for query in ({}, {"customer": customer}, {"options": "customers"}):
        with capacity.counting() as meter:
            shop.get("invoices", "new", **query)
        assert meter.total <= 8, query
