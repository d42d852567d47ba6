"""Pages of add-ons: what the form holds is what the API gets, and the other way round."""

import pytest

from tests.support import capacity
from tests.support.console import Visitor

FIELDS = {
    "name": "Set-up",
    "code": "setup",
    "amount_cents": "250.50",
    "amount_currency": "EUR",
    "invoice_display_name": "Setting up",
    "description": "Once",
    "tax_codes": ["", "vat"],
}


@pytest.fixture(autouse=True)
def _tax(visitor: Visitor):
    visitor.story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": "20"}})


def made(visitor: Visitor, code: str = "setup"):
    return visitor.story.ok("GET", f"/add_ons/{code}")["add_on"]


def test_an_add_on_is_made_and_shown(visitor: Visitor):
    answer = visitor.post("add_ons", "new", form=FIELDS)
    assert answer.status == 303
    add_on = made(visitor)
    assert add_on["amount_cents"] == 25050
    assert [each["code"] for each in add_on["taxes"]] == ["vat"]
    same = ("name", "code", "amount_currency", "invoice_display_name", "description")
    assert {name: add_on[name] for name in same} == {name: FIELDS[name] for name in same}
    shown = visitor.at(answer.location)
    assert "€250.50" in shown.words
    assert "Use on an invoice" in shown.words
    assert "€250.50 VAT" in visitor.get("add_ons").words


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("", "EUR", "value_is_mandatory"),
        ("12.505", "EUR", "invalid_amount"),
        ("12.5", "JPY", "invalid_amount"),
        ("many", "EUR", "invalid_amount"),
        ("NaN", "EUR", "invalid_amount"),
        ("0", "EUR", "value_is_out_of_range"),
        ("-3", "EUR", "value_is_out_of_range"),
        ("3", "XXX", "value_is_invalid"),
    ],
)
def test_a_wrong_amount_shows_its_code(visitor: Visitor, amount: str, currency: str, code: str):
    fields = {**FIELDS, "amount_cents": amount, "amount_currency": currency, "name": ""}
    shown = visitor.post("add_ons", "new", form=fields)
    assert shown.status == 422
    assert shown.words.count(code) == (2 if code == "value_is_mandatory" else 1)
    assert "value_is_mandatory" in shown.words
    assert shown.fields["amount_cents"] == [amount]
    assert shown.fields["tax_codes"] == ["", "vat"]
    assert visitor.story.ok("GET", "/add_ons")["add_ons"] == []


def test_a_tax_that_is_gone_is_told_above_the_form(visitor: Visitor):
    shown = visitor.post("add_ons", "new", form={**FIELDS, "tax_codes": ["gone"]})
    assert (shown.status, "tax_not_found" in shown.words) == (404, True)


def test_a_second_click_finds_what_the_first_made(visitor: Visitor):
    first, second = (visitor.post("add_ons", "new", form=FIELDS) for _ in range(2))
    assert (first.status, second.status, first.location) == (303, 303, second.location)
    assert visitor.post("add_ons", "new", form={**FIELDS, "amount_cents": "1"}).status == 422


def test_an_add_on_is_changed(visitor: Visitor):
    visitor.post("add_ons", "new", form=FIELDS)
    place = ("add_ons", made(visitor)["lago_id"], "edit")
    fields = visitor.get(*place).fields
    assert {name: fields[name] for name in FIELDS} == {
        name: values if isinstance(values, list) else [values] for name, values in FIELDS.items()
    }
    for _ in range(2):
        changed = {**FIELDS, "amount_cents": "1,000", "tax_codes": [""], "description": ""}
        assert visitor.post(*place, form=changed).status == 303
    add_on = made(visitor)
    assert (add_on["amount_cents"], add_on["taxes"], add_on["description"]) == (100000, [], None)


def test_an_add_on_is_deleted_once_the_consequence_was_said(visitor: Visitor):
    visitor.post("add_ons", "new", form=FIELDS)
    place = ("add_ons", made(visitor)["lago_id"], "delete")
    assert "fixed charges that bill its €250.50" in visitor.get(*place).words
    for _ in range(2):
        assert visitor.post(*place).status == 303
    assert visitor.story.call("GET", "/add_ons/setup").status == 404
    assert visitor.get("add_ons", place[1], "edit").status == 404


def test_the_pages_cost_few_requests(visitor: Visitor):
    visitor.post("add_ons", "new", form=FIELDS)
    its = ["add_ons", made(visitor)["lago_id"]]
    for place in (["add_ons"], ["add_ons", "new"], its, [*its, "edit"], [*its, "delete"]):
        with capacity.counting() as meter:
            assert visitor.get(*place).status == 200
        assert sum(meter.requests.values()) <= 8, place
