"""Add-ons over the API."""

import pytest

ADD_ON = {"name": "Setup", "code": "setup", "amount_cents": 1250, "amount_currency": "EUR"}


def test_an_add_on_is_made_changed_found_and_listed(story):
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20}})
    body = {**ADD_ON, "description": "Once", "invoice_display_name": "Set-up", "tax_codes": ["vat"]}
    made = story.ok("POST", "/add_ons", {"add_on": body})["add_on"]
    assert [tax["code"] for tax in made.pop("taxes")] == ["vat"]
    assert made.pop("lago_id")
    assert made == {
        "name": "Setup",
        "invoice_display_name": "Set-up",
        "code": "setup",
        "amount_cents": 1250,
        "amount_currency": "EUR",
        "description": "Once",
        "created_at": "2024-01-01T00:00:00Z",
    }
    changed = story.ok("PUT", "/add_ons/setup", {"add_on": {"code": "start", "amount_cents": 1, "description": None}})
    assert (changed["add_on"]["code"], changed["add_on"]["amount_cents"]) == ("start", 1)
    assert (changed["add_on"]["description"], changed["add_on"]["name"]) == (None, "Setup")
    assert len(changed["add_on"]["taxes"]) == 1
    assert story.ok("PUT", "/add_ons/start", {"add_on": {"tax_codes": []}})["add_on"]["taxes"] == []
    assert story.call("GET", "/add_ons/setup").status == 404

    story.ok("POST", "/add_ons", {"add_on": {**ADD_ON, "name": "Training"}})
    assert [a["code"] for a in story.ok("GET", "/add_ons")["add_ons"]] == ["setup", "start"]
    found = story.ok("GET", "/add_ons?search_term=TRAIN")
    assert ([a["code"] for a in found["add_ons"]], found["meta"]["total_count"]) == (["setup"], 1)


def test_a_deleted_add_on_is_gone_and_its_code_free(story):
    first = story.ok("POST", "/add_ons", {"add_on": ADD_ON})["add_on"]
    assert story.ok("DELETE", "/add_ons/setup")["add_on"] == first
    assert story.call("GET", "/add_ons/setup").body["code"] == "add_on_not_found"
    assert story.ok("GET", "/add_ons")["meta"]["total_count"] == 0
    assert story.ok("POST", "/add_ons", {"add_on": ADD_ON})["add_on"]["lago_id"] != first["lago_id"]


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        pytest.param({"name": " "}, {"name": ["value_is_mandatory"]}, id="name"),
        pytest.param({"code": None}, {"code": ["value_is_mandatory"]}, id="code"),
        pytest.param({"amount_cents": None}, {"amount_cents": ["value_is_mandatory"]}, id="no amount"),
        pytest.param({"amount_cents": 0}, {"amount_cents": ["value_is_out_of_range"]}, id="amount of nothing"),
        pytest.param({"amount_cents": -1}, {"amount_cents": ["value_is_out_of_range"]}, id="negative amount"),
        pytest.param({"amount_cents": "x"}, {"amount_cents": ["value_is_invalid"]}, id="amount of letters"),
        pytest.param({"amount_currency": "XXX"}, {"amount_currency": ["value_is_invalid"]}, id="currency"),
        pytest.param({"amount_currency": None}, {"amount_currency": ["value_is_invalid"]}, id="no currency"),
        pytest.param({"tax_codes": "vat"}, {"tax_codes": ["value_is_invalid"]}, id="no list of taxes"),
    ],
)
def test_wrong_add_ons_are_refused(story, fields, details):
    answer = story.call("POST", "/add_ons", {"add_on": {**ADD_ON, **fields}})
    assert (answer.status, answer.body["error_details"]) == (422, details)
    assert story.call("GET", "/add_ons/setup").status == 404


def test_taken_codes_and_unknown_taxes_are_refused(story):
    story.ok("POST", "/add_ons", {"add_on": ADD_ON})
    taken = story.call("POST", "/add_ons", {"add_on": ADD_ON})
    assert taken.body["error_details"] == {"code": ["value_already_exist"]}
    unknown = story.call("POST", "/add_ons", {"add_on": {**ADD_ON, "code": "other", "tax_codes": ["none"]}})
    assert (unknown.status, unknown.body["code"]) == (404, "tax_not_found")
    everything = story.call("POST", "/add_ons", {"add_on": {"description": "x"}})
    assert everything.body["error_details"] == {
        "name": ["value_is_mandatory"],
        "code": ["value_is_mandatory"],
        "amount_cents": ["value_is_mandatory"],
        "amount_currency": ["value_is_invalid"],
    }
