"""Pages of taxes: what the form holds is what the API gets, and the other way round."""

from tests.support import capacity
from tests.support.console import Visitor

FIELDS = {"name": "VAT", "code": "vat", "rate": "20", "description": "Standard", "applied_to_organization": "true"}


def made(visitor: Visitor, code: str = "vat"):
    return visitor.story.ok("GET", f"/taxes/{code}")["tax"]


def test_a_tax_is_made_and_shown(visitor: Visitor):
    answer = visitor.post("taxes", "new", form=FIELDS)
    assert answer.status == 303
    tax = made(visitor)
    assert {name: str(tax[name]).replace("True", "true") for name in FIELDS} == FIELDS
    assert answer.location.endswith(f"/taxes/{tax['lago_id']}")
    shown = visitor.at(answer.location)
    assert (shown.status, "20%" in shown.words, "All customers" in shown.words) == (200, True, True)
    assert "VAT vat 20% All customers" in visitor.get("taxes").words


def test_each_wrong_field_shows_its_code(visitor: Visitor):
    shown = visitor.post("taxes", "new", form={"name": "", "code": "", "rate": "many", "description": "kept"})
    assert shown.status == 422
    assert shown.words.count("value_is_mandatory") == 2
    assert shown.text.count('aria-invalid="true"') == 3
    assert shown.fields["description"] == ["kept"]
    assert visitor.story.ok("GET", "/taxes")["taxes"] == []


def test_a_code_that_another_tax_has_is_refused(visitor: Visitor):
    visitor.post("taxes", "new", form=FIELDS)
    shown = visitor.post("taxes", "new", form={**FIELDS, "rate": "7"})
    assert (shown.status, "value_already_exist" in shown.words) == (422, True)


def test_a_second_click_finds_what_the_first_made(visitor: Visitor):
    first, second = (visitor.post("taxes", "new", form=FIELDS) for _ in range(2))
    assert (first.status, second.status, first.location) == (303, 303, second.location)
    assert len(visitor.story.ok("GET", "/taxes")["taxes"]) == 1


def test_a_tax_is_changed(visitor: Visitor):
    visitor.post("taxes", "new", form=FIELDS)
    tax = made(visitor)
    fields = {name: values[-1] for name, values in visitor.get("taxes", tax["lago_id"], "edit").fields.items()}
    assert {name: fields[name] for name in FIELDS} == FIELDS
    for _ in range(2):
        answer = visitor.post("taxes", tax["lago_id"], "edit", form={**FIELDS, "rate": "5.5", "code": "new"})
        assert answer.status == 303
    assert str(made(visitor, "new")["rate"]) == "5.5"


def test_a_tax_is_deleted_once_the_consequence_was_said(visitor: Visitor):
    visitor.post("taxes", "new", form=FIELDS)
    place = ("taxes", made(visitor)["lago_id"], "delete")
    asked = visitor.get(*place)
    assert "all customers are billed without its 20%" in asked.words
    for _ in range(2):
        assert visitor.post(*place).status == 303
    assert visitor.story.call("GET", "/taxes/vat").status == 404
    assert visitor.get(*place).status == 404
    assert visitor.get("taxes", place[1]).status == 404


def test_the_pages_cost_few_requests(visitor: Visitor):
    visitor.post("taxes", "new", form=FIELDS)
    tax_id = made(visitor)["lago_id"]
    for place in (["taxes"], ["taxes", "new"], *(["taxes", tax_id, *rest] for rest in ([], ["edit"], ["delete"]))):
        with capacity.counting() as meter:
            assert visitor.get(*place).status == 200
        assert sum(meter.requests.values()) <= 8, place
